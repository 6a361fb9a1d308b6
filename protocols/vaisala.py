"""Vaisala WXT5xx weather transmitters, ASCII: lines both ways (user guide M210906EN-C, pp. 67-81). Pure.

A second letter in lower case says that three characters of checksum follow, those of SDI-12. A field is a name, a number and
a letter for its unit; `#` says that the instrument has no valid value.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError
from protocols.scale import Scale
from protocols.sdi12 import checksum

LONGEST = 512  # bytes; a composite of everything is some 250
WIND, AIR, RAIN, SUPERVISOR, COMPOSITE = "R1", "R2", "R3", "R5", "R0"

_FIELD = re.compile(r"([A-Z][A-Za-z0-9]{1,3})=(-?\d+(?:\.\d+)?|)([A-Za-z#])")
_NUMBERS = re.compile(r"(?:,[A-Z][a-z]=-?\d+(?:\.\d+)?[A-Za-z])*")  # what nearly every line is
_HEAD = re.compile(r"[0-9A-Za-z][A-Za-z]", re.ASCII)

# Letters of the user guide, tables 7-10, and what makes the UCUM unit behind them of a value.
_SPEED = {"M": Scale(), "K": Scale(0.277777777778), "S": Scale(0.44704), "N": Scale(0.514444444444)}
_WARMTH = {"C": Scale(), "F": Scale(0.555555555556, -17.777777777778)}
_PRESSURE = {"H": Scale(), "P": Scale(0.01), "B": Scale(1000.0), "M": Scale(1.33322387), "I": Scale(33.8638867)}
_DEPTH = {"M": Scale(), "I": Scale(25.4)}
_HITS = {"M": Scale(), "I": Scale(0.15500031)}
_VOLTS = {"V": Scale(), "N": Scale(), "F": Scale(), "W": Scale()}  # of the heater: its state
Letters = Mapping[str, Scale]

FIELDS: Mapping[str, tuple[str, Letters, str]] = {
    **dict.fromkeys(("Dn", "Dm", "Dx"), ("deg", {"D": Scale()}, WIND)),
    **dict.fromkeys(("Sn", "Sm", "Sx"), ("m/s", _SPEED, WIND)),
    **dict.fromkeys(("Ta", "Tp"), ("Cel", _WARMTH, AIR)),
    "Ua": ("%{RH}", {"P": Scale()}, AIR),
    "Pa": ("hPa", _PRESSURE, AIR),
    "Rc": ("mm", _DEPTH, RAIN),
    **dict.fromkeys(("Ri", "Rp"), ("mm/h", _DEPTH, RAIN)),
    **dict.fromkeys(("Rd", "Hd"), ("s", {"s": Scale(), "S": Scale()}, RAIN)),
    **dict.fromkeys(("Hc", "Hi", "Hp"), ("1", _HITS, RAIN)),  # hits per cm2, and per cm2 and hour
    "Th": ("Cel", _WARMTH, SUPERVISOR),
    **dict.fromkeys(("Vh", "Vs", "Vr"), ("V", _VOLTS, SUPERVISOR)),
}
"""Field -> its unit here, what each letter means, and the query that answers with it."""


class Field(NamedTuple):
    """`value` is None where the instrument marks it invalid."""

    name: str
    value: float | None
    unit: str


_made = tuple.__new__  # a Field without the Python call that its constructor is: a line has several


class Message(NamedTuple):
    """`kind` is that of the query, R0 to R5, or TX for an error; what is no number stays text."""

    address: str
    kind: str
    fields: tuple[Field | str, ...]
    checked: bool


def parse(line: bytes) -> Message:
    """One line without its end. RemoteError `crc`, or `format` for what is none of its lines."""
    if len(line) > LONGEST or not line.isascii():
        raise _wrong(line)
    checked = line[1:2].islower()
    if checked:
        body = line[:-3]
        if len(body) < 2 or checksum(body) != line[-3:]:
            raise RemoteError("crc", _shown(line))
        line = body
    head, comma, rest = line.decode("ascii").partition(",")
    if not _HEAD.match(head) or not head.isalnum():
        raise _wrong(line)
    return Message(head[0], head[1:].upper(), _fields(comma + rest), checked)


def _fields(text: str) -> tuple[Field | str, ...]:
    parts = text[1:].split(",") if text else []
    if _NUMBERS.fullmatch(text):
        return tuple([_made(Field, (part[:2], float(part[3:-1]), part[-1])) for part in parts])
    return tuple([_field(part) for part in parts])


def _field(text: str) -> Field | str:
    found = _FIELD.fullmatch(text)
    if found is None:
        return text
    name, said, unit = found.groups()
    return Field(name, None if unit == "#" or not said else float(said), unit)


def write(message: Message) -> bytes:
    """The line of a message, as the instrument sends it: for simulators; numbers in their shortest form."""
    parts = [
        one if isinstance(one, str) else f"{one.name}={'' if one.value is None else one.value}{one.unit}"
        for one in message.fields
    ]
    kind = message.kind[:1].lower() + message.kind[1:] if message.checked else message.kind
    line = ",".join([message.address + kind, *parts]).encode("ascii")
    return line + checksum(line) if message.checked else line


def query(address: str, kind: str = COMPOSITE, *, checked: bool = False) -> bytes:
    """What is sent to ask for it, with its end of line."""
    if len(address) != 1 or not address.isalnum() or not kind.startswith("R"):
        raise LocalError("query", f"{address}{kind}")
    return write(Message(address, kind, (), checked)) + b"\r\n"


def value(field: Field) -> float:
    """In the unit of `FIELDS`. RemoteError `missing`, or `unit` for a letter that this field cannot have."""
    letters = FIELDS[field.name][1]
    if field.value is None:
        raise RemoteError("missing", field.name)
    if field.unit not in letters:
        raise RemoteError("unit", f"{field.name}: {field.unit}")
    scaled = letters[field.unit](field.value)
    return scaled if letters[field.unit].factor == 1 else round(scaled, 4)


def _wrong(line: bytes) -> RemoteError:
    return RemoteError("format", _shown(line))


def _shown(line: bytes) -> str:
    return line[:80].decode("ascii", "backslashreplace")
