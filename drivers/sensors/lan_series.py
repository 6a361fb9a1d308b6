"""Series of devices on the station's own network: who names them, which unit they have, that no siren sounds for them alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import msgspec

from drivers.api import Emit, Problem, SeriesSpec
from drivers.profile import Bounded, Series, series_problems
from protocols.quality import NOT_EVALUATED
from protocols.reading import Reading
from protocols.senml_post import Value, matched


class LanSeries(Bounded, forbid_unknown_fields=True, kw_only=True):
    """`name` is the station's."""

    def spec(self) -> SeriesSpec:
        return replace(self.series().spec(), lan=True)

    def series(self) -> Series:
        return Series(**msgspec.structs.asdict(self))


Named = Mapping[str, LanSeries]
"""The device's name of a series → the station's."""


def check_series(all_named: Iterable[Named], key: str) -> Iterator[Problem]:
    """Of one sensor, whose devices may not use one name twice."""
    series = [one.series() for named in all_named for one in named.values()]
    if not series:
        yield Problem(key, "lan.no_series")
    for problem in series_problems(series):
        yield Problem(f"{key} {problem.key}", problem.code, problem.facts)


def readings(named: Named, values: Iterable[Value], arrived: int) -> tuple[list[Reading], int]:
    """What is known of these values, and how many are not; `arrived` in boot ms. RemoteError for one of another unit."""
    found, strange = [], 0
    for value in values:
        one = named.get(value.name) or named.get(value.short)
        if one is None:
            strange += 1
            continue
        at = max(arrived - round(value.age * 1000), 0)
        found.append(Reading(one.name, at, matched(value, one.unit), one.unit, NOT_EVALUATED))
    return found, strange


def emit_by_instant(emit: Emit, found: Sequence[Reading]) -> None:
    """The oldest first, and of one instant no series twice: the last one counts."""
    for _, group in groupby(sorted(found, key=lambda one: one.at), key=lambda one: one.at):
        emit(list({one.series: one for one in group}.values()))
