"""`[[consistency]]`: what must hold between series (dew point ≤ temperature, gust ≥ mean). Pure.

Where it does not hold, every reading in it is suspect: which of them is wrong nobody knows. What is not known breaks nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import msgspec

from drivers.api import Problem, SeriesSpec
from drivers.values import Duration
from protocols.errors import RemoteError
from protocols.quality import Flag, Reason, quality, worse
from protocols.reading import Reading
from protocols.rule_parser import parse
from protocols.rule_truth import UNKNOWN, Interval, point, truth
from protocols.rules import Condition, Newest, Over, operands, series_of

AGAINST = quality(Flag.SUSPECT, Reason.RANGE)  # outside of what its neighbours allow


class ConsistencyConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`holds`: a condition in the words of a rule, over newest values; values more than `apart` apart are not compared."""

    holds: str
    apart: Duration = Duration(60)


class Consistency:
    """All of a station's. `judge` is given readings that have passed their own tests."""

    def __init__(self, configs: Iterable[ConsistencyConfig]) -> None:
        self._checks = [_Check(one) for one in configs]
        self._newest: dict[str, Reading] = {}

    def judge(self, readings: Sequence[Reading]) -> list[Reading]:
        """The same readings, suspect where they contradict each other or what came shortly before."""
        self._newest |= {reading.series: reading for reading in readings}
        doubted: set[str] = set()
        for check in self._checks:
            if any(reading.series in check.series for reading in readings) and check.broken(self._newest):
                doubted |= check.series
        return [one._replace(quality=worse(one.quality, AGAINST)) if one.series in doubted else one for one in readings]


class _Check:
    def __init__(self, config: ConsistencyConfig) -> None:
        self._config = config
        self.series = frozenset(series_of(self.condition))

    @cached_property
    def condition(self) -> Condition:
        return parse(self._config.holds)

    def broken(self, newest: Mapping[str, Reading]) -> bool:
        known = [newest[name].at for name in self.series if name in newest]
        latest = max(known, default=0)

        def look(one: Newest | Over) -> Interval:
            reading = newest.get(one.series)
            fresh = reading is not None and latest - reading.at <= self._config.apart * 1000
            return point(reading.value) if fresh and reading else UNKNOWN

        return truth(self.condition, look) is False


def check_consistency(
    configs: Mapping[str, ConsistencyConfig], specs: Mapping[str, SeriesSpec]
) -> Iterator[tuple[str, Problem]]:
    """(table, what is wrong with it)."""
    for label, config in configs.items():
        try:
            condition = parse(config.holds)
        except RemoteError as wrong:
            facts = {"column": (wrong.offset or 0) + 1, "found": wrong.detail or "∅", "text": config.holds[:200]}
            yield label, Problem("holds", wrong.reason, facts)
            continue
        for operand in operands(condition):
            if isinstance(operand, Over):
                yield label, Problem("holds", "consistency.window", {"series": operand.series})
            elif operand.series not in specs:
                facts = {"series": operand.series, "known": ", ".join(sorted(specs))}
                yield label, Problem("holds", "derived.unknown_series", facts)
