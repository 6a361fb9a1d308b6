"""What SDI-12 sensors answer (v1.3 §4.4, v1.4 §5 and §6): lines → values, both ways. Pure: one line is one answer.

A line comes without its CR LF. What is not exactly an answer to the command is refused, since a recorder then asks again:
the wrong address, a value without a sign or with eight digits, a checksum that is missing, wrong or not asked for.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from protocols.checksums import crc16
from protocols.errors import LocalError, RemoteError
from protocols.sdi12_command import ANYBODY, Command

MOST_CHARACTERS = 75  # of values in one answer; 35 after M, which senders do not all heed (v1.3 §4.4.8)
MOST_PAYLOAD = 1000  # bytes of a binary packet (v1.4 §5.2)
PACKET_HEAD, PACKET_TAIL = 4, 2  # address, size, type; CRC
LONGEST = 1 + PACKET_HEAD + MOST_PAYLOAD + PACKET_TAIL

_NUMBER = rb"[+-](?:\d{1,7}|(?=[\d.]{2,8}(?![\d.]))\d*\.\d*)"
_VALUES = re.compile(rb"(?:%s)*" % _NUMBER)
_VALUE = re.compile(rb"[+-][\d.]+")
_WHEN: Mapping[str, re.Pattern[bytes]] = {
    "M": re.compile(rb"(\d{3})(\d)"),
    "V": re.compile(rb"(\d{3})(\d)"),
    "C": re.compile(rb"(\d{3})(\d{2})"),
    "R": re.compile(rb"(\d{3})(\d{1,2})"),
    "HA": re.compile(rb"(\d{3})(\d{3})"),
    "HB": re.compile(rb"(\d{3})(\d{3})"),
}
_TYPES: Mapping[int, str] = dict(enumerate("bBhHiIqQfd", 1))  # v1.4 table 15: int8 uint8 int16 ... float32 float64


class Acknowledged(NamedTuple):
    """The sensor is there: to `a!`, `?!`, and to `aAb!` with the new address."""

    address: str


class Identity(NamedTuple):
    address: str
    version: str  # "13" is SDI-12 v1.3
    vendor: str
    model: str
    firmware: str
    serial: str


class Scheduled(NamedTuple):
    """So many values will be there in `seconds` at the latest."""

    address: str
    seconds: int
    expected: int


class Values(NamedTuple):
    """None at all: the measurement was aborted, or is not supported."""

    address: str
    values: tuple[float, ...]


class Parameter(NamedTuple):
    """What one value of a measurement is: SHEF code, unit, and more as the maker likes."""

    address: str
    fields: tuple[str, ...]


class Text(NamedTuple):
    """The answer to an extended command, which only its maker understands."""

    address: str
    text: str


Reply = Acknowledged | Identity | Scheduled | Values | Parameter | Text


def checksum(data: bytes) -> bytes:
    """Three characters from 0x40 up (v1.3 §4.4.12.2)."""
    crc = crc16(data, 0)
    return bytes((0x40 | crc >> 12, 0x40 | crc >> 6 & 0x3F, 0x40 | crc & 0x3F))


def seal(line: bytes) -> bytes:
    return line + checksum(line)


def unseal(line: bytes) -> bytes:
    """The line without its checksum; RemoteError `crc` where that is wrong."""
    body = line[:-3]
    if not body or checksum(body) != line[-3:]:
        raise RemoteError("crc", line[:80].decode("ascii", "backslashreplace"))
    return body


def numbers(data: bytes) -> tuple[float, ...]:
    """All values of an answer: sign, up to seven digits, a point where there is one."""
    if len(data) > MOST_CHARACTERS or not _VALUES.fullmatch(data):
        raise _wrong(data)
    return tuple(map(float, _VALUE.findall(data)))


def values_of(line: bytes, *, crc: bool | None = False) -> Values:
    """Address and values; `crc=None` takes both: a checksum has no character that a value has."""
    if crc or (crc is None and line[-1:] >= b"@" and len(line) > 3):
        line = unseal(line)
    return Values(_address(line), numbers(line[1:]))


def parse(command: Command, line: bytes, *, crc: bool | None = None) -> Reply:
    """The answer to this command. `crc`: whether the measurement that it belongs to asked for checksums, None if unknown.

    RemoteError: `address` another sensor's, `crc`, `format` anything else.
    """
    reply = _parsed(command, line, crc)
    expected = command.extra if command.verb == "A" else command.address
    if expected not in (reply.address, ANYBODY):
        raise RemoteError("address", f"{expected}: {reply.address}")
    return reply


def _parsed(command: Command, line: bytes, crc: bool | None) -> Reply:  # noqa: PLR0911 - one for each form of answer
    if command.parameter is not None:
        return _parameter(unseal(line) if command.crc else line)
    if command.starts:
        return _scheduled(command.verb, line)
    if command.verb == "R":
        return values_of(line, crc=command.crc)
    if command.verb == "D":
        return values_of(line, crc=crc)
    if command.verb == "DB":
        return packet(line)
    if command.verb == "I":
        return _identity(line)
    if command.verb == "X":
        return Text(_address(line), line[1:].decode("ascii", "backslashreplace"))
    if len(line) != 1:
        raise _wrong(line)
    return Acknowledged(_address(line))


def _address(line: bytes) -> str:
    if not line[:1].isalnum():
        raise _wrong(line)
    return chr(line[0])


def _scheduled(verb: str, line: bytes) -> Scheduled:
    found = _WHEN[verb].fullmatch(line, 1)
    if found is None:
        raise _wrong(line)
    return Scheduled(_address(line), int(found[1]), int(found[2]))


def _identity(line: bytes) -> Identity:
    """Fixed columns: version 2, vendor 8, model 6, firmware 3, and up to 13 that are the maker's own."""
    if not 20 <= len(line) <= 33 or not line.isascii() or not line[1:3].isdigit():
        raise _wrong(line)
    text = line.decode("ascii")
    parts = (text[1:3], text[3:11], text[11:17], text[17:20], text[20:])
    return Identity(_address(line), *(part.strip() for part in parts))


def _parameter(line: bytes) -> Parameter:
    if not line.endswith(b";") or line[1:2] != b"," or not line.isascii():
        raise _wrong(line)
    return Parameter(_address(line), tuple(line[2:-1].decode("ascii").split(",")))


def _wrong(line: bytes) -> RemoteError:
    return RemoteError("format", line[:80].decode("ascii", "backslashreplace"))


# Binary packets of aDBn! (v1.4 §5.2): address, payload size, type, payload, CRC; least significant byte first.


def packet_size(head: bytes) -> int:
    """How long the packet is that begins so; 0 while that cannot be told. RemoteError `format` for no packet."""
    if len(head) < PACKET_HEAD:
        return 0
    size = int.from_bytes(head[1:3], "little")
    if size > MOST_PAYLOAD or not head[:1].isalnum():
        raise _wrong(head)
    return PACKET_HEAD + size + PACKET_TAIL


def packet(data: bytes) -> Values:
    size = packet_size(data)
    if not size or len(data) != size:
        raise _wrong(data)
    if crc16(data[:-PACKET_TAIL], 0) != int.from_bytes(data[-PACKET_TAIL:], "little"):
        raise RemoteError("crc", data[:PACKET_HEAD].hex())
    payload = data[PACKET_HEAD:-PACKET_TAIL]
    return Values(_address(data), _unpacked(data[3], payload) if payload else ())


def _unpacked(kind: int, payload: bytes) -> tuple[float, ...]:
    form = _TYPES.get(kind)
    if form is None or len(payload) % struct.calcsize(form):
        raise RemoteError("format", f"type {kind}, {len(payload)} bytes")
    return struct.unpack(f"<{len(payload) // struct.calcsize(form)}{form}", payload)


def pack(address: str, kind: int, values: Sequence[float]) -> bytes:
    """A packet as a sensor sends it."""
    try:
        payload = struct.pack(f"<{len(values)}{_TYPES[kind]}", *values)
    except (KeyError, struct.error, OverflowError) as wrong:
        raise LocalError("packet", str(wrong)) from wrong
    if len(payload) > MOST_PAYLOAD:
        raise LocalError("packet", f"{len(payload)} bytes")
    head = address.encode("ascii") + len(payload).to_bytes(2, "little") + bytes((kind,))
    return head + payload + crc16(head + payload, 0).to_bytes(2, "little")


# Seven bits and even parity in eight (v1.3 §4.2), for ports that are read without the kernel's help.

_EVEN = bytes(byte & 0x7F | (byte & 0x7F).bit_count() % 2 << 7 for byte in range(256))
_GOOD = bytes(sorted(set(_EVEN)))
_SEVEN = bytes(byte & 0x7F for byte in range(256))


def with_parity(data: bytes) -> bytes:
    return data.translate(_EVEN)


def without_parity(data: bytes) -> bytes:
    """RemoteError `parity` where a character was damaged."""
    if data.translate(None, _GOOD):
        raise RemoteError("parity", data[:40].hex())
    return data.translate(_SEVEN)
