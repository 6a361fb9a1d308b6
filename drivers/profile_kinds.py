"""The kinds of profiles by name: their type, and what else can be wrong with one. A kind's module is imported when it is used."""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from drivers.api import Problem
from drivers.profile import LARGEST_FILE, Profile, load

KINDS: Mapping[str, str] = {
    "modbus": "drivers.sensors.modbus_profile:ModbusProfile:check_modbus",
    "nmea": "drivers.sensors.nmea_profile:NmeaProfile:check_nmea",
    "line": "drivers.sensors.line_profile:LineProfile:check_line",
    "sdi12": "drivers.sensors.sdi12_profile:Sdi12Profile:check_sdi12",
    "vaisala": "drivers.sensors.vaisala:VaisalaProfile:check_vaisala",
    "dlt645": "drivers.sensors.dlt645:MeterProfile:check_meter",
}


class Kind(NamedTuple):
    type: type[Profile]
    check: Callable[[Profile], Iterable[Problem]]


def kind_of(name: str) -> Kind:
    """KeyError for a stranger."""
    module, kind, check = KINDS[name].split(":")
    found = import_module(module)
    return Kind(getattr(found, kind), getattr(found, check))


def open_any(path: Path) -> tuple[Profile | None, Sequence[Problem]]:
    """The profile in a file, of whatever kind it says it is, or everything that is wrong with it."""
    try:
        with path.open("rb") as file:
            said = tomllib.loads(file.read(LARGEST_FILE).decode()).get("kind", "")
    except OSError as wrong:
        return None, [Problem("", "profile.unreadable", {"file": str(path), "why": wrong.strerror or str(wrong)})]
    except ValueError as wrong:  # TOMLDecodeError and UnicodeDecodeError are both
        return None, [Problem("", "profile.not_toml", {"file": str(path), "why": str(wrong)})]
    if said not in KINDS:
        return None, [Problem("kind", "config.choice", {"value": said, "known": ", ".join(KINDS)})]
    kind = kind_of(said)
    profile, problems = load(path, kind.type)
    problems = [*problems, *(kind.check(profile) if profile is not None else ())]
    return (None if problems else profile), problems
