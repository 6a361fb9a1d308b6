"""`headend.toml` → a typed configuration, or every mistake in it at once. Secrets are in files that it names."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agent.finding import Finding
from agent.links.route import RouteConfig
from drivers import registry
from drivers.api import Context, Factory, Problem
from drivers.collect import collect
from drivers.values import Duration
from protocols.envelope import is_area, is_station
from protocols.narrow.session import MOST_INSTANCES

LARGEST_FILE = 16 << 20  # bytes: ten thousand stations at some hundreds each, and room
KEY_DIGITS = 64  # of an X25519 key in hexadecimal

# Ground sides that no station has; the others are the station's own drivers, with the modem here.
GROUND: Mapping[str, str] = {
    "directip": "agent.headend.directip:FACTORY",
    "rockblock": "agent.headend.rockblock:FACTORY",
    "coap-server": "agent.headend.coap:FACTORY",
}


class HeadendTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`instance` tells headends that share one key apart (1 to 15); those of one `group` share the way down. `gather`: how long
    receipts wait for company.
    """

    name: str = "headend"
    instance: int = 1
    group: str = "headends"
    key: str = "headend.key"
    state: str = "state"
    gather: Duration = Duration(2.0)
    beacons: Duration = Duration(86_400.0)


class StationTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A station: its X25519 public key, where it is, and how each bearer calls it."""

    id: str
    key: str
    areas: list[str] = []
    at: dict[str, str] = {}


class BearerTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a headend's bearer is told beside its driver's own keys. `shared`: its medium does not name senders (LoRa)."""

    name: str
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    name: str
    driver: str
    factory: Factory
    config: Any
    shared: bool


@dataclass(frozen=True, slots=True)
class HeadendConfig:
    file: Path
    headend: HeadendTable
    platform: RouteConfig
    stations: list[StationTable]
    bearers: list[Made]

    @property
    def base(self) -> Path:
        return self.file.parent

    @property
    def state(self) -> Path:
        return self.base / self.headend.state


def load(file: Path) -> tuple[HeadendConfig | None, list[Finding]]:
    """Read and check; None where it cannot be used. Opens no port and no connection."""
    try:
        with file.open("rb") as stream:
            data = tomllib.loads(stream.read(LARGEST_FILE).decode())
    except OSError as wrong:
        return None, [_finding(file, "", Problem("", "config.unreadable", {"why": wrong.strerror or str(wrong)}))]
    except ValueError as wrong:
        return None, [_finding(file, "", Problem("", "config.not_toml", {"why": str(wrong)}))]
    found = [_finding(file, "", one) for one in _misshapen(data)]  # such as a station's file
    config = None if found else _read(file, data, found)
    if config is not None:
        found += [_finding(file, table, problem) for table, problem in _check(config)]
    return (None if found else config), found


def _misshapen(data: Mapping[str, Any]) -> Iterator[Problem]:
    for name in ("headend", "platform"):
        if not isinstance(data.get(name, {}), dict):
            yield Problem(name, "config.not_a_table")
    for name in ("station", "bearer"):
        tables = data.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
            yield Problem(name, "config.not_a_list")


def _read(file: Path, data: Mapping[str, Any], found: list[Finding]) -> HeadendConfig | None:
    known = ("headend", "platform", "station", "bearer")
    strange = [Problem(name, "config.unknown_table", {"known": ", ".join(known)}) for name in data if name not in known]
    found += [_finding(file, "", one) for one in strange]
    headend, problems = collect(HeadendTable, data.get("headend", {}))
    found += [_finding(file, "headend", one) for one in problems]
    platform, problems = collect(RouteConfig, {"name": "platform", **data.get("platform", {})})
    found += [_finding(file, "platform", one) for one in problems]
    stations = []
    for place, table in enumerate(data.get("station", ()), 1):
        one, problems = collect(StationTable, table)
        found += [_finding(file, f"station {table.get('id', place)}", each) for each in problems]
        stations += [one] if one is not None else []
    bearers = [_bearer(file, place, table, found) for place, table in enumerate(data.get("bearer", ()), 1)]
    if headend is None or platform is None:
        return None
    return HeadendConfig(file, headend, platform, stations, [one for one in bearers if one is not None])


def _bearer(file: Path, place: int, table: Mapping[str, Any], found: list[Finding]) -> Made | None:
    rest = dict(table)
    label, driver = f"bearer {table.get('name', place)}", str(rest.pop("driver", ""))
    factory = registry.resolve({**registry.BEARERS, **GROUND}, driver)
    if isinstance(factory, Problem):
        found.append(_finding(file, label, factory))
        return None
    own = {field.encode_name for field in msgspec.structs.fields(factory.config)}
    config, problems = collect(factory.config, {key: value for key, value in rest.items() if key in own})
    common, also = collect(BearerTable, {key: value for key, value in rest.items() if key not in own or key == "name"})
    found += [_finding(file, label, one) for one in dict.fromkeys([*problems, *also])]
    if config is None or common is None:
        return None
    return Made(common.name, driver, factory, config, common.shared)


def _check(config: HeadendConfig) -> Iterator[tuple[str, Problem]]:
    """What must hold between tables."""
    for problem in config.platform.check(config.base):
        yield "platform", problem
    if not 1 <= config.headend.instance <= MOST_INSTANCES:
        facts = {"value": config.headend.instance, "least": 1, "most": MOST_INSTANCES}
        yield "headend", Problem("instance", "value.range", facts)
    if not config.bearers:
        yield "", Problem("bearer", "headend.no_bearers")
    context = Context(config.base, lambda _kind, _fields: None)
    names = [one.name for one in config.bearers]
    for one in config.bearers:
        if names.count(one.name) > 1:
            yield f"bearer {one.name}", Problem("name", "config.duplicate_name", {"name": one.name})
        for problem in one.factory.check(one.config, context):
            yield f"bearer {one.name}", problem
    yield from _check_stations(config, names)


def _check_stations(config: HeadendConfig, bearers: list[str]) -> Iterator[tuple[str, Problem]]:
    seen: dict[tuple[str, str], str] = {}
    ids = [one.id for one in config.stations]
    for one in config.stations:
        label = f"station {one.id}"
        if not is_station(one.id):
            yield label, Problem("id", "config.station_id", {"value": one.id})
        if ids.count(one.id) > 1:
            yield label, Problem("id", "config.duplicate_name", {"name": one.id})
        if len(one.key) != KEY_DIGITS or not set(one.key.lower()) <= set("0123456789abcdef"):
            yield label, Problem("key", "headend.station_key", {"digits": KEY_DIGITS})
        for code in one.areas:
            if not is_area(code) or code == "all":
                yield label, Problem("areas", "config.area_code", {"value": code})
        for bearer, address in one.at.items():
            if bearer not in bearers:
                yield label, Problem("at", "headend.unknown_bearer", {"name": bearer, "known": ", ".join(bearers)})
            other = seen.setdefault((bearer, address), one.id)
            if other != one.id:
                yield label, Problem("at", "headend.same_address", {"address": address, "other": other})


def _finding(file: Path, table: str, problem: Problem) -> Finding:
    return Finding(str(file), table, problem)
