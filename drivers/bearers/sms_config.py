"""What a `[[bearer]]` of SMS is told, and what can be said wrong about it before a modem is touched."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import msgspec

from drivers.address import Address, AddressKey, missing
from drivers.api import Context, Problem
from drivers.bearers.modem_profile import ModemProfile, open_modem
from drivers.bearers.people import DAY
from drivers.values import Duration
from protocols.sms_content import MOST_OCTETS
from protocols.sms_numbers import is_number

PORT = AddressKey("port", ("serial", "tcp", "sim"))
DAILY_MOST = 10_000  # messages: one every nine seconds, all day


class MessagesConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What all bearers of SMS have in common. `to` is the headend's number; `allow` who is heard besides; `country` goes
    before numbers without one. `format = "text"` for networks that drop 8-bit messages. `reports` asks the network what
    became of each message; `validity` is how long it keeps trying.
    """

    name: str
    to: str = ""
    allow: list[str] = msgspec.field(default_factory=list)
    format: Literal["data", "text"] = "data"
    country: str = "86"
    reports: bool = False
    validity: Duration = Duration(DAY)
    interval: Duration = Duration(5.0)
    latency: Duration = Duration(10.0)
    daily_messages: int = 200
    mtu: int = MOST_OCTETS
    cost: float = 0.0


class SmsConfig(MessagesConfig, forbid_unknown_fields=True, kw_only=True):
    """`[[bearer]] driver = "sms"`. `power_cycle` is a command that takes the modem's supply away and gives it back."""

    port: str
    profile: str = "generic"
    pin_file: str = ""
    power_cycle: list[str] = msgspec.field(default_factory=list)


def check(config: SmsConfig, context: Context) -> Iterator[Problem]:
    profile, problems = open_modem(config.profile, context.profiles)
    yield from problems
    address, wrong = line_address(config, profile)
    yield from wrong
    if address is not None:
        yield from missing(address, "port", context.base)
    yield from read_pin(config, context)[1]
    yield from check_messages(config)


def check_messages(config: MessagesConfig) -> Iterator[Problem]:
    """What is wrong with the part that all have in common."""
    for key, numbers in (("to", [config.to] if config.to else []), ("allow", config.allow)):
        for number in numbers:
            if not is_number(number):
                yield Problem(key, "modem.number", {"value": number})
    if not (config.country.isascii() and config.country.isdecimal() and len(config.country) <= 3):
        yield Problem("country", "modem.country", {"value": config.country})
    for key, value, least, most in (
        ("mtu", config.mtu, 16, MOST_OCTETS),
        ("interval", config.interval, 0.0, 3600.0),
        ("latency", config.latency, 0.0, 3600.0),
        ("validity", config.validity, 300.0, 63 * 7 * DAY),
        ("daily_messages", config.daily_messages, 0, DAILY_MOST),
    ):
        if not least <= value <= most:
            yield Problem(key, "value.range", {"value": value, "least": least, "most": most})


def line_address(config: SmsConfig, profile: ModemProfile | None) -> tuple[Address | None, list[Problem]]:
    """The modem's own rate where the address names none."""
    usual = PORT if profile is None else replace(PORT, baud=profile.baud)
    return usual.parse(config.port)


def read_pin(config: SmsConfig, context: Context) -> tuple[str, list[Problem]]:
    """Four to eight digits (27.007 §8.3), in a file of their own."""
    if not config.pin_file:
        return "", []
    file = context.base / config.pin_file
    try:
        pin = file.read_bytes()[:16].decode("ascii", "replace").strip()
    except OSError as wrong:
        return "", [Problem("pin_file", "modem.pin_unreadable", {"file": str(file), "why": wrong.strerror or ""})]
    if not (pin.isascii() and pin.isdecimal() and 4 <= len(pin) <= 8):
        return "", [Problem("pin_file", "modem.pin", {"file": str(file)})]
    return pin, []
