"""What was decided, carried out in the order in which it was decided, each step when its journal entry is written.

Waits for the disk, but not longer than people can. Knows neither alerts nor actuators.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

log = logging.getLogger(__name__)

PATIENCE = 0.1  # seconds a siren waits for the disk; a good card needs 5 to 30 ms
MOST_STEPS = 256  # decisions waiting for the disk; nothing more is judged before they are through


class Step(NamedTuple):
    """`act` and then `done`, once `written` is on disk (or None is to be written). `alert` names it where that fails."""

    written: Future[None] | None
    alert: str
    act: Callable[[], None]
    done: Callable[[], None]


class Carrier:
    """`unwritten(alert, why)` hears of each step that was carried out before its entry was on disk; `ready` is called
    whenever all that waited is through.
    """

    def __init__(self, unwritten: Callable[[str, str], None], ready: Callable[[], None]) -> None:
        self._unwritten, self._is_through = unwritten, ready
        self._steps: deque[Step] = deque()
        self._some = asyncio.Event()
        self._busy = False
        self._late: Future[None] | None = None  # the disk owes us this one

    @property
    def full(self) -> bool:
        return len(self._steps) >= MOST_STEPS

    @property
    def late(self) -> bool:
        return self._late is not None and not self._late.done()

    def carry(self, step: Step) -> None:
        """In its turn: at once where nothing waits."""
        if step.written is None and not self._steps and not self._busy:
            _do(step)
            return
        self._steps.append(step)
        self._some.set()

    async def run(self) -> None:
        while True:
            await self._some.wait()
            while self._steps:
                self._busy = True
                step = self._steps.popleft()
                await self._written(step)
                _do(step)
            self._busy = False
            self._some.clear()
            self._is_through()

    async def _written(self, step: Step) -> None:
        """While the disk owes us one already it is not waited for again."""
        if step.written is None:
            return
        if not self.late:
            self._late = None
            waiting = asyncio.wrap_future(step.written)
            waiting.add_done_callback(_seen)
            await asyncio.wait({waiting}, timeout=PATIENCE)
            if not waiting.done():
                self._late = step.written
        if step.alert and (why := _unwritten(step.written)):
            self._unwritten(step.alert, why)


def _do(step: Step) -> None:
    """Whatever goes wrong here must neither keep the next step from being carried out nor this one unacknowledged."""
    for part in (step.act, step.done):
        try:
            part()
        except Exception:
            log.exception("a decision could not be carried out")


def _unwritten(written: Future[None]) -> str:
    """Why an entry is not on disk; empty if it is. Asks only a future that is done: any other would make us wait."""
    if not written.done():
        return "late"
    return str(written.exception() or "")[:200]


def _seen(future: asyncio.Future[None]) -> None:
    """A write that fails after we stopped waiting has been reported by the journal itself."""
    if not future.cancelled():
        future.exception()
