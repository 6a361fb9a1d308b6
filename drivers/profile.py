"""Profiles: what a kind of device is, as TOML data, apart from where one of them hangs.

A profile says whose device it describes, where that was read and what of it nobody has verified. Shipped ones lie in
`drivers/profiles/`; a station may bring its own directories, which go first.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

from drivers.api import Problem, SeriesSpec
from drivers.collect import collect
from protocols.reading import is_series_name
from protocols.units import known

SHIPPED = Path(__file__).parent / "profiles"
LARGEST_FILE = 1 << 18  # bytes; a map of a thousand registers is half of it; what is cut off is no TOML any more


class Profile(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The head that every profile has. `kind` is the language of the device and decides what else is in it."""

    kind: str
    name: str
    source: str
    title: str = ""
    maker: str = ""
    model: str = ""
    unverified: list[str] = []


class Bounded(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A series and what is plausible for it; bounds as `drivers.api.SeriesSpec` explains them."""

    name: str
    unit: str
    span: tuple[float, float] | None = None
    expect: tuple[float, float] | None = None
    rate: float | None = None
    flat: tuple[float, ...] | None = None


class Series(Bounded, forbid_unknown_fields=True, kw_only=True):
    """What a series of a profile is, wherever it is read."""

    spike: float | None = None
    loop: tuple[float, float] | None = None  # mA: a 4-20 mA loop is whole between these
    note: str = ""

    def spec(self, step: float = 0.0) -> SeriesSpec:
        return SeriesSpec(self.unit, self.span, self.expect, self.rate, self.flat, step, spike=self.spike)


P = TypeVar("P", bound=Profile)


def load(path: Path, kind: type[P]) -> tuple[P | None, list[Problem]]:
    """One profile of a kind, or everything that is wrong with the file."""
    try:
        with path.open("rb") as file:
            data = tomllib.loads(file.read(LARGEST_FILE).decode())
    except OSError as wrong:
        return None, [Problem("", "profile.unreadable", {"file": str(path), "why": wrong.strerror or str(wrong)})]
    except ValueError as wrong:  # TOMLDecodeError and UnicodeDecodeError are both
        return None, [Problem("", "profile.not_toml", {"file": str(path), "why": str(wrong)})]
    return collect(kind, data)


def find(name: str, directories: Sequence[Path] = ()) -> Path | None:
    """The file of a profile; a station's own before the shipped one of the same name."""
    if Path(name).name != name:
        return None
    candidates = [directory / f"{name}.toml" for directory in (*directories, SHIPPED)]
    return next((path for path in candidates if path.is_file()), None)


def names(directories: Sequence[Path] = ()) -> list[str]:
    return sorted({path.stem for directory in (*directories, SHIPPED) for path in directory.glob("*.toml")})


def open_profile(
    name: str, kind: type[P], check: Callable[[P], Iterable[Problem]], directories: Sequence[Path] = ()
) -> tuple[P | None, list[Problem]]:
    """The profile that a configuration names, under the key `profile`; None where anything is wrong with it."""
    path = find(name, directories)
    if path is None:
        return None, [Problem("profile", "profile.unknown", {"name": name, "known": ", ".join(names(directories))})]
    profile, problems = _load_shipped(path, kind) if path.parent == SHIPPED else load(path, kind)
    found = [*problems, *(check(profile) if profile is not None else ())]
    placed = [Problem(f"profile {path.name} {one.key}".rstrip(), one.code, one.facts) for one in found]
    return (None if placed else profile), placed


@cache
def _load_shipped(path: Path, kind: type[P]) -> tuple[P | None, list[Problem]]:
    """Twenty stations' worth of sensors name the same few files; they do not change while we run."""
    return load(path, kind)


def head_problems(profile: Profile, kind: str, series: Sequence[Series]) -> Iterator[Problem]:
    """A profile of another language, or of nothing."""
    if profile.kind != kind:
        yield Problem("kind", "profile.kind", {"kind": profile.kind, "wanted": kind})
    if not series:
        yield Problem("series", "profile.empty")


def series_problems(series: Sequence[Series]) -> Iterator[Problem]:
    """What no series of any kind may have wrong."""
    seen: set[str] = set()
    for one in series:
        at = f"series[{one.name}]"
        if not is_series_name(one.name):
            yield Problem(f"{at}.name", "series.name", {"name": one.name})
        if one.name in seen:
            yield Problem(f"{at}.name", "series.twice", {"name": one.name})
        seen.add(one.name)
        if not known(one.unit):
            yield Problem(f"{at}.unit", "unit.unknown", {"unit": one.unit})
        yield from _bound_problems(one, at)


def _bound_problems(one: Series, at: str) -> Iterator[Problem]:
    for key, bounds in (("span", one.span), ("expect", one.expect), ("loop", one.loop)):
        if bounds is not None and not bounds[0] < bounds[1]:
            yield Problem(f"{at}.{key}", "series.bounds", {"low": bounds[0], "high": bounds[1]})
    if one.span and one.expect and not (one.span[0] <= one.expect[0] and one.expect[1] <= one.span[1]):
        yield Problem(f"{at}.expect", "series.expect", {"span": list(one.span), "expect": list(one.expect)})
    if one.rate is not None and one.rate <= 0:
        yield Problem(f"{at}.rate", "series.positive", {})
    if one.flat is not None:
        yield from flat_problems(f"{at}.flat", one.flat)
    if one.spike is not None and one.spike <= 0:
        yield Problem(f"{at}.spike", "series.positive", {})


def flat_problems(key: str, flat: tuple[float, ...]) -> Iterator[Problem]:
    """A tolerance, seconds until suspect, and more seconds until bad."""
    if len(flat) not in (2, 3) or flat[0] < 0 or min(flat[1:]) <= 0 or sorted(flat[1:]) != list(flat[1:]):
        yield Problem(key, "series.flat", {"value": list(flat)})
