"""Tables of one TOML file → a typed configuration, or every mistake in a table at once. Knows no rule between tables."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from agent.config import BufferConfig, ClockConfig, Config, ControlConfig, Made, StationConfig, WarningsConfig
from agent.finding import Finding
from agent.links.route import RouteConfig
from agent.spot.buttons import ButtonConfig
from agent.spot.rules import RuleConfig
from drivers import registry
from drivers.api import Problem
from drivers.bus import BusConfig
from drivers.collect import collect

if TYPE_CHECKING:
    from agent.alerts.hearing import MicrophoneConfig
    from agent.bearers.config import BearerTable, NarrowConfig
    from agent.consistency import ConsistencyConfig
    from agent.derive.config import DerivedTable
    from agent.lan import LanConfig
    from agent.spot.contacts import ContactsConfig

T = TypeVar("T", bound=msgspec.Struct)
U = TypeVar("U")
Parse = Callable[[dict[str, Any], str], tuple[U | None, Iterable[Problem]]]


@dataclass(slots=True)
class Reader:
    """Walks the tables of one file and keeps what is wrong."""

    file: Path
    data: Mapping[str, Any]
    findings: list[Finding] = field(default_factory=list)

    def add(self, table: str, problems: Iterable[Problem]) -> None:
        self.findings += [Finding(str(self.file), table, problem) for problem in problems]

    def one(self, name: str, kind: type[T], default: T | None = None) -> T | None:
        """The table `[name]`, or `default` where it is absent."""
        table = self.data.get(name)
        if table is None:
            if default is None:
                self.add("", [Problem(name, "config.missing_table")])
            return default
        if not isinstance(table, dict):
            self.add("", [Problem(name, "config.not_a_table")])
            return None
        made, problems = collect(kind, table)
        self.add(name, problems)
        return made

    def many(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each `[[name]]` with its label."""
        tables = self.data.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables if table is not None):
            self.add("", [Problem(name, "config.not_a_list")])
            return
        seen: set[str] = set()
        for place, table in enumerate(tables, 1):
            if table is None:  # left out, and those behind it keep their places
                continue
            label = label_of(name, place, table)
            if label in seen:
                self.add(label, [Problem("name", "config.duplicate_name", {"name": table.get("name")})])
            seen.add(label)
            yield label, table

    def typed(self, name: str, kind: type[T]) -> list[T]:
        return list(self.placed(name, kind).values())

    def placed(self, name: str, kind: type[T]) -> dict[str, T]:
        """By their labels."""
        return self.parsed(name, lambda table, _label: collect(kind, table))

    def parsed(self, name: str, parse: Parse[U]) -> dict[str, U]:
        """Each as `parse` makes it of the table and its label; by their labels."""
        made = {}
        for label, table in self.many(name):
            one, problems = parse(table, label)
            self.add(label, problems)
            if one is not None:
                made[label] = one
        return made

    def driven(self, name: str, table_of: Mapping[str, str], default: str) -> list[Made]:
        """Tables that name their driver; the rest of the table is the driver's own."""
        made = []
        for label, table in self.many(name):
            rest = dict(table)
            driver = rest.pop("driver", default)
            factory = registry.resolve(table_of, driver)
            if isinstance(factory, Problem):
                self.add(label, [factory])
                continue
            one, problems = collect(factory.config, rest)
            self.add(label, problems)
            if one is not None:
                made.append(Made(str(table.get("name", "")), driver, factory, one))
        return made


KNOWN = (
    *("station", "clock", "buffer", "control", "warnings", "route", "bus", "sensor", "actuator"),
    *("rule", "button", "contacts", "bearer", "narrow", "derived", "lan", "consistency", "microphone"),
)


def label_of(name: str, place: int, table: Mapping[str, Any]) -> str:
    """What a person finds one of `[[name]]` by: its name, or its place in the list."""
    return f"{name} {table.get('name', place)}"


def read(reader: Reader) -> Config | None:
    known = dict.fromkeys(KNOWN)
    reader.add(
        "", [Problem(n, "config.unknown_table", {"known": ", ".join(KNOWN)}) for n in reader.data if n not in known]
    )
    station = reader.one("station", StationConfig)
    clock = reader.one("clock", ClockConfig, ClockConfig())
    buffer = reader.one("buffer", BufferConfig, BufferConfig())
    control = reader.one("control", ControlConfig, ControlConfig())
    warnings = reader.one("warnings", WarningsConfig) if "warnings" in reader.data else None
    routes, buses = reader.typed("route", RouteConfig), reader.typed("bus", BusConfig)
    sensors = reader.driven("sensor", registry.SOURCES, "modbus")
    actuators = reader.driven("actuator", registry.ACTUATORS, "modbus-relay")
    rules, buttons = reader.typed("rule", RuleConfig), reader.typed("button", ButtonConfig)
    contacts = _contacts(reader)
    bearers, narrow = _narrow(reader)
    if station is None or clock is None or buffer is None or control is None:
        return None
    main = (reader.file, station, clock, buffer, control, warnings, routes, buses, sensors, actuators)
    return Config(
        *main,
        rules=rules,
        buttons=buttons,
        contacts=contacts,
        bearers=bearers,
        narrow=narrow,
        derived=_derived(reader),
        consistency=_consistency(reader),
        lan=_lan(reader),
        microphone=_microphone(reader),
    )


def _narrow(reader: Reader) -> "tuple[list[BearerTable], NarrowConfig | None]":
    """`[[bearer]]` and `[narrow]`; a station without them pays nothing for them."""
    if not {"bearer", "narrow"} & reader.data.keys():
        return [], None
    from agent.bearers.config import NarrowConfig, parse

    bearers = reader.parsed("bearer", lambda table, _label: parse(table))
    return list(bearers.values()), reader.one("narrow", NarrowConfig, NarrowConfig())


def _contacts(reader: Reader) -> "ContactsConfig | None":
    if "contacts" not in reader.data:
        return None
    from agent.spot.contacts import ContactsConfig

    return reader.one("contacts", ContactsConfig)


def _derived(reader: Reader) -> "list[DerivedTable]":
    if "derived" not in reader.data:
        return []
    from agent.derive.config import parse

    return list(reader.parsed("derived", parse).values())


def _lan(reader: Reader) -> "LanConfig | None":
    """`[lan]`; a station without it listens to no network."""
    if "lan" not in reader.data:
        return None
    from agent.lan import LanConfig

    return reader.one("lan", LanConfig)


def _microphone(reader: Reader) -> "MicrophoneConfig | None":
    """`[microphone]`; a station without it listens to nothing."""
    if "microphone" not in reader.data:
        return None
    from agent.alerts.hearing import MicrophoneConfig

    return reader.one("microphone", MicrophoneConfig, MicrophoneConfig())


def _consistency(reader: Reader) -> "dict[str, ConsistencyConfig]":
    if "consistency" not in reader.data:
        return {}
    from agent.consistency import ConsistencyConfig

    return reader.placed("consistency", ConsistencyConfig)
