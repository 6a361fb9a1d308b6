"""The station, wired: every part made from the configuration, kept running, and ended in order. Decides nothing itself."""

import asyncio
import contextlib
import gc
import logging
import random
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent import __version__, bodies
from agent.accounting import Accounting, known_key
from agent.alerting import Alerting
from agent.clock import Clock
from agent.config import Config
from agent.control import Control
from agent.doctor.verbs import verbs as bench_verbs
from agent.drill import Tap
from agent.evidence import Record
from agent.gaps import Gaps
from agent.health import Health
from agent.notify import Notifier
from agent.on_site import OnSite
from agent.record import Recorder
from agent.right_of_way import RightOfWay
from agent.route import RouteConfig
from agent.sampling import close_buses, context_of, read_all, sources_of
from agent.supervisor import CoreFault, Supervisor
from agent.trust_path import open_trust
from agent.trusting import Trusting
from agent.warning_path import open_warning_path
from agent.watchdog import Watchdog
from buffer.faults import Refused
from buffer.model import Lane, Options, RouteSpec
from buffer.store import Buffer
from drivers.api import Actuator, Context, Report
from drivers.within import within
from protocols import columns, envelope
from protocols.area import code_text

if TYPE_CHECKING:
    from agent.beacons import Named
    from agent.bearers.fleet import Fleet
    from agent.commands import Commands
    from agent.derive.deriver import Deriver
    from agent.uplink import Uplink

log = logging.getLogger(__name__)

# Seconds one thread may keep the interpreter from another (5 ms by default): the buffer's thread packs and merges, and
# a warning passes between threads several times on its way to the siren.
SWITCH = 0.0005
CLOCK_LOOKS = 5.0  # seconds between looks at the clock; a step is an anchor, and an anchor is an event
READY_PATIENCE, READY_LOOKS = 10.0, 0.05  # seconds
FAREWELL = 3.0  # seconds for the last readings to leave; systemd waits 15
ALERTING_PATIENCE = 90.0  # seconds; its loop comes round every 30
LINK_PATIENCE = 60.0  # seconds; a link's loop comes round every second, but a connect may block its own thread longer
LOOP_PATIENCE = 20.0  # seconds the event loop may stand still before systemd ends us
COMMIT_PATIENCE = 120.0  # seconds without the buffer's thread coming round: longer than any disk's worst write
ANCHORS = "clock"


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
        self.right_of_way = RightOfWay()

    async def run(self) -> None:
        config = self.config
        self.loop = asyncio.get_running_loop()
        config.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.buffer = Buffer.open(
            config.state / config.buffer.file,
            options=_options(config),
            routes=[RouteSpec(route.name, route.required) for route in config.routes],
            merge=columns.merging,
            thin=bodies.thin,
            report=self._from_thread,
        )
        try:
            await self._run()
        finally:
            await asyncio.to_thread(self.buffer.close)

    async def _run(self) -> None:
        config, buffer = self.config, self.buffer
        self.clock = Clock(config.clock.source, saved=buffer.meta(ANCHORS))
        self.recorder = Recorder(buffer, self.clock, float(config.buffer.commit_interval))
        if config.consistency:
            from agent.consistency import Consistency

            self.recorder.judge = Consistency(config.consistency.values()).judge
        report: Report = self.recorder.report
        context = context_of(config, report, self.clock)
        self.sources = sources_of(config, context)
        self.actuators: list[Actuator] = [one.factory.create(one.config, context) for one in config.actuators]
        self.health = Health(config.station.id, buffer, self.clock, self.recorder, self.sources, self.actuators)
        self.accounting = Accounting(
            config.station.id, config.state, buffer=buffer, clock=self.clock, recorder=self.recorder
        )
        self.watchdog = Watchdog(self.notifier, describe=self._one_line, report=report)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(close_buses, context)
            self.tap = Tap(self._receipts())
            self.alerting = await self._open_alerting(stack)
            self.trusting = self._open_trust()
            self.on_site = OnSite(
                config, self.recorder, self.alerting,
                context=context, sources=self.sources, actuators=self.actuators, tap=self.tap,
            )  # fmt: skip
            self.deriver = self._open_deriver()
            self.commands: dict[str, Commands] = {}
            self.uplinks = [self._uplink(route, report) for route in config.routes]
            self._links = [(up, self.watchdog.part(f"route {up.name}", LINK_PATIENCE)) for up in self.uplinks]
            self.fleet = self._open_fleet(context)
            if config.socket is not None:
                from agent import bench

                verbs = {"status": self._status, "read": self._read, **self.on_site.verbs}
                verbs |= bench_verbs(self.alerting)
                verbs |= bench.verbs(context.buses, report)
                verbs |= self.trusting.verbs if self.trusting is not None else {}
                await self._open_door(stack, Control(config.socket, verbs))
            self._announce()
            async with Supervisor(report) as house:
                self._start(house)
                await self._until_stopped()
                self.notifier.stopping("stopping")
                await self._farewell()
                house.stop()

    async def _farewell(self) -> None:
        """No more readings; what was taken goes to disk, and up as far as links that are up can carry it soon."""
        self.recorder.close()
        deadline = self.loop.time() + FAREWELL
        # A disk that refuses has been reported by the buffer; the end must come all the same.
        with contextlib.suppress(Refused, RuntimeError, TimeoutError):
            await within(asyncio.wrap_future(self.buffer.flush()), FAREWELL)
        while self.loop.time() < deadline and any(up.hand_over() for up in self.uplinks):  # noqa: ASYNC110 - two links settle it
            await asyncio.sleep(READY_LOOKS)

    async def _open_door(self, stack: contextlib.AsyncExitStack, door: Control) -> None:
        """Without it nobody can ask on the spot; a warning is heard all the same."""
        from agent.say import say

        try:
            await stack.enter_async_context(door)
        except OSError as wrong:
            log.warning("%s", say("control.unavailable", socket=door.path, why=wrong))
            self.recorder.event("control.unavailable", {"socket": str(door.path), "why": str(wrong)})

    def _start(self, house: Supervisor) -> None:
        """Sensors first: the first sample is taken before anything of the network begins."""
        if self.deriver is not None:
            self.recorder.expect(self.deriver.series, judged=True)
            self.recorder.watch(self.deriver.take)
            house.keep("derived series", self.deriver.run)
        for source in self.sources:
            self.recorder.expect(source.series)
            house.keep(f"sensor {source.name}", lambda source=source: source.run(self.recorder.readings))  # type: ignore[misc]  # mypy cannot type a default in a lambda
        self._hasten(house)
        receivers = [source for source in self.sources if hasattr(source, "time")]
        if receivers:
            from agent.bearers.hints import Hints

            house.keep("time of receivers", lambda: Hints(self.clock).run(receivers))
        if self.alerting is not None:
            house.core("alerting", self.alerting.run)
        if self.trusting is not None:
            house.keep("beacons", self.trusting.run)
        self.on_site.start(house)
        for uplink in self.uplinks:
            house.keep(f"route {uplink.name}", uplink.run)
            house.keep(f"commands {uplink.name}", self.commands[uplink.name].run)
        if self.fleet is not None:
            self.fleet.start(house)
        house.keep(
            "gaps", Gaps(self.recorder.newest, self.sources, report=self.recorder.report, now=self.clock.now).run
        )
        house.keep("accounts", self.accounting.run)
        house.core("clock", self._keep_time)
        house.core("buffer", self._watch_buffer)
        house.core("watchdog", self.watchdog.run)

    def _hasten(self, house: Supervisor) -> None:
        """Sensors that are read faster while something is going on."""
        fast = [getattr(one.config, "fast", None) for one in self.config.sensors]
        if any(fast):
            from agent.hasten import Hastening

            hastening = Hastening(zip(fast, self.sources, strict=True), self.clock.now)
            self.recorder.watch(hastening.take)
            house.keep("fast sampling", hastening.run)

    async def _until_stopped(self) -> None:
        for name in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(name, self.stop.set)
        await self._sensors_asked()
        # What the start has made lives until the end: no collection of garbage walks it while a warning waits (45 ms, measured).
        gc.collect()
        gc.freeze()
        self.notifier.ready(self._one_line())
        await self.stop.wait()

    async def _sensors_asked(self) -> None:
        """Once each, and never waiting for one that does not answer."""
        deadline = self.loop.time() + READY_PATIENCE
        while self.loop.time() < deadline and not self.stop.is_set():
            await asyncio.sleep(READY_LOOKS)
            if all(source.status().get("state") != "unknown" for source in self.sources):
                return

    async def _keep_time(self) -> None:
        """Anchors: one event at the first trusted look of a boot and at each step, and a saved copy."""
        beat = self.watchdog.part("event loop", LOOP_PATIENCE)
        told = None
        while True:
            beat.beat()
            for uplink, part in self._links:
                if uplink.beat() < LINK_PATIENCE:
                    part.beat()
            self.clock.tick()
            anchor = self.clock.anchor()
            if anchor != told:
                self.recorder.event(
                    "anchor",
                    {
                        "anchor_at": anchor.at,
                        "wall_ms": anchor.wall,
                        "error_ms": anchor.error,
                        "synced": anchor.trusted,
                    },
                )
                self.buffer.set_meta(ANCHORS, self.clock.save())
                told = anchor
            await asyncio.sleep(CLOCK_LOOKS)

    async def _watch_buffer(self) -> None:
        """The buffer's thread must come round; its end is the end of the station."""
        beat = self.watchdog.part("buffer", COMMIT_PATIENCE)
        while True:
            await asyncio.wrap_future(self.buffer.history(self.buffer.log, Lane.ALARM, 1, 0))
            beat.beat()
            await asyncio.sleep(CLOCK_LOOKS)

    async def _open_alerting(self, stack: contextlib.AsyncExitStack) -> Alerting | None:
        if self.config.warnings is None:
            return None
        beat = self.watchdog.part("alerting", ALERTING_PATIENCE).beat
        made = await open_warning_path(stack, self.config, self.clock, self.actuators, self.recorder, beat, self.tap)
        if made is not None:
            made.acts = lambda: self.right_of_way.take(self.loop.time())
        return made

    def _receipts(self) -> Record:
        """Acknowledgements are signed, where there can be any."""
        if self.config.warnings is None:
            return self.recorder.event
        from agent.receipts import Receipts

        return Receipts(self.config.station.id, self.config.state, self.clock, self.recorder.event)

    def _open_deriver(self) -> "Deriver | None":
        if not self.config.derived:
            return None
        from agent.derive.deriver import Deriver

        return Deriver(
            self.config.derived,
            self.config.station.timezone,
            self.clock,
            record=self.recorder.readings,
            keep=self.buffer.set_meta,
            saved=self.buffer.meta,
        )

    def _open_fleet(self, context: Context) -> "Fleet | None":
        if not self.config.bearers:
            return None
        from agent.bearers.aboard import open_fleet

        series = {name: spec for source in self.sources for name, spec in source.series.items()}
        return open_fleet(
            self.config, self.recorder, context,
            uplinks=self.uplinks, commands=self.commands,
            series=series | dict(self.deriver.series if self.deriver is not None else {}),
            alerting=self.alerting, trusting=self.trusting, warned=self._judge, on_site=self.on_site, now=self.loop.time,
        )  # fmt: skip

    def _open_trust(self) -> Trusting | None:
        if self.alerting is None:
            return None
        return open_trust(self.config, self.clock, self.recorder, self.alerting, fetch=self._fetch)

    def _issuers(self) -> list[int]:
        """Who may have something to say here."""
        return self.trusting.beacons.expected if self.trusting is not None else []

    def _fetch(self, alerts: "Sequence[Named]") -> None:
        """What the brokers keep, once more: these, or all of it."""
        for uplink in self.uplinks:
            if alerts and uplink.route.warnings:
                root = uplink.route.root
                uplink.want([envelope.warning(root, code_text(a.area), str(a.issuer), a.seq) for a in alerts])
            elif not alerts:
                uplink.ask_again()

    def _announce(self) -> None:
        config = self.config
        self.recorder.event(
            "station.started",
            {
                "software": __version__,
                "key": known_key(config.state),
                "sensors": [source.name for source in self.sources],
                "actuators": [actuator.name for actuator in self.actuators],
                "routes": [route.name for route in config.routes],
            },
        )

        for finding in config.left_out:
            self.recorder.event("config.left_out", finding.as_json())

    def _from_thread(self, kind: str, fields: Mapping[str, Any]) -> None:
        """What the buffer's own thread reports, recorded where everything else is."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the station has ended
            self.loop.call_soon_threadsafe(self.recorder.event, kind, fields)

    def _one_line(self) -> str:
        up = sum(1 for uplink in self.uplinks if uplink.up)
        return f"{self.recorder.committed} readings committed, {up} of {len(self.uplinks)} routes up"

    async def _status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        narrow = {"narrow": self.fleet.narrow()} if self.fleet is not None else {}
        left = {"left_out": [one.as_json() for one in self.config.left_out]} if self.config.left_out else {}
        return {**self.health.whole(self._bearers(), self._warnings()), **self.on_site.status(), **narrow, **left}

    async def _read(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"sensors": await read_all(self.sources)}

    def _uplink(self, route: RouteConfig, report: Report) -> "Uplink":
        from agent.answering import commands_of
        from agent.downlink import Downlink
        from agent.uplink import Uplink
        from agent.uplink_encode import encoder

        config = self.config
        encode = encoder(config.station.id, route.format, self.clock.wall)
        commands = self.commands[route.name] = commands_of(
            route, station=config.station.id, buffer=self.buffer, encode=encode, record=report, uplink=lambda: uplink
        )
        downlink = Downlink(
            route.name,
            root=route.root,
            station=config.station.id,
            areas=config.station.areas,
            on_warning=self._warned if self.alerting is not None and route.warnings else None,
            on_command=commands.take if route.commands else None,
            report=report,
            on_trust=self.trusting.hear if self.trusting is not None and route.warnings else None,
            issuers=self._issuers,
        )
        uplink = Uplink(
            route,
            station=config.station.id,
            base=config.base,
            buffer=self.buffer,
            encode=encode,
            clock=self.clock.read,
            status=lambda session: self.health.online(
                route, session, self._bearers(), self._warnings(), self.accounting.key
            ),
            offline=self.health.offline,
            report=report,
            random=random.random,
            downlink=downlink,
            stand_aside=self.right_of_way.wait,
            cut=bodies.cut,
        )
        return uplink

    def _warned(self, bearer: str, payload: bytes, retained: bool, done: Callable[[], None]) -> None:
        """By a broker."""
        if self.fleet is not None:
            self.fleet.fire.note(bearer, payload)
        self._judge(bearer, payload, retained, done)

    def _judge(self, bearer: str, payload: bytes, retained: bool, done: Callable[[], None]) -> None:
        self.right_of_way.claim(self.loop.time())
        if self.alerting is not None:
            self.alerting.submit(bearer, payload, retained, done)

    def _warnings(self) -> Mapping[str, Any]:
        if self.alerting is None or self.trusting is None:
            return {}
        return {**self.alerting.status(), **self.trusting.status()}

    def _bearers(self) -> dict[str, Any]:
        mqtt = {uplink.name: uplink.status() for uplink in self.uplinks}
        if self.fleet is None:
            return mqtt
        return {name: status | self.fleet.wide(name) for name, status in mqtt.items()} | self.fleet.status()


def _options(config: Config) -> Options:
    buffer = config.buffer
    return Options(
        max_bytes=int(buffer.max_size),
        alarm_quota=int(buffer.alarm_quota),
        commit_interval=float(buffer.commit_interval),
        settle_interval=float(buffer.settle_interval),
    )
