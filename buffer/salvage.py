"""Brings home what can be read of a file that was set aside: closed older logs, keys kept. In small steps, while the
agent works. Runs on the worker thread.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from buffer import disk, tables
from buffer.book import HISTORY, UNREADABLE
from buffer.carve import Carver
from buffer.engine import Engine
from buffer.faults import Refused
from buffer.intake import Intake
from buffer.ledger import Log, LogRow
from buffer.model import Lane
from buffer.ranges import Ranges
from buffer.schema import MOST_ORDINAL, Row, connect, row_of

STEP_PAGES = 64  # looked at between two looks at what is urgent: about 10 ms on a slow card
Found = dict[tuple[str, Lane], Ranges]


class Salvage:
    """Wants its step() called until running is False."""

    def __init__(self, engine: Engine, intake: Intake, has_room: Callable[[], bool]) -> None:
        self._engine, self._intake, self._has_room = engine, intake, has_room
        self._job: Iterator[None] | None = None

    @property
    def running(self) -> bool:
        return self._job is not None or bool(self._engine.set_aside)

    def begin(self) -> None:
        """A salvage that a crash interrupted starts anew: what is home already is not brought twice."""
        known = set(self._engine.set_aside)
        places = [place for place in disk.quarantined(self._engine.path) if not disk.salvaged(place)]
        self._engine.set_aside[:0] = [place for place in places if place not in known]

    def step(self) -> bool:
        if self._job is None:
            if not self._engine.set_aside:
                return False
            self._job = Job(self._engine, self._intake, self._has_room, self._engine.set_aside[0]).run()
        try:
            next(self._job)
        except StopIteration:
            self._job = None
            del self._engine.set_aside[0]
        except Refused:
            self._job = None  # it begins anew when the disk is back: what is home is not brought twice
            raise
        return True


class Job:
    """One file. run() yields whenever something urgent may go first."""

    def __init__(self, engine: Engine, intake: Intake, has_room: Callable[[], bool], place: Path) -> None:
        self._engine, self._intake, self._has_room, self._place = engine, intake, has_room, place
        self._path = place / engine.path.name
        self._found: Found = {}
        self._owed = {
            log: {lane: book.last for lane, book in of.books.items()} for log, of in engine.ledger.logs.items()
        }
        self._blocks = 0

    def run(self) -> Iterator[None]:
        with closing(Carver(self._path)) as carver:
            logs: dict[str, Log] = {}
            for rows in _batches(carver):
                _collect(logs, [row for row in rows if isinstance(row, LogRow)])
                yield
            self._adopt(logs)
            for rows in _batches(carver):
                self._bring([row for row in rows if isinstance(row, Row)])
                yield
        self._bring_meta()
        lost = self._settle_accounts()
        self._engine.notices.say(
            "buffer.salvaged",
            kept=str(self._place.relative_to(self._engine.path.parent)),
            blocks=self._blocks,
            unreadable=lost,
        )
        disk.mark_salvaged(self._place)
        disk.prune_quarantine(self._engine.path, self._engine.options.max_bytes // 2)

    def _adopt(self, logs: dict[str, Log]) -> None:
        for log in logs.values():
            for book in log.books.values():
                book.bytes = 0  # counted again block by block
            self._add(log)

    def _add(self, log: Log) -> None:
        """What RAM knows of a log is newer than any file."""
        ledger = self._engine.ledger
        if log.id in ledger.logs:
            return
        taken = {known.ordinal for known in ledger.logs.values()}
        while log.ordinal in taken:
            log.ordinal = (log.ordinal + 1) % MOST_ORDINAL
        log.closed = True
        ledger.adopt(log)
        ledger.put_back([log.id])
        self._owed[log.id] = {}

    # --- blocks ----------------------------------------------------------------------------------------------------

    def _bring(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._add(Log(row.log.hex(), row.ordinal))
            self._found.setdefault((row.log.hex(), row.lane), Ranges()).add(row.first, row.last)
        wanted = [row for row in rows if self._wanted(row)]
        if not wanted:
            return
        with self._engine.transaction(states=True):
            for row in wanted:
                self._insert(row)
        self._engine.frames += 2 * len(wanted)

    def _wanted(self, row: Row) -> bool:
        """Not what is gone already, and history only while there is room for it."""
        ledger, log = self._engine.ledger, row.log.hex()
        with ledger.lock:
            book = ledger.logs[log].book(row.lane)
            if book.absent.covers(row.first, row.last):
                return False
            idle = all(ledger.idle(log, row.lane, number) for number in (row.first, row.last))
        if idle and not self._has_room():
            ledger.lose(log, row.lane, HISTORY, row.first, row.last)
            return False
        return True

    def _insert(self, row: Row) -> None:
        """The file may hold a block and the merged block it became, or two ages of one: the widest is kept."""
        engine, log = self._engine, row.log.hex()
        ordinal = engine.ledger.logs[log].ordinal
        here = tables.read_extents(engine.db, row.lane, ordinal, row.first, row.last, most=1_000)
        wider = all(row.first <= old.first and old.last <= row.last and old.span < row.span for old in here)
        if not wider:
            return
        tables.delete_blocks(engine.db, [old.key for old in here])
        moved = row_of(row.log, ordinal, row.lane, row.first, last=row.last, flags=row.flags, body=row.body)
        tables.insert_blocks(engine.db, [moved])
        engine.ledger.extend(log, row.lane, row.last, len(row.body) - sum(old.size for old in here))
        self._blocks += 1 - len(here)

    # --- the rest --------------------------------------------------------------------------------------------------

    def _bring_meta(self) -> None:
        """Small values, if SQLite can still find them. After the pages: opening the file changes it."""
        with suppress(sqlite3.Error, OSError), closing(connect(self._path)) as db:
            self._engine.meta.adopt(tables.read_meta(db))

    def _settle_accounts(self) -> int:
        """Every number that should have been there and was not found is unreadable from now on."""
        lost = 0
        for log, lanes in self._owed.items():
            for lane in Lane:
                first_new = lanes.get(lane, 0) + 1 if log == self._engine.log else None
                lost += self._write_off(log, lane, first_new)
        return lost

    def _write_off(self, log: str, lane: Lane, first_new: int | None) -> int:
        engine, found = self._engine, self._found.get((log, lane), Ranges())
        last = engine.ledger.last(log, lane) if first_new is None else first_new - 1
        ordinal, lost = engine.ledger.logs[log].ordinal, 0
        for low, high in list(found.holes(1, last)):
            with engine.using() as db:
                here = Ranges(
                    (e.first, e.last) for e in tables.read_extents(db, lane, ordinal, low, high, most=100_000)
                )
            here.update(self._held(log, lane, low, high))
            for first, last_ in here.holes(low, high):
                lost += engine.ledger.lose(log, lane, UNREADABLE, first, last_)
                engine.notices.lost("buffer.unreadable", log, lane, UNREADABLE, first=first, last=last_)
        return lost

    def _held(self, log: str, lane: Lane, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Numbers of our own log that memory holds for the disk."""
        entries = self._intake.held(lane, first, last) if log == self._engine.log else []
        return ((entry.number, entry.number) for entry in entries)


def _batches(carver: Carver) -> Iterator[list[Row | LogRow]]:
    for start in range(0, carver.pages, STEP_PAGES):
        pages = range(start, min(start + STEP_PAGES, carver.pages))
        yield [row for page in pages for row in carver.rows(page)]


def _collect(logs: dict[str, Log], rows: Sequence[LogRow]) -> None:
    """A file holds many ages of one state. What is settled or gone stays so, hence the union is the newest."""
    for row in rows:
        log = Log(row.id.hex(), row.ordinal)
        with suppress(ValueError):
            log.decode(row.state)
            if log.id in logs:
                logs[log.id].join(log)
            else:
                logs[log.id] = log
