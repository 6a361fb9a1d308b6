"""Every book of every log, in RAM, safe in any thread. Knows ranges and routes; nothing of SQL, files or bodies."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from threading import RLock
from typing import NamedTuple
from zlib import crc32

from buffer.book import HISTORY, Book
from buffer.model import Lane, LaneInfo, LogInfo, Pending, RouteSpec
from buffer.ranges import Ranges


@dataclass(slots=True)
class Log:
    id: str
    ordinal: int
    closed: bool = False  # its end was looked at by a later start and is written down
    books: dict[Lane, Book] = field(default_factory=dict)

    def book(self, lane: Lane) -> Book:
        if lane not in self.books:
            self.books[lane] = Book(self.id, self.ordinal, lane)
        return self.books[lane]

    def encode(self) -> str:
        books = {lane.name.lower(): book.to_json() for lane, book in sorted(self.books.items())}
        return json.dumps({"closed": self.closed, **books}, separators=(",", ":"))

    def decode(self, state: str) -> None:
        """Takes the state over whole, or raises ValueError and takes nothing."""
        try:
            fields = json.loads(state)
            closed = bool(fields.pop("closed"))
            books = [Book.from_json(self.id, self.ordinal, Lane[n.upper()], f) for n, f in fields.items()]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f"state of log {self.id} can't be read: {error!r}") from error
        self.closed, self.books = closed, {book.lane: book for book in books}

    def join(self, other: "Log") -> None:
        """Another age of the same log."""
        for lane, book in other.books.items():
            self.book(lane).join(book)


class LogRow(NamedTuple):
    """A row of table log."""

    ordinal: int
    id: bytes
    state: str
    crc: int

    def checked(self) -> str:
        """The state, or ValueError."""
        try:
            if self.crc == crc32(self.state.encode(), crc32(self.id)):
                return self.state
        except (TypeError, AttributeError) as error:  # a damaged file may hold any type in any column
            raise ValueError("a column of the wrong type") from error
        raise ValueError("checksum")


def _log_row(log: Log) -> LogRow:
    name, state = bytes.fromhex(log.id), log.encode()
    return LogRow(log.ordinal, name, state, crc32(state.encode(), crc32(name)))


def _shared(known: Sequence[Ranges]) -> Ranges:
    return reduce(Ranges.intersection, known[1:], Ranges(known[0]))


class Ledger:
    def __init__(self, routes: Sequence[RouteSpec]) -> None:
        self.routes = {route.name: route for route in routes}
        self.logs: dict[str, Log] = {}
        self.dirty: set[str] = set()  # logs whose state on disk is behind
        self.urgent = False  # something was shed: write it with the next append, whatever the settle interval
        self.lock = RLock()
        self._open: dict[str, set[tuple[Lane, int, str]]] = defaultdict(set)  # by route: books with pending numbers

    # --- questions, any thread -------------------------------------------------------------------------------------

    def floor(self, route: str, log: str, lane: Lane) -> int:
        with self.lock:
            book = self._find(log, lane)
            return 1 if book is None else book.floor(route) if self._takes(route, lane) else book.last + 1

    def last(self, log: str, lane: Lane) -> int:
        with self.lock:
            book = self._find(log, lane)
            return book.last if book else 0

    def backlog(self, route: str) -> list[Pending]:
        with self.lock:
            found = sorted(self._open[route])
            return [self.logs[log].books[lane].waiting_for(route) for lane, _, log in found]

    def holes(self, route: str, log: str, lane: Lane, first: int, last: int) -> list[tuple[int, int]]:
        """Pending ranges within first..last, at most as many as one read can use."""
        with self.lock:
            book = self._find(log, lane)
            if book is None or not self._takes(route, lane):
                return []
            holes = book.done_on(route).holes(max(1, first), min(last, book.last))
            return [hole for hole, _ in zip(holes, range(64), strict=False)]

    def gone(self, log: str, lane: Lane) -> dict[str, tuple[tuple[int, int], ...]]:
        """What was shed or can't be read, by reason. Deleted history is neither."""
        with self.lock:
            book = self._find(log, lane)
            sets = book.gone.items() if book else ()
            return {reason: tuple(ranges) for reason, ranges in sets if reason != HISTORY}

    def describe(self) -> list[LogInfo]:
        with self.lock:
            return [
                LogInfo(
                    log.id,
                    log.closed,
                    {lane: LaneInfo(b.last, b.bytes, self.gone(log.id, lane)) for lane, b in sorted(log.books.items())},
                )
                for log in sorted(self.logs.values(), key=lambda log: log.ordinal)
            ]

    def count(self, what: Callable[[Book], int], lanes: Iterable[Lane] = Lane) -> int:
        """The sum of `what` over all books of these lanes."""
        wanted = set(lanes)
        with self.lock:
            return sum(what(b) for log in self.logs.values() for b in log.books.values() if b.lane in wanted)

    def pending(self, route: str) -> int:
        return sum(waiting.numbers for waiting in self.backlog(route))

    def settled(self, route: str) -> int:
        return self.count(lambda book: book.settled[route].count if route in book.settled else 0)

    def gone_by_reason(self) -> dict[str, int]:
        with self.lock:
            sets = [pair for log in self.logs.values() for book in log.books.values() for pair in book.gone.items()]
        numbers: dict[str, int] = {}
        for reason, ranges in sets:
            numbers[reason] = numbers.get(reason, 0) + ranges.count
        return numbers

    def idle(self, log: str, lane: Lane, number: int) -> bool:
        """Whether no route needs this number from us any more (with no routes, someone may yet come)."""
        with self.lock:
            book = self._find(log, lane)
            takers = [name for name in self.routes if self._takes(name, lane)]
            return book is not None and bool(takers) and all(number in book.done_on(name) for name in takers)

    # --- changes ---------------------------------------------------------------------------------------------------

    def add_log(self, log: str, ordinal: int) -> Log:
        with self.lock:
            self.logs[log] = Log(log, ordinal)
            return self.logs[log]

    def place(self, log: str, ordinal: int) -> None:
        """Our own log gets its place among those of the file."""
        with self.lock:
            mine = self.logs[log]
            self._close_all(mine)
            mine.ordinal = ordinal
            for book in mine.books.values():
                book.ordinal = ordinal
                self._note(book)

    def adopt(self, log: Log) -> None:
        """A log read from a file. A route met for the first time inherits what every route before it had settled."""
        with self.lock:
            self.logs[log.id] = log
            for lane, book in log.books.items():
                known = [ranges for _, ranges in sorted(book.settled.items())]
                for route in self.routes:
                    if known and route not in book.settled and self._takes(route, lane):
                        book.settled[route] = _shared(known)
                self._note(book)

    def forget(self, log: str) -> None:
        with self.lock:
            self._close_all(self.logs.pop(log))
            self.dirty.discard(log)

    def extend(self, log: str, lane: Lane, last: int, size: int) -> None:
        """Numbers up to `last` may be read now, `size` more bytes of them on disk."""
        with self.lock:
            book = self.logs[log].book(lane)
            book.last = max(book.last, last)
            book.bytes += size
            self.dirty.add(log)
            self._note(book)

    def settle(self, route: str, log: str, lane: Lane, first: int, last: int) -> None:
        with self.lock:
            book = self._find(log, lane)
            if book and route in self.routes and book.settle(route, first, last):
                self.dirty.add(log)
                self._note(book)

    def lose(self, log: str, lane: Lane, reason: str, first: int, last: int, *, size: int = 0) -> int:
        """Answers how many numbers this took from a route that still wanted them."""
        with self.lock:
            book = self.logs[log].book(lane)
            book.last = max(book.last, last)
            takers = [name for name in self.routes if self._takes(name, lane)]
            before = max((book.pending(name) for name in takers), default=0)
            new = book.lose(reason, first, last)
            book.bytes = max(0, book.bytes - size)
            self.dirty.add(log)
            self.urgent |= bool(new) and reason != HISTORY
            self._note(book)
            after = max((book.pending(name) for name in takers), default=0)
            return before - after if takers else new.count

    def resize(self, log: str, lane: Lane, change: int, *, merged: int | None = None) -> None:
        """Bodies grew or shrank without any number changing its state."""
        with self.lock:
            book = self.logs[log].book(lane)
            book.bytes = max(0, book.bytes + change)
            book.merged = book.merged if merged is None else max(book.merged, merged)
            self.dirty.add(log)

    def start_over(self) -> None:
        """The file was replaced by an empty one: every state has to be written again."""
        with self.lock:
            for log in self.logs.values():
                for book in log.books.values():
                    book.bytes = 0
            self.dirty.update(self.logs)
            self.urgent = True

    def take_dirty(self) -> list[LogRow]:
        """Rows of table log to be written; put_back() if the write fails."""
        with self.lock:
            rows = [_log_row(self.logs[log]) for log in self.dirty if log in self.logs]
            self.dirty.clear()
            self.urgent = False
            return rows

    def put_back(self, logs: Iterable[str]) -> None:
        with self.lock:
            self.dirty.update(logs)
            self.urgent = True

    # --- within ----------------------------------------------------------------------------------------------------

    def _find(self, log: str, lane: Lane) -> Book | None:
        found = self.logs.get(log)
        return found.books.get(lane) if found else None

    def _takes(self, route: str, lane: Lane) -> bool:
        spec = self.routes.get(route)
        return spec is not None and lane in spec.lanes

    def _close_all(self, log: Log) -> None:
        for waiting in self._open.values():
            waiting.difference_update((lane, log.ordinal, log.id) for lane in log.books)

    def _note(self, book: Book) -> None:
        """Keeps the set of books with pending numbers, so that backlog() need not look at old logs."""
        entry = (book.lane, book.ordinal, book.log)
        for route in self.routes:
            if self._takes(route, book.lane) and book.pending(route) > 0:
                self._open[route].add(entry)
            else:
                self._open[route].discard(entry)
