"""The one thread that owns the file: commits when due, then reads, then upkeep. Knows order and time, nothing of SQL."""

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Thread
from time import monotonic
from typing import Any

logger = logging.getLogger(__name__)
READS_IN_A_ROW = 16  # then upkeep gets a turn: a long drain must not let the disk fill
MOST_READS = 10_000  # asked for and not served; more is a caller that does not wait for its answers


class Work:
    """What the thread calls; the façade wires it."""

    def __init__(
        self,
        *,
        begin: Callable[[], None],
        due: Callable[[], float | None],
        commit: Callable[[float], None],
        upkeep: Callable[[float], float],
        end: Callable[[], None],
        give_up: Callable[[Exception], None],
    ) -> None:
        self.begin, self.due, self.commit, self.upkeep, self.end, self.give_up = (
            begin,
            due,
            commit,
            upkeep,
            end,
            give_up,
        )


class Worker:
    def __init__(self, work: Work) -> None:
        self.alive = monotonic()  # of the last turn
        self.fault: BaseException | None = None
        self._work = work
        self._reads: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._turn = Condition()
        self._stopping = False
        self._upkeep_due = 0.0
        self._begun: Future[None] = Future()
        self._thread = Thread(target=self._run, name="buffer", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._begun.result()

    def wake(self) -> None:
        with self._turn:
            self._turn.notify()

    def ask(self, question: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        with self._turn:
            if self._stopping or self.fault is not None:
                future.set_exception(RuntimeError("the buffer is closed"))
            elif len(self._reads) >= MOST_READS:
                future.set_exception(RuntimeError(f"{MOST_READS} reads are waiting already"))
            else:
                self._reads.append((question, future))
                self._turn.notify()
        return future

    def stop(self, timeout: float) -> bool:
        """Whether the thread ended in time."""
        with self._turn:
            self._stopping = True
            self._turn.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._work.begin()
            self._begun.set_result(None)
            while self._wait():
                self._serve()
            self._refuse_reads(RuntimeError("the buffer is closed"))
            self._work.end()
        except BaseException as error:  # a bug: everyone who waits must learn of it, and the agent must end
            logger.exception("the buffer's worker failed")
            self._fail(error)

    def _wait(self) -> bool:
        """Until there is something to do; False when it is time to end."""
        with self._turn:
            while not self._stopping and not self._reads:
                left = self._next() - monotonic()
                if left <= 0:
                    break
                self._turn.wait(left)
            return not self._stopping

    def _next(self) -> float:
        due = self._work.due()
        return self._upkeep_due if due is None else min(due, self._upkeep_due)

    def _serve(self) -> None:
        for _ in range(READS_IN_A_ROW):
            self._commit_if_due()
            with self._turn:
                job = self._reads.popleft() if self._reads else None
            if job is None:
                break
            _answer(*job)
        self.alive = now = monotonic()
        if now >= self._upkeep_due:
            self._upkeep_due = self._work.upkeep(now)

    def _commit_if_due(self) -> None:
        due, now = self._work.due(), monotonic()
        if due is not None and due <= now:
            self._work.commit(now)

    def _fail(self, error: BaseException) -> None:
        reason = RuntimeError(f"the buffer's worker failed: {error!r}")
        with self._turn:
            self.fault = error
        self._refuse_reads(reason)
        self._work.give_up(reason)
        if not self._begun.done():
            self._begun.set_exception(reason)

    def _refuse_reads(self, reason: Exception) -> None:
        with self._turn:
            reads, self._reads = list(self._reads), deque()
        for _, future in reads:
            if future.set_running_or_notify_cancel():
                future.set_exception(reason)


def _answer(question: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(question())
    except Exception as error:  # noqa: BLE001 - it is the asker's answer, whatever it is
        future.set_exception(error)
