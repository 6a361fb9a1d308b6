"""What every display does: show, show again while it stands, clear at the end. Knows no device; a driver fills in three
steps: `_show`, `_clear`, `_reach`.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from drivers.actuators.turn import Over, Started, Turn
from drivers.api import Action, Outcome, Verdict

RETRY = 1.0  # seconds after a device that could not be reached, doubled up to the refresh

Monotonic = Callable[[], float]


class Standing(ABC):
    """`refresh` is how often the same is shown again: a display that was off meanwhile catches up."""

    def __init__(self, name: str, kind: str, refresh: float, now: Monotonic = time.monotonic) -> None:
        self.name, self.kind = name, kind
        self._refresh, self._now = refresh, now
        self._turn: Turn | None = None
        self._state = "unknown"

    @abstractmethod
    async def _show(self, action: Action, until: float) -> Outcome:
        """Put it on the display and look, as far as it lets itself be looked at. Raises nothing for a dead device."""

    @abstractmethod
    async def _clear(self) -> Outcome: ...

    @abstractmethod
    async def _reach(self) -> Outcome:
        """Invisible: is the display there?"""

    async def perform(self, action: Action, until: float, started: Started) -> Outcome:
        self._end_turn("replaced")
        turn = self._turn = Turn(action, started, self._now())
        try:
            last = await self._stand(turn, until)
        except Over:
            last = None
        except BaseException:  # cancelled, or a bug: nothing stale may stay on the display
            await self._finish(turn)
            raise
        await self._finish(turn)
        return self._result(turn, last)

    async def silence(self) -> Outcome:
        self._end_turn("silenced")
        return await self._clear()

    async def probe(self) -> Outcome:
        outcome = await self._reach()
        self._state = "up" if outcome.verdict is Verdict.DONE else "down"
        return outcome

    def status(self) -> Mapping[str, Any]:
        return {"state": self._state, "showing": self._turn is not None}

    async def _stand(self, turn: Turn, until: float) -> Outcome | None:
        retry, last = RETRY, None
        while (left := until - self._now()) > 0:
            turn.guard()
            last = await self._show(turn.action, until)
            turn.tell(last.verdict, last.reason, last.evidence)
            good = last.verdict is Verdict.DONE
            self._state = "up" if good else "down"
            await turn.rest(min(left, self._refresh if good else retry))
            retry = RETRY if good else min(2 * retry, self._refresh)
        return last

    async def _finish(self, turn: Turn) -> None:
        """Clear, unless somebody else shows something by now."""
        if self._turn is turn:
            self._turn = None
            await self._clear()

    def _end_turn(self, why: str) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.end(why)

    def _result(self, turn: Turn, last: Outcome | None) -> Outcome:
        evidence = {"seconds": round(self._now() - turn.begin, 1), "ended": turn.why}
        if turn.said is Verdict.DONE:
            return Outcome(Verdict.DONE, evidence=evidence)
        return Outcome(Verdict.FAILED, last.reason if last else "display_unreachable", evidence)
