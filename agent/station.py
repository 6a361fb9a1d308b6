"""The station, wired: every part made from the configuration, kept running, and ended in order. Decides nothing itself."""

import asyncio
import contextlib
import gc
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent import __version__, storage
from agent.clock import Clock
from agent.config import Config
from agent.control import Verb
from agent.door import open_door
from agent.health import Health
from agent.links.accounting import Accounting, known_key
from agent.links.route import RouteConfig
from agent.notify import Notifier
from agent.on_site import OnSite
from agent.record import Recorder
from agent.sampling import close_buses, context_of
from agent.sensing import Sensing
from agent.supervisor import CoreFault, Supervisor
from agent.timekeeping import SAVED, keep_time
from agent.uplinks import Uplinks
from agent.warning_path import WarningPath
from agent.watchdog import Watchdog
from buffer.faults import Refused
from drivers.api import Context
from drivers.within import within

if TYPE_CHECKING:
    from agent.bearers.fleet import Fleet
    from agent.trust.beacons import Named

log = logging.getLogger(__name__)

# Seconds one thread may keep the interpreter from another (5 ms by default): the buffer's thread packs and merges, and
# a warning passes between threads several times on its way to the siren.
SWITCH = 0.0005
FAREWELL = 3.0  # seconds for the last readings to leave; systemd waits 15
LOOP_PATIENCE = 20.0  # seconds the event loop may stand still before systemd ends us
COMMIT_PATIENCE = 120.0  # seconds without the buffer's thread coming round: longer than any disk's worst write


def main(config: Config) -> int:
    """Run the station until SIGTERM or SIGINT; the exit code."""
    from agent.say import say

    sys.setswitchinterval(SWITCH)
    try:
        asyncio.run(Station(config).run())
    except CoreFault as fault:
        log.critical("%s", say("run.core", why=fault))
        return 1
    return 0


class Station:
    """`run` does everything. Made once."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.notifier = Notifier()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.buffer = storage.open_buffer(self.config, self._from_thread)
        try:
            async with contextlib.AsyncExitStack() as stack:
                await self._wire(stack)
                self._announce()
                async with Supervisor(self.recorder.report) as house:
                    self._start(house)
                    await self._until_stopped()
                    self.notifier.stopping("stopping")
                    await self._farewell()
                    house.stop()
        finally:
            await asyncio.to_thread(self.buffer.close)

    async def _wire(self, stack: contextlib.AsyncExitStack) -> None:
        """Every part, and what it is given of the others."""
        config, buffer = self.config, self.buffer
        self.clock = Clock(config.clock.source, saved=buffer.meta(SAVED))
        self.recorder = recorder = Recorder(buffer, self.clock, float(config.buffer.commit_interval))
        context = context_of(config, recorder.report, self.clock)
        stack.push_async_callback(close_buses, context)
        self.sensing = Sensing(config, recorder, context)
        self.actuators = [one.factory.create(one.config, context) for one in config.actuators]
        self.health = Health(config.station.id, buffer, self.clock, recorder, self.sensing.sources, self.actuators)
        self.accounting = Accounting(
            config.station.id, config.state, buffer=buffer, clock=self.clock, recorder=recorder
        )
        self.watchdog = Watchdog(self.notifier, describe=self._one_line, report=recorder.report)
        self.warnings = WarningPath(config, recorder)
        self.warnings.open(stack, self.actuators, self.watchdog, self._fetch)
        self.on_site = OnSite(
            config, recorder, self.warnings.alerting,
            context=context, sources=self.sensing.sources, actuators=self.actuators, tap=self.warnings.tap,
        )  # fmt: skip
        self.uplinks = Uplinks(
            config, recorder, self.warnings,
            warned=self._warned, status=self._online, offline=self.health.offline, watchdog=self.watchdog,
        )  # fmt: skip
        self.fleet = self._open_fleet(context)
        if config.socket is not None:
            await open_door(stack, config.socket, self._verbs(context), recorder)

    def _start(self, house: Supervisor) -> None:
        """Sensors first: the first sample is taken before anything of the network begins."""
        self.sensing.start(house)
        self.warnings.start(house)
        self.on_site.start(house)
        self.uplinks.start(house)
        if self.fleet is not None:
            self.fleet.start(house)
        house.keep("accounts", self.accounting.run)
        loop = self.watchdog.part("event loop", LOOP_PATIENCE)
        commits = self.watchdog.part("buffer", COMMIT_PATIENCE)
        house.core("clock", lambda: keep_time(self.recorder, [loop.beat, self.uplinks.beat]))
        house.core("buffer", lambda: storage.watch(self.buffer, commits.beat))
        house.core("watchdog", self.watchdog.run)

    async def _until_stopped(self) -> None:
        for name in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(name, self.stop.set)
        await self.sensing.asked(self.stop)
        # What the start has made lives until the end: no collection of garbage walks it while a warning waits (45 ms, measured).
        gc.collect()
        gc.freeze()
        self.notifier.ready(self._one_line())
        await self.stop.wait()

    async def _farewell(self) -> None:
        """No more readings; what was taken goes to disk, and up as far as links that are up can carry it soon."""
        self.recorder.close()
        deadline = self.loop.time() + FAREWELL
        # A disk that refuses has been reported by the buffer; the end must come all the same.
        with contextlib.suppress(Refused, RuntimeError, TimeoutError):
            await within(asyncio.wrap_future(self.buffer.flush()), FAREWELL)
        await self.uplinks.farewell(deadline)

    def _open_fleet(self, context: Context) -> "Fleet | None":
        if not self.config.bearers:
            return None
        from agent.bearers.aboard import open_fleet

        warnings = self.warnings
        return open_fleet(
            self.config, self.recorder, context,
            uplinks=self.uplinks.all, commands=self.uplinks.commands, series=self.sensing.series,
            alerting=warnings.alerting, trusting=warnings.trusting, warned=warnings.judge,
            on_site=self.on_site, now=self.loop.time,
        )  # fmt: skip

    def _verbs(self, context: Context) -> dict[str, Verb]:
        """What may be asked on the spot."""
        from agent import bench

        verbs = {"status": self._status, "read": self.sensing.read}
        return verbs | self.on_site.verbs | self.warnings.verbs | bench.verbs(context.buses, self.recorder.report)

    def _announce(self) -> None:
        named = {"sensors": self.sensing.sources, "actuators": self.actuators, "routes": self.config.routes}
        names = {kind: [one.name for one in all_of] for kind, all_of in named.items()}
        facts = {"software": __version__, "key": known_key(self.config.state), **names}
        self.recorder.event("station.started", facts)
        for finding in self.config.left_out:
            self.recorder.event("config.left_out", finding.as_json())

    def _from_thread(self, kind: str, fields: Mapping[str, Any]) -> None:
        """What the buffer's own thread reports, recorded where everything else is."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the station has ended
            self.loop.call_soon_threadsafe(lambda: self.recorder.event(kind, fields))

    def _fetch(self, alerts: "Sequence[Named]") -> None:
        """Links are made after those who ask them."""
        self.uplinks.fetch(alerts)

    def _warned(self, bearer: str, payload: bytes, retained: bool, done: Callable[[], None]) -> None:
        """By a broker: neighbours may need it, too."""
        if self.fleet is not None:
            self.fleet.fire.note(bearer, payload)
        self.warnings.judge(bearer, payload, retained, done)

    # What is said of all this

    def _one_line(self) -> str:
        up = sum(1 for uplink in self.uplinks.all if uplink.up)
        return f"{self.recorder.committed} readings committed, {up} of {len(self.uplinks.all)} routes up"

    def _online(self, route: RouteConfig, session: str) -> bytes:
        return self.health.online(route, session, self._bearers(), self.warnings.status(), self.accounting.key)

    async def _status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        narrow = {"narrow": self.fleet.narrow()} if self.fleet is not None else {}
        left = {"left_out": [one.as_json() for one in self.config.left_out]} if self.config.left_out else {}
        return {**self.health.whole(self._bearers(), self.warnings.status()), **self.on_site.status(), **narrow, **left}

    def _bearers(self) -> dict[str, Any]:
        mqtt = self.uplinks.status()
        if self.fleet is None:
            return mqtt
        return {name: status | self.fleet.wide(name) for name, status in mqtt.items()} | self.fleet.status()
