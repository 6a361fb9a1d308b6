"""How fast the buffer takes and gives, and that neither depends on how much it holds."""

import contextlib
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

from benchmarks.buffer_wear import SERIES, readings
from benchmarks.report import Figure, Value, measures
from buffer import disk
from buffer.model import Lane, Options, RouteSpec
from buffer.store import Buffer
from protocols import columns

NUMBERS = 60  # in a merged block: 60 instants of 20 series
FEW, MANY = 100_000, int(os.environ.get("FENGSUI_STORED", "50000000"))  # readings stored
APPENDS = 20_000
STRETCH = 80  # blocks in a row: the smaller store has 83
ROUTES_DRAINED = 50  # of a stretch each
TURNS, IN_A_ROW = 9, 4_000  # blocks that one route drains, where there are so many
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
            "readings drained from the buffer": drain(path, [f"route{n}" for n in range(ROUTES_DRAINED)]),
            "appends, committed in groups": append(path),
            "alarm appended → on disk, p99": alarm(path),
        }


@measures(
    3,
    Figure("append rate with 50,000,000 readings stored", "1/s", "reported; within 20 %", "with 100,000 stored"),
    Figure("drain rate with 50,000,000 readings stored", "readings/s", "reported; within 20 %", "with 100,000 stored"),
    Figure("opening with 50,000,000 readings stored", "s", "reported", "with 100,000 stored"),
    patience=1800.0,
)
def depth() -> Mapping[str, Value]:
    """Turn by turn on both, so that a disk in a bad mood is so to both; the middle of what each gave."""
    with store() as small, store() as large:
        grow(small, FEW)
        grow(large, MANY)
        seen = [(once(small, turn), once(large, turn)) for turn in range(TURNS)]
    names = ("append rate", "drain rate", "opening")
    few, many = ([median(column) for column in zip(*side, strict=True)] for side in zip(*seen, strict=True))
    pairs = zip(names, many, few, strict=True)
    return {f"{name} with 50,000,000 readings stored": Value(much, little) for name, much, little in pairs}


def once(path: Path, turn: int) -> tuple[float, float, float]:
    """Appends a second, readings drained a second, seconds to open: cold each time, by a route that has settled nothing."""
    cold(path)
    began = time.perf_counter()
    Buffer.open(path, options=ROOMY, routes=ROUTES).close()
    opening = time.perf_counter() - began
    cold(path)
    drained = drain(path, [f"turn{turn}"], turn / TURNS, IN_A_ROW)
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


def drain(path: Path, names: Sequence[str], at: float = 0.0, most: int = STRETCH) -> float:
    """Readings a second through read and settle: each route drains a stretch of at most so many blocks, the first from the
    share `at` of what is stored.
    """
    buffer = Buffer.open(path, options=ROOMY, routes=[RouteSpec(name) for name in names])
    where = max(buffer.backlog(names[0]), key=lambda pending: pending.numbers)
    most = min(most, where.numbers)
    room = where.numbers - most
    starts = [int(room * (at + (1 - at) * n / len(names))) for n in range(len(names))]
    began = time.perf_counter()
    blocks = sum(
        stretch(buffer, name, where.log, after, after + most) for name, after in zip(names, starts, strict=True)
    )
    rate = blocks * NUMBERS * SERIES / (time.perf_counter() - began)
    buffer.close()
    return rate


def stretch(buffer: Buffer, route: str, log: str, after: int, until: int) -> int:
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
