"""Mean wind and gusts: vectors, never degrees. Pure; m/s, degrees from true north, boot ms.

Mean speed is the scalar mean, mean direction that of summed vectors, over 2 min for display and 10 min for climate; a gust is
the highest mean of 3 s (WMO-No. 8, part I, ch. 5). Calm (below 0.3 m/s) is direction 0, north 360; winds that cancel have none.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import atan2, cos, degrees, hypot, radians, sin
from typing import NamedTuple

import msgspec

from agent.derive.model import PARTIAL, Moment, Stateless, together, usable
from agent.derive.rain import label
from drivers.api import SeriesSpec
from drivers.values import Duration
from protocols.quality import GOOD, worse
from protocols.reading import Reading

CALM = 0.3  # m/s
GUST = 3_000  # ms
CANCELLED = 1e-6  # of the sum of lengths: what is left of opposite winds by rounding
MOST_SAMPLES = 2400  # 10 min at 4 Hz


class Sample(NamedTuple):
    at: int
    speed: float
    direction: float | None
    quality: int


class WindConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`weighted`: the direction of the mean wind, else the mean of the directions. A direction that is older than `apart` does not belong to a speed."""

    speed: str = "wind.speed"
    direction: str = "wind.direction"
    prefix: str = "wind"
    windows: tuple[Duration, ...] = (Duration(120), Duration(600))
    every: Duration = Duration(60)
    weighted: bool = True
    apart: Duration = Duration(2)


class Wind(Stateless):
    """See `agent.derive.model.Derived`."""

    def __init__(self, config: WindConfig) -> None:
        self.config = config
        self.inputs = (config.speed, config.direction)
        self._direction: Reading | None = None
        self._samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self._began = 0
        self._told = 0

    @property
    def outputs(self) -> Mapping[str, SeriesSpec]:
        found = {}
        for name in map(self._name, self.config.windows):
            found[f"{name}.speed"] = found[f"{name}.gust"] = SeriesSpec("m/s", span=(0.0, 120.0), step=0.01)
            found[f"{name}.direction"] = SeriesSpec("deg", span=(0.0, 360.0), step=0.1)
        return found

    def take(self, reading: Reading, _moment: Moment) -> Sequence[Reading]:
        if not usable(reading):
            return ()
        if reading.series == self.config.direction:
            self._direction = reading
            self._join(reading)
            return ()
        if not self._samples or reading.at - self._samples[-1].at > self.config.every * 1000:
            self._began = reading.at  # what blew in a pause nobody knows
        self._samples.append(Sample(reading.at, reading.value, self._direction_at(reading.at), reading.quality))
        if reading.at - self._told < self.config.every * 1000 and self._told:
            return ()
        self._told = reading.at
        return [one for window in self.config.windows for one in self._means(window, reading.at)]

    def _join(self, direction: Reading) -> None:
        """An instrument says speed and direction in either order: one that comes after belongs to the speed of its moment."""
        if self._samples and self._samples[-1].direction is None and self._samples[-1].at == direction.at:
            self._samples[-1] = self._samples[-1]._replace(direction=direction.value)

    def _direction_at(self, at: int) -> float | None:
        known = self._direction
        return known.value if known and abs(at - known.at) <= self.config.apart * 1000 else None

    def _name(self, window: float) -> str:
        return f"{self.config.prefix}.{label(window)}"

    def _means(self, window: float, at: int) -> Iterator[Reading]:
        span = round(window * 1000)
        samples = [one for one in self._samples if one.at > at - span]
        full = self._samples.maxlen == len(self._samples)  # thicker than 4 Hz: the window is not all there
        began = max(self._began, self._samples[0].at if full else 0)
        partial = began > at - span + self.config.every * 1000
        found = worse(together(one.quality for one in samples), PARTIAL if partial else GOOD)
        name, mean = self._name(window), sum(one.speed for one in samples) / len(samples)
        yield Reading(f"{name}.speed", at, round(mean, 3), "m/s", found)
        yield Reading(f"{name}.gust", at, round(gust(samples), 3), "m/s", found)
        pairs = [(one.speed, one.direction) for one in samples if one.direction is not None]
        direction = 0.0 if mean < CALM else mean_direction(pairs, weighted=self.config.weighted)
        if direction is not None and pairs:
            yield Reading(f"{name}.direction", at, round(direction, 1), "deg", found)


def gust(samples: Sequence[Sample]) -> float:
    """The highest mean of three whole seconds; of a slower instrument its highest sample."""
    pause = samples[1].at - samples[0].at if len(samples) > 1 else GUST
    best, total, start = 0.0, 0.0, 0
    for index, one in enumerate(samples):
        total += one.speed
        while one.at - samples[start].at >= GUST:
            total -= samples[start].speed
            start += 1
        if one.at - samples[0].at >= GUST - pause:
            best = max(best, total / (index - start + 1))
    return best or total / (len(samples) - start)


def mean_direction(pairs: Iterable[tuple[float, float]], *, weighted: bool) -> float | None:
    """Degrees in (0, 360] of (speed, direction) pairs; None where the winds cancel."""
    east = north = length = 0.0
    for speed, direction in pairs:
        weight = speed if weighted else 1.0
        east += weight * sin(radians(direction))
        north += weight * cos(radians(direction))
        length += weight
    if not length or hypot(east, north) <= CANCELLED * length:
        return None
    return degrees(atan2(east, north)) % 360 or 360.0


def mean_speed(pairs: Sequence[tuple[float, float]]) -> float:
    """The length of the mean vector of (speed, direction) pairs."""
    east = sum(speed * sin(radians(direction)) for speed, direction in pairs)
    north = sum(speed * cos(radians(direction)) for speed, direction in pairs)
    return hypot(east, north) / len(pairs)
