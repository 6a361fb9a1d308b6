"""Pulses at a pin: each closing of a tipping bucket's reed counts one, for ever.

The total is kept for each tip and on the disk within a second; it never wraps, and a restart goes on where it stopped. What it means
in millimetres is a derived series of kind `rain`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drivers.acquaintance import kept
from drivers.api import Context, Emit, Factory, Problem, Report, SeriesSpec
from drivers.condition import Condition
from drivers.edges import Edge, Edges, OpenEdges, gpiod_edges
from drivers.pace import Pace, check_pace
from drivers.tally import Tally
from drivers.values import Duration
from protocols.errors import RemoteError
from protocols.quality import GOOD
from protocols.reading import Reading, is_series_name

SYNC = 1.0  # seconds between writes that wait for the disk: a power cut costs the tips of one second at most
REOPEN_FIRST, REOPEN_MOST = 0.25, 30.0  # seconds between attempts to open the line, doubling
SHORTEST, LONGEST = 0.05, 0.15  # seconds a reed bounces; two tips are never so close
MOST_LOST = 1000  # edges in one gap of the kernel's numbers; more is another line's count


class PulseConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "pulse"`: a reed between `line` and ground. `interval`: how often the total is said when nothing falls."""

    name: str
    line: int
    chip: str = "/dev/gpiochip0"
    series: str = "rain.tips"
    unit: str = "{count}"
    debounce: Duration = Duration(0.1)
    interval: Duration = Duration(60.0)


class Tips:
    """Which edges are tips. Times in ns."""

    def __init__(self, debounce: float) -> None:
        self._debounce = round(debounce * 1e9)
        self._last: Edge | None = None

    def take(self, edge: Edge) -> tuple[int, int]:
        """How many tips, and how many of them the kernel had no room to keep; a bounce is none."""
        last = self._last
        if last is not None and edge.at - last.at < self._debounce:
            self._last = last._replace(number=edge.number)
            return 0, 0
        self._last = edge
        lost = edge.number - last.number - 1 if last is not None else 0
        return (1 + lost, lost) if 0 < lost <= MOST_LOST else (1, 0)


class PulseSource:
    """See `drivers.api.Source`."""

    def __init__(self, config: PulseConfig, context: Context, open_edges: OpenEdges = gpiod_edges) -> None:
        self.name, self.interval = config.name, float(config.interval)
        self.pace = Pace(self.interval, context.station_time)
        self._config, self._now, self._report, self._open = config, context.now, context.report, open_edges
        self._spec = SeriesSpec(config.unit, span=(0.0, float(1 << 53)), step=1.0)
        self._tally = Tally(kept(context.state, "pulse", config.name)) if context.state is not None else None
        self.total = self._tally.total if self._tally is not None else 0
        self._dirty = asyncio.Event()
        self._counters: Counter[str] = Counter()
        self._keeper = Keeper(config.name, context.report)
        self._running = False
        self._condition = Condition(
            config.name, context.report, context.now, {"chip": config.chip, "line": config.line}
        )

    @property
    def series(self) -> Mapping[str, SeriesSpec]:
        return {self._config.series: self._spec}

    async def run(self, emit: Emit) -> None:
        self._running = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(emit))
                tasks.create_task(self._beat(emit))
                tasks.create_task(self._save())
        finally:
            self._running = False
            if self._tally is not None:
                self._keeper.store(self._tally, self.total, sync=True)

    async def read_once(self) -> Sequence[Reading]:
        """The total; that of another process, where one counts, as it stands on the disk."""
        if not self._running and self._tally is None:
            raise RemoteError("unknown", self.name)
        return [self._reading(self._now())]

    def status(self) -> Mapping[str, Any]:
        return {**self._condition.status(), "total": self.total, "counters": dict(self._counters)}

    def _reading(self, at: int) -> Reading:
        return Reading(self._config.series, at, float(self.total), self._config.unit, GOOD)

    async def _listen(self, emit: Emit) -> None:
        """Keep the line requested; a chip that vanishes is tried again, ever less often."""
        wait = REOPEN_FIRST
        while True:
            try:
                edges = self._open(self._config.chip, self._config.line, self._config.debounce)
                self._condition.succeeded()
                wait = REOPEN_FIRST
                try:
                    await self._attend(edges, emit)
                finally:
                    edges.close()
            except OSError as wrong:
                self._counters["port"] += 1
                why = wrong.strerror or str(wrong)
                self._condition.failed("port", lambda why=why: [why], at_once=True)  # type: ignore[misc]  # mypy cannot type a default in a lambda
            await asyncio.sleep(wait)
            wait = min(2 * wait, REOPEN_MOST)

    async def _attend(self, edges: Edges, emit: Emit) -> None:
        tips = Tips(self._config.debounce)
        while True:
            await _readable(edges.fileno())
            for edge in edges.read():
                self._count(edge, tips, emit)

    def _count(self, edge: Edge, tips: Tips, emit: Emit) -> None:
        fell, lost = tips.take(edge)
        self._counters.update({"tips": fell, "bounces": not fell, "lost": lost})
        if fell:
            self.total += fell
            self._dirty.set()
            emit([self._reading(self._now() - max(0, time.monotonic_ns() - edge.at) // 1_000_000)])

    async def _beat(self, emit: Emit) -> None:
        """No rain is a reading, too, while the line is watched."""
        while True:
            started = time.monotonic()
            if self._condition.state == "up":
                emit([self._reading(self._now())])
            await self.pace.beat(started)

    async def _save(self) -> None:
        """Each tip at once, and at most once a second down to the disk."""
        synced, pending = -SYNC, False
        while self._tally is not None:
            try:
                async with asyncio.timeout(max(0.0, synced + SYNC - time.monotonic()) if pending else None):
                    await self._dirty.wait()
            except TimeoutError:
                pass
            self._dirty.clear()
            sync = time.monotonic() >= synced + SYNC
            kept = await asyncio.to_thread(self._keeper.store, self._tally, self.total, sync=sync)
            pending = not (sync and kept)
            if sync:
                synced = time.monotonic()


class Keeper:
    """Writes a tally, and says once when that fails, once when it works again."""

    def __init__(self, name: str, report: Report) -> None:
        self._name, self._report, self._failing = name, report, False

    def store(self, tally: Tally, total: int, *, sync: bool) -> bool:
        try:
            tally.write(total)
            if sync:
                tally.sync()
        except OSError as wrong:
            if not self._failing:
                self._report("pulse.unkept", {"device": self._name, "why": wrong.strerror or str(wrong)})
            self._failing = True
            return False
        if self._failing:
            self._report("pulse.kept", {"device": self._name})
        self._failing = False
        return True


async def _readable(file: int) -> None:
    """Told once: reading when there is nothing to read would block us all."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(file, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(file)


def _check(config: PulseConfig, _context: Context) -> Iterator[Problem]:
    if not Path(config.chip).exists():
        yield Problem("chip", "port.missing", {"port": config.chip})
    if not 0 <= config.line <= 511:
        yield Problem("line", "gpio.line", {"line": config.line})
    if not SHORTEST <= config.debounce <= LONGEST:
        yield Problem("debounce", "pulse.debounce", {"value": f"{config.debounce:g}s"})
    if not is_series_name(config.series):
        yield Problem("series", "series.name", {"name": config.series})
    yield from check_pace(config.interval, None)


FACTORY = Factory(PulseConfig, PulseSource, _check)
