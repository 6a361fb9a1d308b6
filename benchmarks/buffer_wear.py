"""What a station writes to flash per reading, as the kernel counts it: committing, settling, merging and trimming."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.control import ask
from benchmarks.report import Figure, measures
from benchmarks.scene import Scene, scene, until
from buffer.model import Lane, Options, RouteSpec
from buffer.store import Buffer
from protocols import columns
from protocols.reading import Reading

SECONDS = float(os.environ.get("FENGSUI_WEAR_SECONDS", "600"))
SETTLES = 15.0  # seconds until a started agent is at rest
SERIES = 20
MERGED_BYTES = 620  # what sixty instants of these series pack into
BOOT = bytes(8)
SMALL = Options(max_bytes=4 << 20, alarm_quota=1 << 20)  # small, so that trimming is on from the first minute
TABLE = '\n[buffer]\nmax_size = "4MiB"\nalarm_quota = "1MiB"'
ROUTES = (RouteSpec("county"),)


@measures(
    3,
    Figure("bytes written per reading, 20 series at 1 Hz", "bytes", "≤ 400", "thingsboard-gateway 3.8.5: 21,000"),
    patience=1200.0,
)
def wear() -> Mapping[str, float]:
    return asyncio.run(_wear())


async def _wear() -> Mapping[str, float]:
    """The agent as it is shipped, at a device and a broker, with a buffer that is full of history."""
    async with scene(extra=TABLE) as station:
        await asyncio.to_thread(fill, station.agent.database, random.Random(2))
        await station.agent.start()
        await until(lambda: _committed(station) > 0, 10)
        await asyncio.sleep(SETTLES)
        written, readings, history = station.agent.written(), _committed(station), _deleted(station)
        await asyncio.sleep(SECONDS)
        written, readings = station.agent.written() - written, _committed(station) - readings
        if SECONDS >= 600 and _deleted(station) == history:
            raise RuntimeError("nothing was trimmed")
        await station.agent.end(signal.SIGTERM)
    return {"bytes written per reading, 20 series at 1 Hz": written / readings}


def _committed(station: Scene) -> int:
    answer = ask(station.agent.control, "status", timeout=5.0)
    return int(answer["readings"]["committed"]) if answer else 0


def _deleted(station: Scene) -> int:
    answer = ask(station.agent.control, "status", timeout=5.0)
    return int(answer["buffer"]["gone"].get("history", 0)) if answer else 0


def readings(rng: random.Random) -> Iterator[bytes]:
    """Slowly wandering values at two decimals, as sensors give them."""
    values = [rng.uniform(0, 100) for _ in range(SERIES)]
    at = 1_000_000
    while True:
        at += 1000
        values = [round(value + rng.choice((-0.02, -0.01, 0, 0, 0.01, 0.02)), 2) for value in values]
        yield columns.pack(BOOT, [Reading(f"site.s{n:02}", at, value, "Cel") for n, value in enumerate(values)])


def fill(path: Path, rng: random.Random) -> None:
    """Up to the limit with settled blocks that will not merge, so that whatever comes next has something to trim."""
    buffer = Buffer.open(path, options=SMALL, routes=ROUTES)
    while not buffer.stats().gone.get("history"):
        for _ in range(100):
            buffer.append(Lane.TELEMETRY, rng.randbytes(MERGED_BYTES))
        buffer.append(Lane.TELEMETRY, rng.randbytes(MERGED_BYTES), now=True).committed.result(60)
        acknowledge(buffer)
        time.sleep(0.05)
    while buffer.stats().used > SMALL.max_bytes * 23 // 32:  # a quarter is the alarms', a little is slack
        time.sleep(0.05)
    buffer.close(60)


def acknowledge(buffer: Buffer) -> None:
    for route in ROUTES:
        buffer.settle(route.name, buffer.log, Lane.TELEMETRY, 1, buffer.committed(Lane.TELEMETRY))
