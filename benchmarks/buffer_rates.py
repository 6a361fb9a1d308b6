"""How fast the buffer takes and gives, and that neither depends on how much it holds."""

import contextlib
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from benchmarks.buffer_wear import SERIES, readings
from benchmarks.report import Figure, Value, measures
from buffer import disk
from buffer.model import Lane, Options, RouteSpec
from buffer.store import Buffer
from protocols import columns

NUMBERS = 60  # in a merged block: 60 instants of 20 series
FEW, MANY = 100_000, int(os.environ.get("FENGSUI_STORED", "50000000"))  # readings stored
APPENDS = 20_000
STRETCH, DRAINED = 80, 4_000  # blocks in a row, and in all: the smaller store has 83
ROUTES = (RouteSpec("county"), RouteSpec("province"))
ROOMY = Options(max_bytes=8 << 30)


@measures(
    3,
    Figure("readings drained from the buffer", "readings/s", "≥ 1,000,000"),
    Figure("appends, committed in groups", "1/s"),
    Figure("alarm appended → on disk, p99", "ms"),
)
def rates() -> Mapping[str, float]:
    with store() as path:
        grow(path, 5_000_000)
        return {
            "readings drained from the buffer": drain(path),
            "appends, committed in groups": append(path),
            "alarm appended → on disk, p99": alarm(path),
        }


@measures(
    3,
    Figure("append rate with 50,000,000 readings stored", "1/s", "reported", "with 100,000 stored"),
    Figure("drain rate with 50,000,000 readings stored", "readings/s", "reported", "with 100,000 stored"),
    Figure("opening with 50,000,000 readings stored", "s", "reported", "with 100,000 stored"),
    patience=1800.0,
)
def depth() -> Mapping[str, Value]:
    few, many = (measured(size) for size in (FEW, MANY))
    names = ("append rate", "drain rate", "opening")
    pairs = zip(names, many, few, strict=True)
    return {f"{name} with 50,000,000 readings stored": Value(much, little) for name, much, little in pairs}


def measured(stored: int) -> tuple[float, float, float]:
    with store() as path:
        grow(path, stored)
        cold(path)
        began = time.perf_counter()
        Buffer.open(path, options=ROOMY, routes=ROUTES).close()
        opening = time.perf_counter() - began
        cold(path)
        drained = drain(path)
        cold(path)
        return append(path), drained, opening


@contextlib.contextmanager
def store() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    try:
        yield folder / "buffer.db"
    finally:
        shutil.rmtree(folder)


def grow(path: Path, stored: int) -> None:
    """Real merged bodies in a closed log, each as often as needed; then a fresh start on top."""
    bodies = readings(random.Random(2))
    kinds = [merged(bodies) for _ in range(50)]
    buffer = Buffer.open(path, options=ROOMY, routes=ROUTES)
    numbers = stored // SERIES
    wait = None
    for block in range(numbers // NUMBERS):
        wait = buffer.append(Lane.TELEMETRY, kinds[block % len(kinds)])
        if block % 500 == 499:
            wait.committed.result(60)
    if wait is not None:
        wait.committed.result(60)
    buffer.close(60)


def merged(bodies: Iterator[bytes]) -> bytes:
    body = columns.merge(list(islice(bodies, NUMBERS)))
    assert body is not None
    return body


def cold(path: Path) -> None:
    """Out of the page cache, as after a power cut."""
    os.sync()
    for file in disk.siblings(path):
        with contextlib.suppress(FileNotFoundError), file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def drain(path: Path) -> float:
    """Readings a second through read and settle: many routes, each draining a stretch of its own of what is there."""
    routes = [RouteSpec(f"route{n}") for n in range(DRAINED // STRETCH)]
    buffer = Buffer.open(path, options=ROOMY, routes=routes)
    where = max(buffer.backlog(routes[0].name), key=lambda pending: pending.numbers)
    steps = max(0, where.numbers - STRETCH) // len(routes)
    began = time.perf_counter()
    blocks = sum(stretch(buffer, route.name, where.log, after=n * steps) for n, route in enumerate(routes))
    rate = blocks * NUMBERS * SERIES / (time.perf_counter() - began)
    buffer.close()
    return rate


def stretch(buffer: Buffer, route: str, log: str, after: int) -> int:
    until = after + STRETCH
    blocks = 0
    while found := buffer.read(route, Lane.TELEMETRY, log=log, after=after, until=until, max_blocks=20).result(60):
        for block in found:
            buffer.settle(route, block.log, block.lane, block.first, block.last)
        blocks, after = blocks + len(found), found[-1].last
    return blocks


def append(path: Path) -> float:
    """Appends a second when somebody waits for the disk after every thousand."""
    buffer = Buffer.open(path, options=ROOMY, routes=ROUTES)
    bodies = list(islice(readings(random.Random(3)), 100))
    began = time.perf_counter()
    for number in range(APPENDS):
        last = buffer.append(Lane.TELEMETRY, bodies[number % 100], now=number % 1000 == 999)
        if number % 1000 == 999:
            last.committed.result(60)
    rate = APPENDS / (time.perf_counter() - began)
    buffer.close()
    return rate


def alarm(path: Path) -> float:
    buffer = Buffer.open(path, options=ROOMY, routes=ROUTES)
    spans = []
    for _ in range(300):
        began = time.perf_counter()
        buffer.append(Lane.ALARM, b"{}").committed.result(60)
        spans.append((time.perf_counter() - began) * 1000)
    buffer.close()
    return sorted(spans)[296]
