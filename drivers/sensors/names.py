"""What a station calls the series of a profile: a name of its own, a prefix before all others, some left out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import msgspec

from drivers.api import Problem, SeriesSpec
from drivers.profile import flat_problems
from protocols.reading import is_series_name


class Limits(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What this site knows better than the profile: see `drivers.api.SeriesSpec`."""

    rate: float | None = None
    flat: tuple[float, ...] | None = None
    spike: float | None = None


class Naming(msgspec.Struct, kw_only=True):
    """Keys that every sensor with a profile takes. All of them name series as the profile does."""

    prefix: str = ""
    rename: dict[str, str] = {}
    omit: list[str] = []
    expect: dict[str, tuple[float, float]] = {}
    limits: dict[str, Limits] = {}

    def called(self, series: str) -> str:
        """The station's name for a series of the profile."""
        if series in self.rename:
            return self.rename[series]
        return f"{self.prefix}.{series}" if self.prefix else series

    def bounded(self, series: str, spec: SeriesSpec) -> SeriesSpec:
        """With what this site expects of it."""
        own = self.limits.get(series, Limits())
        found = {name: value for name in ("rate", "flat", "spike") if (value := getattr(own, name)) is not None}
        if series in self.expect:
            found["expect"] = self.expect[series]
        return replace(spec, **found) if found else spec


class Named(Protocol):
    @property
    def name(self) -> str: ...


class Profiled(Protocol):
    @property
    def series(self) -> Sequence[Named]: ...


def check_profile(naming: Naming, profile: Profiled | None, problems: Sequence[Problem]) -> Iterator[Problem]:
    """What is wrong with the profile that a sensor names, or else with what the sensor says of its series."""
    yield from problems
    if profile is not None:
        yield from check_names(naming, [one.name for one in profile.series])


def check_names(naming: Naming, has: Sequence[str]) -> Iterator[Problem]:
    """Series that a configuration speaks of must be in the profile, and what they are called must be a name, once."""
    for key in ("omit", "rename", "expect", "limits"):
        for name in getattr(naming, key):
            if name not in has:
                yield Problem(key, "sensor.no_series", {"series": name, "known": ", ".join(has)})
    left = [naming.called(name) for name in has if name not in naming.omit]
    if not left:
        yield Problem("omit", "sensor.all_omitted")
    for name in sorted(set(left)):
        if not is_series_name(name):
            yield Problem("rename", "series.name", {"name": name})
        if left.count(name) > 1:
            yield Problem("rename", "series.twice", {"name": name})
    yield from _check_bounds(naming)


def _check_bounds(naming: Naming) -> Iterator[Problem]:
    for name, own in naming.limits.items():
        if any(value is not None and value <= 0 for value in (own.rate, own.spike)):
            yield Problem(f"limits.{name}", "series.positive", {})
        if own.flat is not None:
            yield from flat_problems(f"limits.{name}.flat", own.flat)
    for name, bounds in naming.expect.items():
        if not bounds[0] < bounds[1]:
            yield Problem(f"expect.{name}", "series.bounds", {"low": bounds[0], "high": bounds[1]})
