"""Datagrams on a transparent radio: a line of bytes without edges gets frames that find themselves again. Pure.

    46 53 | length | datagram | CRC-16

`length` counts the datagram; the CRC is that of Modbus over length and datagram, low byte first. A frame goes out in one
packet of the module: what is longer comes out of the other side in pieces, each with a byte of signal strength behind
it. The first two bytes are none of those a module takes for a command (C0, C1, C2, CF, FF).
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocols.checksums import crc16
from protocols.errors import LocalError, RemoteError
from protocols.framing import Event, Send

SYNC = b"FS"
OVERHEAD = 5  # bytes
LONGEST = 255 - OVERHEAD  # bytes of a datagram: no radio packet holds more
GAP = 1.5  # seconds within which a frame comes in: 245 bytes take 2.1 s at 1200 baud, but then they come without a gap
RSSI_WAIT = 0.3  # seconds: the byte follows the packet at once


def frame(datagram: bytes) -> bytes:
    if not 1 <= len(datagram) <= LONGEST:
        raise LocalError("lora.length", str(len(datagram)))
    body = bytes((len(datagram),)) + datagram
    return SYNC + body + crc16(body).to_bytes(2, "little")


class Received(NamedTuple):
    """A datagram, with the module's RSSI byte where there was one."""

    data: bytes
    rssi: int | None = None


class Noise(NamedTuple):
    """Bytes that were no frame: `checksum` (something like one) or `noise`."""

    reason: str
    length: int


class Frames:
    """The receiving side, a Machine. Of a frame that is none, the search goes on at its second byte: nothing that follows
    is lost to a length that lies, and no more than one frame is ever held.
    """

    deadline: float | None = None

    def __init__(self, *, rssi: bool = False) -> None:
        self._rssi = rssi
        self._heard = b""
        self._waiting: Received | None = None  # for its RSSI byte

    def start(self, now: float) -> Sequence[Event]:  # noqa: ARG002 - the face of a machine
        """What came before the line was opened belongs to nothing."""
        self._heard, self._waiting, self.deadline = b"", None, None
        return []

    def send(self, datagram: bytes) -> Sequence[Event]:
        return [Send(frame(datagram))]

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        self._heard += data
        return self._search(now)

    def tick(self, now: float) -> Sequence[Event]:
        """What has not come by now does not come any more."""
        if self.deadline is None or now < self.deadline:
            return []
        if self._waiting is not None:
            strength, self._heard = self._heard[:1], self._heard[1:]  # a lone F that no S followed
            return [self._with(strength), *self._search(now)]
        lost = self._heard[:1]
        self._heard = self._heard[1:]
        return [Noise("checksum", len(lost)), *self._search(now)]

    def _search(self, now: float) -> list[Event]:
        found: list[Event] = []
        while self._step(found):
            pass
        self.deadline = None
        if self._waiting is not None:
            self.deadline = now + RSSI_WAIT
        elif self._heard:
            self.deadline = now + GAP
        return found

    def _step(self, found: list[Event]) -> bool:
        """One thing found; False when more bytes are needed."""
        if self._waiting is not None:
            return self._strength(found)
        start = _start(self._heard)
        if start:
            found.append(Noise("noise", start))
            self._heard = self._heard[start:]
        if len(self._heard) < 3 or len(self._heard) < self._heard[2] + OVERHEAD:
            return False
        self._judge(found)
        return True

    def _judge(self, found: list[Event]) -> None:
        end = self._heard[2] + OVERHEAD
        body, crc = self._heard[2 : end - 2], self._heard[end - 2 : end]
        if len(body) == 1 or crc16(body) != int.from_bytes(crc, "little"):
            found.append(Noise("checksum", 1))
            self._heard = self._heard[1:]
            return
        self._heard = self._heard[end:]
        if self._rssi:
            self._waiting = Received(body[1:])
        else:
            found.append(Received(body[1:]))

    def _strength(self, found: list[Event]) -> bool:
        """The byte after a packet; where the next frame begins instead, it was lost on the way."""
        if not self._heard or self._heard == SYNC[:1]:
            return False
        strength = b"" if self._heard.startswith(SYNC) else self._heard[:1]
        self._heard = self._heard[len(strength) :]
        found.append(self._with(strength))
        return True

    def _with(self, strength: bytes) -> Event:
        waiting, self._waiting = self._waiting, None
        return waiting._replace(rssi=strength[0]) if waiting and strength else waiting


def _start(heard: bytes) -> int:
    """Where a frame may begin; the length of all where none does."""
    at = heard.find(SYNC)
    if at >= 0:
        return at
    return len(heard) - heard.endswith(SYNC[:1])


def decode_frame(data: bytes, offset: int = 0) -> tuple[bytes, int]:
    """The datagram of the frame at `offset`, and where the next byte is."""
    if not data.startswith(SYNC, offset):
        raise RemoteError("lora.sync", "", offset)
    if len(data) < offset + 3 or len(data) < offset + data[offset + 2] + OVERHEAD:
        raise RemoteError("lora.truncated", "", len(data))
    end = offset + data[offset + 2] + OVERHEAD
    body = data[offset + 2 : end - 2]
    if crc16(body) != int.from_bytes(data[end - 2 : end], "little"):
        raise RemoteError("lora.checksum", "", end - 2)
    return body[1:], end


def split(length: int, packet: int) -> list[int]:
    """How a module with packets of so many bytes sends that much."""
    return [min(packet, length - at) for at in range(0, length, packet)]
