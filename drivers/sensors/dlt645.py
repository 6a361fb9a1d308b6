"""Electricity meters by DL/T 645-2007, one on a port of its own: read only, item by item."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from drivers.api import Context, Factory, Problem
from drivers.profile import Profile, head_problems, open_profile, series_problems
from drivers.sensors.asked import AskedSource
from drivers.sensors.names import check_profile
from drivers.sensors.port_source import (
    AskedConfig,
    Defaults,
    PortSeries,
    Question,
    check_asked,
    set_up,
    timeout_of,
)
from protocols.dlt645 import ANY_ADDRESS, WAKE, Dlt645Stream, answer, encode, number, read
from protocols.dlt645_items import ITEMS, Item
from protocols.errors import LocalError
from protocols.scale import Scale


class MeterConfig(AskedConfig, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "dlt645"`. `address`: the twelve digits on the meter; without it, whoever is on the line."""

    address: str = ""


class MeterSeries(PortSeries, forbid_unknown_fields=True, kw_only=True):
    """`item` as the standard writes it, DI3 first. `size`, `decimals` and `signed` for items that our table lacks."""

    item: str
    size: int | None = None
    decimals: int | None = None
    signed: bool | None = None
    scale: float = 1.0
    offset: float = 0.0

    def written(self) -> Item:
        """How the meter writes it. LocalError where neither the table nor the profile says so."""
        known = ITEMS.get(self.item.upper())
        size = self.size if self.size is not None else known.size if known else 0
        decimals = self.decimals if self.decimals is not None else known.decimals if known else -1
        signed = self.signed if self.signed is not None else bool(known and known.signed)
        if not 1 <= size <= 8 or not 0 <= decimals <= 2 * size:
            raise LocalError("item", f"{self.item}: size and decimals are needed")
        read(ANY_ADDRESS, self.item)
        return Item(self.name, size, decimals, signed, self.unit)


class MeterProfile(Profile, forbid_unknown_fields=True, kw_only=True):
    series: list[MeterSeries]
    defaults: Defaults = msgspec.field(default_factory=Defaults)


class MeterLanguage:
    """See `drivers.sensors.port_source.Language`. An item of several series is asked for once."""

    def __init__(self, address: str, profile: MeterProfile, omit: Sequence[str]) -> None:
        self._address = address or ANY_ADDRESS
        self._series = [
            (one, one.written(), Scale(one.scale, one.offset)) for one in profile.series if one.name not in omit
        ]
        items = dict.fromkeys(one.item for one, _, _ in self._series)
        self.questions: Sequence[Question] = [
            Question(item, encode(read(self._address, item), wake=WAKE)) for item in items
        ]

    def splitter(self) -> Dlt645Stream:
        return Dlt645Stream()

    def read(self, frame: Any, asked: Question | None) -> tuple[Mapping[str, float], Sequence[str]]:
        item = asked.name if asked else ""
        data = answer(frame, read(self._address, item))
        return {
            one.name: scale(number(data[: how.size], how.decimals, signed=how.signed))
            for one, how, scale in self._series
            if one.item == item
        }, ()


def open_meter(name: str, directories: Sequence[Path] = ()) -> tuple[MeterProfile | None, list[Problem]]:
    """The profile of this name, or everything that is wrong with it."""
    return open_profile(name, MeterProfile, check_meter, directories)


def check_meter(profile: MeterProfile) -> Iterator[Problem]:
    """What is wrong with a profile besides the types of its keys."""
    yield from head_problems(profile, "dlt645", profile.series)
    yield from series_problems(profile.series)
    for one in profile.series:
        try:
            one.written()
            Scale(one.scale, one.offset)
        except LocalError as wrong:
            yield Problem(f"series[{one.name}].item", "line.piece", {"why": wrong.detail})


def _create(config: MeterConfig, context: Context) -> AskedSource:
    profile, setup = set_up(config, open_meter(config.profile, context.profiles), context)
    language = MeterLanguage(config.address, profile, config.omit)
    return AskedSource(setup, language, timeout_of(config, profile.defaults))


def _check(config: MeterConfig, context: Context) -> Iterator[Problem]:
    yield from check_asked(config, context.base)
    if config.address and not (len(config.address) == 12 and config.address.isdecimal()):
        yield Problem("address", "line.address", {"address": config.address, "wanted": "12 digits"})
    yield from check_profile(config, *open_meter(config.profile, context.profiles))


FACTORY = Factory(MeterConfig, _create, _check)
