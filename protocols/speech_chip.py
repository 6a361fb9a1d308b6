"""The language that China's serial speech chips share: frames from us, single bytes from them. Pure.

`FD | length, high byte first | command | parameters`, where the length counts what follows it. What differs between
chips, a checksum above all, stands in `syn6288` and `xfs5152`.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from protocols.checksums import xor8
from protocols.errors import LocalError

START = 0xFD
SPEAK, STOP, PAUSE, RESUME, STATUS = 0x01, 0x02, 0x03, 0x04, 0x21
GBK = 1  # of the encodings 0 GB 2312, 1 GBK, 2 Big5, 3 UTF-16


class Reply(IntEnum):
    """What a chip says, one byte each."""

    READY = 0x4A  # after power-up
    ACCEPTED = 0x41
    REFUSED = 0x45
    BUSY = 0x4E  # it speaks
    IDLE = 0x4F  # it does not, or has just ended


class Command(NamedTuple):
    """A frame as the chip reads it; `text` only with SPEAK."""

    code: int
    encoding: int = 0
    text: bytes = b""


@dataclass(frozen=True, slots=True)
class Chip:
    """One kind of chip. `most` bytes of text in a frame; `loudest` of the volumes that `[vN]` in the text can set."""

    name: str
    most: int
    loudest: int
    checksum: bool

    def command(self, code: int) -> bytes:
        return self._frame(bytes((code,)))

    def speak(self, text: bytes, encoding: int = GBK) -> bytes:
        """LocalError when the text is longer than the chip takes."""
        if not 0 < len(text) <= self.most:
            raise LocalError("text_length", f"{self.name} takes 1 to {self.most} bytes, not {len(text)}")
        return self._frame(bytes((SPEAK, encoding)) + text)

    def volume(self, level: int) -> bytes:
        """The mark that sets the volume, to stand before the text in the same frame."""
        return b"[v%d]" % level

    def take(self, data: bytes) -> tuple[list[Command | None], bytes]:
        """The chip's side: whole commands, None for one with a broken checksum, and the bytes to keep."""
        found: list[Command | None] = []
        while (start := data.find(START)) >= 0:
            data = data[start:]
            size = 3 + int.from_bytes(data[1:3], "big")
            if len(data) < max(size, 4):
                return found, data
            found.append(self._parsed(data[:size]))
            data = data[size:]
        return found, b""

    def _frame(self, body: bytes) -> bytes:
        length = len(body) + self.checksum
        frame = bytes((START, *length.to_bytes(2, "big"))) + body
        return frame + bytes((xor8(frame),)) if self.checksum else frame

    def _parsed(self, frame: bytes) -> Command | None:
        if self.checksum and xor8(frame):
            return None
        body = frame[3 : len(frame) - self.checksum]
        return Command(SPEAK, body[1], body[2:]) if body[0] == SPEAK and len(body) > 1 else Command(body[0])
