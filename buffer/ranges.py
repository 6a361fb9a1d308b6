"""Sets of whole numbers as closed ranges: which numbers are settled, shed, held. Knows nothing of lanes, logs or files."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Self

MOST_RANGES = 65_536  # what decode() accepts: far beyond any honest set, and about 4 MB of memory
MOST_NUMBER = 2**63 - 1  # SQLite's and most platforms' largest integer


class Ranges:
    """Disjoint closed ranges, ascending, never touching. Adding at the end costs O(1), anywhere O(log n) and a move."""

    __slots__ = ("_firsts", "_lasts", "count")

    def __init__(self, pairs: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self.count = 0  # numbers held
        for first, last in pairs:
            self.add(first, last)

    def add(self, first: int, last: int) -> None:
        if last < first:
            raise ValueError(f"range {first}-{last} is reversed")
        low = bisect_left(self._lasts, first - 1)  # the first range that reaches us or touches us
        high = bisect_right(self._firsts, last + 1)  # the first range wholly beyond us
        joined = range(low, high)
        if joined:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self.count += last - first + 1 - sum(self._lasts[i] - self._firsts[i] + 1 for i in joined)
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def update(self, other: Iterable[tuple[int, int]]) -> None:
        for first, last in other:
            self.add(first, last)

    def covers(self, first: int, last: int) -> bool:
        """Whether every number of first..last is held."""
        at = bisect_left(self._lasts, first)
        return at < len(self._firsts) and self._firsts[at] <= first and last <= self._lasts[at]

    def first_missing(self, start: int) -> int:
        """The lowest number from `start` on that is not held."""
        at = bisect_left(self._lasts, start)
        held = at < len(self._firsts) and self._firsts[at] <= start
        return self._lasts[at] + 1 if held else start

    def holes(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The parts of first..last that are not held, ascending."""
        for low, high in self.within(first, last):
            if first < low:
                yield first, low - 1
            first = high + 1
        if first <= last:
            yield first, last

    def within(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The parts of first..last that are held, ascending."""
        at = bisect_left(self._lasts, first)
        while at < len(self._firsts) and self._firsts[at] <= last:
            yield max(first, self._firsts[at]), min(last, self._lasts[at])
            at += 1

    def intersection(self, other: "Ranges") -> "Ranges":
        both = Ranges()
        for first, last in self:
            both.update(other.within(first, last))
        return both

    def difference(self, other: "Ranges") -> "Ranges":
        return Ranges(hole for first, last in self for hole in other.holes(first, last))

    def encode(self, most: int = MOST_RANGES) -> bytes:
        """`1-60,62,70-80`: a person can read it in the database file. Ranges beyond `most` are left out."""
        return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in list(self)[:most]).encode()

    @classmethod
    def decode(cls, data: bytes, most: int = MOST_RANGES) -> Self:
        """ValueError on anything that encode() would not have written."""
        ranges = cls()
        parts = data.split(b",", most) if data else []
        if len(parts) > most:
            raise ValueError(f"more than {most} ranges")
        for part in parts:
            first, last = _pair(part)
            if ranges._lasts and first <= ranges._lasts[-1] + 1:
                raise ValueError("ranges out of order")
            ranges.add(first, last)
        return ranges

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        """How many ranges; `count` says how many numbers."""
        return len(self._firsts)

    def __contains__(self, number: int) -> bool:
        return self.covers(number, number)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and list(self) == list(other)

    def __hash__(self) -> int:
        raise TypeError("Ranges change; they are no key")

    def __repr__(self) -> str:
        return f"Ranges({self.encode().decode()})"


def _pair(text: bytes) -> tuple[int, int]:
    first, dash, last = text.partition(b"-")
    if not first.isdigit() or (dash and not last.isdigit()) or len(text) > 40:
        raise ValueError("not a range")
    low, high = int(first), int(last) if dash else int(first)
    if not 0 <= low <= high <= MOST_NUMBER:
        raise ValueError("range reversed or out of bounds")
    return low, high
