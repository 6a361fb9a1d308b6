"""The tables of LoRa: what regions allow, what modules are; and what a setting means by them. Reads its two files, no more."""

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from drivers.api import Problem
from protocols.lora_airtime import Modulation, airtime, longest
from protocols.lora_guard import Guard, Power, Region, breaches, erp

HERE = Path(__file__).parent
REGIONS, MODULES = HERE / "lora_regions.toml", HERE / "lora_modules.toml"


class Rates(msgspec.Struct, forbid_unknown_fields=True):
    margin: float
    header: int
    preamble: int
    unverified: list[str]
    pairs: dict[str, dict[str, int]]

    def modulation(self, rate: str) -> Modulation:
        pair = self.pairs[rate]
        return Modulation(pair["spreading"], pair["bandwidth"], preamble=self.preamble)

    def seconds(self, rate: str, length: int) -> float:
        """The longest that a packet of so many bytes may be on the air."""
        return airtime(self.modulation(rate), min(length + self.header, 255)) * self.margin / 1000

    def longest(self, rate: str, seconds: float) -> int:
        """The most bytes that take no longer than that; less than 1 where none do."""
        return longest(self.modulation(rate), seconds * 1000 / self.margin) - self.header


class Model(msgspec.Struct, forbid_unknown_fields=True):
    base: float
    step: float
    channels: int
    powers: list[int]
    source: str

    def megahertz(self, channel: int) -> float:
        return self.base + self.step * channel


class _Region(msgspec.Struct, forbid_unknown_fields=True):
    band: tuple[float, float]
    longest: float
    hour: float
    powers: list[Power]
    listen: bool
    source: str
    unverified: list[str]


class _Modules(msgspec.Struct, forbid_unknown_fields=True):
    rates: Rates
    models: dict[str, Model]


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


@cache
def regions() -> dict[str, Region]:
    found = {}
    for name, table in _read(REGIONS).items():
        table["powers"] = [Power(**row) for row in table["powers"]]
        one = _Region(**table)
        found[name] = Region(name, one.band, one.longest, one.hour, tuple(one.powers), one.listen, one.source)
    return found


@cache
def _modules() -> _Modules:
    return msgspec.convert(_read(MODULES), _Modules)


def rates() -> Rates:
    return _modules().rates


def models() -> dict[str, Model]:
    return _modules().models


class Law(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Keys that every LoRa bearer takes. `longest` and `hour` (seconds) make the region's rule tighter, never looser."""

    region: str
    gain: float = 2.15  # dBi of the antenna with its cable
    longest: float | None = None
    hour: float | None = None

    def limits(self) -> tuple[float, float]:
        """Seconds of one transmission, and of all in an hour."""
        region = regions()[self.region]
        return (
            min(region.longest, self.longest or region.longest),
            min(region.hour, self.hour or region.hour),
        )

    def guard(self) -> Guard:
        return Guard(*self.limits())

    def broken(self, megahertz: float, bandwidth: int, power: int, *, listens: bool) -> Iterator[Problem]:
        """What of a setting the region does not allow; `bandwidth` in Hz, `power` in dBm at the antenna's plug."""
        region = regions()[self.region]
        for rule, asked, allowed in breaches(
            region, megahertz, bandwidth / 1000, erp(power, self.gain), listens=listens
        ):
            facts = {"asked": asked, "allowed": allowed, "region": self.region}
            yield Problem(_KEYS[rule], f"lora.{rule}", facts)


_KEYS = {"band": "frequency", "power": "power", "listen": "listen"}


def check_law(law: Law) -> Iterator[Problem]:
    if law.region not in regions():
        yield Problem("region", "lora.region", {"name": law.region, "known": ", ".join(regions())})
    for key, value in (("longest", law.longest), ("hour", law.hour)):
        if value is not None and value <= 0:
            yield Problem(key, "lora.positive", {"value": value})
