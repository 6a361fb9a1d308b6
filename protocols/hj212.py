"""HJ 212-2017, the telemetry of China's environmental monitoring: packets both ways, bytes → packets and rows. Pure.

`##`, four digits of length, the data segment, four digits of checksum, CR LF. The checksum of appendix A is not that of
Modbus though it has its polynomial: the low byte is thrown away at each character, so it has 256 values. Some senders
compute that of Modbus all the same; such a packet is read, marked, and answered with the right one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from protocols.checksums import crc16
from protocols.errors import LocalError, RemoteError
from protocols.framing import Flaw

MARK = b"##"
HEAD, TAIL = 6, 4  # mark and length; checksum. The CR LF behind it is not counted
MOST_SEGMENT = 9999  # bytes: four digits; the standard's 1024 is not kept by all
FLAGS = {"N": "normal", "F": "stopped", "M": "maintenance", "S": "manual", "D": "fault", "C": "calibrating",
         "T": "over range", "B": "communication"}  # fmt: skip
STATIONS = {"21": "surface water", "22": "air", "23": "noise", "24": "groundwater", "25": "soil", "27": "VOC",
            "31": "air source", "32": "water source", "39": "dust", "91": "interaction"}  # fmt: skip
_DIGITS = re.compile(rb"\d{4}")
_CHECK = re.compile(rb"[0-9A-Fa-f]{4}")


class Packet(NamedTuple):
    """`header` as it comes, in order; `data` one mapping for each part between semicolons. `variant`: whose checksum it has."""

    header: Mapping[str, str]
    data: Sequence[Mapping[str, str]]
    variant: str = "hj212"


def checksum(segment: bytes) -> int:
    """Appendix A of the standard, to the letter."""
    crc = 0xFFFF
    for byte in segment:
        crc = crc >> 8 ^ byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def encode(packet: Packet) -> bytes:
    """A packet with its line end and the standard's own checksum."""
    segment = _segment(packet).encode("utf-8")
    if len(segment) > MOST_SEGMENT:
        raise LocalError("length", f"{len(segment)} bytes")
    return b"##%04d%b%04X\r\n" % (len(segment), segment, checksum(segment))


def _segment(packet: Packet) -> str:
    words = [*packet.header.items(), *(pair for part in packet.data for pair in part.items())]
    if any(mark in word for pair in words for word in pair for mark in (";", "&", ",", "\r", "\n")):
        raise LocalError("segment", "a value with a separator in it")
    header = "".join(f"{name}={value};" for name, value in packet.header.items())
    parts = [",".join(f"{name}={value}" if value else name for name, value in part.items()) for part in packet.data]
    return f"{header}CP=&&{';'.join(parts)}&&"


def decode(data: bytes) -> Packet:
    """One packet without its line end. RemoteError `length`, `crc` or `format`."""
    if data[:2] != MARK or not _DIGITS.fullmatch(data[2:HEAD]):
        raise RemoteError("format", data[:HEAD].decode("ascii", "backslashreplace"))
    segment, given = data[HEAD:-TAIL], data[-TAIL:]
    if len(segment) != int(data[2:HEAD]) or not _CHECK.fullmatch(given):
        raise RemoteError("length", f"{len(segment)} bytes, {int(data[2:HEAD])} declared")
    variant = _variant(segment, int(given, 16))
    return Packet(*_parsed(segment), variant)


def _variant(segment: bytes, given: int) -> str:
    for name, computed in (("hj212", checksum(segment)), ("modbus", crc16(segment))):
        if given == computed:
            return name
    raise RemoteError("crc", f"{given:04X}, computed {checksum(segment):04X}")


def _parsed(segment: bytes) -> tuple[dict[str, str], list[dict[str, str]]]:
    text = segment.decode("utf-8", "replace")
    head, found, rest = text.partition("CP=&&")
    if not found or not rest.endswith("&&"):
        raise RemoteError("format", text[:64])
    parts = [_pairs(part, ",") for part in rest[:-2].split(";") if part]
    return _pairs(head, ";"), parts


def _pairs(text: str, separator: str) -> dict[str, str]:
    found = (item.partition("=") for item in text.split(separator) if item)
    return {name.strip(): value.strip() for name, _, value in found}


class Hj212Stream:
    """Bytes in, packets and flaws out."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def rest(self) -> bytes:
        """What has come of a packet that is not whole."""
        return self._rest

    def feed(self, data: bytes) -> Sequence[Packet | Flaw]:
        self._rest += data
        found: list[Packet | Flaw] = []
        while self._next(found):
            pass
        return found

    def _next(self, found: list[Packet | Flaw]) -> bool:
        at = self._rest.find(MARK)
        if at < 0:
            noise, self._rest = (self._rest[:-1], b"#") if self._rest.endswith(b"#") else (self._rest, b"")
            found += [Flaw("garbage", noise[:64])] if noise.strip() else []
            return False
        if at:
            found += [Flaw("garbage", self._rest[: min(at, 64)])] if self._rest[:at].strip() else []
            self._rest = self._rest[at:]
        size = self._size()
        if size and len(self._rest) >= size:
            self._take(found, size)
            return True
        return self._overtaken(found)

    def _take(self, found: list[Packet | Flaw], size: int) -> None:
        try:
            found.append(decode(self._rest[:size]))
        except RemoteError as wrong:
            if wrong.reason != "format" or _DIGITS.fullmatch(self._rest[2:HEAD]):
                found.append(Flaw(wrong.reason, self._rest[:size]))
            size = 1
        self._rest = self._rest[size:]

    def _size(self) -> int:
        """0 while it cannot be told; of what has no length, one byte too few to be a packet."""
        if len(self._rest) < HEAD:
            return 0
        digits = self._rest[2:HEAD]
        return HEAD + int(digits) + TAIL if _DIGITS.fullmatch(digits) else HEAD

    def _overtaken(self, found: list[Packet | Flaw]) -> bool:
        """A whole packet behind one that is not: what came before it was cut off."""
        at = 0
        while (at := self._rest.find(MARK, at + 1)) >= 0:
            digits = self._rest[at + 2 : at + HEAD]
            size = HEAD + int(digits) + TAIL if _DIGITS.fullmatch(digits) else 0
            if size and at + size <= len(self._rest):
                try:
                    packet = decode(self._rest[at : at + size])
                except RemoteError:
                    continue
                found += [Flaw("truncated", self._rest[:at]), packet]
                self._rest = self._rest[at + size :]
                return True
        return False


def describe(event: Packet | Flaw) -> dict[str, Any]:
    """JSON-ready."""
    if isinstance(event, Flaw):
        return {"error": event.reason, "data": event.data[:128].decode("utf-8", "replace"), "bytes": len(event.data)}
    row: dict[str, Any] = {"header": dict(event.header), "cp": [dict(part) for part in event.data]}
    if (station := event.header.get("ST")) in STATIONS:
        row["station"] = STATIONS[station]
    flag = event.header.get("Flag", "")
    if flag.isascii() and flag.isdigit() and len(flag) <= 3:
        bits = int(flag)
        row |= {"version": bits >> 2, "split": bool(bits & 2), "answer": bool(bits & 1)}
    return row | ({} if event.variant == "hj212" else {"checksum": event.variant})


def decode_all(data: bytes) -> list[dict[str, Any]]:
    """A capture in order, flaws in their places: `fengsui decode hj212`."""
    stream = Hj212Stream()
    found = list(stream.feed(data))
    if stream.rest.strip():
        found.append(Flaw("truncated", stream.rest))
    return [describe(one) for one in found]
