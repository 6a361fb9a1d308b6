"""Profiles of NMEA instruments: which field of which sentence is which series."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from drivers.api import Problem
from drivers.profile import Profile, head_problems, open_profile, series_problems
from drivers.sensors.port_source import PortDefaults, PortSeries
from protocols.errors import LocalError
from protocols.nmea_decode import KINDS
from protocols.nmea_map import Pick
from protocols.scale import Scale


class NmeaDefaults(PortDefaults, forbid_unknown_fields=True, kw_only=True):
    baud: int = 4800  # bit/s; NMEA 0183, but for its high-speed variant


class NmeaSeries(PortSeries, forbid_unknown_fields=True, kw_only=True):
    """`when`: a field and the values it must have one of, as `{ reference = ["T"] }`."""

    sentence: str
    field: str
    when: dict[str, list[str | int | float | bool]] = msgspec.field(default_factory=dict)
    scale: float = 1.0
    offset: float = 0.0
    missing: list[float] = msgspec.field(default_factory=list)

    def pick(self) -> Pick:
        scale = Scale(self.scale, self.offset)
        return Pick(self.name, self.sentence, self.field, self.when, scale, tuple(self.missing))


class NmeaProfile(Profile, forbid_unknown_fields=True, kw_only=True):
    series: list[NmeaSeries]
    defaults: NmeaDefaults = msgspec.field(default_factory=NmeaDefaults)


def open_nmea(name: str, directories: Sequence[Path] = ()) -> tuple[NmeaProfile | None, list[Problem]]:
    """The profile of this name, or everything that is wrong with it."""
    return open_profile(name, NmeaProfile, check_nmea, directories)


def check_nmea(profile: NmeaProfile) -> Iterator[Problem]:
    """What is wrong with a mapping besides the types of its fields."""
    yield from head_problems(profile, "nmea", profile.series)
    yield from series_problems(profile.series)
    for one in profile.series:
        if one.sentence not in KINDS:
            known = ", ".join(sorted(KINDS))
            yield Problem(f"series[{one.name}].sentence", "nmea.sentence", {"sentence": one.sentence, "known": known})
        try:
            one.pick()
        except LocalError as wrong:
            yield Problem(f"series[{one.name}].scale", "series.register", {"why": wrong.detail})
