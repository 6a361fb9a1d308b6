"""What a line that is only listened to speaks: bytes → language, and pieces of it in JSON's terms. Pure.

A language is believed when its own checksums or forms explain most of what was heard; one that has none of them needs
whole lines. What nothing explains is `unknown`, and such a line is not to be disturbed.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from protocols import at_decode, at_lines, modbus_decode, nmea_decode, rdss_decode, sbd_decode, sdi12, vaisala
from protocols.errors import ProtocolError, RemoteError
from protocols.framing import Lines
from protocols.modbus_rtu import Frame, RtuStream
from protocols.nmea import LONGEST, NmeaStream, Sentence, parse
from protocols.rdss import Sentences

Row = dict[str, Any]
UNKNOWN = "unknown"
MOST_JUDGED = 4096  # bytes; more does not make a language plainer
BELIEVED = 0.6  # of the bytes must be explained: a line heard from its middle on begins with half a sentence
BEIDOU = "BSI BSS CXA DWA FKI FKX GNT ICA ICI ICP PKI PWI RMO SNR TCA TCI TCQ TXA TXR WAA WAX ZZX"
_SBD = re.compile(rb"(?:AT)?\+SBD|SBDRING|\d{3} [a-zA-Z]+ \{")
_AT = re.compile(rb"AT[+&^$A-Z0-9]*|OK|ERROR|RING|NO CARRIER|\+CM[ES] ERROR: .*", re.IGNORECASE)
_SDI12 = re.compile(
    rb"[0-9A-Za-z?](?:[MCVRDIAH][0-9A-Za-z]{0,4})?!|[0-9A-Za-z](?:[+-][\d.]+)+(?:[@-\x7f]{3})?|[0-9A-Za-z]1[1-4].{17,30}"
)


class Heard(NamedTuple):
    """`said`: what was recognised, as sentences by name, units by number."""

    kind: str
    said: tuple[str, ...] = ()


def recognise(data: bytes) -> Heard:
    """The language of what was overheard."""
    data = data[-MOST_JUDGED:]
    if not data:
        return Heard("silent")
    explained = {kind: judge(data) for kind, judge in _JUDGES.items()}
    kind = max(explained, key=lambda name: explained[name][0])
    size, said = explained[kind]
    return Heard(kind, tuple(dict.fromkeys(said))) if size >= BELIEVED * len(data) else Heard(UNKNOWN)


def _modbus(data: bytes) -> tuple[int, list[str]]:
    stream = RtuStream()
    frames = [one for one in stream.receive(data, 0.0) + stream.flush() if isinstance(one, Frame)]
    return sum(len(one.pdu) + 3 for one in frames), [str(one.unit) for one in frames]


def _by_line(name: Callable[[bytes], str]) -> Callable[[bytes], tuple[int, list[str]]]:
    """Lines that `name` has a name for; the two characters of a line's end count as its own."""

    def judge(data: bytes) -> tuple[int, list[str]]:
        found = [(len(line) + 2, name(line)) for line in Lines(LONGEST).feed(data + b"\n")]
        return sum(size for size, said in found if said), [said for _, said in found if said]

    return judge


def _sentence(line: bytes) -> str:
    found = parse(line) if b"$" in line else None
    return f"{found.talker}{found.kind}" if isinstance(found, Sentence) and not _is_beidou(found) else ""


def _beidou(line: bytes) -> str:
    found = parse(line) if b"$" in line else None
    return f"{found.talker}{found.kind}" if isinstance(found, Sentence) and _is_beidou(found) else ""


def _is_beidou(found: Sentence) -> bool:
    return len(found.kind) == 3 and found.kind in BEIDOU and found.talker in ("BD", "CC")


def _spoken(line: bytes) -> str:
    text = line.decode("latin-1")
    return text[:24] if not _SBD.match(line) and (_AT.fullmatch(line) or at_lines.is_spoken(text)) else ""


def _vaisala(line: bytes) -> str:
    try:
        return f"{vaisala.parse(line).address}"
    except (ProtocolError, AttributeError):
        return ""


_JUDGES: Mapping[str, Callable[[bytes], tuple[int, list[str]]]] = {
    "modbus-rtu": _modbus,
    "nmea": _by_line(_sentence),
    "beidou": _by_line(_beidou),
    "vaisala": _by_line(_vaisala),
    "sbd": _by_line(lambda line: line[:16].decode("latin-1") if _SBD.match(line) else ""),
    "at": _by_line(_spoken),
    "sdi12": _by_line(lambda line: chr(line[0]) if _SDI12.fullmatch(line) else ""),
}

KINDS = tuple(_JUDGES)


class Overhearing:
    """A `Machine` that sends nothing: bytes in, rows out. `build_year` dates two-digit years."""

    def __init__(self, kind: str, build_year: int) -> None:
        self.kind = kind
        self._modbus, self._talk = RtuStream(), modbus_decode.Talk()
        self._nmea = NmeaStream()
        self._beidou = Sentences()
        self._lines = Lines(LONGEST, keep_tail=True)
        self._build_year = build_year

    @property
    def deadline(self) -> float | None:
        return self._modbus.deadline

    def receive(self, data: bytes, now: float) -> Sequence[Row]:
        if self.kind == "modbus-rtu":
            return [self._talk.describe(one) for one in self._modbus.receive(data, now)]
        if self.kind == "nmea":
            return [nmea_decode.describe(one, self._build_year) for one in self._nmea.receive(data)]
        if self.kind == "beidou":
            return [rdss_decode.describe(one) for one in self._beidou.feed(data)]
        return [row for line in self._lines.feed(data) for row in _line_rows(self.kind, line)]

    def tick(self, now: float) -> Sequence[Row]:
        return [self._talk.describe(one) for one in self._modbus.tick(now)]


def _line_rows(kind: str, line: bytes) -> Iterator[Row]:
    text = line.decode("latin-1")
    try:
        if kind == "at":
            yield from at_decode.decode(line)
        elif kind == "sbd":
            yield from sbd_decode.decode(line)
        elif kind == "vaisala":
            yield {"line": text, **vaisala.parse(line)._asdict()}
        elif kind == "sdi12":
            yield _sdi12(line, text)
        else:
            yield {"line": text}
    except ProtocolError as wrong:
        yield {"line": text, "error": wrong.reason}


def _sdi12(line: bytes, text: str) -> Row:
    if line.endswith(b"!"):
        return {"command": text}
    try:
        found = sdi12.values_of(line, crc=None)
    except RemoteError:
        return {"line": text}
    return {"address": found.address, "values": list(found.values)}
