"""Numbers of messages: given once, and taken once.

`Counter` gives out what its keeper has on disk as reserved; `Window` remembers which numbers of the other side were seen,
and finds the whole number behind the 16 bits that travel. Knows no key and no file.
"""

from collections.abc import Callable, Iterator

from protocols.errors import LocalError, RemoteError

BLOCK = 1024  # numbers reserved at a time: one small write in a thousand messages; what a restart skips at most
LOW = 128  # left when the next block is asked for: at a message a minute a write has two hours
LAST = (1 << 48) - 1
WINDOW = 1024  # numbers behind the newest that may still come late: half a day of one-minute slots, and a block
TURN = 1 << 16  # what the travelling bits count
TURNS = 3  # whole turns tried beyond the nearest: a station that restarted 190 times without once being heard


class Counter:
    """The next number of one direction of one epoch. `reserve(until)` asks the keeper to write down that all below
    `until` may be used; the keeper answers by `reserved`, at once or later.
    """

    def __init__(self, stored: int, reserve: Callable[[int], None]) -> None:
        """`stored` is what was last written: the first number that was never reserved; 0 in a new epoch."""
        self._next = self._limit = stored
        self._reserve = reserve
        self._asked = False

    @property
    def peek(self) -> int:
        """The number that comes next."""
        return self._next

    def next(self) -> int:
        """LocalError `frame.counter` where none is reserved: better unsent than a number twice."""
        self._ask()
        if self._next >= self._limit:
            raise LocalError("frame.counter", "no number is reserved")
        self._next += 1
        return self._next - 1

    def reserved(self, until: int) -> None:
        """It is on disk. `until` as asked, or less (or the same again) where it could not be written."""
        self._limit = max(self._limit, min(until, LAST + 1))
        self._asked = False

    def _ask(self) -> None:
        if self._limit - self._next <= LOW and not self._asked and self._limit <= LAST:
            self._asked = True
            self._reserve(min(self._limit + BLOCK, LAST + 1))


class Window:
    """Numbers seen of the other side: the highest, and which of the `WINDOW` up to it."""

    def __init__(self, highest: int = -1, seen: int = 0) -> None:
        self.highest, self._seen = highest, seen  # bit n of `seen` stands for highest - n

    def candidates(self, low: int) -> Iterator[int]:
        """Whole numbers that end in these 16 bits, the most likely first."""
        base = max(self.highest, 0)
        nearest = base - TURN // 2 + (low - (base - TURN // 2)) % TURN
        yield from (number for number in range(nearest, nearest + (TURNS + 1) * TURN, TURN) if 0 <= number <= LAST)

    def seen(self, number: int) -> bool:
        back = self.highest - number
        return 0 <= back < WINDOW and bool(self._seen >> back & 1)

    def too_old(self, number: int) -> bool:
        return self.highest - number >= WINDOW

    def add(self, number: int) -> None:
        """After its message proved genuine."""
        ahead = number - self.highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, WINDOW)) & ((1 << WINDOW) - 1)
            self.highest = number
        self._seen |= 1 << (self.highest - number)

    def remove(self, number: int) -> None:
        """Its message came to nothing: if it comes again it is as new."""
        if self.seen(number):
            self._seen &= ~(1 << (self.highest - number))

    def encode(self) -> bytes:
        """6 bytes of the highest number plus one, then the bits seen, newest first; for the disk."""
        return (self.highest + 1).to_bytes(6) + self._seen.to_bytes(WINDOW // 8, "little")


def decode_window(data: bytes) -> Window:
    if len(data) != 6 + WINDOW // 8:
        raise RemoteError("window.length", f"{len(data)} bytes")
    return Window(int.from_bytes(data[:6]) - 1, int.from_bytes(data[6:], "little"))
