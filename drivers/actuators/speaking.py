"""What every voice does: say it so many times, with a breath between, and not longer than it may. Knows no device; a
driver fills in `_once`, `_hush` and `_reach`.

A voice that fails is tried again, ever more seldom, while its warning stands: the sound card that was pulled may come back.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from drivers.actuators.limits import Allowance
from drivers.actuators.turn import Over, Started, Turn
from drivers.api import Action, Outcome, Verdict

BREATH = 1.5  # seconds between repetitions
RETRY, SELDOM = 1.0, 60.0  # seconds after a failure: at first, and at most
MAX_ON, MAX_ON_PER_HOUR = 300.0, 1800.0  # seconds: three times the longest text; and nobody listens for longer

Monotonic = Callable[[], float]


class Unsaid(Exception):
    """One repetition failed: a stable reason and what was seen."""

    def __init__(self, reason: str, evidence: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.reason, self.evidence = reason, dict(evidence or {})


class Speech(Turn):
    """A performance of a voice: how often it was said, and what else was seen."""

    def __init__(self, action: Action, started: Started, begin: float) -> None:
        super().__init__(action, started, begin)
        self.times = 0
        self._begun = 1
        self.facts: dict[str, Any] = {}
        self.failed = ""  # the last reason

    def begins(self, repetition: int) -> None:
        """Told as it begins, once also where it takes several attempts."""
        if repetition > self._begun:
            self._begun = repetition
            self._started(Outcome(Verdict.DONE, repetition=repetition))


class Speaking(ABC):
    def __init__(
        self, name: str, max_on: float, max_on_per_hour: float, breath: float = BREATH, now: Monotonic = time.monotonic
    ) -> None:
        self.name, self.kind = name, "voice"
        self._allowance = Allowance(max_on, max_on_per_hour)
        self._breath, self._now = breath, now
        self._turn: Speech | None = None
        self._state = "unknown"

    @abstractmethod
    async def _once(self, turn: Speech) -> None:
        """Say it once and tell the turn what was seen. Raises Unsaid, or Over as soon as the turn has ended."""

    @abstractmethod
    async def _hush(self) -> Outcome:
        """Silence, whatever is being said."""

    @abstractmethod
    async def _reach(self) -> Outcome:
        """Inaudible: could it speak?"""

    async def perform(self, action: Action, until: float, started: Started) -> Outcome:
        begin = self._now()
        self._end_turn("replaced", begin)
        left = min(until - begin, self._allowance.left(action.key, begin))
        if left <= 0:
            outcome = Outcome(Verdict.REFUSED, "voice_cap", {"used": round(self._allowance.used(begin), 1)})
            started(outcome)
            return outcome
        turn = self._turn = Speech(action, started, begin)
        why = "ended" if left >= until - begin else "voice_cap"
        bound = asyncio.get_running_loop().call_later(left, turn.end, why)
        try:
            await self._repeat(turn)
        except Over:
            pass
        finally:
            bound.cancel()
            await self._finish(turn)
        return self._result(turn)

    async def silence(self) -> Outcome:
        self._end_turn("silenced", self._now())
        return await self._hush()

    async def probe(self) -> Outcome:
        outcome = await self._reach()
        self._state = "up" if outcome.verdict is Verdict.DONE else "down"
        return outcome

    def status(self) -> Mapping[str, Any]:
        used = round(self._allowance.used(self._now()), 1)
        return {"state": self._state, "speaking": self._turn is not None, "on_last_hour": used}

    async def _repeat(self, turn: Speech) -> None:
        retry = RETRY
        while turn.times < turn.action.repeat:
            turn.guard()
            turn.begins(turn.times + 1)
            try:
                await self._once(turn)
            except Unsaid as wrong:
                self._state, turn.failed = "down", wrong.reason
                turn.tell(Verdict.FAILED, wrong.reason, wrong.evidence)
                await turn.rest(retry)
                retry = min(2 * retry, SELDOM)
                continue
            self._state, retry = "up", RETRY
            turn.times += 1
            if turn.times < turn.action.repeat:
                await turn.rest(self._breath)

    async def _finish(self, turn: Speech) -> None:
        """Silence at the end of a performance that still has the voice."""
        if self._turn is turn:
            self._end_turn(turn.why, self._now())
            await self._hush()

    def _end_turn(self, why: str, now: float) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.end(why)
            self._allowance.spent(turn.action.key, turn.begin, now)

    def _result(self, turn: Speech) -> Outcome:
        seconds = round(self._now() - turn.begin, 1)
        evidence = {**turn.facts, "times": turn.times, "seconds": seconds, "ended": turn.why}
        if turn.said is not Verdict.DONE:
            return Outcome(Verdict.FAILED, turn.failed or "voice_unsaid", evidence)
        cut = turn.times < turn.action.repeat and turn.why not in ("replaced", "silenced")
        return Outcome(Verdict.PARTIAL if cut else Verdict.DONE, "voice_cut" if cut else "", evidence)
