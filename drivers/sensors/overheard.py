"""A sensor that speaks by itself, on a port of its own: the newest value of each series, once a beat.

What it says between two beats is overtaken by what it says last.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.api import Emit
from drivers.opening import open_stream
from drivers.sensors.port_source import Language, PortSource, Setup
from protocols.errors import RemoteError
from protocols.framing import Flaw
from protocols.reading import Reading

Ear = Callable[[bytes], Sequence[Any]]  # whole frames, and `Flaw`s for what is none

BURST = 0.2  # seconds in which an instrument says all it has to say, once it has begun
STALE_LEAST = 10.0  # seconds of silence that are a fault, or three beats where those are longer
REOPEN_FIRST, REOPEN_MOST = 0.25, 30.0  # seconds between attempts to open the port, doubling
READ_PATIENCE = 3.0  # seconds that a technician waits for an instrument that speaks once a second or two


class Overhearing(PortSource):
    """A `drivers.api.Source` but for its language: heirs say how bytes become frames, and what a frame gives."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self._stale = float(setup.config.stale or max(STALE_LEAST, 3 * setup.interval))
        self._newest: dict[str, tuple[int, float]] = {}  # series of the profile -> boot ms, value
        self._heard = asyncio.Event()
        self._heard_at = 0.0
        self._listening = False

    async def run(self, emit: Emit) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._beat(emit))

    async def read_once(self) -> Sequence[Reading]:
        """What comes in the time that a technician waits; ends early when all is there."""
        since = self._now()
        listening = None if self._listening else asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(READ_PATIENCE):
                while len(self._since(since)) < len(self._wanted):
                    await self._next()
        except TimeoutError:
            pass  # what has come is what there is
        finally:
            if listening is not None:
                listening.cancel()
        readings = self._since(since)
        if not readings:
            raise RemoteError(self._condition.reason or "silent", self.name)
        return readings

    async def _listen(self) -> None:
        """Keep the stream open; a port that vanishes is tried again, ever less often."""
        self._listening, wait = True, REOPEN_FIRST
        try:
            while True:
                try:
                    await self._attend()
                except OSError as gone:
                    self._count("port", gone.strerror or str(gone))
                    self._condition.failed("port", self._frames, at_once=True)
                wait = REOPEN_FIRST if self._condition.state == "up" else min(2 * wait, REOPEN_MOST)
                await asyncio.sleep(wait)
        finally:
            self._listening = False

    async def _attend(self) -> None:
        stream = await open_stream(self._address, self._base)
        frames = self._ear()
        try:
            while True:
                for frame in frames(await stream.read()):
                    if isinstance(frame, Flaw):
                        self._flawed(frame)
                    else:
                        self._take(frame)
        finally:
            stream.close()

    def _ear(self) -> Ear:
        """What makes frames of the bytes of a stream just opened."""
        raise NotImplementedError

    def _take(self, frame: Any) -> None:
        """Make values of a frame and `_keep` them; count one that is not believed."""
        raise NotImplementedError

    def _keep(self, values: Mapping[str, float], lacking: Sequence[str], at: int) -> None:
        """What a frame gave, by the profile's names, and why it did not give more."""
        self._counters.update(["ok", *lacking])
        self._newest.update({name: (at, value) for name, value in values.items() if name in self._wanted})
        self._heard_at = time.monotonic()
        self._heard.set()
        self._condition.succeeded()

    async def _beat(self, emit: Emit) -> None:
        """The first values at once, then at whole multiples of the interval."""
        since, self._heard_at = self._now(), time.monotonic()
        try:
            async with asyncio.timeout(self._stale):
                await self._next()
            await asyncio.sleep(BURST)
        except TimeoutError:
            pass  # `_watch` says so
        while True:
            started = time.monotonic()
            readings, since = self._since(since), self._now() + 1
            if readings:
                emit(readings)
            self._watch(started)
            await self.pace.beat(started)

    async def _next(self) -> None:
        self._heard.clear()
        await self._heard.wait()

    def _since(self, since: int) -> list[Reading]:
        """What has been heard from then on, as of the newest of it."""
        fresh = {name: value for name, (at, value) in self._newest.items() if at >= since}
        return self._readings(fresh, max((self._newest[name][0] for name in fresh), default=since))

    def _watch(self, now: float) -> None:
        if now - self._heard_at >= self._stale and self._condition.state != "down":
            self._condition.failed("garbage" if self._flaws else "silent", self._frames, at_once=True)


class OverheardSource(Overhearing):
    """One whose language is handed in."""

    def __init__(self, setup: Setup, language: Language) -> None:
        super().__init__(setup)
        self._language = language

    def _ear(self) -> Ear:
        return self._language.splitter().feed

    def _take(self, frame: Any) -> None:
        try:
            values, lacking = self._language.read(frame, None)
        except RemoteError as wrong:
            self._count(wrong.reason, wrong.detail)
            return
        self._keep(values, lacking, self._now())
