"""Water level, how fast it rises, and the flow that it means. Pure.

Level is what the sensor reads plus base plus correction (SL651-2014 §3.1.4, parameters 28H–37H), or where a radar hangs minus
the distance it sees; relative level is level minus base. Flow is Q = a (h - h0)^b by segments (ISO 18320 §6), nought at and below h0,
and never extrapolated without saying so. `expect` is what the site can see: outside of it a value is suspect.
"""

from collections.abc import Mapping, Sequence

import msgspec

from agent.derive.model import Moment, Stateless, usable
from agent.spot.windows import Window
from drivers.api import SeriesSpec
from drivers.values import Duration
from protocols.quality import Flag, Reason, flag_of, quality, worse
from protocols.reading import Reading

BEYOND = quality(Flag.SUSPECT, Reason.RANGE)  # outside of what has been gauged
GATE_CODES = (
    444.0,
    555.0,
    888.0,
    999.0,
)  # closed, no control, lifted clear, open: states, not metres (SL651-2014 App. E)
LEAST_POINTS = 4  # for a slope


class LevelConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`above`: elevation of a radar in metres, whose reading is the distance down to the water. Else reading × `scale` + `base`
    + `correction`. `codes`: values that are states and no levels.
    """

    of: str
    series: str = "river.stage"
    relative: str = ""
    scale: float = 1.0
    base: float = 0.0
    correction: float = 0.0
    above: float | None = None
    codes: tuple[float, ...] = GATE_CODES
    unit: str = "m"
    expect: tuple[float, float] | None = None


class Level(Stateless):
    def __init__(self, config: LevelConfig) -> None:
        self.config = config
        self.inputs = (config.of,)
        named = [config.series, *([config.relative] if config.relative else [])]
        self.outputs: Mapping[str, SeriesSpec] = {
            name: SeriesSpec(config.unit, expect=config.expect, step=0.001) for name in named
        }

    def take(self, reading: Reading, _moment: Moment) -> Sequence[Reading]:
        config = self.config
        if not usable(reading) or reading.value in config.codes:
            return ()
        seen = reading.value * config.scale
        level = seen + config.base if config.above is None else config.above - seen
        level = round(level + config.correction, 4)
        found = [reading._replace(series=config.series, value=level, unit=config.unit)]
        if config.relative:
            found.append(
                reading._replace(series=config.relative, value=round(level - config.base, 4), unit=config.unit)
            )
        return found


class RateConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How fast a series moves, per hour, by least squares over `window`; a pause longer than `stale` breaks the window."""

    of: str
    series: str
    window: Duration = Duration(1800)
    stale: Duration = Duration(900)
    unit: str = "m/h"
    expect: tuple[float, float] | None = None


class Rate(Stateless):
    def __init__(self, config: RateConfig) -> None:
        self.config = config
        self.inputs = (config.of,)
        self.outputs: Mapping[str, SeriesSpec] = {
            config.series: SeriesSpec(config.unit, expect=config.expect, step=0.001)
        }
        self._window = Window(round(config.window), LEAST_POINTS)
        self._doubted: tuple[int, int] | None = None  # the newest reading that was not good: when, and its quality

    def take(self, reading: Reading, _moment: Moment) -> Sequence[Reading]:
        if not usable(reading):
            return ()
        self._window.add(reading.at, reading.value)
        if flag_of(reading.quality) is not Flag.GOOD:
            self._doubted = reading.at, reading.quality
        low, high = self._window.look("rate", reading.at, round(self.config.stale * 1000))
        if low != high:
            return ()
        return [Reading(self.config.series, reading.at, round(low, 4), self.config.unit, self._quality(reading))]

    def _quality(self, reading: Reading) -> int:
        """A slope is no better than the worst point it goes through."""
        if self._doubted is None or self._doubted[0] <= reading.at - self.config.window * 1000:
            return reading.quality
        return worse(reading.quality, self._doubted[1])


class Segment(msgspec.Struct, forbid_unknown_fields=True):
    """Q = a (h - h0)^b up to the level `upto`; beyond that of the last segment flow is suspect."""

    a: float
    h0: float
    b: float
    upto: float | None = None


class RatingConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`lowest` and `highest`: levels between which flow has been gauged; beyond them it is suspect."""

    of: str
    segments: list[Segment]
    series: str = "river.flow"
    lowest: float | None = None
    highest: float | None = None
    expect: tuple[float, float] | None = None


class Rating(Stateless):
    def __init__(self, config: RatingConfig) -> None:
        self.config = config
        self.inputs = (config.of,)
        self.outputs: Mapping[str, SeriesSpec] = {config.series: SeriesSpec("m3/s", expect=config.expect, step=0.001)}

    def take(self, reading: Reading, _moment: Moment) -> Sequence[Reading]:
        if not usable(reading):
            return ()
        value = flow(self.config.segments, reading.value)
        found = worse(reading.quality, BEYOND) if self._beyond(reading.value) else reading.quality
        return [Reading(self.config.series, reading.at, round(value, 4), "m3/s", found)]

    def _beyond(self, level: float) -> bool:
        low, high, end = self.config.lowest, self.config.highest, self.config.segments[-1].upto
        return (low is not None and level < low) or any(one is not None and level > one for one in (high, end))


def flow(segments: Sequence[Segment], level: float) -> float:
    """Cubic metres a second at a level in metres."""
    one = next((each for each in segments if each.upto is None or level <= each.upto), segments[-1])
    return float(one.a * (level - one.h0) ** one.b) if level > one.h0 else 0.0
