"""Modbus on a serial line: unit, PDU, CRC low byte first (Modbus over Serial Line v1.02 §2.5.1).

Pure. Frames carry no length and no direction, so whoever listens tries each reading of the bytes and believes the CRC.
"""

from collections.abc import Iterator
from typing import NamedTuple

from protocols.checksums import crc16
from protocols.errors import RemoteError
from protocols.modbus_pdu import Refusal, Reply, Request, decode_reply, decode_request, reply_length, request_length

MOST_BYTES = 256  # of one frame, §2.5.1.1
LEAST_BYTES = 5  # an exception reply


class Frame(NamedTuple):
    unit: int
    pdu: bytes


class Garbage(NamedTuple):
    """Bytes that are no frame, and what they look like: `crc`, `truncated` or `garbage`."""

    reason: str
    data: bytes


def seal(unit: int, pdu: bytes) -> bytes:
    """The frame of a PDU."""
    body = bytes([unit]) + pdu
    return body + crc16(body).to_bytes(2, "little")


def intact(frame: bytes) -> bool:
    """The CRC of a frame with its CRC behind it is zero."""
    return len(frame) >= LEAST_BYTES - 1 and crc16(frame) == 0


def unseal(frame: bytes) -> Frame:
    """Unit and PDU of exactly one frame."""
    if len(frame) < LEAST_BYTES:
        raise RemoteError("truncated", f"{len(frame)} bytes")
    if len(frame) > MOST_BYTES:
        raise RemoteError("length", f"{len(frame)} bytes")
    if crc16(frame):
        raise RemoteError("crc", f"got {frame[-2:].hex()}, computed {crc16(frame[:-2]).to_bytes(2, 'little').hex()}")
    return Frame(frame[0], frame[1:-2])


def lengths(data: bytes) -> Iterator[int | None]:
    """Length of the frame that could begin here, read as a request and as a reply; None where more bytes must tell."""
    for measure in (request_length, reply_length):
        length = measure(data[1:])
        if length is None:
            yield None
        elif 0 < length <= MOST_BYTES - 3:
            yield length + 3


def readings(pdu: bytes) -> list[Request | Reply | Refusal]:
    """Every way to understand a PDU: a request, a reply, both, or none."""
    found: list[Request | Reply | Refusal] = []
    for decode in (decode_request, decode_reply):
        try:
            found.append(decode(pdu))
        except RemoteError:
            continue
    return found


class RtuStream:
    """A line overheard: bytes in, `Frame` and `Garbage` out; a `Machine`.

    Bytes that could still grow into a frame are held until they do, or until the line has been silent for `silence`
    seconds (`tick`), when whatever intact frames they contain are found behind the garbage.
    """

    def __init__(self, silence: float = 0.05) -> None:
        self.deadline: float | None = None
        self._silence = silence
        self._data = b""

    def receive(self, data: bytes, now: float) -> list[Frame | Garbage]:
        self._data += data
        found = self._cut(patient=True)
        self.deadline = now + self._silence if self._data else None
        return found

    def tick(self, now: float) -> list[Frame | Garbage]:
        """The line is silent: what is there is all there is."""
        if self.deadline is None or now < self.deadline:
            return []
        return self.flush()

    def flush(self) -> list[Frame | Garbage]:
        found = self._cut(patient=False)
        if self._data:
            found.append(Garbage(blame(self._data), self._data))
        self._data, self.deadline = b"", None
        return found

    def _cut(self, *, patient: bool) -> list[Frame | Garbage]:
        """Frames from the front; what lies before one is garbage. `patient`: stop where a frame may still be coming."""
        found: list[Frame | Garbage] = []
        start = 0
        while start < len(self._data):
            end = _end_of_frame(self._data, start)
            if end:
                found += self._taken(start, end)
                start = 0
            elif patient and _may_grow(self._data, start):
                break
            else:
                start += 1
        if start >= MOST_BYTES or (patient and start == len(self._data) > 0):
            found.append(Garbage(blame(self._data[:start]), self._data[:start]))
            self._data = self._data[start:]
        return found

    def _taken(self, start: int, end: int) -> list[Frame | Garbage]:
        before, frame, self._data = self._data[:start], self._data[start:end], self._data[end:]
        garbage = [Garbage(blame(before), before)] if before else []
        return [*garbage, Frame(frame[0], frame[1:-2])]


def _end_of_frame(data: bytes, start: int) -> int:
    for length in lengths(data[start : start + 8]):
        if length and start + length <= len(data) and crc16(data[start : start + length]) == 0:
            return start + length
    return 0


def _may_grow(data: bytes, start: int) -> bool:
    possible = list(lengths(data[start : start + 8]))
    return any(length is None or start + length > len(data) for length in possible)


def blame(data: bytes) -> str:
    """What garbage looks like: a whole frame whose CRC is wrong, the beginning of one, or neither."""
    possible = [length for length in lengths(data) if length]
    if len(data) in possible:
        return "crc"
    return "truncated" if any(length > len(data) for length in possible) or len(data) < 3 else "garbage"
