"""Group commit: what the intake holds goes to disk in one transaction, or stays in memory and is tried again."""

from collections.abc import Callable, Iterable, Sequence

from buffer.engine import Engine
from buffer.faults import Fault, Refused
from buffer.intake import Entry, Intake, refuse
from buffer.model import Lane
from buffer.schema import KEEP, PAGE, Row, row_of
from buffer.tables import insert_blocks

Subscriber = Callable[[Lane, int], None]
MOST_BACKOFF = (
    30.0  # seconds between tries while the disk refuses: a remount or a cleared disk is noticed within a minute
)


class Writer:
    def __init__(self, engine: Engine, intake: Intake, make_room: Callable[[int], None]) -> None:
        self.degraded = False
        self.subscribers: list[Subscriber] = []
        self._engine, self._intake, self._make_room = engine, intake, make_room
        self._known = False  # whether the file has our log's row
        self._settle_due = 0.0
        self._backoff = 0.0
        self._degraded_since = 0.0
        self._shed = 0

    def commit(self, now: float, *, states: bool = False) -> None:
        """Writes all that waits. Never raises for the disk: what it refuses is held."""
        if states:
            self._settle_due = now
        self._count_shed()
        entries = self._undelivered(self._intake.snapshot()) if self.degraded else self._intake.snapshot()
        try:
            self._write(entries, now)
        except Refused as error:
            self._hold(entries, str(error), now)
        else:
            self._committed(entries, now)

    def state_overdue(self, now: float) -> bool:
        """Settled ranges wait for an append to go with; when none comes for a whole interval they go alone."""
        return bool(self._engine.ledger.dirty) and now > self._settle_due + self._engine.options.settle_interval

    def _write(self, entries: Sequence[Entry], now: float) -> None:
        try:
            self._put(entries, now)
        except Refused:
            if self._engine.fault is Fault.FULL:
                self._make_room(sum(len(entry.body) for entry in entries) + 32 * PAGE)
            elif self._engine.fault is not Fault.DAMAGED:
                raise
            self._known = False
            self._put(entries, now)

    def _put(self, entries: Iterable[Entry], now: float) -> None:
        engine = self._engine
        engine.open()
        if not self._known:
            engine.ledger.put_back([engine.log])  # blocks never stand in a file without their log's row
        states = engine.ledger.urgent or now >= self._settle_due
        with engine.transaction(states=states) as db:
            rows = [self._row(entry) for entry in entries]
            insert_blocks(db, rows)
        engine.frames += sum(len(row.body) for row in rows) // (PAGE - 100)
        self._known = True
        if states:
            self._settle_due = now + engine.options.settle_interval

    def _row(self, entry: Entry) -> Row:
        flags = KEEP if entry.keep else 0
        number = entry.number
        return row_of(
            self._engine.id, self._engine.ordinal, entry.lane, number, last=number, flags=flags, body=entry.body
        )

    def _committed(self, entries: Sequence[Entry], now: float) -> None:
        self._extend(entries, stored=True)
        self._intake.finish(entries)
        if self.degraded:
            self.degraded = False
            self._backoff = 0.0
            seconds = round(now - self._degraded_since)
            self._engine.notices.say("buffer.recovered", seconds=seconds, numbers=len(entries), shed=self._shed)
            self._shed = 0
        self._announce(entries)

    def degrade(self, error: str, now: float) -> None:
        if not self.degraded:
            self.degraded = True
            self._degraded_since = now
            self._engine.notices.say("buffer.degraded", error=error)

    def _hold(self, entries: Sequence[Entry], error: str, now: float) -> None:
        """Memory is the disk for a while: what it holds can be read, sent and settled like anything stored."""
        self.degrade(error, now)
        ledger, log = self._engine.ledger, self._engine.log
        fresh = [entry for entry in entries if entry.number > ledger.last(log, entry.lane)]
        self._extend(fresh, stored=False)
        self._backoff = min(MOST_BACKOFF, 2 * self._backoff or 1.0)
        self._intake.retry(now + self._backoff)
        self._announce(fresh)

    def _extend(self, entries: Sequence[Entry], *, stored: bool) -> None:
        for lane in {entry.lane for entry in entries}:
            mine = [entry for entry in entries if entry.lane is lane]
            size = sum(len(entry.body) for entry in mine) if stored else 0
            self._engine.ledger.extend(self._engine.log, lane, mine[-1].number, size)

    def _announce(self, entries: Sequence[Entry]) -> None:
        latest = {entry.lane: entry.number for entry in entries}
        for lane, number in latest.items():
            for subscriber in self.subscribers:
                subscriber(lane, number)

    def _undelivered(self, entries: Sequence[Entry]) -> list[Entry]:
        """Every platform has these already, out of memory: they need no disk."""
        ledger, log = self._engine.ledger, self._engine.log
        delivered = [entry for entry in entries if ledger.idle(log, entry.lane, entry.number)]
        self._intake.finish(delivered)
        safe = {id(entry) for entry in delivered}
        return [entry for entry in entries if id(entry) not in safe]

    def _count_shed(self) -> None:
        engine, shed = self._engine, self._intake.take_shed()
        for entry in shed:
            engine.ledger.lose(engine.log, entry.lane, "memory", entry.number, entry.number)
            engine.notices.lost("buffer.shed", engine.log, entry.lane, "memory", first=entry.number, last=entry.number)
        self._shed += len(shed)
        refuse(shed)
