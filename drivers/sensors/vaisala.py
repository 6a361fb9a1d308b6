"""Vaisala WXT5xx on a port of its own, in its ASCII language: polled, or overheard where it reports by itself.

Whatever units it was set to, values come in those of the profile. A `#` is no value.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drivers.api import Context, Factory, Problem
from drivers.profile import Profile, head_problems, open_profile, series_problems
from drivers.sensors.asked import AskedSource
from drivers.sensors.names import check_profile
from drivers.sensors.overheard import OverheardSource
from drivers.sensors.port_source import (
    AskedConfig,
    Defaults,
    PortSeries,
    PortSource,
    Question,
    check_asked,
    set_up,
    timeout_of,
)
from protocols.errors import RemoteError
from protocols.line_frame import Frames, Framing
from protocols.vaisala import FIELDS, LONGEST, Field, parse, query, value

LINES = Framing(end=b"\r\n", longest=LONGEST)


class VaisalaConfig(AskedConfig, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "vaisala"`. `automatic`: it reports by itself and is not asked; `checksum`: only lines with one
    are believed, and queries have one.
    """

    address: str = "0"
    automatic: bool = False
    checksum: bool = True


class VaisalaSeries(PortSeries, forbid_unknown_fields=True, kw_only=True):
    field: str


class VaisalaProfile(Profile, forbid_unknown_fields=True, kw_only=True):
    series: list[VaisalaSeries]
    defaults: Defaults = msgspec.field(default_factory=Defaults)


class VaisalaLanguage:
    """See `drivers.sensors.port_source.Language`. Only queries that have a wanted field are asked."""

    def __init__(self, config: VaisalaConfig, profile: VaisalaProfile) -> None:
        self._address, self._checksum = config.address, config.checksum
        self._names = {one.field: one.name for one in profile.series if one.name not in config.omit}
        kinds = sorted({FIELDS[name][2] for name in self._names})
        self.questions: Sequence[Question] = (
            []
            if config.automatic
            else [Question(kind, query(config.address, kind, checked=config.checksum)) for kind in kinds]
        )

    def splitter(self) -> Frames:
        return Frames(LINES)

    def read(self, frame: Any, asked: Question | None) -> tuple[Mapping[str, float], Sequence[str]]:
        message = parse(frame)
        if message.address != self._address or not message.kind.startswith(("R", "T")):
            raise RemoteError("foreign", frame[:64].decode("ascii", "replace"))
        if self._checksum and not message.checked:
            raise RemoteError("no-checksum", frame[:64].decode("ascii", "replace"))
        if message.kind.startswith("T"):
            raise RemoteError("refused", ",".join(str(one) for one in message.fields))
        if asked is not None and message.kind != asked.name:
            raise RemoteError("foreign", message.kind)
        return self._values([one for one in message.fields if isinstance(one, Field)])

    def _values(self, fields: Sequence[Field]) -> tuple[dict[str, float], list[str]]:
        values: dict[str, float] = {}
        lacking: list[str] = []
        for one in fields:
            if one.name in self._names:
                try:
                    values[self._names[one.name]] = value(one)
                except RemoteError as wrong:
                    lacking.append(wrong.reason)
        return values, lacking


def open_vaisala(name: str, directories: Sequence[Path] = ()) -> tuple[VaisalaProfile | None, list[Problem]]:
    """The profile of this name, or everything that is wrong with it."""
    return open_profile(name, VaisalaProfile, check_vaisala, directories)


def check_vaisala(profile: VaisalaProfile) -> Iterator[Problem]:
    """What is wrong with a mapping besides the types of its keys."""
    yield from head_problems(profile, "vaisala", profile.series)
    yield from series_problems(profile.series)
    for one in profile.series:
        known = FIELDS.get(one.field)
        if known is None:
            names = ", ".join(sorted(FIELDS))
            yield Problem(f"series[{one.name}].field", "line.field_unknown", {"field": one.field, "known": names})
        elif known[0] != one.unit:
            yield Problem(f"series[{one.name}].unit", "line.unit_fixed", {"unit": known[0], "field": one.field})


def _create(config: VaisalaConfig, context: Context) -> PortSource:
    profile, setup = set_up(config, open_vaisala(config.profile, context.profiles), context)
    language = VaisalaLanguage(config, profile)
    if config.automatic:
        return OverheardSource(setup, language)
    return AskedSource(setup, language, timeout_of(config, profile.defaults))


def _check(config: VaisalaConfig, context: Context) -> Iterator[Problem]:
    yield from check_asked(config, context.base)
    if len(config.address) != 1 or not (config.address.isascii() and config.address.isalnum()):
        yield Problem("address", "line.address", {"address": config.address, "wanted": "0-9, A-Z, a-z"})
    yield from check_profile(config, *open_vaisala(config.profile, context.profiles))


FACTORY = Factory(VaisalaConfig, _create, _check)
