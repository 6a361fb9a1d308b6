"""What the worker does when nothing urgent waits, one short job at a time."""

from time import monotonic

from buffer import tables
from buffer.engine import Engine
from buffer.faults import Refused
from buffer.merging import Merger
from buffer.model import Lane
from buffer.pruning import Pruner
from buffer.salvage import Salvage

PAUSE = 1.0  # seconds between looks when there is nothing to do
MERGE_PIECE = 0.002  # seconds at a stretch
MERGE_REST = 9  # times as long as merging took: it is done at leisure, and holds the interpreter from warnings
CHECKPOINT_FRAMES = 512  # 0.5 MB of -wal: wear is the same from 100 to 4,000 (docs/reliability.md), the stall is not
CHECKPOINT_PAUSE = 5.0  # seconds, when a reader keeps the -wal pinned
MARK_INTERVAL = 3_600.0  # seconds of running between two marks of age
MARKS_KEPT = 400 * 86_400  # seconds
FILES_INTERVAL = 60.0  # seconds between looks at the file's place and at the ballast


class Upkeep:
    def __init__(self, engine: Engine, pruner: Pruner, merger: Merger, salvage: Salvage) -> None:
        self.checkpoints = 0
        self._engine, self._pruner, self._merger, self._salvage = engine, pruner, merger, salvage
        self._checkpoint_due = self._files_due = self._expire_due = self._merge_due = 0.0
        self._mark_due = monotonic() + MARK_INTERVAL
        self._mark_from: tuple[float, int] | None = None

    def step(self, now: float) -> float:
        """Does at most one thing; answers when it wants to be called again."""
        try:
            self._engine.open()
            with self._engine.using():
                return now if self._work(now) else min(now + PAUSE, self._merge_due)
        except Refused:
            return now + PAUSE

    def _work(self, now: float) -> bool:
        return (
            self._checkpoint(now)
            or self._pruner.step()
            or self._salvage.step()
            or self._merge(now)
            or self._expire(now)
            or self._mark(now)
            or self._keep_files(now)
        )

    def _merge(self, now: float) -> bool:
        """A tenth of the thread's time at most. Answers that there was nothing, so that the thread may sleep."""
        if now >= self._merge_due:
            began = monotonic()
            self._merge_due = now + PAUSE
            while self._merger.step():
                took = monotonic() - began
                self._merge_due = now + took + MERGE_REST * took
                if took >= MERGE_PIECE:
                    break
        return False

    def _checkpoint(self, now: float) -> bool:
        if self._engine.frames < CHECKPOINT_FRAMES or now < self._checkpoint_due:
            return False
        with self._engine.using() as db:
            _, frames, moved = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._engine.frames = frames - moved
        self._checkpoint_due = now + CHECKPOINT_PAUSE
        self.checkpoints += 1
        return True

    def _running(self, now: float) -> int:
        """Seconds this file was in use, over all starts: no clock can set it forward or back."""
        if self._mark_from is None:
            self._mark_from = now, tables.latest_mark(self._engine.db)
        began, before = self._mark_from
        return before + int(now - began)

    def _mark(self, now: float) -> bool:
        running = self._running(now)
        if now < self._mark_due:
            return False
        engine = self._engine
        with engine.transaction(states=False) as db:
            tables.write_mark(db, running, engine.ordinal, [engine.ledger.last(engine.log, lane) for lane in Lane])
            tables.drop_marks(db, running - MARKS_KEPT)
        self._mark_due = now + MARK_INTERVAL
        return True

    def _expire(self, now: float) -> bool:
        ages = self._engine.options.max_age or {}
        if now < self._expire_due:
            return False
        for lane, age in ages.items():
            mark = tables.mark_before(self._engine.db, self._running(now) - int(age))
            if mark and len(mark[1]) == len(Lane) and self._pruner.expire(lane, mark[0], mark[1][lane]):
                return True
        self._expire_due = now + 60.0
        return False

    def _keep_files(self, now: float) -> bool:
        if now >= self._files_due:
            self._engine.keep_place()
            self._engine.ballast.set()
            self._files_due = now + FILES_INTERVAL
        return False
