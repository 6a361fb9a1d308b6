"""What numbers and times of a message count from, told once and then by a name of three bytes.

    log 8, boot id 8, Unix milliseconds of that boot's time 0 in 6 (signed), 1 whether a trusted clock says so

A message says a context in full (23 bytes) until one that did was acknowledged, and its name after that. Time of a reading
or event is `start` and its boot time. Knows no session.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from protocols.errors import LocalError, RemoteError

BYTES = 23
NAME_BYTES = 3
MOST_WORDS = 2  # a station's present ones, and those before
MOST_HELD = 64  # contexts of one station: each start and each step of its clock makes one
_LOG, _BOOT, _START = 8, 8, 6


@dataclass(frozen=True, slots=True)
class Context:
    """`log` as in a key (16 hexadecimal digits); `start` in Unix milliseconds."""

    log: str
    boot: bytes
    start: int
    trusted: bool

    @property
    def name(self) -> bytes:
        return hashlib.sha256(self.encode()).digest()[:NAME_BYTES]

    def encode(self) -> bytes:
        log = bytes.fromhex(self.log)
        if len(log) != _LOG or len(self.boot) != _BOOT or not -(1 << 47) <= self.start < 1 << 47:
            raise LocalError("context.range", f"log {self.log}, start {self.start}")
        return log + self.boot + self.start.to_bytes(_START, signed=True) + bytes((self.trusted,))

    def wall(self, boot: bytes, at: int) -> tuple[int, bool]:
        """A `protocols.parts.Wall`."""
        if boot != self.boot:
            raise LocalError("context.boot", boot.hex())
        return self.start + at, self.trusted


def decode(data: bytes) -> Context:
    if len(data) != BYTES or data[-1] > 1:
        raise RemoteError("context.form", f"{len(data)} bytes")
    start = int.from_bytes(data[16:22], signed=True)
    return Context(data[:8].hex(), data[8:16], start, bool(data[22]))


@dataclass(slots=True)
class Contexts:
    """Those a receiver holds of one station; the oldest goes when there are too many."""

    held: dict[bytes, Context] = field(default_factory=dict)
    words: dict[bytes, bytes] = field(default_factory=dict)  # the station's own, for events (`event.name_of`)

    def learn(self, contexts: Iterable[Context]) -> None:
        for context in contexts:
            self.held.pop(context.name, None)
            self.held[context.name] = context
        while len(self.held) > MOST_HELD:
            del self.held[next(iter(self.held))]

    def learn_words(self, name: bytes, words: bytes) -> None:
        self.words.pop(name, None)
        self.words[name] = words
        while len(self.words) > MOST_WORDS:
            del self.words[next(iter(self.words))]

    def words_of(self, name: bytes) -> bytes:
        found = self.words.get(name)
        if found is None:
            raise RemoteError("context.unknown", f"words {name.hex()}")
        return found

    def read(self, data: bytes, at: int, *, full: bool) -> tuple[Context, int]:
        """The context that a message begins with at this byte, in full or by name, and where it ends.

        RemoteError `context.unknown` for a name that was never told: the message is whole, but not understood.
        """
        end = at + (BYTES if full else NAME_BYTES)
        if len(data) < end:
            raise RemoteError("context.short", f"{len(data) - at} bytes", at)
        if not full:
            found = self.held.get(data[at:end])
            if found is None:
                raise RemoteError("context.unknown", data[at:end].hex(), at)
            return found, end
        context = decode(data[at:end])
        self.learn([context])
        return context, end


def reference(context: Context, *, full: bool) -> bytes:
    return context.encode() if full else context.name
