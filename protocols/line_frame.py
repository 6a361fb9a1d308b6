"""Frames of serial instruments as data: where one begins and ends, and the checksum that must hold. Pure.

Text ends with a terminator; binary frames have a start and a length, fixed or in a field of their own. What is no frame is
a `Flaw`; after a bad checksum the search goes on one byte behind the false start.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from protocols.checksums import ccitt, crc8, crc8_maxim, crc16, lrc, sum8, xor8
from protocols.errors import LocalError
from protocols.framing import Flaw

LONGEST = 4096  # bytes that any frame may have


KINDS: Mapping[str, tuple[Callable[[bytes], int], int]] = {
    "sum8": (sum8, 1),
    "sum16": (lambda data: sum(data) & 0xFFFF, 2),
    "xor8": (xor8, 1),
    "lrc": (lrc, 1),
    "crc8": (crc8, 1),
    "crc8-maxim": (crc8_maxim, 1),
    "crc16-modbus": (crc16, 2),
    "crc16-arc": (lambda data: crc16(data, 0), 2),
    "crc16-ccitt": (lambda data: ccitt(data, 0xFFFF), 2),
    "crc16-xmodem": (lambda data: ccitt(data, 0), 2),
}
"""Name -> function and its bytes."""

FORMS = ("big", "little", "hex", "sdi12")
"""How it stands in the frame: bytes, most or least significant first; hexadecimal digits; three characters as SDI-12 has."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """Covered is what lies between the first `skip` bytes and the checksum, less the `gap` bytes in front of it; `tail`
    bytes follow the checksum.
    """

    kind: str
    form: str = "big"
    skip: int = 0
    gap: int = 0
    tail: int = 0
    _how: tuple[Callable[[bytes], int], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.form not in FORMS or min(self.skip, self.gap, self.tail) < 0:
            raise LocalError("checksum", f"{self.kind}, {self.form}")
        object.__setattr__(self, "_how", KINDS[self.kind])

    @property
    def width(self) -> int:
        return self._how[1] * 2 if self.form == "hex" else 3 if self.form == "sdi12" else self._how[1]

    @property
    def behind(self) -> int:
        """Bytes at the end of a frame that are none of its data."""
        return self.gap + self.width + self.tail

    def of(self, covered: bytes) -> bytes:
        value = self._how[0](covered)
        if self.form == "hex":
            return b"%0*X" % (self.width, value)
        if self.form == "sdi12":
            return bytes((0x40 | value >> 12, 0x40 | value >> 6 & 0x3F, 0x40 | value & 0x3F))
        order: Literal["big", "little"] = "big" if self.form == "big" else "little"
        return value.to_bytes(self.width, order)

    def holds(self, frame: bytes) -> bool:
        end = len(frame) - self.tail
        if end - self.width - self.gap < self.skip:
            return False
        given = frame[end - self.width : end]
        expected = self.of(frame[self.skip : end - self.width - self.gap])
        return given == expected or (self.form == "hex" and given.upper() == expected)


@dataclass(frozen=True, slots=True)
class Length:
    """A field that says how long a frame is: the number at byte `at`, of `size` bytes, plus `add`, is the whole of it."""

    at: int
    size: int = 1
    order: Literal["big", "little"] = "big"
    add: int = 0

    def of(self, begun: bytes) -> int:
        """0 while that cannot be told."""
        if len(begun) < self.at + self.size:
            return 0
        return int.from_bytes(begun[self.at : self.at + self.size], self.order) + self.add


@dataclass(frozen=True, slots=True)
class Framing:
    """`end` for text; `start` and `length` (a number or a field) for binary frames; text may have a `start`, too. `after`
    bytes behind the end belong to the frame, and so does the end then: a checksum may be of any value, and cover it.
    """

    start: bytes = b""
    end: bytes = b""
    after: int = 0
    length: int | Length = 0
    longest: int = 256
    checksum: Checksum | None = None

    def __post_init__(self) -> None:
        if bool(self.end) == bool(self.length) or not 1 <= self.longest <= LONGEST:
            raise LocalError("framing", "needs an end or a length, and only one of them")
        if self.length and not self.start:
            raise LocalError("framing", "a frame of a given length needs a start")
        if self.after < 0 or (self.after and not self.end):
            raise LocalError("framing", "bytes after the end need an end")
        if isinstance(self.length, int) and self.length > self.longest:
            raise LocalError("framing", f"length {self.length} is more than longest {self.longest}")

    def data(self, frame: bytes) -> bytes:
        """A frame without its start and without its checksum: what fields are counted in."""
        behind = self.checksum.behind if self.checksum else 0
        return frame[len(self.start) : len(frame) - behind]


class Frames:
    """Bytes in, whole frames out, each with its start and without its end; flaws are `checksum`, `too-long`, `length` and `garbage`."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._rest = b""

    def feed(self, data: bytes) -> Sequence[bytes | Flaw]:
        self._rest += data
        return self._lines() if self._framing.end else self._binary()

    def _lines(self) -> list[bytes | Flaw]:
        *lines, self._rest = self._ended()
        found = [self._line(line) for line in lines if line.strip(b"\r\n\0")]
        if len(self._rest) > self._framing.longest:
            found.append(Flaw("too-long", self._rest[: self._framing.longest]))
            self._rest = self._rest[-len(self._framing.end) :]
        return found

    def _ended(self) -> list[bytes]:
        """What has ended, and the rest."""
        end, after = self._framing.end, self._framing.after
        if not after:
            return self._rest.split(end)
        lines, rest = [], self._rest
        while (at := rest.find(end)) >= 0 and len(rest) >= (whole := at + len(end) + after):
            lines.append(rest[:whole])
            rest = rest[whole:]
        return [*lines, rest]

    def _line(self, line: bytes) -> bytes | Flaw:
        if self._framing.start:
            at = line.rfind(self._framing.start)
            if at < 0:
                return Flaw("garbage", line)
            line = line[at:]
        elif not self._framing.after:  # where the checksum covers the end, it covers what goes before, too
            line = line.lstrip(b"\r\n\0")
        if len(line) > self._framing.longest:
            return Flaw("too-long", line[: self._framing.longest])
        return self._checked(line)

    def _checked(self, frame: bytes) -> bytes | Flaw:
        checksum = self._framing.checksum
        return frame if checksum is None or checksum.holds(frame) else Flaw("checksum", frame)

    def _binary(self) -> list[bytes | Flaw]:
        found: list[bytes | Flaw] = []
        while self._seek(found):
            size = self._size()
            if size == 0 or 0 < size <= self._framing.longest and len(self._rest) < size:  # noqa: RUF021 - reads as it is said
                break
            if not len(self._framing.start) < size <= self._framing.longest:
                found.append(Flaw("length", self._rest[:16]))
                self._rest = self._rest[1:]
                continue
            frame = self._checked(self._rest[:size])
            found.append(frame)
            self._rest = self._rest[1 if isinstance(frame, Flaw) else size :]
        return found

    def _size(self) -> int:
        length = self._framing.length
        return length if isinstance(length, int) else length.of(self._rest)

    def _seek(self, found: list[bytes | Flaw]) -> bool:
        """To the next start; what lies before it is garbage. False where there is none yet."""
        start = self._framing.start
        at = self._rest.find(start)
        if at < 0:
            kept = next((n for n in range(len(start) - 1, 0, -1) if self._rest.endswith(start[:n])), 0)
            at = len(self._rest) - kept
        if at:
            found.append(Flaw("garbage", self._rest[: min(at, 64)]))
            self._rest = self._rest[at:]
        return self._rest.startswith(start)


def seal(framing: Framing, body: bytes) -> bytes:
    """A frame as the instrument sends it: for simulators. `body` has its start, its length where it has one, and its end
    where bytes come after that.
    """
    checksum, end = framing.checksum, b"" if framing.after else framing.end
    if checksum is None:
        return body + end
    covered = body[checksum.skip : len(body) - checksum.gap]
    return body + checksum.of(covered) + end
