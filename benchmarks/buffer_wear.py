"""What the buffer writes to flash per reading, as the kernel counts it: committing, settling, merging and trimming."""

import os
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.report import Figure, measures
from buffer.model import Lane, Options, RouteSpec
from buffer.store import Buffer
from protocols import columns
from protocols.reading import Reading

SECONDS = float(os.environ.get("FENGSUI_WEAR_SECONDS", "600"))
SERIES = 20
MERGED_BYTES = 620  # what sixty instants of these series pack into
BOOT = bytes(8)
SMALL = Options(max_bytes=4 << 20)  # small, so that trimming is on from the first minute
ROUTES = (RouteSpec("county"), RouteSpec("province"))


@measures(
    3,
    Figure("bytes written per reading, 20 series at 1 Hz", "bytes", "≤ 400", "thingsboard-gateway 3.8.5: 21,000"),
    patience=1200.0,
)
def wear() -> Mapping[str, float]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        path = Path(folder) / "buffer.db"
        fill(path, random.Random(2))
        bodies = readings(random.Random(1))
        buffer = Buffer.open(path, options=SMALL, routes=ROUTES, merge=columns.merge, thin=columns.thin)
        os.sync()  # what the filling left dirty is not the steady state's
        before, taken = written(), 0
        for taken in paced(SECONDS):
            buffer.append(Lane.TELEMETRY, next(bodies))
            if taken % 10 == 9:  # live telemetry lingers ten seconds and comes back acknowledged
                acknowledge(buffer)
        buffer.close()
        after = written()
    return {
        "bytes written per reading, 20 series at 1 Hz": (after - before) / ((taken + 1) * SERIES),
    }


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


def paced(seconds: float) -> Iterator[int]:
    """Once a second, without drift."""
    began = time.monotonic()
    for tick in range(int(seconds)):
        time.sleep(max(0.0, began + tick - time.monotonic()))
        yield tick


def written() -> int:
    """Bytes this process caused to be written to storage."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines())
    return int(fields["write_bytes"])
