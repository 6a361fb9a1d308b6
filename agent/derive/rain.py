"""Rain from a gauge's counter or its tips: sliding sums, clock hours, the rain day. Pure; mm and boot ms.

Intervals are (start, end], labelled by their end; a tip at exactly 08:00:00 belongs to the day that ends there, and the
day begins at 08:00 of the station's time zone unless it is told otherwise (SL651-2014 §6.6.2.8 c, parameter 22H). Missing is
not zero: a sum whose window was not watched from its beginning is suspect, and no sum comes from a silent gauge.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, Literal

import msgspec

from agent.derive.counting import Gains, Total
from agent.derive.model import PARTIAL, UNDATED, Moment, usable
from drivers.api import SeriesSpec
from drivers.values import Duration
from protocols.quality import GOOD, Flag, Reason, quality, worse
from protocols.reading import Reading

HOUR, DAY = 3_600_000, 86_400_000  # ms
KEPT = DAY + HOUR  # a day's sum is still asked for when the day has just ended
MOST_MOMENTS = 10_000  # of rain in that time: one every nine seconds
EVERY = 60_000  # ms between sums while nothing falls
KEPT_EVERY = 5 * 60_000  # ms: what is written at each tip is some kilobytes, and exact at every whole five minutes
MOST_PER_MINUTE = 30.0  # mm; the highest documented minute has 31 mm
DOUBTFUL = quality(Flag.SUSPECT, Reason.RATE)
CLOCKED = ("hour", "today", "day")


class RainConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`of`: a counter (`counts = "total"`) or what fell since the last reading (`counts = "amount"`); `scale`: mm of one
    unit of it; `wrap`: the first value the counter cannot show. `sums`: the sliding windows.
    """

    of: str
    prefix: str = "rain"
    counts: Literal["total", "amount"] = "total"
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
        self._gains = Gains(config.wrap * config.scale, config.most)
        self._total: Total | None = None
        self._doubt: tuple[int, int] | None = None  # since when, until when sums are doubtful
        self._heard = self._told = 0
        self._hour: int | None = None  # wall ms of the last clock hour that was told
        self._changed = False

    @property
    def outputs(self) -> Mapping[str, SeriesSpec]:
        names = [*self._windows, *(f"{self.config.prefix}.{one}" for one in (*CLOCKED, "accumulated"))]
        return {name: SeriesSpec("mm", span=(0.0, 100_000.0), step=0.01) for name in names}

    def take(self, reading: Reading, moment: Moment) -> Sequence[Reading]:
        if not usable(reading):
            return ()
        if self._total is None:
            self._total = Total(reading.at)
        gain, doubtful = self._gain(reading)
        self._heard = reading.at
        if doubtful:
            self._doubt = reading.at, reading.at + DAY
        if gain > 0:
            self._total.add(reading.at, gain)
            self._total.forget(reading.at - KEPT, MOST_MOMENTS)
        self._changed |= gain > 0 or doubtful or self._hour is None
        due = gain > 0 or doubtful or reading.at - self._told >= EVERY or not self._told
        return [*self._clock(moment), *(self._sums(reading.at, moment) if due else ())]

    def tick(self, moment: Moment) -> Sequence[Reading]:
        return list(self._clock(moment))

    def save(self, moment: Moment) -> Any:
        """What must survive a power cut, at every tip: in wall time, since a boot's own ends with it."""
        if not self._changed or self._total is None:
            return None
        self._changed = False
        shift = moment.wall - moment.at
        return {
            "last": self._gains.last and [self._gains.last[0] + shift, self._gains.last[1]],
            "since": self._total.since + shift,
            "base": self._total.base,
            "tips": self._total.thinned(KEPT_EVERY, shift),
            "hour": self._hour,
            "trusted": moment.trusted,
        }

    def load(self, saved: Any, moment: Moment) -> None:
        shift = moment.at - moment.wall
        if saved["last"]:
            self._gains.last = int(saved["last"][0]) + shift, float(saved["last"][1])
        tips = [(int(at) + shift, float(total)) for at, total in saved["tips"]][-MOST_MOMENTS:]
        past = [(at, total) for at, total in tips if at <= moment.at]  # a clock set back leaves none in the future
        self._total = Total(int(saved["since"]) + shift, float(saved["base"]))
        self._total.times, self._total.totals = [at for at, _ in past], [total for _, total in past]
        self._hour = saved["hour"] if moment.trusted else None
        if not (saved["trusted"] and moment.trusted):
            self._doubt = moment.at, moment.at + DAY

    def _gain(self, reading: Reading) -> tuple[float, bool]:
        value = reading.value * self.config.scale
        if self.config.counts == "total":
            return self._gains.gained(reading.at, value)
        most = self.config.most * max((reading.at - self._heard) / 60_000, 1.0) if self._heard else self.config.most
        return (value, False) if 0 <= value <= most else (0.0, True)

    def _sums(self, at: int, moment: Moment) -> Iterator[Reading]:
        total = self._total
        if total is None:
            return
        self._told = at
        for name, span in self._windows.items():
            yield self._reading(name, at, total.between(at - span, at), at - span)
        start = moment.boot_at(self._day_start(moment.wall - (moment.at - at)))
        dated = GOOD if moment.trusted else UNDATED
        yield self._reading(f"{self.config.prefix}.today", at, total.between(start, at), start, dated)
        yield self._reading(f"{self.config.prefix}.accumulated", at, total.now, at)

    def _clock(self, moment: Moment) -> Iterator[Reading]:
        """The hour, and the day, that have just ended; once each, by a trusted clock, and of a gauge that speaks."""
        total, ended = self._total, (moment.wall - 1) // HOUR * HOUR  # the last full hour before this moment
        if total is None or not moment.trusted or ended == self._hour:
            return
        first, self._hour, self._changed = self._hour is None, ended, True
        end = moment.boot_at(ended)
        if first or moment.at - self._heard > self.config.stale * 1000:
            return
        yield self._reading(f"{self.config.prefix}.hour", end, total.between(end - HOUR, end), end - HOUR)
        if self._local(ended).hour == self.config.day_start:
            start = moment.boot_at(self._day_start(ended - 1))
            yield self._reading(f"{self.config.prefix}.day", end, total.between(start, end), start)

    def _reading(self, name: str, at: int, value: float, start: int, base: int = GOOD) -> Reading:
        found = base
        if self._total is not None and self._total.since > start and not name.endswith("accumulated"):
            found = worse(found, PARTIAL)
        if self._doubt and start <= self._doubt[0] and at <= self._doubt[1]:
            found = worse(found, DOUBTFUL)
        return Reading(name, at, round(value, 3), "mm", found)

    def _local(self, wall: int) -> datetime:
        return datetime.fromtimestamp(wall / 1000, self._zone)

    def _day_start(self, wall: int) -> int:
        """When the rain day began in which this moment lies: (start, end]."""
        local = self._local(wall - 1)
        start = local.replace(hour=self.config.day_start, minute=0, second=0, microsecond=0)
        if start > local:
            start = (start - timedelta(days=1)).replace(hour=self.config.day_start)
        return round(start.timestamp() * 1000)


def label(seconds: float) -> str:
    """3600 → `1h`, 600 → `10min`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
