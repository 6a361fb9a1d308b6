"""What happens in the demonstration, step by step: an outage, a kill, a return, and warnings true and false."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from agent.demo.subscriber import Platform
from agent.demo.tally import Tally, committed_readings
from agent.demo.world import AREA, STATION, World, until
from protocols.alert import ActionCode, Alert, MsgType, Status

LIVE = 10.0  # seconds of quiet work before the outage
DARK = 14.0  # seconds of black hole before the kill
DEAD = 1.0  # seconds without an agent
OFFLINE = 10.0  # seconds of the restarted agent without a network
RETURNS = 40.0  # seconds within which everything has arrived after the network is back: one back-off and the drain
HEARS = 35.0  # seconds granted to a siren, a back-off of the link included; what it takes is measured
ROUNDS = 5  # genuine warnings, each cancelled
LIVES = 5  # starts of the agent after its end, each to send what the one before still held
SILENT = 1.5  # seconds that a false warning is given to make a sound
WARNING = "山洪已经发生,请立即向高处转移。Flash flood. Move to high ground now."
FOREIGN = "530302001"


class Stuck(Exception):
    """The agent does not work at all; what it said last."""


class Say(Protocol):
    """One line of the story as it happens: codes of its step and of what is said, and the facts of both."""

    def __call__(self, step: str, what: str, **facts: object) -> None: ...


@dataclass(slots=True)
class Story:
    world: World
    platform: Platform
    say: Say
    tally: Tally
    _genuine: list[tuple[float, float]] = field(default_factory=list)  # from, to (monotonic): when a sound is right

    async def tell(self) -> None:
        began = time.monotonic()
        await self._outage()
        await self._warnings()
        await self._settle()
        self.tally.seconds = time.monotonic() - began

    # The readings

    async def _outage(self) -> None:
        self.say("start", "demo.starts")
        await self.world.agent.start()
        if not await until(lambda: self.delivered > 0 or not self.world.agent.running, RETURNS) or not self.delivered:
            raise Stuck(self.world.agent.said()[-500:] or "no reading arrives")
        await asyncio.sleep(LIVE)
        self.say("black_hole", "demo.goes_dark")
        self.world.link.cut()
        await asyncio.sleep(DARK)
        self.say("kill", "demo.is_killed")
        await self.world.agent.end(signal.SIGKILL)
        await asyncio.sleep(DEAD)
        self.say("restart", "demo.starts_again")
        await self.world.agent.start()
        alert, _sealed = self._warn()
        await asyncio.sleep(OFFLINE)
        self.say("return", "demo.is_back")
        before = len(self.world.activations())
        self.world.link.mend()
        await self._heard("meanwhile", before)
        await self._cancel(alert)
        await until(self._caught_up, RETURNS)
        self.say("caught_up", "demo.has_arrived", count=self.delivered)

    @property
    def delivered(self) -> int:
        return self.platform.tracker.readings(STATION)

    def _caught_up(self) -> bool:
        return (
            self.platform.tracker.complete(STATION)
            and self.delivered >= committed_readings(self.world.agent.database) - 40
        )

    # The warnings

    async def _warnings(self) -> None:
        alert = None
        for number in range(ROUNDS):
            alert, sealed = await self._genuine_one(number)
            await self._cancel(alert)
        assert alert is not None  # noqa: S101 - there is at least one round
        await self._false("forged", *self._with(self.world.authority.forged))
        await self._false("replayed", alert, sealed)
        await self._false("foreign", *self._with(self.world.authority.genuine, area=FOREIGN))
        await self._false("expired", *self._with(self.world.authority.genuine, lasts=-60))
        await self._false("no_seal", alert, os.urandom(200))
        await self._false("exercise", *self._with(self.world.authority.genuine, status=Status.EXERCISE))

    async def _genuine_one(self, number: int) -> tuple[Alert, bytes]:
        before = len(self.world.activations())
        alert, sealed = self._warn()
        if await self._heard("warning", before, number=number + 1):
            self.tally.latencies.append(self.world.activations()[before] - self._genuine[-1][0])
        return alert, sealed

    def _warn(self) -> tuple[Alert, bytes]:
        """A genuine warning is published; from now until its cancel a sound is right."""
        alert = self.world.authority.alert(AREA, WARNING)
        sealed = self.world.authority.genuine(alert, WARNING)
        self._genuine.append((self.publish(alert, sealed), float("inf")))
        self.tally.genuine += 1
        return alert, sealed

    async def _heard(self, step: str, before: int, **facts: object) -> bool:
        """Whether the siren sounds."""
        since = time.monotonic()
        heard = await until(lambda: len(self.world.activations()) > before, HEARS)
        self.tally.sounded += heard
        took = max(0.0, self.world.activations()[before] - max(since, self._genuine[-1][0])) if heard else 0.0
        self.say(step, "demo.heard" if heard else "demo.not_heard", took=f"{took * 1000:.1f}", **facts)
        return heard

    async def _cancel(self, alert: Alert) -> None:
        await asyncio.sleep(0.5)
        cancel = self.world.authority.alert(
            AREA, "", chain=alert.chain, msg_type=MsgType.CANCEL, action=ActionCode.ALL_CLEAR
        )
        at = self.publish(cancel, self.world.authority.genuine(cancel, "", both=False))
        silent = await until(lambda: not self.world.sounding(), HEARS)
        self._genuine[-1] = self._genuine[-1][0], time.monotonic()
        took = f"{(time.monotonic() - at) * 1000:.0f}"
        self.say("cancel", "demo.silenced" if silent else "demo.not_silenced", took=took)

    async def _false(self, step: str, alert: Alert, sealed: bytes) -> None:
        """Whatever this is, the siren must not sound."""
        before = len(self.world.activations())
        self.publish(alert, sealed)
        await asyncio.sleep(SILENT)
        self.say(step, "demo.silent" if len(self.world.activations()) == before else "demo.sounded")

    def _with(
        self, seal: Callable[[Alert, str], bytes], area: str = AREA, status: Status = Status.ACTUAL, lasts: int = 600
    ) -> tuple[Alert, bytes]:
        alert = self.world.authority.alert(area, WARNING, status=status, lasts=lasts)
        return alert, seal(alert, WARNING)

    def publish(self, alert: Alert, sealed: bytes) -> float:
        return self.platform.warn(AREA, alert, sealed)

    # The end

    async def _settle(self) -> None:
        """The agent stops in order; what it still holds arrives with its next start, which measures on and so may leave
        a last sample to the start after it.
        """
        self.say("stop", "demo.stops")
        await self.world.agent.end(signal.SIGTERM)
        await asyncio.sleep(0.3)  # what is under way reaches the subscriber
        for _ in range(LIVES):
            if self._everything():
                break
            await self.world.agent.start()
            await until(self._everything, RETURNS)
            await self.world.agent.end(signal.SIGTERM)
        tally, tracker = self.tally, self.platform.tracker
        tally.committed = committed_readings(self.world.agent.database)
        tally.delivered = self.delivered
        tally.duplicates = tracker.duplicates_in_effect
        tally.repeated = tracker.repeated
        tally.wire_bytes = self.world.link.sent + self.world.link.received
        tally.flash_bytes = self.world.agent.written_before
        tally.broker = self.world.broker.name
        tally.false_activations = sum(not self._right(at) for at in self.world.activations())

    def _everything(self) -> bool:
        """Whatever is on disk has arrived."""
        complete = self.platform.tracker.complete(STATION)
        return complete and self.delivered >= committed_readings(self.world.agent.database)

    def _right(self, at: float) -> bool:
        return any(begin <= at <= end for begin, end in self._genuine)
