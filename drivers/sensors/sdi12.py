"""SDI-12: one Source owns one line and all probes on it, each with a profile, a beat and a condition of its own.

Concurrent measurements leave the line to the others; one that is not keeps it until its values are fetched, since a break
would abort it. A technician's read goes before polling, and never into a measurement that is under way.
"""

import asyncio
import contextlib
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar

import msgspec

from drivers.acquaintance import Acquaintance
from drivers.address import Address, AddressKey, missing
from drivers.api import Context, Emit, Factory, Problem, SeriesSpec
from drivers.condition import BACK_OFF_MOST, BACK_OFF_PORT, Condition
from drivers.pace import Fast, Pace, check_pace
from drivers.sdi12_port import WAKES, Sdi12Port
from drivers.sensors.names import Naming, check_names
from drivers.sensors.sdi12_profile import Sdi12Profile, Sdi12Series, begun, open_sdi12
from drivers.slot import Priority, Slot
from drivers.values import Duration
from protocols.errors import LocalError, RemoteError
from protocols.quality import NOT_EVALUATED, Flag, Reason, quality
from protocols.reading import Reading
from protocols.sdi12 import Reply
from protocols.sdi12_command import Command, is_address
from protocols.sdi12_dialogue import Ask, Rest, identify, measure

T = TypeVar("T")

PORT = AddressKey("port", ("serial", "tcp", "sim"))
LEAST_INTERVAL, MOST_INTERVAL = 1.0, 86_400.0  # seconds


class ProbeConfig(Naming, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor.probe]]`: one probe of the line. What is not said is the profile's."""

    name: str
    profile: str
    address: str | None = None
    interval: Duration | None = None
    concurrent: bool | None = None
    crc: bool | None = None


class Sdi12Config(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "sdi12"`: one line. `wake`: who makes the break. `dtr`: some adapters want it off."""

    name: str
    port: str
    probe: list[ProbeConfig]
    wake: str = "adapter"
    dtr: bool = True
    fast: Fast | None = None


class Paces:
    """Those of all probes, for who hastens the line as a whole."""

    def __init__(self, paces: Sequence[Pace]) -> None:
        self._paces = paces

    def hasten(self, interval: float | None) -> None:
        for pace in self._paces:
            pace.hasten(interval)


class Probe:
    """What one probe is asked, what of its answers is a series, and how it fares."""

    def __init__(self, config: ProbeConfig, profile: Sdi12Profile, owner: str, label: str, context: Context) -> None:
        defaults = profile.defaults
        self.address = defaults.address if config.address is None else config.address
        self.interval = float(defaults.interval if config.interval is None else config.interval)
        self.pace = Pace(self.interval, context.station_time)
        concurrent = defaults.concurrent if config.concurrent is None else config.concurrent
        crc = defaults.crc if config.crc is None else config.crc
        self.specs: dict[str, SeriesSpec] = {}
        self.commands: dict[Command, list[tuple[str, Sdi12Series]]] = {}
        for one in profile.series:
            if one.name not in config.omit:
                called = config.called(one.name)
                self.specs[called] = config.bounded(one.name, one.spec(one.step))
                command = begun(one.command, self.address, concurrent=concurrent, crc=crc)
                self.commands.setdefault(command, []).append((called, one))
        facts = {"port": label, "address": self.address}
        self.condition = Condition(f"{owner}.{config.name}", context.report, context.now, facts)
        self.known = Acquaintance(f"{owner}.{config.name}", context)
        self.met = False  # since it was last silent
        self.measuring = asyncio.Lock()  # a command to a probe that measures would abort it
        self.lacking = 0

    def values(self, command: Command, found: Sequence[float]) -> Iterator[tuple[str, float]]:
        for called, series in self.commands[command]:
            value = _value(series, found)
            if value is None:
                self.lacking += 1
            else:
                yield called, value


def _value(series: Sdi12Series, found: Sequence[float]) -> float | None:
    """None where the probe has none, or none that is a number."""
    if series.value > len(found) or found[series.value - 1] in series.missing:
        return None
    try:
        value = series.scaled()(found[series.value - 1])
    except RemoteError:
        return None
    return value if isfinite(value) else None


class Sdi12Source:
    """See `drivers.api.Source`."""

    def __init__(self, config: Sdi12Config, probes: Mapping[str, Probe], address: Address, context: Context) -> None:
        self.name = config.name
        self._now = context.now
        self._probes = probes
        self.interval = max(probe.interval for probe in probes.values())
        self.pace = Paces([probe.pace for probe in probes.values()])
        self._port = Sdi12Port(address, context.base, config.wake, dtr=config.dtr)
        self._slot = Slot()
        self._users = 0  # who needs the port open: the poller, technicians
        simulated = address.scheme == "sim"
        self._quality = quality(Flag.NOT_EVALUATED, Reason.SIMULATED) if simulated else NOT_EVALUATED

    @property
    def series(self) -> Mapping[str, SeriesSpec]:
        return {name: spec for probe in self._probes.values() for name, spec in probe.specs.items()}

    async def run(self, emit: Emit) -> None:
        self._users += 1
        try:
            async with asyncio.TaskGroup() as tasks:
                for probe in self._probes.values():
                    tasks.create_task(self._poll(probe, emit))
        finally:
            self._leave()

    async def read_once(self) -> Sequence[Reading]:
        """All probes, at once as far as they can measure at once."""
        self._users += 1
        try:
            results = await asyncio.gather(*(self._sample(one, Priority.TECHNICIAN) for one in self._probes.values()))
        finally:
            self._leave()
        readings = [reading for found, _ in results for reading in found]
        wrong = next((wrong for _, wrong in results if wrong is not None), None)
        if wrong is not None and not readings:
            raise wrong
        return readings

    def status(self) -> Mapping[str, Any]:
        conditions = {name: probe.condition for name, probe in self._probes.items()}
        states = [one.state for one in conditions.values()]
        return {
            "state": next((state for state in ("up", "down") if state in states), "unknown"),
            "since": max(one.since for one in conditions.values()),
            "counters": {**self._port.counters, "missing": sum(one.lacking for one in self._probes.values())},
            "probes": {name: one.status() for name, one in conditions.items()},
        }

    def _leave(self) -> None:
        self._users -= 1
        if not self._users:
            self._port.close()

    async def _poll(self, probe: Probe, emit: Emit) -> None:
        while True:
            started = time.monotonic()
            readings, wrong = await self._sample(probe, Priority.POLL)
            if readings:
                await self._meet(probe)
                emit(readings)
            most = self._judge(probe, wrong)
            await probe.pace.beat(started, probe.condition.failures, most)

    async def _meet(self, probe: Probe) -> None:
        """Who it is that answers, whenever it may be another one: at first, and after a silence."""
        if probe.met and not probe.condition.failures:
            return
        probe.met = True
        with contextlib.suppress(OSError, RemoteError):  # one that does not say is no other one
            async with probe.measuring:
                who = await self._carried_out(identify(probe.address), Priority.POLL)
            probe.known.met(f"{who.vendor} {who.model} {who.firmware} {who.serial}".strip())

    def _judge(self, probe: Probe, wrong: OSError | RemoteError | None) -> float:
        if wrong is None:
            probe.condition.succeeded()
            return BACK_OFF_MOST
        probe.condition.failed("port" if isinstance(wrong, OSError) else wrong.reason, self._port.frames)
        return BACK_OFF_PORT if isinstance(wrong, OSError) else BACK_OFF_MOST

    async def _sample(self, probe: Probe, priority: Priority) -> tuple[list[Reading], OSError | RemoteError | None]:
        """All measurements of one probe, one after the other; ends at the first that fails."""
        readings: list[Reading] = []
        async with probe.measuring:
            for command in probe.commands:
                try:
                    found = await self._carried_out(measure(command), priority)
                except (OSError, RemoteError) as wrong:
                    return readings, wrong
                at = self._now()
                readings += [
                    Reading(name, at, value, probe.specs[name].unit, self._quality)
                    for name, value in probe.values(command, found)
                ]
        return readings, None

    async def _carried_out(self, dialogue: Generator[Ask | Rest, Reply | None, T], priority: Priority) -> T:
        """A dialogue with the line to itself, but while it rests and leaves the line free."""
        held = False

        async def hold() -> None:
            nonlocal held
            await self._slot.acquire(priority)
            held = True

        async def free(seconds: float) -> None:
            nonlocal held
            self._slot.release()
            held = False
            await asyncio.sleep(seconds)
            await hold()

        try:
            await hold()
            return await self._port.carry_out(dialogue, free)
        finally:
            if held:
                self._slot.release()


def _create(config: Sdi12Config, context: Context) -> Sdi12Source:
    address = PORT.opened(config.port)
    probes = {}
    for one in config.probe:
        profile, wrong = open_sdi12(one.profile, context.profiles)
        if profile is None:
            raise LocalError("profile", "; ".join(f"{problem.key} {problem.code}" for problem in wrong))
        probes[one.name] = Probe(one, profile, config.name, address.label, context)
    return Sdi12Source(config, probes, address, context)


def _check(config: Sdi12Config, context: Context) -> Iterator[Problem]:
    address, problems = PORT.parse(config.port)
    yield from problems
    if address is not None:
        yield from missing(address, "port", context.base)
    if config.wake not in WAKES:
        yield Problem("wake", "sdi12.wake", {"wake": config.wake, "known": ", ".join(WAKES)})
    if address is not None and address.scheme != "serial" and config.wake != "adapter":
        yield Problem("wake", "sdi12.wake", {"wake": config.wake, "known": "adapter"})
    yield from check_pace(None, config.fast)
    if not config.probe:
        yield Problem("probe", "sdi12.no_probe")
    yield from _check_probes(config.probe, context)


def _check_probes(probes: Sequence[ProbeConfig], context: Context) -> Iterator[Problem]:
    """Each alone, and that no two of them are at one address or give one series."""
    places: dict[str, str] = {}
    names: dict[str, str] = {}
    for one in probes:
        at = f"probe[{one.name}]"
        if one.interval is not None and not LEAST_INTERVAL <= one.interval <= MOST_INTERVAL:
            yield Problem(f"{at}.interval", "value.range", {"value": one.interval, "least": "1s", "most": "1d"})
        profile, problems = open_sdi12(one.profile, context.profiles)
        yield from (Problem(f"{at} {problem.key}", problem.code, problem.facts) for problem in problems)
        if profile is None:
            continue
        own = [series.name for series in profile.series]
        yield from (Problem(f"{at}.{problem.key}", problem.code, problem.facts) for problem in check_names(one, own))
        address = profile.defaults.address if one.address is None else one.address
        if not is_address(address):
            yield Problem(f"{at}.address", "line.address", {"address": address, "wanted": "0-9, A-Z, a-z"})
        if address in places:
            yield Problem(f"{at}.address", "sdi12.address_twice", {"address": address, "other": places[address]})
        places.setdefault(address, one.name)
        for called in (one.called(name) for name in own if name not in one.omit):
            if called in names:
                yield Problem(f"{at}.prefix", "series.twice", {"name": called})
            names[called] = one.name


FACTORY = Factory(Sdi12Config, _create, _check, lambda config: config.probe)
