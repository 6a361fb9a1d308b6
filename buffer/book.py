"""What is known of one lane of one log: issued, settled by route, gone by reason. Plain data; the ledger locks it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from buffer.model import Lane, Pending
from buffer.ranges import Ranges
from buffer.schema import MOST_NUMBER

HISTORY = "history"  # settled by all who wanted it, and deleted since: gone, but nothing was lost
UNREADABLE = "unreadable"  # damaged on disk
PERSISTED_RANGES = 4096  # per set: 64 KB at most; what a crash forgets beyond it is sent again


@dataclass(slots=True)
class Book:
    log: str
    ordinal: int
    lane: Lane
    last: int = 0  # highest number that may be read
    bytes: int = 0  # of bodies stored
    merged: int = 0  # everything up to here was merged or found unfit for it
    settled: dict[str, Ranges] = field(default_factory=dict)
    gone: dict[str, Ranges] = field(default_factory=dict)
    done: dict[str, Ranges] = field(
        default_factory=dict
    )  # by route: settled or gone, kept together for O(log n) answers
    absent: Ranges = field(default_factory=Ranges)  # gone for any reason

    def settle(self, route: str, first: int, last: int) -> bool:
        """Whether anything was new. Numbers never issued can't be settled."""
        first, last = max(1, first), min(last, self.last)
        mine = self.settled.setdefault(route, Ranges())
        if first > last or mine.covers(first, last):
            return False
        mine.add(first, last)
        self.done_on(route).add(first, last)
        return True

    def lose(self, reason: str, first: int, last: int) -> Ranges:
        """Takes numbers that no route will get from here any more; answers with those that were not gone before."""
        new = Ranges(self.absent.holes(first, last))
        if new:
            self.gone.setdefault(reason, Ranges()).update(new)
            self.absent.update(new)
            for done in self.done.values():
                done.update(new)
        return new

    def join(self, other: "Book") -> None:
        """Another age of the same book: what was settled or gone once stays so."""
        self.last, self.merged = max(self.last, other.last), max(self.merged, other.merged)
        for route, ranges in other.settled.items():
            self.settled.setdefault(route, Ranges()).update(ranges)
        for reason, ranges in other.gone.items():
            self.gone.setdefault(reason, Ranges()).update(ranges)
            self.absent.update(ranges)

    def done_on(self, route: str) -> Ranges:
        """Made when a route is first asked about."""
        if route not in self.done:
            self.done[route] = Ranges(self.absent)
            self.done[route].update(self.settled.get(route, Ranges()))
        return self.done[route]

    def floor(self, route: str) -> int:
        return min(self.done_on(route).first_missing(1), self.last + 1)

    def pending(self, route: str) -> int:
        return self.last - self.done_on(route).count

    def waiting_for(self, route: str) -> Pending:
        return Pending(self.log, self.lane, self.floor(route), self.pending(route))

    def settled_by(self, routes: Iterable[str]) -> Ranges:
        """Stored numbers that every one of these routes is done with; with no routes, none."""
        shared: Ranges | None = None
        for route in routes:
            done = self.done_on(route)
            shared = done if shared is None else shared.intersection(done)
        return (shared or Ranges()).difference(self.absent)

    def stored(self) -> Iterator[tuple[int, int]]:
        return self.absent.holes(1, self.last)

    def to_json(self) -> dict[str, Any]:
        return {
            "last": self.last,
            "bytes": self.bytes,
            "merged": self.merged,
            "settled": {route: self._settled_on(route) for route in sorted({*self.settled, *self.done})},
            "gone": {reason: r.encode(PERSISTED_RANGES).decode() for reason, r in self.gone.items() if r},
        }

    def _settled_on(self, route: str) -> str:
        """Also of a route that has settled nothing: it is known, and must not inherit from others at the next start."""
        return self.settled.get(route, Ranges()).encode(PERSISTED_RANGES).decode()

    @classmethod
    def from_json(cls, log: str, ordinal: int, lane: Lane, fields: dict[str, Any]) -> Self:
        """Whatever is wrong with `fields` comes out as ValueError, TypeError or KeyError."""
        last, size, merged = (_bounded(fields[name]) for name in ("last", "bytes", "merged"))
        book = cls(log, ordinal, lane, last, size, merged)
        book.settled = _decoded(fields["settled"])
        book.gone = _decoded(fields["gone"])
        for ranges in book.gone.values():
            book.absent.update(ranges)
        return book


def _bounded(number: Any) -> int:
    if not isinstance(number, int) or not 0 <= number <= MOST_NUMBER:
        raise ValueError("a number out of bounds")
    return number


def _decoded(sets: dict[str, str]) -> dict[str, Ranges]:
    return {str(name): Ranges.decode(text.encode()) for name, text in sets.items()}
