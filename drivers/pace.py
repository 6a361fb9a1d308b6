"""When a sensor is read next: on the beats of the station's clock, faster while something is going on. No I/O.

An interval of ten minutes samples at :00, :10 ... of station time once that is to be believed, and on beats of the monotonic
clock before; a step of the clock moves the beats and loses none. Who hastens a sensor knows why; this knows only how fast.
"""

import asyncio
import time
from collections.abc import Iterator

import msgspec

from drivers.api import Problem, StationTime
from drivers.condition import BACK_OFF_MOST, next_due
from drivers.values import Duration

SHORTEST, LONGEST = 0.05, 86_400.0  # seconds between samples
SLACK = 1.0  # seconds before a beat that still count as the beat: clocks are slewed by less between two of them


class Fast(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`fast = { when = "river.stage > 24.5", interval = "1min" }`: while a condition in the words of a rule holds, and for `hold`
    after. A value older than `stale` is no value; by default three of the sensor's own intervals.
    """

    when: str
    interval: Duration
    hold: Duration = Duration(600.0)
    stale: Duration | None = None


class Pace:
    """Of one sensor. `interval` is what is in force."""

    def __init__(self, interval: float, station_time: StationTime = lambda: None) -> None:
        self.interval = self.own = interval
        self._station_time = station_time
        self._changed = asyncio.Event()

    def hasten(self, interval: float | None) -> None:
        """So fast from now on, or as configured; a sample that is overdue by that is taken at once."""
        wanted = self.own if interval is None else min(interval, self.own)
        if wanted != self.interval:
            self.interval = wanted
            self._changed.set()

    async def beat(self, started: float, failures: int = 0, most: float = BACK_OFF_MOST) -> None:
        """Wait until the sample after the one that began at `started` (monotonic seconds) is due."""
        while (rest := self.due(started, failures, most) - time.monotonic()) > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(rest):
                    await self._changed.wait()
            except TimeoutError:
                return

    def due(self, started: float, failures: int = 0, most: float = BACK_OFF_MOST) -> float:
        """Monotonic seconds."""
        now = self._station_time()
        if now is None:
            return next_due(started, self.interval, failures, most)
        ahead = now - time.monotonic()
        early = min(SLACK, self.interval / 2)
        return next_due(started + ahead, self.interval, failures, most, early=early) - ahead


def check_pace(interval: float | None, fast: Fast | None) -> Iterator[Problem]:
    """What is wrong with how often a sensor is to be read; the condition itself is the station's to judge."""
    if interval is not None and not SHORTEST <= interval <= LONGEST:
        yield Problem("interval", "value.range", {"value": interval, "least": "50ms", "most": "1d"})
    if fast is None:
        return
    if not SHORTEST <= fast.interval <= (interval or LONGEST):
        most = f"{interval:g}s" if interval else "1d"
        yield Problem("fast.interval", "value.range", {"value": fast.interval, "least": "50ms", "most": most})
    for key, value in (("hold", fast.hold), ("stale", fast.stale)):
        if value is not None and not 0 < value <= LONGEST:
            yield Problem(f"fast.{key}", "value.range", {"value": value, "least": "1ms", "most": "1d"})
