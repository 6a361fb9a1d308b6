"""RAK3172 (RUI3 firmware): what its lines say, and how its radio is written down. Pure.

Bandwidth is written in kHz by old firmware, as 0, 1, 2 for 125, 250, 500 kHz by RUI3: it is asked, never guessed. What
was heard is one line, in old firmware two.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from protocols.errors import LocalError, RemoteError

BANDWIDTHS = (125, 250, 500)  # kHz, by RUI3's number


class Radio(NamedTuple):
    """`frequency` in Hz, `bandwidth` in kHz, `coding` the denominator of 4/5 to 4/8, `power` in dBm."""

    frequency: int
    spreading: int
    bandwidth: int
    coding: int
    preamble: int
    power: int


def decode_radio(value: str) -> tuple[Radio, bool]:
    """What `AT+P2P=?` says, and whether bandwidth is a number of RUI3's."""
    try:
        frequency, spreading, bandwidth, coding, preamble, power = (int(part) for part in value.split(":"))
    except ValueError:
        raise RemoteError("rak.radio", value[:40]) from None
    numbered = bandwidth < len(BANDWIDTHS)
    width = BANDWIDTHS[bandwidth] if 0 <= bandwidth < len(BANDWIDTHS) else bandwidth
    return Radio(frequency, spreading, width, coding + 5, preamble, power), numbered


def encode_radio(radio: Radio, *, numbered: bool) -> str:
    if radio.bandwidth not in BANDWIDTHS:
        raise LocalError("rak.bandwidth", str(radio.bandwidth))
    width = BANDWIDTHS.index(radio.bandwidth) if numbered else radio.bandwidth
    return f"{radio.frequency}:{radio.spreading}:{width}:{radio.coding - 5}:{radio.preamble}:{radio.power}"


_BYTES = "((?:[0-9A-Fa-f]{2}){1,255})"
_FORMS: Mapping[str, re.Pattern[str]] = {
    "received": re.compile(rf"\+EVT:RXP2P:(?:RSSI )?(-?\d{{1,4}}):(?:SNR )?(-?\d{{1,3}}):{_BYTES}", re.ASCII),
    "heard": re.compile(r"\+EVT:RXP2P, ?RSSI (-?\d{1,4}), ?SNR (-?\d{1,3})", re.ASCII),
    "payload": re.compile(rf"\+EVT:{_BYTES}", re.ASCII),
    "error": re.compile(r"(AT_[A-Z_]{2,30}|ERROR)", re.ASCII),
    "command": re.compile(r"AT\+([A-Z0-9]{2,12})=(.*)", re.ASCII),
    "event": re.compile(r"\+EVT:([ -~]+)", re.ASCII),
}
_WORDS = {
    "OK": "ok",
    "+EVT:TXP2P DONE": "sent",
    "+EVT:RXP2P RECEIVE TIMEOUT": "receive_timeout",
    "+EVT:RXP2P RECEIVE ERROR": "receive_error",
}
_FIELDS: Mapping[str, Mapping[str, Callable[[str], Any]]] = {
    "received": {"rssi": int, "snr": int, "data": str.lower},
    "heard": {"rssi": int, "snr": int},
    "payload": {"data": str.lower},
    "error": {"code": str},
    "command": {"name": str, "value": str},
    "event": {"name": str},
}


def decode_line(line: str) -> dict[str, Any]:
    """One line of the module in words; RemoteError for one that is not its language."""
    text = line.strip()
    if text in _WORDS:
        return {"kind": _WORDS[text]}
    for kind, form in _FORMS.items():
        if match := form.fullmatch(text):
            fields = _FIELDS[kind].items()
            return {"kind": kind} | {
                name: read(said) for (name, read), said in zip(fields, match.groups(), strict=True)
            }
    raise RemoteError("rak.line", repr(text[:40]), 0)
