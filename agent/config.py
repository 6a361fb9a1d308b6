"""A station's configuration: its tables, typed, and what follows of them. Read by `agent.config_reader`, judged by
`agent.config_rules`, loaded by `agent.config_load`.

Secrets are never in it, only the names of files that hold them. Relative names start at the file's own directory.
"""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from agent.alerts import places
from agent.alerts.hours import HoursConfig
from agent.alerts.plan_file import load as load_plans
from agent.alerts.plans import Plans
from agent.finding import Finding
from agent.links.route import RouteConfig
from agent.spot.buttons import ButtonConfig
from agent.spot.rules import RuleConfig
from drivers.api import Context, Factory, SeriesSpec
from drivers.bus import BusConfig
from drivers.values import Duration, Size
from protocols.errors import ProtocolError

if TYPE_CHECKING:
    from agent.alerts.hearing import MicrophoneConfig
    from agent.bearers.config import BearerTable, NarrowConfig
    from agent.consistency import ConsistencyConfig
    from agent.derive.config import DerivedTable
    from agent.lan import LanConfig
    from agent.spot.contacts import ContactsConfig

RUNTIME = Path("/run/fengsui")  # RuntimeDirectory= of the unit


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
    be heard: see `agent.alerts.hours`.
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
