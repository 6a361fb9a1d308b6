"""`[[derived]]`: its kinds, and what cannot be."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from agent.derive.air import DewPoint, DewPointConfig
from agent.derive.displacement import Displacement, DisplacementConfig
from agent.derive.level import Level, LevelConfig, Rate, RateConfig, Rating, RatingConfig
from agent.derive.model import Derived
from agent.derive.rain import Rain, RainConfig
from agent.derive.wind import Wind, WindConfig
from drivers.api import Problem, SeriesSpec
from drivers.collect import collect
from protocols import units

MOST_WINDOW = 86_400.0  # seconds: what is remembered is bounded


class Kind(NamedTuple):
    config: type
    make: Callable[[Any, ZoneInfo], Derived]


KINDS: Mapping[str, Kind] = {
    "rain": Kind(RainConfig, Rain),
    "level": Kind(LevelConfig, lambda config, _zone: Level(config)),
    "rate": Kind(RateConfig, lambda config, _zone: Rate(config)),
    "rating": Kind(RatingConfig, lambda config, _zone: Rating(config)),
    "wind": Kind(WindConfig, lambda config, _zone: Wind(config)),
    "dew-point": Kind(DewPointConfig, lambda config, _zone: DewPoint(config)),
    "displacement": Kind(DisplacementConfig, lambda config, _zone: Displacement(config)),
}


@dataclass(frozen=True, slots=True)
class DerivedTable:
    """A `[[derived]]` table: its kind, its own typed keys, and what a person finds it by."""

    kind: str
    config: Any
    label: str = "derived"

    def make(self, timezone: str) -> Derived:
        return KINDS[self.kind].make(self.config, ZoneInfo(timezone))


def parse(table: Mapping[str, Any], label: str = "derived") -> tuple[DerivedTable | None, list[Problem]]:
    """One table, or everything that is wrong with its keys."""
    rest = {key: value for key, value in table.items() if key != "name"}
    kind = rest.pop("kind", "")
    if kind not in KINDS:
        return None, [Problem("kind", "config.choice", {"value": kind, "known": ", ".join(KINDS)})]
    config, problems = collect(KINDS[kind].config, rest)
    return (DerivedTable(kind, config, label) if config is not None else None), problems


def check_derived(
    tables: Iterable[DerivedTable], measured: Mapping[str, SeriesSpec], timezone: str
) -> Iterator[tuple[str, Problem]]:
    """In their order: a series is computed from what is measured or was computed before it, so that nothing goes in rings."""
    known = set(measured)
    for table in tables:
        label = table.label
        yield from ((label, one) for one in _limits(table.config))
        made = table.make(timezone)
        for name in made.inputs:
            if name not in known:
                yield (
                    label,
                    Problem("of", "derived.unknown_series", {"series": name, "known": ", ".join(sorted(known))}),
                )
        for name, spec in made.outputs.items():
            if name in known:
                yield label, Problem("series", "derived.duplicate", {"series": name})
            yield from ((label, one) for one in _unit(spec.unit))
            known.add(name)


def specs(tables: Iterable[DerivedTable], timezone: str) -> dict[str, SeriesSpec]:
    """All series that are derived."""
    return {name: spec for table in tables for name, spec in table.make(timezone).outputs.items()}


def _unit(code: str) -> Iterator[Problem]:
    if not units.known(code):
        yield Problem("unit", "derived.unit", {"unit": code})


def _limits(config: Any) -> Iterator[Problem]:
    """Windows and the day's beginning, wherever a kind has them."""
    windows = [*getattr(config, "sums", ()), *getattr(config, "windows", ()), getattr(config, "window", 60.0)]
    for one in windows:
        if not 1.0 <= one <= MOST_WINDOW:
            yield Problem("window", "value.range", {"value": one, "least": "1s", "most": "1d"})
    if not 0 <= getattr(config, "day_start", 0) <= 23:
        yield Problem("day_start", "value.range", {"value": config.day_start, "least": 0, "most": 23})
    if hasattr(config, "segments"):
        yield from _segments(config.segments)
    if hasattr(config, "check"):
        yield from config.check()


def _segments(segments: Any) -> Iterator[Problem]:
    """At least one, each up to a higher level than the one before, and only the last without an end."""
    ends = [one.upto for one in segments]
    rising = all(end is not None for end in ends[:-1]) and sorted(set(ends[:-1])) == ends[:-1]
    if not segments or not rising or (ends[-1] is not None and ends[:-1] and ends[-1] <= ends[-2]):
        yield Problem("segments", "derived.segments")
