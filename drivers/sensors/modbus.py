"""Modbus devices by profile: one Source polls one device over a bus that it shares with others.

A sample ends at the first request that gets no answer, so a dead device costs its neighbours one of its timeouts; after
that it is asked ever less often, up to once a minute.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from drivers.acquaintance import Acquaintance
from drivers.api import Context, Emit, Factory, Problem, SeriesSpec
from drivers.bus import Bus
from drivers.condition import BACK_OFF_MOST, BACK_OFF_PORT, Condition
from drivers.pace import Fast, Pace, check_pace
from drivers.sensors.loops import Loops, Scaled, check_loops, loops_of
from drivers.sensors.modbus_profile import ModbusProfile, open_modbus
from drivers.sensors.names import Naming, check_names
from drivers.slot import Priority
from drivers.values import Duration
from protocols.errors import LocalError, RemoteError
from protocols.modbus_map import Register
from protocols.modbus_pdu import ILLEGAL_ADDRESS, ILLEGAL_VALUE, Refused
from protocols.modbus_plan import Block, Planner
from protocols.reading import Reading

ABSENT_FOR = 600.0  # seconds until a register that the device does not have is asked for again
DEVICE_LACKS = (ILLEGAL_ADDRESS, ILLEGAL_VALUE)


class ModbusConfig(Naming, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "modbus"`: one device on a bus. `scale`: what currents mean here, see `drivers.sensors.loops`."""

    name: str
    bus: str
    profile: str
    unit: int | None = None
    interval: Duration | None = None
    timeout: Duration | None = None
    fast: Fast | None = None
    scale: dict[str, Scaled] = msgspec.field(default_factory=dict)


class ModbusSource:
    """See `drivers.api.Source`."""

    def __init__(self, config: ModbusConfig, profile: ModbusProfile, bus: Bus, context: Context) -> None:
        self.name = config.name
        self.unit = profile.defaults.unit if config.unit is None else config.unit
        self.interval = float(profile.defaults.interval if config.interval is None else config.interval)
        self.pace = Pace(self.interval, context.station_time)
        self._timeout = profile.defaults.timeout if config.timeout is None else config.timeout
        self._bus = bus
        self._now = context.now
        self._report = context.report
        wanted = [one for one in profile.series if one.name not in config.omit]
        self._called = {one.name: config.called(one.name) for one in wanted}
        loops = loops_of(wanted, config.scale)
        self._loops = Loops(config.name, loops, self._called, context.report)
        specs = {one.name: one.spec(one.register().step) for one in wanted}
        specs |= {name: loop.spec(specs[name]) for name, loop in loops.items()}
        self._series = {self._called[name]: config.bounded(name, spec) for name, spec in specs.items()}
        everything = [one.register() for one in profile.series]
        registers = [one for one in everything if one.name in self._called]
        self._planner = Planner(registers, profile.planned(), everything)
        self._plan = self._planner.blocks()
        self._identity = profile.identity
        self._known = Acquaintance(config.name, context)
        self._met = 0  # at which opening of the port
        self._absent: dict[str, float] = {}  # series of the profile -> when to ask again
        self._condition = Condition(config.name, context.report, context.now, {"bus": config.bus, "unit": self.unit})

    @property
    def series(self) -> Mapping[str, SeriesSpec]:
        return self._series

    async def run(self, emit: Emit) -> None:
        while True:
            started = time.monotonic()
            most = await self._poll(emit)
            await self.pace.beat(started, self._condition.failures, most)

    async def read_once(self) -> Sequence[Reading]:
        readings, wrong = await self._sample(Priority.TECHNICIAN)
        if wrong is not None and not readings:
            raise wrong
        return readings

    def status(self) -> Mapping[str, Any]:
        return {
            **self._condition.status(),
            "counters": self._bus.log.counters(self.unit),
            "requests": len(self._plan),
            "absent": sorted(self._called[name] for name in self._absent),
        }

    async def _poll(self, emit: Emit) -> float:
        """One beat; returns the longest pause before the next."""
        readings, wrong = await self._sample(Priority.POLL)
        if readings:
            await self._meet()
            emit(readings)
        if wrong is None:
            self._condition.succeeded()
            return BACK_OFF_MOST
        self._condition.failed("port" if isinstance(wrong, OSError) else wrong.reason, self._bus.log.frames)
        return BACK_OFF_PORT if isinstance(wrong, OSError) else BACK_OFF_MOST

    async def _meet(self) -> None:
        """Who it is that answers, whenever it may be another one: at first, after a silence, on a port that was opened again."""
        where, opened = self._identity, self._bus.openings
        if where is None or (not self._condition.failures and self._met == opened):
            return
        self._met = opened
        with contextlib.suppress(OSError, RemoteError):  # one that does not say is no other one
            words = await self._bus.read(self.unit, where.fc, where.address, where.count, self._timeout)
            self._known.met("".join(f"{word:04x}" for word in words))

    async def _sample(self, priority: Priority) -> tuple[list[Reading], OSError | RemoteError | None]:
        """What the device gave, and why there is not more. A refusal is an answer, unless nothing else came."""
        values: dict[str, float] = {}
        refused: Refused | None = None
        present = [block for block in self._plan if not self._is_absent(block)] or self._plan
        at, waiting, answered = 0, present[::-1], False
        while waiting:
            block = waiting.pop()
            try:
                answer = await self._ask(block, priority)
            except Refused as refusal:
                refused = refusal
                waiting += self._learn(block, refusal)[::-1]
                continue
            except (OSError, RemoteError) as wrong:
                return self._readings(values, at), wrong
            at, answered = at or self._now(), True
            values |= self._decoded(block, answer)
        return self._readings(values, at), None if answered else refused

    async def _ask(self, block: Block, priority: Priority) -> list[int]:
        return await self._bus.read(
            self.unit, block.function, block.address, block.count, self._timeout, priority=priority
        )

    def _decoded(self, block: Block, answer: Sequence[int]) -> dict[str, float]:
        values, lacking = block.values(answer)
        for wrong in lacking:
            self._bus.log.count(self.unit, wrong.reason)
        for register in block.registers:
            self._absent.pop(register.name, None)
        return values

    def _readings(self, values: Mapping[str, float], at: int) -> list[Reading]:
        called = ((self._called[name], value) for name, value in self._loops.taken(values).items())
        return [Reading(name, at, value, self._series[name].unit) for name, value in called]

    def _learn(self, block: Block, refusal: Refused) -> list[Block]:
        """The smaller requests to ask in place of a refused one, from now on."""
        if refusal.code not in DEVICE_LACKS:
            return []
        parts = self._planner.learn(block)
        self._plan = self._planner.blocks()
        if not parts:
            self._set_absent(block.registers, refusal.reason)
        return parts

    def _set_absent(self, registers: Sequence[Register], reason: str) -> None:
        for register in registers:
            if register.name not in self._absent:
                self._report(
                    "series.absent", {"device": self.name, "series": self._called[register.name], "reason": reason}
                )
            self._absent[register.name] = time.monotonic() + ABSENT_FOR

    def _is_absent(self, block: Block) -> bool:
        until = self._absent.get(block.registers[0].name, 0.0)
        return len(block.registers) == 1 and time.monotonic() < until


def _create(config: ModbusConfig, context: Context) -> ModbusSource:
    profile, problems = open_modbus(config.profile, context.profiles)
    if profile is None:
        raise LocalError("profile", "; ".join(f"{one.key} {one.code}" for one in problems))
    return ModbusSource(config, profile, context.buses[config.bus], context)


def _check(config: ModbusConfig, context: Context) -> Iterator[Problem]:
    if config.bus not in context.buses:
        yield Problem("bus", "sensor.bus_unknown", {"bus": config.bus, "known": ", ".join(context.buses)})
    if config.unit is not None and not 1 <= config.unit <= 255:
        yield Problem("unit", "value.range", {"value": config.unit, "least": 1, "most": 255})
    yield from check_pace(config.interval, config.fast)
    if config.timeout is not None and not 0 < config.timeout <= 60:
        yield Problem("timeout", "value.range", {"value": config.timeout, "least": "1ms", "most": "60s"})
    profile, problems = open_modbus(config.profile, context.profiles)
    yield from problems
    if profile is not None:
        yield from check_loops(profile.series, config.scale)
        yield from check_names(config, [one.name for one in profile.series])


FACTORY = Factory(ModbusConfig, _create, _check)
