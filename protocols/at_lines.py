"""What a line from an AT modem is: a final result, a line of the reply that is wanted, something unasked. Pure; no state.

The languages of 3GPP TS 27.007 and 27.005, with the makers' signs (`^`, `*`, `$`, `%`, `#`) beside `+`, and of RUI3
(RAK), whose errors are names.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple


class Final(NamedTuple):
    """How a command ended: `word` as OK, ERROR, +CME ERROR, +CMS ERROR, NO CARRIER, AT_BUSY_ERROR; `code` what follows the
    colon, a number where it is one.
    """

    word: str
    code: int | str | None = None

    @property
    def ok(self) -> bool:
        return self.word == "OK" or self.word.startswith("CONNECT")


_WORDS = frozenset(
    {"OK", "ERROR", "NO CARRIER", "BUSY", "NO ANSWER", "NO DIALTONE", "NO DIAL TONE", "COMMAND NOT SUPPORT", "ABORTED"}
)  # V.250 §5.7.1, and what SIMCom and Huawei say besides
_CALLS = frozenset({"NO CARRIER", "BUSY", "NO ANSWER", "NO DIALTONE", "NO DIAL TONE"})
_CODED = re.compile(r"(\+CM[ES] ERROR)\s*:\s*(.*)")
_NAMED = re.compile(r"AT_[A-Z]+(?:_[A-Z]+)*")  # RUI3: AT_ERROR, AT_PARAM_ERROR, AT_NO_NETWORK_JOINED
_CONNECT = re.compile(r"CONNECT(?: \d.*)?")
_NAME = re.compile(r"[Aa][Tt]([+^*$%#&][A-Za-z][\w.]*)")
_SPOKEN = re.compile(r"[+^*$%#][A-Z][A-Z0-9_ ]*(?::|$)")  # +CMTI: "ME",3   ^SIMST:1   ^SMMEMFULL   +EVT:RXP2P:...
UNASKED = frozenset(
    {
        "RING",
        "RDY",
        "READY",
        "SMS DONE",
        "SMS Ready",
        "SMS READY",
        "Call Ready",
        "PB DONE",
        "NORMAL POWER DOWN",
        "POWERED DOWN",
        "START",
        "UNDER-VOLTAGE WARNNING",
        "UNDER-VOLTAGE POWER DOWN",
        "OVER-VOLTAGE WARNNING",
        "OVER-VOLTAGE POWER DOWN",
        "boot.rom",
    }
)  # fmt: skip  (the makers' own spelling)
BODIED = ("+CMT:", "+CDS:", "+CBM:")  # a second line follows (27.005 §3.4.1)


def final(line: str) -> Final | None:
    """The result that ends a reply, if this line is one."""
    if line in _WORDS or _CONNECT.fullmatch(line) or _NAMED.fullmatch(line):
        return Final(line)
    match = _CODED.fullmatch(line)
    if match is None:
        return None
    code = match[2].strip()
    return Final(match[1], int(code) if code.isascii() and code.isdecimal() and len(code) < 6 else code)


def name_of(command: str) -> str:
    """`+CSQ` of AT+CSQ, `^TETYPE` of AT^TETYPE?; "" where a command has none (ATI)."""
    match = _NAME.match(command)
    return match[1].upper() if match else ""


def is_spoken(line: str) -> bool:
    """It looks like something that a modem says by itself: a sign and a name, or one of the known words."""
    return line in UNASKED or _SPOKEN.match(line) is not None


def is_call(ended: Final) -> bool:
    """The end of a call: unasked where no command is under way."""
    return ended.word in _CALLS


def replies(line: str, command: str, pattern: re.Pattern[str] | None = None) -> bool:
    """Whether a line belongs to the reply of a command: as its pattern says, or by its name, or because it has no other."""
    if pattern is not None:
        return pattern.match(line) is not None
    name = name_of(command)
    return (bool(name) and line.upper().startswith(f"{name}:")) or not is_spoken(line)


# In a reply `<n>,<stat>` is read, unasked `<stat>[,"area","cell"]` is said: the same name, told apart by the second
# field, which is a bare number of one or two digits in the reply only (27.007 §7.2, §10.1.20, §10.1.22).
_REGISTRATION = r"\+{name}:\s*\d\s*,\s*\d{{1,2}}\s*(?:,|$)"
REPLIES: Mapping[str, re.Pattern[str]] = {
    f"AT+{name}?": re.compile(_REGISTRATION.format(name=name)) for name in ("CREG", "CGREG", "CEREG", "C5GREG")
}
