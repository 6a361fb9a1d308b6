"""What must hold between the tables of a configuration, and what each driver knows to be wrong beforehand.

Opens no port and no connection; each finding has its table. `agent.config_reader` reads the tables themselves.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.alerts import places
from agent.alerts.hours import check_hours
from agent.alerts.plan_file import load as load_plans
from agent.catalogue import languages
from agent.clock import SOURCES
from agent.config import BufferConfig, ClockConfig, Config, StationConfig, measured, plans_of, specs_of
from agent.ports import Owner, shared
from agent.spot.buttons import check_button, check_buttons
from agent.spot.rule_check import check_rules
from agent.trust.keyset import KEPT, check_keyring
from drivers.actuators.patterns import shipped
from drivers.actuators.relay_config import RelayConfig, conflicts
from drivers.api import Context, Problem
from drivers.bus import check_bus
from protocols.envelope import is_area, is_station
from protocols.errors import ProtocolError

SHORTEST_SIREN, LONGEST_SIREN = 5.0, 1800.0  # seconds for one alert: one paid slice; half an hour burns a motor out


def rules(config: Config) -> Iterator[tuple[str, Iterable[Problem]]]:
    """What must hold between tables, and what each driver knows to be wrong beforehand."""
    yield "station", _station(config.station)
    yield "station", places.load(config.path(config.station.names))[1] if config.station.names else ()
    yield "clock", _clock(config.clock)
    yield "buffer", _buffer(config.buffer)
    yield "warnings", _warnings(config)
    for route in config.routes:
        yield f"route {route.name}", route.check(config.base)
    context = _context(config)
    yield from _optional(config)
    yield from _devices(config, context)
    yield from _series(config, context)
    yield from _computed(config, context)
    yield from _fast(config, context)
    yield from _local(config, context)
    yield from _narrow(config, context)
    for table, problem in shared(_owners(config)):
        yield table, [problem]
    yield from _relays(config)


def _context(config: Config) -> Context:
    """What a driver may look at to say what is wrong; its buses are not opened."""
    buses = {bus.name: bus for bus in config.buses}
    lan = config.lan.lan() if config.lan is not None else None
    return Context(config.base, lambda _kind, _fields: None, buses, profiles=config.profiles, lan=lan)


def _devices(config: Config, context: Context) -> Iterator[tuple[str, Iterable[Problem]]]:
    """What each driver knows of its own table."""
    for bus in config.buses:
        yield f"bus {bus.name}", check_bus(bus, context)
    for table, made in [("sensor", config.sensors), ("actuator", config.actuators)]:
        for one in made:
            yield f"{table} {one.name}", one.factory.check(one.config, context)


def _narrow(config: Config, context: Context) -> Iterator[tuple[str, Iterable[Problem]]]:
    if config.narrow is not None:
        from agent.bearers.config import check_bearers

        yield from check_bearers(
            config.bearers,
            config.narrow,
            routes=[route.name for route in config.routes],
            series=specs_of(config, context),
            base=config.base,
            context=context,
        )


def _relays(config: Config) -> Iterator[tuple[str, Iterable[Problem]]]:
    """What only shows when all relays lie side by side."""
    devices = [device for one in config.actuators for device in (one.config, *one.factory.parts(one.config))]
    relays = [device for device in devices if isinstance(device, RelayConfig)]
    for name, problem in conflicts(relays, [getattr(sensor.config, "bus", "") for sensor in config.sensors]):
        yield f"actuator {name}", [problem]


def _owners(config: Config) -> Iterator[Owner]:
    """Everything that may open a port of its own."""
    yield from ((f"bus {bus.name}", bus) for bus in config.buses)
    yield from ((f"sensor {one.name}", one.config) for one in config.sensors)
    for one in config.actuators:
        yield from ((f"actuator {one.name}", part) for part in (one.config, *one.factory.parts(one.config)))
    yield from ((f"bearer {one.name}", one.config) for one in config.bearers)


def _optional(config: Config) -> Iterator[tuple[str, Iterable[Problem]]]:
    """Tables that most stations do not have."""
    if config.lan is not None:
        yield "lan", config.lan.check()
    if config.microphone is not None:
        yield "microphone", config.microphone.check()


def _computed(config: Config, context: Context) -> Iterator[tuple[str, Iterable[Problem]]]:
    """Derived series, and what must hold between series."""
    if config.derived and not any(True for _ in _station(config.station)):
        from agent.derive.config import check_derived

        for table, problem in check_derived(config.derived, measured(config, context), config.station.timezone):
            yield table, [problem]
    if config.consistency:
        from agent.consistency import check_consistency

        for table, problem in check_consistency(config.consistency, specs_of(config, context)):
            yield table, [problem]


def _fast(config: Config, context: Context) -> Iterator[tuple[str, Iterable[Problem]]]:
    """Conditions under which sensors are read faster."""
    sensors = [(one.name, getattr(one.config, "fast", None)) for one in config.sensors]
    if any(fast for _, fast in sensors):
        from agent.hasten import check_fast

        for table, problem in check_fast(sensors, specs_of(config, context)):
            yield table, [problem]


def _local(config: Config, context: Context) -> Iterator[tuple[str, Iterable[Problem]]]:
    """Rules, buttons and contacts; rules against the series that there are, plans against those that are known."""
    plans = {one.name for one in plans_of(config).plans}
    for table, problem in check_rules(config.rules, specs_of(config, context), plans):
        yield table, [problem]
    for button in config.buttons:
        yield f"button {button.name}", check_button(button, [bus.name for bus in config.buses], plans)
    yield "", check_buttons(config.buttons)
    if config.contacts is not None:
        from agent.spot.contacts import check_contacts

        yield "contacts", check_contacts(config.contacts)


def _station(station: StationConfig) -> Iterator[Problem]:
    if not is_station(station.id):
        yield Problem("id", "config.station_id", {"value": station.id})
    for code in station.areas:
        if not is_area(code) or code == "all":
            yield Problem("areas", "config.area_code", {"value": code})
    if station.language and station.language not in languages():
        yield Problem("language", "config.choice", {"value": station.language, "known": ", ".join(languages())})
    try:
        ZoneInfo(station.timezone)
    except (OSError, ValueError, KeyError):
        yield Problem("timezone", "config.timezone", {"value": station.timezone})


def _clock(clock: ClockConfig) -> Iterator[Problem]:
    if clock.source not in SOURCES:
        yield Problem("source", "config.choice", {"value": clock.source, "known": ", ".join(SOURCES)})


def _buffer(buffer: BufferConfig) -> Iterator[Problem]:
    """One file with the state, and nothing kept back from the disk longer than a power cut may cost."""
    if Path(buffer.file).name != buffer.file or buffer.file == "..":
        yield Problem("file", "config.file_name", {"value": buffer.file})
    for key, value, least, most in (
        ("max_size", buffer.max_size, 256 << 10, 1 << 40),
        ("alarm_quota", buffer.alarm_quota, 16 << 10, buffer.max_size // 2),
        ("commit_interval", buffer.commit_interval, 0.02, 60.0),
        ("settle_interval", buffer.settle_interval, 0.02, 600.0),
    ):
        if not least <= value <= most:
            yield Problem(key, "value.range", {"value": value, "least": least, "most": most})


def _warnings(config: Config) -> Iterator[Problem]:
    """A station with an actuator and nobody to believe would be deaf on the day it is for."""
    if config.warnings is None:
        if config.actuators:
            yield Problem("keyset", "config.no_keyring")
        return
    if not config.station.areas:
        yield Problem("keyset", "config.no_areas")
    limit = config.warnings.siren_limit
    if not SHORTEST_SIREN <= limit <= LONGEST_SIREN:
        yield Problem("siren_limit", "value.range", {"value": limit, "least": SHORTEST_SIREN, "most": LONGEST_SIREN})
    yield from check_hours(config.warnings)
    yield from check_keyring(config.path(config.warnings.keyset), config.warnings.roots, config.state / KEPT)
    if config.warnings.plans:
        known = {*shipped(), *(name for one in config.actuators for name in getattr(one.config, "patterns", ()))}
        yield from load_plans(config.path(config.warnings.plans), languages=[config.language], patterns=known)[1]


def _series(config: Config, context: Context) -> Iterator[tuple[str, Iterable[Problem]]]:
    """No two sensors may write one series: the platform could not tell them apart."""
    owner: dict[str, str] = {}
    for sensor in config.sensors:
        try:
            names = list(sensor.factory.create(sensor.config, context).series)
        except (OSError, ValueError, KeyError, ProtocolError):
            continue  # its own check has said why
        for name in names:
            if name in owner:
                twice = Problem("prefix", "config.duplicate_series", {"series": name, "other": owner[name]})
                yield f"sensor {sensor.name}", [twice]
            owner.setdefault(name, sensor.name)
