"""What every machine between bytes and meaning has in common: flaws, the search for frames, the bounded splitter of lines. Pure."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

Event = object
F = TypeVar("F")


class Flaw(NamedTuple):
    """Bytes that are no frame, and why in the language's own word: `checksum`, `truncated`, `too-long`, `garbage`, ..."""

    reason: str
    data: bytes


class Send(NamedTuple):
    """The one event that goes back out: bytes for the device."""

    data: bytes


class Machine(Protocol):
    """Bytes in, events out; time is an argument, in seconds of any clock that does not step. `drivers.pump` drives it."""

    @property
    def deadline(self) -> float | None:
        """When `tick` wants to be called."""
        ...

    def receive(self, data: bytes, now: float) -> Sequence[Event]: ...
    def tick(self, now: float) -> Sequence[Event]: ...


class FrameSearch(Generic[F]):
    """Bytes in, frames and flaws out. What has come of a frame that is not whole waits for more."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def rest(self) -> bytes:
        """What has come of a frame that is not whole."""
        return self._rest

    def feed(self, data: bytes) -> Sequence[F | Flaw]:
        self._rest += data
        found: list[F | Flaw] = []
        self._search(found)
        return found

    def _search(self, found: list[F | Flaw]) -> None:
        """Take from `_rest` all that more bytes cannot make another thing of."""
        raise NotImplementedError


class Lines:
    """Splits a stream at CR or LF; empty lines are nothing. Of a line longer than `limit` only the tail is kept, with
    `keep_tail`, for languages that mark where a sentence begins; else it is dropped. `lost` counts the bytes.
    """

    def __init__(self, limit: int, *, keep_tail: bool = False) -> None:
        self.limit = limit
        self.lost = 0
        self._keep_tail = keep_tail
        self._rest = b""
        self._skipping = False  # the rest of a line that was too long

    @property
    def rest(self) -> bytes:
        """What has come of the line that has not ended."""
        return self._rest

    def take_rest(self) -> bytes:
        """What has come of it is whole as it is: a prompt has no end of line."""
        rest, self._rest = self._rest, b""
        return rest

    def feed(self, data: bytes) -> list[bytes]:
        lines = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = self._bounded(lines.pop())
        if self._skipping and lines:
            self.lost += len(lines[0])
            self._skipping, lines[0] = False, b""
        return [self._cut(line) for line in lines if line]

    def _bounded(self, rest: bytes) -> bytes:
        if len(rest) <= self.limit:
            return rest
        if self._keep_tail:
            return self._cut(rest)
        self.lost += len(rest)
        self._skipping = True
        return b""

    def _cut(self, line: bytes) -> bytes:
        if len(line) <= self.limit:
            return line
        kept = line[-self.limit :] if self._keep_tail else b""
        self.lost += len(line) - len(kept)
        return kept
