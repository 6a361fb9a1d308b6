"""The words of the 9602 and 9603 on the line: checksums, result lines, the commands with arguments. Pure.

Source: Iridium ISU AT Command Reference, Short Burst Data commands. Both `+CSQ:5` and `+CSQ: 5` are spoken.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError

MO_MOST = 340  # bytes of one message, 9602 and 9603
MT_MOST = 270
COUNTED_MOST = 340  # what +SBDRB can hold: +SBDTC copies a mobile originated message there

_NUMBER = rb" ?(-?\d{1,5}) ?"


class Session(NamedTuple):
    """+SBDIX: what became of a session."""

    mo: int
    momsn: int
    mt: int  # 0 nothing there, 1 a message came, 2 an error on the way
    mtmsn: int
    length: int
    queued: int


class Buffers(NamedTuple):
    """+SBDSX: what the modem holds. `momsn` is that of its next session: it counts completed ones."""

    mo: int
    momsn: int
    mt: int
    mtmsn: int
    ring: int
    waiting: int


class Registration(NamedTuple):
    """+SBDREG: 0 detached, 1 not registered, 2 registered, 3 denied, 4 unknown; and a code as of +SBDIX."""

    status: int
    error: int


def sum16(data: bytes) -> bytes:
    """The low 16 bits of the sum of all bytes, the more significant first."""
    return (sum(data) & 0xFFFF).to_bytes(2, "big")


def written(data: bytes) -> bytes:
    """What follows READY: the message and its sum."""
    if not 1 <= len(data) <= MO_MOST:
        raise LocalError("length", f"{len(data)} bytes; a message has 1 to {MO_MOST}")
    return data + sum16(data)


def counted(data: bytes) -> bytes:
    """As +SBDRB gives a message: length, bytes, sum."""
    return len(data).to_bytes(2, "big") + data + sum16(data)


def read_counted(frame: bytes) -> tuple[bytes, int] | None:
    """The message of a counted frame and how many bytes it took; None while there are too few."""
    if len(frame) < 2:
        return None
    length = int.from_bytes(frame[:2], "big")
    if length > COUNTED_MOST:
        raise RemoteError("length", f"{length} bytes where {COUNTED_MOST} fit", 0)
    end = 2 + length + 2
    if len(frame) < end:
        return None
    data, told = frame[2 : end - 2], frame[end - 2 : end]
    if sum16(data) != told:
        raise RemoteError("checksum", f"{told.hex()} told, {sum16(data).hex()} found", end - 2)
    return data, end


def numbers(lines: Iterable[bytes], name: bytes, count: int) -> tuple[int, ...] | None:
    """The fields of the last line that gives `count` of them under this name, behind whatever noise."""
    pattern = re.compile(re.escape(name) + b":" + b",".join([_NUMBER] * count) + b"$")
    found = None
    for line in lines:
        if match := pattern.search(line):
            found = tuple(int(field) for field in match.groups())
    return found


def session(lines: Iterable[bytes]) -> Session | None:
    found = numbers(lines, b"+SBDIX", 6)
    return Session(*found) if found else None


def buffers(lines: Iterable[bytes]) -> Buffers | None:
    found = numbers(lines, b"+SBDSX", 6)
    return Buffers(*found) if found else None


def registration(lines: Iterable[bytes]) -> Registration | None:
    """Of `AT+SBDREG`; the question `AT+SBDREG?` is answered without a code."""
    lines = list(lines)
    found = numbers(lines, b"+SBDREG", 2) or numbers(lines, b"+SBDREG", 1)
    return Registration(*(*found, 0)[:2]) if found else None


def ticks(lines: Iterable[bytes]) -> int | None:
    """-MSSTM: the network's count, or None where there is no service."""
    for line in lines:
        if match := re.search(rb"-MSSTM: ?([0-9A-Fa-f]{1,8})$", line):
            return int(match[1], 16)
    return None


def bars(lines: Iterable[bytes]) -> int | None:
    """+CSQ and +CSQF: 0 to 5, each 2 dB above the one before."""
    lines = list(lines)
    found = numbers(lines, b"+CSQ", 1) or numbers(lines, b"+CSQF", 1)
    return found[0] if found and 0 <= found[0] <= 5 else None


def imei(lines: Iterable[bytes]) -> str:
    """+CGSN answers with the bare number; "" where it did not."""
    return next((match[0].decode() for line in lines if (match := re.search(rb"(?<!\d)\d{15}$", line))), "")


def write_code(lines: Iterable[bytes]) -> int | None:
    """+SBDWB: 0 written, 1 the message did not come in time, 2 its sum was wrong, 3 its length."""
    digits = [line for line in lines if len(line) == 1 and line.isdigit()]
    return int(digits[-1]) if digits else None
