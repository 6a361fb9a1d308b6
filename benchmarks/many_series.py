"""Two hundred series at 1 Hz: twenty devices on four RS-485 lines, simulated in processes of their own, read by the agent as it
is shipped, which stores them and sends them to a real broker.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.report import Figure, measures
from benchmarks.scene import Scene, scene
from benchmarks.station import committed
from benchmarks.wire import DEVICES, wire

LINES, SERIES = 4, 10
SETTLES = 15.0  # seconds until a started agent is at rest
WATCHED = float(os.environ.get("FENGSUI_MANY_SECONDS", "90"))  # seconds of measuring


@measures(
    6,
    Figure("resident memory, 200 series at 1 Hz from 20 devices", "MiB", "≤ 50"),
    Figure("CPU, 200 series at 1 Hz from 20 devices", "% of a core", "≤ 4"),
    Figure("of those readings taken", "%", "≥ 99"),
    Figure("memory gained while it was watched", "MiB"),
    patience=1200.0,
)
def many_series() -> Mapping[str, float]:
    return asyncio.run(_many())


async def _many() -> Mapping[str, float]:
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(wire()) for _ in range(LINES)]
        tables = "".join(_line(place, line.url) for place, line in enumerate(lines))
        station = await stack.enter_async_context(scene(sensor=False, more=tables))
        _profile(station.agent.folder)
        await station.agent.start()
        await asyncio.sleep(SETTLES)
        return await _watched(station)


async def _watched(station: Scene) -> Mapping[str, float]:
    agent, began = station.agent, time.monotonic()
    memory, cpu, readings = agent.memory_mib(), agent.cpu_seconds(), committed(station)
    await asyncio.sleep(WATCHED)
    taken, elapsed = committed(station) - readings, time.monotonic() - began
    return {
        "resident memory, 200 series at 1 Hz from 20 devices": agent.memory_mib(),
        "CPU, 200 series at 1 Hz from 20 devices": 100 * (agent.cpu_seconds() - cpu) / elapsed,
        "of those readings taken": 100 * taken / (LINES * DEVICES * SERIES * elapsed),
        "memory gained while it was watched": agent.memory_mib() - memory,
    }


def _profile(folder: Path) -> None:
    (folder / "profiles").mkdir()
    series = "".join(f'[[series]]\nname = "x.r{one}"\naddress = {one}\nunit = "1"\n' for one in range(SERIES))
    head = 'kind = "modbus"\nname = "ten"\ntitle = "Ten registers"\nsource = "the benchmark"\n'
    (folder / "profiles" / "ten.toml").write_text(head + series, encoding="utf-8")


def _line(place: int, url: str) -> str:
    sensors = "".join(
        f'[[sensor]]\nname = "d{place}-{unit}"\nbus = "line{place}"\nprofile = "ten"\nunit = {unit}\n'
        f'interval = "1s"\nprefix = "line{place}.d{unit}"\n'
        for unit in range(1, DEVICES + 1)
    )
    return f'[[bus]]\nname = "line{place}"\nurl = "{url}"\n' + sensors
