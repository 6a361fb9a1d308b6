"""Rain from a gauge's counter or its tips: sliding sums, clock hours, the rain day. Pure; mm and boot ms.

Intervals are (start, end], labelled by their end; a tip at exactly 08:00:00 belongs to the day that ends there, and the
day begins at 08:00 of the station's time zone unless it is told otherwise (SL651-2014 §6.6.2.8 c, parameter 22H). Missing is
not zero: a sum whose window was not watched from its beginning is suspect, and no sum comes from a silent gauge.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

import msgspec

from agent.derive.fallen import DAY, HOUR, KEPT_EVERY, Counts, Fallen
from agent.derive.model import UNDATED, Moment, usable
from drivers.api import SeriesSpec
from drivers.values import Duration
from protocols.quality import GOOD, worse
from protocols.reading import Reading

EVERY = 60_000  # ms between sums while nothing falls
MOST_PER_MINUTE = 30.0  # mm; the highest documented minute has 31 mm
CLOCKED = ("hour", "today", "day", "year")


class RainConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`of`: a counter (`counts = "total"`) or what fell since the last reading (`counts = "amount"`); `scale`: mm of one
    unit of it; `wrap`: the first value the counter cannot show. `sums`: the sliding windows.
    """

    of: str
    prefix: str = "rain"
    counts: Counts = "total"
    scale: float = 1.0
    wrap: float = 0.0
    sums: tuple[Duration, ...] = (Duration(3600), Duration(3 * 3600), Duration(6 * 3600), Duration(86_400))
    day_start: int = 8
    most: float = MOST_PER_MINUTE
    stale: Duration = Duration(600)


class Rain:
    """See `agent.derive.model.Derived`."""

    def __init__(self, config: RainConfig, zone: tzinfo) -> None:
        self.config, self._zone = config, zone
        self.inputs = (config.of,)
        self._windows = {f"{config.prefix}.{label(one)}": round(one * 1000) for one in config.sums}
        stale = round(config.stale * 1000)
        self._fallen = Fallen(config.counts, config.wrap * config.scale, config.most, stale)
        self._stale = stale
        self._told: int | None = None
        self._hour: int | None = None  # wall ms of the last clock hour that was told
        self._year: tuple[int, float] | None = None  # when it began, wall ms, and the total then
        self._saved = 0
        self._changed = False

    @property
    def outputs(self) -> Mapping[str, SeriesSpec]:
        names = [*self._windows, *(f"{self.config.prefix}.{one}" for one in (*CLOCKED, "accumulated"))]
        return {name: SeriesSpec("mm", span=(0.0, 100_000.0), step=0.01) for name in names}

    def take(self, reading: Reading, moment: Moment) -> Sequence[Reading]:
        if not usable(reading):
            return ()
        new = self._fallen.take(reading.at, reading.value * self.config.scale)
        self._changed |= new or self._hour is None or self._unkept(reading.at)
        due = new or self._told is None or reading.at - self._told >= EVERY
        return [*self._clock(moment), *(self._sums(reading.at, moment) if due else ())]

    def tick(self, moment: Moment) -> Sequence[Reading]:
        return list(self._clock(moment))

    def save(self, moment: Moment) -> Any:
        """What must survive a power cut, at every tip."""
        if not self._changed or self._fallen.total is None:
            return None
        self._changed, self._saved = False, moment.at
        return {**self._fallen.keep(moment), "hour": self._hour, "year": self._year}

    def load(self, saved: Any, moment: Moment) -> None:
        self._fallen.load(saved, moment)
        self._hour = saved["hour"]
        self._year = (int(saved["year"][0]), float(saved["year"][1])) if saved["year"] else None

    def _unkept(self, at: int) -> bool:
        """Of a gauge that tells amounts, what fell while we were away is lost: so that is kept, too, and is short."""
        return self.config.counts == "amount" and at - self._saved >= KEPT_EVERY

    def _sums(self, at: int, moment: Moment) -> Iterator[Reading]:
        self._told, total = at, self._fallen.total
        if total is None:
            return
        for name, span in self._windows.items():
            yield self._reading(name, at, at - span)
        wall = moment.wall - (moment.at - at)
        start = moment.boot_at(self._day_start(wall))
        yield self._reading(f"{self.config.prefix}.today", at, start, GOOD if moment.trusted else UNDATED)
        if moment.trusted:
            yield self._this_year(at, wall, moment)
        yield Reading(f"{self.config.prefix}.accumulated", at, round(total.now, 3), "mm", GOOD)

    def _this_year(self, at: int, wall: int, moment: Moment) -> Reading:
        """Since 1 January, when its first rain day begins (SL651-2014, element 26H)."""
        began, total = self._year_start(wall), self._fallen.total
        start = moment.boot_at(began)
        now, then = (total.now, total.up_to(start)) if total is not None else (0.0, 0.0)
        if self._year is None or self._year[0] != began:
            self._year, self._changed = (began, then), True
        return self._reading(f"{self.config.prefix}.year", at, start)._replace(value=round(now - self._year[1], 3))

    def _clock(self, moment: Moment) -> Iterator[Reading]:
        """The hours, and the day, that have ended; once each, by a trusted clock, and of a gauge that speaks."""
        fallen, ended = self._fallen, (moment.wall - 1) // HOUR * HOUR  # the last full hour before this moment
        fallen.date(moment)
        silent = fallen.heard is None or moment.at - fallen.heard > self._stale
        if not moment.trusted or ended == self._hour or (silent and self._hour is not None):
            return
        before, self._hour, self._changed = self._hour, ended, True
        if before is None or fallen.total is None:
            return
        for hour in range(max(before, ended - DAY) + HOUR, ended + HOUR, HOUR):
            end = moment.boot_at(hour)
            if end < fallen.total.since:
                continue
            if not fallen.silent_at(end):
                yield self._reading(f"{self.config.prefix}.hour", end, end - HOUR)
            if self._local(hour).hour == self.config.day_start:
                yield self._reading(f"{self.config.prefix}.day", end, moment.boot_at(self._day_start(hour - 1)))

    def _reading(self, name: str, at: int, start: int, base: int = GOOD) -> Reading:
        """What fell in (start, at]."""
        found = worse(base, self._fallen.quality(start, at))
        return Reading(name, at, round(self._fallen.between(start, at), 3), "mm", found)

    def _local(self, wall: int) -> datetime:
        return datetime.fromtimestamp(wall / 1000, self._zone)

    def _day_start(self, wall: int) -> int:
        """When the rain day began in which this moment lies: (start, end]."""
        local = self._local(wall - 1)
        start = local.replace(hour=self.config.day_start, minute=0, second=0, microsecond=0)
        if start > local:
            start = (start - timedelta(days=1)).replace(hour=self.config.day_start)
        return round(start.timestamp() * 1000)

    def _year_start(self, wall: int) -> int:
        """As of a day: (start, end]."""
        local = self._local(wall - 1)
        start = local.replace(month=1, day=1, hour=self.config.day_start, minute=0, second=0, microsecond=0)
        return round((start if start <= local else start.replace(year=local.year - 1)).timestamp() * 1000)


def label(seconds: float) -> str:
    """3600 → `1h`, 600 → `10min`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
