"""Profiles of SDI-12 probes: which value of which measurement is which series."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from drivers.api import Problem
from drivers.profile import Profile, head_problems, open_profile, series_problems
from drivers.sensors.port_source import PortSeries
from drivers.values import Duration
from protocols.errors import LocalError
from protocols.scale import Scale
from protocols.sdi12_command import Command, measurement

MOST_VALUES = 999  # of one measurement: v1.4 §5


class Sdi12Defaults(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`concurrent`: the probe knows C, so that its M may be one. `crc`: it knows checksums (v1.3)."""

    address: str = "0"
    interval: Duration = Duration(60.0)
    concurrent: bool = False
    crc: bool = False


class Sdi12Series(PortSeries, forbid_unknown_fields=True, kw_only=True):
    """`command` as `M`, `M1`, `C`, `R0`, `V`, `HA`; `value` counts from 1. `missing`: how the probe says that it has none."""

    command: str = "M"
    value: int
    scale: float = 1.0
    offset: float = 0.0
    missing: list[float] = msgspec.field(default_factory=list)

    def scaled(self) -> Scale:
        return Scale(self.scale, self.offset)


class Sdi12Profile(Profile, forbid_unknown_fields=True, kw_only=True):
    """`signature`: a pattern of how the probe names itself (maker, model, version), by which a scan knows it."""

    signature: str = ""
    series: list[Sdi12Series]
    defaults: Sdi12Defaults = msgspec.field(default_factory=Sdi12Defaults)


def begun(text: str, address: str, *, concurrent: bool, crc: bool) -> Command:
    """The command of a series: an M may be made concurrent, so that the line is free while the probe measures."""
    if concurrent and text.startswith("M"):
        text = "C" + text[1:]
    return measurement(address, text, crc=crc)


def open_sdi12(name: str, directories: Sequence[Path] = ()) -> tuple[Sdi12Profile | None, list[Problem]]:
    """The profile of this name, or everything that is wrong with it."""
    return open_profile(name, Sdi12Profile, check_sdi12, directories)


def check_sdi12(profile: Sdi12Profile) -> Iterator[Problem]:
    """What is wrong with a profile besides the types of its keys."""
    yield from head_problems(profile, "sdi12", profile.series)
    try:
        re.compile(profile.signature)
    except re.error as wrong_pattern:
        yield Problem("signature", "line.piece", {"why": str(wrong_pattern)})
    yield from series_problems(profile.series)
    for one in profile.series:
        try:
            measurement("0", one.command)
            one.scaled()
        except LocalError as wrong:
            yield Problem(f"series[{one.name}].{wrong.reason}", "line.piece", {"why": wrong.detail})
        if not 1 <= one.value <= MOST_VALUES:
            yield Problem(
                f"series[{one.name}].value", "value.range", {"value": one.value, "least": 1, "most": MOST_VALUES}
            )
