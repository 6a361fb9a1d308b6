"""Store-and-forward: append, read, settle. The façade every other part of the agent uses, from any thread."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Self

from buffer.drain import Drain, Range, Room
from buffer.engine import Connect, Engine
from buffer.faults import Refused
from buffer.intake import Intake
from buffer.ledger import Ledger
from buffer.merging import Merger
from buffer.meta import Meta
from buffer.model import Appended, Block, Lane, LogInfo, Merge, Options, Pending, Report, RouteSpec, Stats, Thin
from buffer.notices import Notices
from buffer.pruning import Pruner
from buffer.salvage import Salvage
from buffer.schema import MOST_NUMBER, connect
from buffer.upkeep import Upkeep
from buffer.worker import Work, Worker
from buffer.writing import Subscriber, Writer


def _ignore(kind: str, facts: Mapping[str, Any]) -> None:
    """For those who use the buffer alone and need no reports; they are logged all the same."""


class Buffer:
    def __init__(
        self,
        path: Path,
        options: Options,
        *,
        routes: Sequence[RouteSpec],
        merge: Merge | None,
        thin: Thin | None,
        report: Report,
        connect_: Connect,
    ) -> None:
        self._ledger, self._meta, self._notices = Ledger(routes), Meta(), Notices(report)
        self._engine = Engine(
            path, options, ledger=self._ledger, meta=self._meta, notices=self._notices, connect_=connect_
        )
        self._intake = Intake(options.memory_bytes, options.commit_interval)
        self._pruner = Pruner(self._engine, thin, self._salvaging)
        self._salvage = Salvage(self._engine, self._intake, self._pruner.has_room)
        self._merger = Merger(self._engine, merge)
        self._writer = Writer(self._engine, self._intake, self._pruner.make_room)
        self._drain = Drain(self._engine, self._intake, self._salvaging)
        self._upkeep = Upkeep(self._engine, self._pruner, self._merger, self._salvage)
        self._worker = Worker(
            Work(
                begin=self._begin,
                due=self._intake.due,
                commit=self._writer.commit,
                upkeep=self._look_after,
                end=self._end,
                give_up=self._intake.give_up,
            )
        )
        self.log = self._engine.log

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        options: Options | None = None,
        routes: Sequence[RouteSpec] = (),
        merge: Merge | None = None,
        thin: Thin | None = None,
        report: Report = _ignore,
        connect: Connect = connect,
    ) -> Self:
        """Blocks until the file is open, or refused and held in memory. Raises Locked when another agent has it,
        and nothing else. `report` is called on the worker thread, and not before the first append.
        """
        buffer = cls(
            Path(path), options or Options(), routes=routes, merge=merge, thin=thin, report=report, connect_=connect
        )
        with suppress(OSError):
            buffer._engine.path.parent.mkdir(parents=True, exist_ok=True)
        buffer._engine.lock_or_raise()
        buffer._worker.start()
        return buffer

    # --- writing ---------------------------------------------------------------------------------------------------

    def append(self, lane: Lane, body: bytes, *, keep: bool = False, now: bool = False) -> Appended:
        """Never waits for the disk and never fails for it. ValueError for a body over 1 MiB."""
        appended, sooner = self._intake.append(lane, body, keep, monotonic(), urgent=now)
        if sooner:
            self._worker.wake()
        return appended

    def settle(self, route: str, log: str, lane: Lane, first: int, last: int) -> None:
        """The platform has these. In RAM at once, on disk with a later append: a crash sends some again, keys absorb it."""
        self._ledger.settle(route, log, lane, first, last)

    def set_meta(self, key: str, value: bytes) -> Future[None]:
        """A small value of the agent's, on disk with the next commit."""
        future = self._meta.set(key, value)
        self._commit_by(monotonic() + self._engine.options.commit_interval)
        return future

    def flush(self) -> Future[None]:
        """Everything appended and settled so far goes to disk now. The future fails while the disk refuses."""
        return self._worker.ask(self._flush)

    def close(self, timeout: float = 5.0) -> bool:
        """Writes what waits and ends the thread; whether it ended in time. The lock goes with it."""
        return self._worker.stop(timeout)

    # --- reading ---------------------------------------------------------------------------------------------------

    def read(
        self,
        route: str,
        lane: Lane,
        *,
        log: str | None = None,
        after: int = 0,
        until: int | None = None,
        max_bytes: int = 65_536,
        max_blocks: int = 64,
    ) -> Future[list[Block]]:
        """Blocks with a pending number above `after`, ascending, of one log (the current one by default). At least one
        block if there is any, whatever its size. [] while the file is being replaced: ask again.
        """
        wanted = Range(log or self.log, lane, after + 1, MOST_NUMBER if until is None else until)
        return self._worker.ask(lambda: self._drain.pending(route, wanted, Room(max_bytes, max_blocks)))

    def history(self, log: str, lane: Lane, first: int, last: int, *, max_bytes: int = 65_536) -> Future[list[Block]]:
        """What is stored of first..last, settled or not: for a resend."""
        return self._worker.ask(lambda: self._drain.history(Range(log, lane, first, last), Room(max_bytes)))

    def floor(self, route: str, log: str, lane: Lane) -> int:
        """The lowest pending number; the next number if nothing is pending."""
        return self._ledger.floor(route, log, lane)

    def next(self, lane: Lane) -> int:
        """The number the next append of the lane will get."""
        return self._intake.next(lane)

    def committed(self, lane: Lane) -> int:
        """The highest number of the current log that can be read: on disk, or held in memory while the disk refuses."""
        return self._ledger.last(self.log, lane)

    def backlog(self, route: str) -> list[Pending]:
        """Where there is something to send: most urgent lane first, older logs first."""
        return self._ledger.backlog(route)

    def shed(self, log: str, lane: Lane) -> dict[str, tuple[tuple[int, int], ...]]:
        """Ranges that can't be had from here any more, by reason ("unreadable" among them)."""
        return self._ledger.gone(log, lane)

    def logs(self) -> list[LogInfo]:
        """Oldest first."""
        return self._ledger.describe()

    def meta(self, key: str) -> bytes | None:
        return self._meta.get(key)

    def subscribe(self, callback: Subscriber) -> None:
        """`callback(lane, last number)` on the worker thread whenever more can be read. It must not wait for the buffer."""
        self._writer.subscribers.append(callback)

    # --- the worker's side -----------------------------------------------------------------------------------------

    def _begin(self) -> None:
        try:
            self._engine.open()
        except Refused as error:
            self._writer.degrade(str(error), monotonic())
        self._salvage.begin()

    def _look_after(self, now: float) -> float:
        if self._intake.begun:
            self._notices.hand_over(now)
        if self._writer.state_overdue(now):
            self._intake.hurry(now)
        return self._upkeep.step(now)

    def _flush(self) -> None:
        self._writer.commit(monotonic(), states=True)
        if self._writer.degraded:
            raise Refused("the disk refuses; what waits is held in memory")

    def _end(self) -> None:
        with suppress(Refused):
            self._flush()
        self._intake.give_up(RuntimeError("the buffer is closed"))
        self._engine.shut()
        self._engine.lock.release()

    def _commit_by(self, at: float) -> None:
        self._intake.hurry(at)
        self._worker.wake()

    def _salvaging(self) -> bool:
        return self._salvage.running

    def stats(self) -> Stats:
        """For `status`. Walks every log: some times a minute, not some times a second."""
        ledger, lanes = self._ledger, tuple(Lane)
        waiting, waiting_bytes = self._intake.size()
        return Stats(
            log=self.log,
            used=self._pruner.used,
            limit=self._pruner.limit,
            lane_bytes={lane: ledger.count(lambda book: book.bytes, [lane]) for lane in lanes},
            issued={lane: ledger.count(lambda book: book.last, [lane]) for lane in lanes},
            pending={route: ledger.pending(route) for route in ledger.routes},
            settled={route: ledger.settled(route) for route in ledger.routes},
            gone=ledger.gone_by_reason(),
            waiting=waiting,
            waiting_bytes=waiting_bytes,
            commits=self._engine.commits,
            checkpoints=self._upkeep.checkpoints,
            merged=self._merger.merged,
            thinned=self._pruner.thinned,
            write_errors=self._engine.write_errors,
            degraded=self._writer.degraded,
            salvaging=self._salvage.running,
            alive=self._worker.alive,
            fault=repr(self._worker.fault) if self._worker.fault else None,
        )
