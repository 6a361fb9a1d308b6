"""Sampling faster while something is going on: `[[sensor]] fast = { when = ..., interval = ... }`. Boot time in ms.

The condition is that of a rule, looked at with every reading that is good. A sensor stays fast for `hold` after the condition was last
true, so that a level that trembles about its threshold does not switch it to and fro; what cannot be told hastens nothing and
slows nothing before that.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from agent.spot.rule_check import check_condition
from agent.spot.windows import Track
from drivers.api import Problem, SeriesSpec, Source
from drivers.pace import Fast
from protocols.quality import Flag, flag_of
from protocols.reading import Reading
from protocols.rule_parser import parse
from protocols.rule_truth import Interval, normal, truth
from protocols.rules import Newest, Over, operands

LOOK = 5.0  # seconds between looks while nothing is read
PERIODS = 3  # intervals after which a value is none any more
LEAST_STALE = 60.0  # seconds


class Hastened(Protocol):
    """The pace of one sensor, or of all that hang on one line."""

    def hasten(self, interval: float | None) -> None: ...


class Urge:
    """Of one sensor, which is read every `interval` seconds while nothing is going on."""

    def __init__(self, config: Fast, pace: Hastened, interval: float) -> None:
        self._config, self._pace = config, pace
        self._when = normal(parse(config.when))
        stale = max(PERIODS * interval, LEAST_STALE) if config.stale is None else config.stale
        self._patience, self._hold = round(stale * 1000), round(config.hold * 1000)
        asked: dict[str, set[int]] = {}
        for one in operands(self._when):
            asked.setdefault(one.series, set()).update([one.seconds] if isinstance(one, Over) else [])
        self.tracks = {series: Track(spans) for series, spans in asked.items()}
        self._until: int | None = None

    def look(self, now: int) -> None:
        if truth(self._when, lambda one: self._known(one, now)):
            self._until = now + self._hold
            self._pace.hasten(self._config.interval)
        elif self._until is not None and now >= self._until:
            self._until = None
            self._pace.hasten(None)

    def _known(self, one: Newest | Over, now: int) -> Interval:
        return self.tracks[one.series].look(one, now, self._patience)


class Hastening:
    """All of a station's. `take` is a watcher of the recorder."""

    def __init__(self, sensors: Iterable[tuple[Fast | None, Source]], now: Callable[[], int]) -> None:
        paced = [(fast, getattr(source, "pace", None), getattr(source, "interval", 0.0)) for fast, source in sensors]
        self.urges = [Urge(fast, pace, own) for fast, pace, own in paced if fast is not None and pace is not None]
        self._now = now

    def take(self, readings: Sequence[Reading]) -> None:
        good = [one for one in readings if flag_of(one.quality) is Flag.GOOD]
        for urge in self.urges:
            mine = [one for one in good if one.series in urge.tracks]
            for one in mine:
                urge.tracks[one.series].add(one.at, one.value)
            if mine:
                urge.look(max(one.at for one in mine))

    async def run(self) -> None:
        """What is silent slows down again, too."""
        while True:
            await asyncio.sleep(LOOK)
            for urge in self.urges:
                urge.look(self._now())


def check_fast(
    sensors: Iterable[tuple[str, Fast | None]], specs: Mapping[str, SeriesSpec]
) -> Iterator[tuple[str, Problem]]:
    """The table, and what is wrong with its condition."""
    for name, fast in sensors:
        if fast is not None:
            for problem in check_condition("fast.when", fast.when, specs):
                yield f"sensor {name}", problem
