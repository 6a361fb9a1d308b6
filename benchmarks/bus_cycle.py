"""Fifty scattered registers of five devices on one line at 9600 baud: how few requests, how little time is lost between them,
and what a dead device costs the others. Beside thingsboard-gateway on the same simulated line.
"""

import asyncio
import statistics
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.peers_thingsboard import LARGE, StandIn, gateway, missing
from benchmarks.report import Figure, Measured, Value, measures
from benchmarks.scene import until
from benchmarks.wire import BAUD, CHARACTER, GAP, REQUEST, SPAN, Asked, Wire, cycles, forced, length, scattered, wire
from drivers.api import Context
from drivers.bus import Bus, BusConfig
from drivers.sensors.modbus import FACTORY, ModbusConfig
from drivers.values import Duration
from tests.support.broker import Broker

PEER = "thingsboard-gateway 3.8.5, Modbus connector"
INTERVAL, PEER_INTERVAL = 2.0, 4.0  # seconds; each longer than what its cycle takes
CYCLES, TRIALS = (
    6,
    11,
)  # watched, of which the first and the last do not count; in eleven, ours tries a dead device four times
PATIENCE = 0.3  # seconds
DEAD = 3  # unit: in the middle, so that others wait behind it
BEGIN = 40.0  # seconds until the peer has begun, at most

ALIVE = list(range(1, 6))
FOUR = [unit for unit in ALIVE if unit != DEAD]


async def ours(watched: int, units: Sequence[int], dead: Sequence[int] = ()) -> list[list[Asked]]:
    """Cycles of the real drivers."""
    async with wire(dead) as line, _polling(line, units):
        return await _watch(line, watched, INTERVAL)


async def theirs(watched: int, units: Sequence[int], dead: Sequence[int] = ()) -> list[list[Asked]]:
    """The peer's own connector, told the same as ours: the pause, the patience, no retries."""
    with tempfile.TemporaryDirectory() as name, Broker(Path(name) / "b", extra=["log_type none"]) as broker:
        platform = StandIn(broker.port)
        try:
            async with wire(dead) as line:
                with gateway(Path(name), broker.port, LARGE, _connector(line, units)):
                    return await _watch(line, watched, PEER_INTERVAL)
        finally:
            platform.close()


async def _watch(line: Wire, watched: int, interval: float) -> list[list[Asked]]:
    await until(lambda: bool(line.asked), BEGIN, pause=0.05)
    await asyncio.sleep(watched * interval - interval / 4)
    return cycles(line.asked)


@asynccontextmanager
async def _polling(line: Wire, units: Sequence[int]) -> AsyncIterator[None]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bus = Bus(BusConfig(name="field", url=line.url, gap=Duration(GAP), timeout=Duration(PATIENCE)))
        context = Context(folder, lambda _kind, _fields: None, {"field": bus}, profiles=(folder,))
        tasks = [asyncio.create_task(_source(context, unit).run(lambda _readings: None)) for unit in units]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await bus.close()


def _source(context: Context, unit: int) -> Any:
    name = _profile(context.base, unit)
    config = ModbusConfig(name=f"d{unit}", bus="field", profile=name, unit=unit, interval=Duration(INTERVAL))
    return FACTORY.create(config, context)


def _profile(folder: Path, unit: int) -> str:
    """The name of a map with the registers of that unit, whose maker lists all of the span."""
    series = "".join(f'[[series]]\nname = "x.r{one}"\naddress = {one}\nunit = "1"\n' for one in scattered()[unit - 1])
    head = f'kind = "modbus"\nname = "scattered-{unit}"\ntitle = "Scattered"\nsource = "the benchmark"\n'
    limits = f"[limits]\nreadable = [{{ first = 0, last = {SPAN - 1} }}]\n"
    (folder / f"scattered-{unit}.toml").write_text(head + limits + series, encoding="utf-8")
    return f"scattered-{unit}"


def _connector(line: Wire, units: Sequence[int]) -> dict[str, Any]:
    slaves = [
        {
            "type": "serial", "method": "rtu", "port": line.path, "baudrate": BAUD, "stopbits": 1, "bytesize": 8,
            "parity": "N", "byteOrder": "BIG", "wordOrder": "BIG", "retries": 0, "timeout": PATIENCE,
            "delayBetweenRequestsMs": int(GAP * 1000), "pollPeriod": int(PEER_INTERVAL * 1000),
            "unitId": unit, "deviceName": f"d{unit}", "timeseries": [_tag(one) for one in scattered()[unit - 1]],
        }
        for unit in units
    ]  # fmt: skip
    return {"master": {"slaves": slaves}}


def _tag(register: int) -> dict[str, Any]:
    return {"tag": f"r{register}", "type": "16uint", "functionCode": 3, "objectsCount": 1, "address": register}


def _usual(found: Sequence[Sequence[Asked]], of: Callable[[Sequence[Asked]], float]) -> float:
    return statistics.median(of(cycle) for cycle in found)


def _others(cycle: Sequence[Asked]) -> float:
    return length(cycle, DEAD)


def _growth(found: Sequence[Sequence[Asked]], usual: float) -> tuple[float, float | None]:
    """How much longer than `usual` the others' cycle is, in seconds: while the dead device is asked, and while it is not."""
    asked = [cycle for cycle in found if any(one.unit == DEAD for one in cycle)]
    spared = [cycle for cycle in found if cycle not in asked]
    return _usual(asked, _others) - usual, _usual(spared, _others) - usual if spared else None


NAMES = (
    "requests a cycle, 50 scattered registers on 5 devices",
    "such a cycle, RTU at 9600 baud",
    "of what line rate, pause and turnaround allow for its requests",
)
DEAD_NAMES = (
    "dead device of five: the others' cycle is longer by, when it is asked",
    "the same, once it is backed off",
)
TIMEOUT = PATIENCE + REQUEST * CHARACTER + GAP  # seconds: a request, the pause before it, and silence


@measures(
    6,
    Figure(NAMES[0], "", "≤ 12.5", PEER),
    Figure(NAMES[1], "s", "reported", PEER),
    Figure(NAMES[2], "%", "≥ 85", PEER),
    patience=240.0,
)
def bus_cycle() -> Measured:
    why = missing()
    mine = _cycle_figures(asyncio.run(ours(CYCLES, ALIVE)))
    peer = [None] * 3 if why else _cycle_figures(asyncio.run(theirs(CYCLES, ALIVE)))
    return {name: Value(value, other, why) for name, value, other in zip(NAMES, mine, peer, strict=True)}


def _cycle_figures(found: Sequence[Sequence[Asked]]) -> list[float]:
    return [
        _usual(found, len),
        _usual(found, length),
        _usual(found, lambda cycle: 100 * forced(cycle) / length(cycle)),
    ]


@measures(
    6,
    Figure(DEAD_NAMES[0], "of its timeout", "≤ 1", PEER),
    Figure(DEAD_NAMES[1], "% of a cycle", "≤ 1", PEER),
    patience=240.0,
)
def bus_dead() -> Measured:
    """The others' cycle, beside one without that device at all."""
    mine = _dead_figures(asyncio.run(ours(CYCLES, FOUR)), asyncio.run(ours(TRIALS, ALIVE, [DEAD])))
    if why := missing():
        return {name: Value(value, None, why) for name, value in zip(DEAD_NAMES, mine, strict=True)}
    peer = _dead_figures(asyncio.run(theirs(CYCLES, FOUR)), asyncio.run(theirs(CYCLES, ALIVE, [DEAD])))
    return {name: Value(value, other) for name, value, other in zip(DEAD_NAMES, mine, peer, strict=True)}


def _dead_figures(without: Sequence[Sequence[Asked]], found: Sequence[Sequence[Asked]]) -> list[float]:
    """Who asks it in every cycle never spares the others: the same growth, then."""
    usual = _usual(without, length)
    asked, spared = _growth(found, usual)
    return [asked / TIMEOUT, 100 * (asked if spared is None else spared) / usual]
