"""One command at a time on the line of an SBD modem, and its reply; lines that nobody asked for come out beside it.

Knows lines, the counted-binary answer of +SBDRB and patience; not what any command is for.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from protocols.errors import RemoteError
from protocols.framing import Send
from protocols.sbd_words import COUNTED_MOST, numbers, read_counted

HELD_MOST = 2 * COUNTED_MOST  # bytes without an end of line: noise
LINES_MOST = 32  # of one reply; +CGMR has ten
_FINAL = re.compile(rb"[^ -~]*(OK|ERROR|READY)$")
_ENDS = re.compile(rb"[\r\n]")


class Ask(NamedTuple):
    """What to write, and how long an answer may take (seconds). `listen`: no answer is due, all that comes is taken."""

    text: bytes
    patience: float = 5.0
    counted: bool = False
    listen: bool = False


class Reply(NamedTuple):
    """`final` is OK, ERROR, READY or "" where none came in time. `data` is that of a counted answer, if whole.

    `echoed`: the modem repeated the command, so it has forgotten its settings: it was without power.
    """

    final: str
    lines: tuple[bytes, ...] = ()
    data: bytes | None = None
    echoed: bool = False


class Ring(NamedTuple):
    """SBDRING: a message waits at the gateway."""


class Indicator(NamedTuple):
    """+CIEV: 0 signal (0..5), 1 service (0, 1), 2 antenna."""

    which: int
    value: int


class Note(NamedTuple):
    """Something to count."""

    reason: str


Heard = Reply | Ring | Indicator | Note


class Dialogue:
    """`ask`, then `receive` until a Reply comes out, or `tick` gives one at the `deadline`."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self._echoed = False
        self._asked: Ask | None = None
        self._held = b""
        self._lines: list[bytes] = []
        self._data: bytes | None = None
        self._counting = False  # the next bytes may be a count

    def ask(self, asked: Ask, now: float) -> list[Send]:
        self._asked, self._counting, self.deadline = asked, asked.counted, now + asked.patience
        self._lines, self._data, self._echoed = [], None, False
        return [Send(asked.text)] if asked.text else []

    def tick(self, now: float) -> list[Heard]:
        if self._asked is None or self.deadline is None or now < self.deadline:
            return []
        self._held = b""
        return [self._end("")]

    def receive(self, data: bytes) -> list[Heard]:
        self._held += data
        return list(self._heard())

    def _heard(self) -> Iterator[Heard]:
        while self._held:
            if self._counting and self._held[0] <= COUNTED_MOST >> 8:
                try:
                    if not self._count():
                        return
                except RemoteError as wrong:
                    self._held = self._held[1 if wrong.offset == 0 else (wrong.offset or 0) + 2 :]
                    self._counting = wrong.offset == 0
                    yield Note(wrong.reason)
            elif end := _ENDS.search(self._held):
                line, self._held = self._held[: end.start()], self._held[end.end() :]
                if line:
                    yield from self._line(line)
            elif len(self._held) > HELD_MOST:
                self._held = b""
                yield Note("noise")
            else:
                return

    def _count(self) -> bool:
        """A text line never begins with a byte as small as the first one of a count."""
        found = read_counted(self._held)
        if found is None:
            return False
        self._data, used = found
        self._held = self._held[used:]
        self._counting = False
        return True

    def _line(self, line: bytes) -> Iterator[Heard]:
        indicator = numbers([line], b"+CIEV", 2)
        if line.endswith(b"SBDRING"):
            yield Ring()
        elif indicator:
            yield Indicator(*indicator)
        elif self._asked is None:
            yield Note("stray")
        elif line == self._asked.text.rstrip(b"\r"):
            self._echoed = True
        elif (final := _FINAL.match(line)) and not self._asked.listen:
            yield self._end(final[1].decode())
        elif len(self._lines) < LINES_MOST:
            self._lines.append(line)

    def _end(self, final: str) -> Reply:
        reply = Reply(final, tuple(self._lines), self._data, self._echoed)
        self._asked, self._counting, self.deadline = None, False, None
        return reply
