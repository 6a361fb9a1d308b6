"""Carries out what retention chose: deletes and thins in small transactions, with every number accounted for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from buffer import disk, retention, tables
from buffer.book import HISTORY, UNREADABLE
from buffer.engine import Engine
from buffer.faults import Fault, Refused
from buffer.model import Lane, Thin
from buffer.ranges import Ranges
from buffer.retention import Action, Shop, Step
from buffer.schema import KEEP, LEVEL_SHIFT, Row, row_of
from buffer.tables import Extent

STEP_BLOCKS = 64  # rows in one transaction: some milliseconds, which is what an alarm may have to wait
THIN_ROUNDS = 3  # a body halved three times keeps extremes and marked rows and little else
RESERVE = 256 << 10  # bytes of the file system left to others and to the -wal
LOGS_KEPT = 1_000  # starts of the agent whose accounts are kept: about 1 MB in memory
FORCED_STEPS = 200  # at most, to make room for one commit
THIN_BYTES = 256 << 10  # bodies in one step of thinning
PARTIAL = (HISTORY, "optional")  # reasons for which a block must be settled whole


class Pruner:
    def __init__(self, engine: Engine, thin: Thin | None, salvaging: Callable[[], bool]) -> None:
        self.thinned = 0
        self.used = 0
        self.limit = engine.options.max_bytes
        self._engine, self._thin, self._salvaging = engine, thin, salvaging
        self._spared: dict[tuple[str, str, Lane], Ranges] = {}
        self._swept: dict[tuple[str, Lane], Ranges] = {}
        self._round = 0  # of thinning
        self._dropped = 0  # bytes of telemetry since the last rounds of thinning began
        self._spend_kept = False
        self._orphans: list[int] = []  # keys whose numbers are gone in the ledger while the DELETE failed

    def step(self) -> bool:
        """One small step towards the limits; False when they are kept, or nothing can be done."""
        if self._bound_alarms() or self._bound_space() or self._bound_logs():
            return True
        self._rest()
        return False

    def _rest(self) -> None:
        """Under the limits again. By the next time partly settled blocks may be settled."""
        self._spend_kept = False
        self._spared = {key: ranges for key, ranges in self._spared.items() if key[0] not in PARTIAL}

    def make_room(self, size: int) -> None:
        """The disk is full and something must be written now: the ballast goes first, then the least valuable rows."""
        self._engine.ballast.release()
        with suppress(Refused), self._engine.using() as db:
            goal = tables.used_bytes(db) - size
            for _ in range(FORCED_STEPS):
                if tables.used_bytes(db) <= goal or not self._give_up_something():
                    return

    def _give_up_something(self) -> bool:
        return self._bound_alarms() or self._take(retention.for_space) or self._spend()

    def has_room(self) -> bool:
        """Whether a tenth is still free: salvaged history is welcome then."""
        return self.used < self.limit - self._quota(self.limit) - self.limit // 10

    def expire(self, lane: Lane, ordinal: int, number: int) -> bool:
        """Settled history of one lane up to a number of a log."""
        return self._take(lambda shop: retention.for_age(shop, lane, ordinal, number))

    def _bound_alarms(self) -> bool:
        over = self._alarm_bytes() > self._quota(self._engine.options.max_bytes)
        return over and (self._take(retention.for_alarms) or self._spend())

    def _bound_space(self) -> bool:
        engine = self._engine
        with engine.using() as db:
            room = max(0, disk.free(engine.path.parent) - RESERVE)
            self.limit = min(engine.options.max_bytes, tables.file_bytes(db) + room)
            self.used = tables.used_bytes(db)
        quota = self._quota(self.limit)
        others = self.used - min(quota, self._alarm_bytes())
        most = self.limit - quota - self.limit // 32  # a merge and the states need pages too
        return others > most and (self._take(retention.for_space) or self._spend())

    def _alarm_bytes(self) -> int:
        return self._engine.ledger.count(lambda book: book.bytes, [Lane.ALARM])

    def _quota(self, limit: int) -> int:
        return min(self._engine.options.alarm_quota, limit // 4)

    def _bound_logs(self) -> bool:
        """Of the oldest logs only what some route still wants is kept."""
        ledger = self._engine.ledger
        if len(ledger.logs) <= LOGS_KEPT:
            return False
        with ledger.lock:
            oldest = min(ledger.logs.values(), key=lambda log: log.ordinal)
            empty = not any(any(book.stored()) for book in oldest.books.values())
        if not empty:
            return self._take(retention.for_history, only=oldest.id)
        with self._engine.transaction(states=True) as db:
            tables.delete_log(db, oldest.ordinal)
            ledger.forget(oldest.id)
        return True

    def _take(self, choose: Callable[[Shop], Iterator[Step]], only: str | None = None) -> bool:
        with self._engine.ledger.lock:
            step = next(choose(self._shop(only)), None)
        if step is None:
            return False
        if self._dropping_telemetry(step) and self._next_round():
            return True
        if step.action is Action.THIN:
            self._thin_step(step)
        else:
            self._drop_step(step)
        return True

    def _shop(self, only: str | None) -> Shop:
        ledger = self._engine.ledger
        logs = sorted(ledger.logs.values(), key=lambda log: log.ordinal)
        books = [book for log in logs if only in (None, log.id) for book in log.books.values()]
        swept = self._swept if self._thin else None
        return Shop(books, ledger.routes, self._spared, swept, self._engine.log)

    def _dropping_telemetry(self, step: Step) -> bool:
        return (step.action, step.lane, step.reason) == (Action.DROP, Lane.TELEMETRY, "space")

    def _next_round(self) -> bool:
        """Before telemetry is dropped all of it is thinned, several times."""
        if self._thin is None or not self._swept or self._round + 1 >= THIN_ROUNDS:
            return False
        self._round, self._swept = self._round + 1, {}
        return True

    def _spend(self) -> bool:
        """Nothing else is left: rows marked keep are like any other from here on."""
        kept = [key for key in self._spared if key[0] not in PARTIAL]
        self._spend_kept = bool(kept)
        for key in kept:
            del self._spared[key]
        return bool(kept)

    # --- dropping --------------------------------------------------------------------------------------------------

    def _drop_step(self, step: Step) -> None:
        """Whole blocks only. A number of the range that has no block is accounted for as well."""
        with self._engine.using() as db:
            found = tables.read_extents(db, step.lane, step.ordinal, step.first, step.last, most=STEP_BLOCKS)
        reached = min(step.last, found[-1].last) if len(found) == STEP_BLOCKS else step.last
        going = [extent for extent in found if self._may_go(step, extent)]
        here = Ranges((extent.first, extent.last) for extent in found)
        self._spare(step, reached, here.difference(Ranges((extent.first, extent.last) for extent in going)))
        missing = [] if self._salvaging() else list(here.holes(step.first, reached))
        self._delete(step, going, missing)
        if self._salvaging():
            self._spare(step, reached, Ranges(here.holes(step.first, reached)))

    def _may_go(self, step: Step, extent: Extent) -> bool:
        whole = step.first <= extent.first and extent.last <= step.last
        return whole and (step.reason in PARTIAL or self._spend_kept or not extent.flags & KEEP)

    def _spare(self, step: Step, reached: int, ranges: Ranges) -> None:
        mine = self._spared.setdefault((step.reason, step.log, step.lane), Ranges())
        mine.update(ranges.within(step.first, reached))

    def _delete(self, step: Step, going: Sequence[Extent], missing: Sequence[tuple[int, int]]) -> None:
        try:
            with self._engine.transaction(states=True) as db:
                tables.delete_blocks(db, [*self._orphans, *(extent.key for extent in going)])
                self._account(step, going, missing)
        except Refused:
            if self._engine.fault is not Fault.FULL or not self._orphans:
                raise
            with self._engine.transaction(states=False) as db:  # no room for the accounts: they go with the next commit
                tables.delete_blocks(db, self._orphans)
        self._orphans.clear()
        self._engine.frames += len(going)

    def _account(self, step: Step, going: Sequence[Extent], missing: Sequence[tuple[int, int]]) -> None:
        """The ledger does not roll back. Should the commit fail, these rows are orphans, and deleted with the next."""
        self._orphans.extend(extent.key for extent in going)
        for extent in going:
            self._lose(step, step.reason, extent.first, extent.last, extent.size)
        for first, last in missing:
            self._lose(step, HISTORY if step.reason == HISTORY else UNREADABLE, first, last, 0)
        if self._dropping_telemetry(step):
            self._dropped += sum(extent.size for extent in going)
            if self._dropped > self.limit // 4:  # so much is new that thinning is worth another look
                self._round, self._swept, self._dropped = 0, {}, 0

    def _lose(self, step: Step, reason: str, first: int, last: int, size: int) -> None:
        if self._engine.ledger.lose(step.log, step.lane, reason, first, last, size=size):
            kind = "buffer.unreadable" if reason == UNREADABLE else "buffer.shed"
            self._engine.notices.lost(kind, step.log, step.lane, reason, first=first, last=last)

    # --- thinning --------------------------------------------------------------------------------------------------

    def _thin_step(self, step: Step) -> None:
        with self._engine.using() as db:
            rows, whole = tables.read_blocks(
                db, step.lane, step.ordinal, step.first, step.last, max_bytes=THIN_BYTES, max_blocks=STEP_BLOCKS
            )
        reached = step.last if whole or not rows else rows[-1].last
        thinner = [(row, thin) for row in rows if (thin := self._thinned(row))]
        if thinner:
            self._replace(step, thinner)
        self._swept.setdefault((step.log, step.lane), Ranges()).add(step.first, max(step.first, reached))

    def _thinned(self, row: Row) -> Row | None:
        level = row.flags >> LEVEL_SHIFT
        if not row.sound or row.flags & KEEP or level > self._round or self._thin is None:
            return None
        body = self._thin(row.body)
        if body is None or len(body) >= len(row.body):
            return None
        return row_of(
            row.log, row.ordinal, row.lane, row.first, last=row.last, flags=(level + 1) << LEVEL_SHIFT, body=body
        )

    def _replace(self, step: Step, thinner: Sequence[tuple[Row, Row]]) -> None:
        with self._engine.transaction(states=False) as db:
            tables.replace_blocks(db, [thin for _, thin in thinner])
        self.thinned += len(thinner)
        self._engine.ledger.resize(step.log, step.lane, sum(len(thin.body) - len(row.body) for row, thin in thinner))
        self._engine.frames += len(thinner)
        for row, _ in thinner:
            self._engine.notices.lost("buffer.thinned", step.log, step.lane, "space", first=row.first, last=row.last)
