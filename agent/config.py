"""One TOML file → a typed configuration, or every mistake in it at once.

Secrets are never in it, only the names of files that hold them. Relative names start at the file's own directory.
"""

import contextlib
import os
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from agent import places
from agent.buttons import ButtonConfig
from agent.finding import Finding
from agent.hours import HoursConfig
from agent.plans import Plans
from agent.plans import load as load_plans
from agent.route import RouteConfig
from agent.rules import RuleConfig
from drivers import registry
from drivers.api import Context, Factory, Problem, SeriesSpec
from drivers.bus import BusConfig
from drivers.collect import collect
from drivers.values import Duration, Size
from protocols.errors import ProtocolError

if TYPE_CHECKING:
    from agent.bearers.config import BearerTable, NarrowConfig
    from agent.consistency import ConsistencyConfig
    from agent.contacts import ContactsConfig
    from agent.derive.config import DerivedTable
    from agent.hearing import MicrophoneConfig
    from agent.lan import LanConfig

T = TypeVar("T", bound=msgspec.Struct)
RUNTIME = Path("/run/fengsui")  # RuntimeDirectory= of the unit
LARGEST_FILE = 1 << 20  # bytes; a station's configuration is some kilobytes


class StationConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who and where the station is. `areas` are administrative codes, most detailed first, `names` a file with the names of
    areas; `state` keeps what survives.
    """

    id: str
    areas: list[str] = []
    name: str = ""
    names: str = ""
    timezone: str = "Asia/Shanghai"
    language: str = ""
    state: str = ""


class ClockConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whose word makes the clock trusted: `timesyncd`, `system` (something else disciplines it), `none`."""

    source: str = "timesyncd"


class BufferConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`endurance` is what the card's maker warrants to be written (TBW); 10 TB is a plain card of 32 GB."""

    file: str = "buffer.db"
    max_size: Size = Size(1 << 30)
    alarm_quota: Size = Size(16 << 20)
    commit_interval: Duration = Duration(1.0)
    settle_interval: Duration = Duration(10.0)
    endurance: Size = Size(10 * 10**12)


class ControlConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The socket of the bench; group `fengsui` may use it. Empty: none."""

    socket: str = "control.sock"


class WarningsConfig(HoursConfig, forbid_unknown_fields=True, kw_only=True):
    """Whom to believe: a signed key-set file and the root keys (hex) that may sign one, two of three. And when what may
    be heard: see `agent.hours`.
    """

    keyset: str
    roots: list[str]
    plans: str = ""
    siren_limit: Duration = Duration(180.0)


@dataclass(frozen=True, slots=True)
class Made:
    """A sensor or actuator of the configuration: its driver's factory and its own typed table."""

    name: str
    driver: str
    factory: Factory
    config: Any


@dataclass(frozen=True, slots=True)
class Config:
    file: Path
    station: StationConfig
    clock: ClockConfig
    buffer: BufferConfig
    control: ControlConfig
    warnings: WarningsConfig | None
    routes: list[RouteConfig]
    buses: list[BusConfig]
    sensors: list[Made]
    actuators: list[Made]
    rules: list[RuleConfig] = field(default_factory=list)
    buttons: list[ButtonConfig] = field(default_factory=list)
    contacts: "ContactsConfig | None" = None
    bearers: "list[BearerTable]" = field(default_factory=list)
    narrow: "NarrowConfig | None" = None  # where there are bearers
    derived: "list[DerivedTable]" = field(default_factory=list)
    consistency: "dict[str, ConsistencyConfig]" = field(default_factory=dict)  # by their place in the file
    lan: "LanConfig | None" = None
    microphone: "MicrophoneConfig | None" = None
    left_out: list[Finding] = field(default_factory=list)  # why tables are missing here: `agent.lenient`

    @property
    def base(self) -> Path:
        return self.file.parent

    def path(self, name: str) -> Path:
        """A file named in the configuration."""
        return self.base / name

    @property
    def profiles(self) -> tuple[Path, ...]:
        """Where a station keeps profiles of devices that are not shipped: beside the file, and found before the shipped."""
        return (self.base / "profiles",)

    @property
    def state(self) -> Path:
        """Where the station keeps what must survive: configured, else systemd's StateDirectory=, else beside the file."""
        return self.base / (self.station.state or os.environ.get("STATE_DIRECTORY") or "state")

    @property
    def language(self) -> str:
        """What the station shows and speaks: its configured language, else Chinese."""
        return self.station.language or "zh"

    @property
    def socket(self) -> Path | None:
        """Where this process serves the bench: as configured if absolute, else in systemd's RuntimeDirectory=, else with
        the state.
        """
        if not self.control.socket:
            return None
        return Path(os.environ.get("RUNTIME_DIRECTORY") or self.state) / self.control.socket

    @property
    def sockets(self) -> list[Path]:
        """Where a technician's command looks for a running agent: where it would serve itself, and where the unit does."""
        return [self.socket, RUNTIME / self.control.socket] if self.socket else []


@dataclass(slots=True)
class _Reader:
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
        made = {}
        for label, table in self.many(name):
            one, problems = collect(kind, table)
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


def load(file: Path, forgive: Collection[str] = (), *, lenient: bool = False) -> tuple[Config | None, list[Finding]]:
    """Read and check a configuration; None where it cannot be used. Opens no port and no connection. `forgive` names codes of
    problems that the caller is there to mend; `lenient` leaves out what `agent.lenient` may.
    """
    reader = _Reader(file, {})
    try:
        with file.open("rb") as stream:
            reader.data = tomllib.loads(stream.read(LARGEST_FILE).decode())
    except OSError as wrong:
        reader.add("", [Problem("", "config.unreadable", {"why": wrong.strerror or str(wrong)})])
        return None, reader.findings
    except ValueError as wrong:  # TOMLDecodeError and UnicodeDecodeError are both
        reader.add("", [Problem("", "config.not_toml", {"why": str(wrong)})])
        return None, reader.findings
    if lenient:
        from agent.lenient import forgiving

        return forgiving(reader.data, lambda data: _checked(_Reader(file, data), forgive))
    return _checked(reader, forgive)


def _checked(reader: _Reader, forgive: Collection[str]) -> tuple[Config | None, list[Finding]]:
    config = _read(reader)
    if config is not None:
        from agent.config_rules import rules

        for table, problems in rules(config):
            reader.add(table, (one for one in problems if one.code not in forgive))
    return (None if reader.findings else config), reader.findings


def _read(reader: _Reader) -> Config | None:
    known = dict.fromkeys(KNOWN)
    reader.add(
        "", [Problem(n, "config.unknown_table", {"known": ", ".join(KNOWN)}) for n in reader.data if n not in known]
    )
    station = reader.one("station", StationConfig)
    clock = reader.one("clock", ClockConfig, ClockConfig())
    buffer = reader.one("buffer", BufferConfig, BufferConfig())
    control = reader.one("control", ControlConfig, ControlConfig())
    warnings = reader.one("warnings", WarningsConfig) if "warnings" in reader.data else None
    routes = reader.typed("route", RouteConfig)
    buses = reader.typed("bus", BusConfig)
    sensors = reader.driven("sensor", registry.SOURCES, "modbus")
    actuators = reader.driven("actuator", registry.ACTUATORS, "modbus-relay")
    rules = reader.typed("rule", RuleConfig)
    buttons = reader.typed("button", ButtonConfig)
    contacts = _contacts(reader)
    bearers, narrow = _narrow(reader)
    if station is None or clock is None or buffer is None or control is None:
        return None
    return Config(
        reader.file,
        station,
        clock,
        buffer,
        control,
        warnings,
        routes,
        buses,
        sensors,
        actuators,
        rules,
        buttons,
        contacts,
        bearers,
        narrow,
        _derived(reader),
        consistency=_consistency(reader),
        lan=_lan(reader),
        microphone=_microphone(reader),
    )


def _narrow(reader: _Reader) -> "tuple[list[BearerTable], NarrowConfig | None]":
    """`[[bearer]]` and `[narrow]`; a station without them pays nothing for them."""
    if not {"bearer", "narrow"} & reader.data.keys():
        return [], None
    from agent.bearers.config import NarrowConfig, parse

    bearers = []
    for label, table in reader.many("bearer"):
        one, problems = parse(table)
        reader.add(label, problems)
        bearers += [one] if one is not None else []
    return bearers, reader.one("narrow", NarrowConfig, NarrowConfig())


def _contacts(reader: _Reader) -> "ContactsConfig | None":
    if "contacts" not in reader.data:
        return None
    from agent.contacts import ContactsConfig

    return reader.one("contacts", ContactsConfig)


def _derived(reader: _Reader) -> "list[DerivedTable]":
    if "derived" not in reader.data:
        return []
    from agent.derive.config import parse

    made = []
    for label, table in reader.many("derived"):
        one, problems = parse(table, label)
        reader.add(label, problems)
        made += [one] if one is not None else []
    return made


def _lan(reader: _Reader) -> "LanConfig | None":
    """`[lan]`; a station without it listens to no network."""
    if "lan" not in reader.data:
        return None
    from agent.lan import LanConfig

    return reader.one("lan", LanConfig)


def _microphone(reader: _Reader) -> "MicrophoneConfig | None":
    """`[microphone]`; a station without it listens to nothing."""
    if "microphone" not in reader.data:
        return None
    from agent.hearing import MicrophoneConfig

    return reader.one("microphone", MicrophoneConfig, MicrophoneConfig())


def _consistency(reader: _Reader) -> "dict[str, ConsistencyConfig]":
    if "consistency" not in reader.data:
        return {}
    from agent.consistency import ConsistencyConfig

    return reader.placed("consistency", ConsistencyConfig)


def plans_of(config: Config) -> Plans:
    """The station's plans; the shipped ones where its own cannot be used, which `check` says."""
    own = config.path(config.warnings.plans) if config.warnings and config.warnings.plans else None
    plans = load_plans(own, languages=[config.language])[0] or load_plans(None)[0]
    assert plans is not None  # noqa: S101 - the shipped plans are held by a test
    return plans


def names_of(config: Config) -> places.Names:
    """Names of areas, as far as they can be used; `check` says of the rest what is wrong."""
    return places.load(config.path(config.station.names) if config.station.names else None)[0]


def specs_of(config: Config, context: Context) -> dict[str, SeriesSpec]:
    """Every series that the station will give, measured and derived."""
    specs = measured(config, context)
    if config.derived:
        from agent.derive.config import specs as derived

        with contextlib.suppress(OSError, ValueError, KeyError):  # the station's own check says why
            specs |= derived(config.derived, config.station.timezone)
    return specs


def measured(config: Config, context: Context) -> dict[str, SeriesSpec]:
    """Every series that the sensors will give."""
    specs: dict[str, SeriesSpec] = {}
    for sensor in config.sensors:
        with contextlib.suppress(OSError, ValueError, KeyError, ProtocolError):  # its own check says why
            specs |= sensor.factory.create(sensor.config, context).series
    return specs
