"""One performance of an actuator: how it is ended from outside, and what is said of its beginning. Knows no device."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from drivers.api import Action, Outcome, Verdict
from drivers.within import within

Started = Callable[[Outcome], None]


class Over(Exception):
    """The performance has been replaced or silenced: it does nothing any more."""


class Turn:
    """`begin` is monotonic seconds; `why` says at the end how it ended."""

    def __init__(self, action: Action, started: Started, begin: float) -> None:
        self.action, self.begin, self.why = action, begin, "ended"
        self.said: Verdict | None = None
        self._started, self._over = started, asyncio.Event()

    def end(self, why: str) -> None:
        """From outside: nothing more is written for this one."""
        self.why = why
        self._over.set()

    def guard(self) -> None:
        """Raises Over when the turn is no longer ours; asked before every write."""
        if self._over.is_set():
            raise Over

    async def rest(self, seconds: float) -> None:
        """Wait, but not a moment longer than the turn lasts."""
        try:
            await within(self._over.wait(), max(0.0, seconds))
        except TimeoutError:
            return
        raise Over

    async def rest_or(self, task: "asyncio.Task[Any]") -> None:
        """Wait for the task, but not a moment longer than the turn lasts."""
        over = asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait((task, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
        self.guard()

    def tell(self, verdict: Verdict, reason: str = "", evidence: Mapping[str, Any] | None = None) -> None:
        """The first word about this turn, and once more when a failure turned out well."""
        if self.said is None or (self.said is Verdict.FAILED and verdict is Verdict.DONE):
            self.said = verdict
            self._started(Outcome(verdict, reason, evidence or {}))
