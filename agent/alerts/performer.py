"""One actuator and what it performs: started, replaced, stopped, and never waited for by anybody else.

Knows no alert. A device that hangs holds up its own performer and no other; it is given up when its time is over.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from drivers.api import Action, Actuator, Outcome, Verdict

log = logging.getLogger(__name__)

GRACE = 5.0  # seconds a driver may take beyond its time, or to let go of what was replaced
AGAIN = 1.0  # seconds until a driver that crashed is tried again
SAME = 2.0  # seconds by which an end may move without starting anew: budgets are counted in slices


@dataclass(frozen=True, slots=True)
class Part:
    """What one actuator is to do, until when (monotonic seconds)."""

    action: Action
    until: float


Tell = Callable[[str, Action, Outcome], None]
"""`tell(step, action, outcome)`, step one of started, failed, ended; repeated of a voice."""


class Performer:
    def __init__(self, actuator: Actuator, tell: Tell, now: Callable[[], float] = time.monotonic) -> None:
        self.actuator = actuator
        self.part: Part | None = None
        self.over = False  # the part has been performed to its end
        self.reachable: bool | None = None  # what the last probe or performance said
        self._tell, self._now = tell, now
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._current: asyncio.Task[None] | None = None

    def want(self, part: Part | None) -> None:
        """Do this from now on; None: be silent. What is being done already goes on undisturbed."""
        old = self.part
        if self._closed:
            return
        if part is None:
            if old is not None:
                self.part = None
                self._start(self._stop())
            return
        if old is not None and old.action == part.action and (self._says_once or part.until <= old.until + SAME):
            return
        self.part, self.over = part, False
        self._let_go()
        self._current = self._start(self._perform(part))

    @property
    def _says_once(self) -> bool:
        """A warning that is to stand longer is not spoken all over again."""
        return self.actuator.kind == "voice"

    async def probe(self) -> Outcome:
        """Inaudible; an actuator at work proves itself."""
        try:
            async with asyncio.timeout(GRACE):
                outcome = await self.actuator.probe()
        except TimeoutError:
            outcome = Outcome(Verdict.FAILED, "actuator_hangs")
        except Exception as wrong:  # noqa: BLE001 - a driver's bug must not end the probing of its neighbours
            outcome = Outcome(Verdict.FAILED, "actuator_crashed", {"why": str(wrong)[:200]})
        return outcome

    async def close(self) -> None:
        """Silence at the end of the agent, as far as the device lets itself be silenced in time."""
        self.part, self._closed = None, True
        await asyncio.wait({self._start(self._stop())}, timeout=GRACE)
        for task in self._tasks:
            task.cancel()

    def status(self) -> Mapping[str, Any]:
        part = self.part
        own = {"kind": self.actuator.kind, "reachable": self.reachable, "alert": part.action.key if part else ""}
        return {**own, **self.actuator.status()}

    async def _perform(self, part: Part) -> None:
        while self.part is part and self._now() < part.until:
            try:
                async with asyncio.timeout(part.until - self._now() + GRACE):
                    outcome = await self.actuator.perform(part.action, part.until, lambda o: self._started(part, o))
            except TimeoutError:
                outcome = Outcome(Verdict.FAILED, "actuator_hangs")
            except Exception as wrong:
                log.exception("actuator %s", self.actuator.name)
                self._tell(
                    "failed", part.action, Outcome(Verdict.FAILED, "actuator_crashed", {"why": str(wrong)[:200]})
                )
                await asyncio.sleep(AGAIN)
                continue
            self.over = self.over or self.part is part
            self._tell("failed" if _failed(outcome) else "ended", part.action, outcome)
            return

    def _started(self, part: Part, outcome: Outcome) -> None:
        if outcome.repetition:
            self._tell("repeated", part.action, outcome)
            return
        self.reachable = outcome.verdict is Verdict.DONE
        self._tell("failed" if _failed(outcome) else "started", part.action, outcome)

    async def _stop(self) -> None:
        """Ask for silence; a performance that does not end by it is cancelled, which silences too."""
        stopped, self._current = self._current, None
        try:
            async with asyncio.timeout(GRACE):
                await self.actuator.silence()
        except TimeoutError:
            log.warning("actuator %s does not answer to silence", self.actuator.name)
        except Exception:
            log.exception("actuator %s", self.actuator.name)
        if stopped is not None:
            await asyncio.wait({stopped}, timeout=GRACE)
            stopped.cancel()

    def _let_go(self) -> None:
        """The driver ends the old performance itself when the new one begins; if it hangs, it is cancelled later."""
        old, self._current = self._current, None
        if old is not None and not old.done():
            asyncio.get_running_loop().call_later(GRACE, old.cancel)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _failed(outcome: Outcome) -> bool:
    return outcome.verdict in (Verdict.FAILED, Verdict.REFUSED)
