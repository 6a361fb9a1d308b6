"""Profiles of cellular and satellite modems: what one kind needs to hear, as TOML a person can hold against its manual.

Shipped ones lie in `drivers/bearers/modems/`; a station's own directories go first.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drivers.api import Problem
from drivers.profile import Profile, load
from protocols.modem_dialect import Clock, Dialect, Step

SHIPPED = Path(__file__).parent / "modems"
STORES = ("SM", "ME", "MT", "SR")  # 27.005 §3.2.2: SIM, module, both, status reports


class CommandTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    command: str


class StepTable(CommandTable, forbid_unknown_fields=True, kw_only=True):
    timeout: float = 5.0
    required: bool = False


class ClockTable(CommandTable, forbid_unknown_fields=True, kw_only=True):
    utc: bool


class ModemProfile(Profile, forbid_unknown_fields=True, kw_only=True):
    """Keys as in `protocols.modem_dialect.Dialect`; times in seconds."""

    baud: int = 115_200
    setup: list[StepTable]
    messages: list[StepTable]
    clock: list[ClockTable] = msgspec.field(default_factory=list)
    banners: list[str] = msgspec.field(default_factory=list)
    greeting: str = ""
    greeting_timeout: float = 15.0
    stores: list[str] = msgspec.field(default_factory=lambda: ["SM", "ME"])
    registrations: list[str] = msgspec.field(default_factory=lambda: ["CREG", "CGREG", "CEREG"])
    full: list[str] = msgspec.field(default_factory=list)
    pin_tries: str = ""
    radio_off: str = "AT+CFUN=0"
    radio_on: str = "AT+CFUN=1"
    restart: str = "AT+CFUN=1,1"
    boot: float = 20.0
    send_timeout: float = 120.0
    radio_timeout: float = 15.0

    def dialect(self) -> Dialect:
        own: dict[str, Any] = {
            name: tuple(value) if isinstance(value := getattr(self, name), list) else value
            for name in Dialect.__dataclass_fields__
            if name not in ("setup", "messages", "clock")
        }
        return Dialect(
            **own,
            setup=tuple(_step(one) for one in self.setup),
            messages=tuple(_step(one) for one in self.messages),
            clock=tuple(Clock(one.command, one.utc) for one in self.clock),
        )


def _step(table: StepTable) -> Step:
    return Step(table.command, table.timeout, table.required)


def open_modem(name: str, directories: Sequence[Path] = ()) -> tuple[ModemProfile | None, list[Problem]]:
    """The profile that a configuration names, under the key `profile`, or everything that is wrong with it."""
    places = (*directories, SHIPPED)
    path = next((at for place in places if (at := place / f"{name}.toml").is_file()), None)
    if path is None or Path(name).name != name:
        known = sorted({one.stem for one in SHIPPED.glob("*.toml")})
        return None, [Problem("profile", "profile.unknown", {"name": name, "known": ", ".join(known)})]
    profile, problems = load(path, ModemProfile)
    found = [*problems, *(_problems(profile) if profile is not None else ())]
    placed = [Problem(f"profile {path.name} {one.key}".rstrip(), one.code, one.facts) for one in found]
    return (None if placed else profile), placed


def _problems(profile: ModemProfile) -> Iterator[Problem]:
    if profile.kind != "modem":
        yield Problem("kind", "profile.kind", {"kind": profile.kind, "wanted": "modem"})
    for store in profile.stores:
        if store not in STORES:
            yield Problem("stores", "modem.store", {"value": store, "known": ", ".join(STORES)})
    tables: list[CommandTable] = [*profile.setup, *profile.messages, *profile.clock]
    commands = [one.command for one in tables]
    for command in (*commands, profile.radio_off, profile.radio_on, profile.restart):
        if not (command.startswith("AT") and command.isascii() and command.isprintable()):
            yield Problem("setup", "modem.command", {"command": command})
