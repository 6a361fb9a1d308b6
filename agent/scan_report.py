"""What a scan found, as JSON for programs and as TOML for a configuration. Opens nothing."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from drivers.address import parse
from drivers.scan.identify import Candidate, match_identity, match_sentences
from drivers.scan.line import Device, Result
from drivers.sensors.nmea_profile import NmeaProfile
from drivers.sensors.sdi12_profile import Sdi12Profile

if TYPE_CHECKING:
    from agent.config import Config

ANY_PROBE = "sdi12-level"  # an SDI-12 probe says who it is, and not what it measures
BY_LANGUAGE = {"vaisala": "vaisala-wxt"}  # that only one profile speaks
MODEMS = ("beidou", "at", "sbd")


def as_json(result: Result, instruments: Sequence[NmeaProfile], probes: Sequence[Sdi12Profile] = ()) -> dict[str, Any]:
    """Keys and codes are English in every language. `probes` are known by the names they give themselves."""
    row: dict[str, Any] = {
        "port": result.port.path,
        "device": result.port.device,
        "named_by": result.port.by,
        "product": result.port.product,
        "state": result.state,
        "requests": result.requests,
        "devices": [_device(one, probes) for one in result.devices],
    }
    if result.why:
        row["why"] = result.why
    if result.state in ("talking", "foreign"):
        heard = {"language": result.heard.kind, "said": list(result.heard.said), "baud": result.baud}
        candidates = match_sentences(result.heard.said, instruments) if result.heard.kind == "nmea" else []
        row["heard"] = heard | {"candidates": [_candidate(one) for one in candidates]}
    return row


def _device(one: Device, probes: Sequence[Sdi12Profile]) -> dict[str, Any]:
    candidates = one.candidates or match_identity(one.identity, probes)
    return {
        "kind": one.kind,
        "address": one.address,
        "baud": one.baud,
        "parity": one.parity,
        "identity": one.identity,
        "registers": spans(one.registers),
        "candidates": [_candidate(each) for each in candidates],
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "profile": one.profile,
        "confidence": one.confidence,
        "registers": f"{one.good}/{one.of}",
        "title": one.title,
    }


def spans(addresses: Sequence[tuple[int, int]]) -> list[str]:
    """`3:0-3`: function and registers that exist."""
    found: list[list[int]] = []
    for function, address in sorted(addresses):
        if found and found[-1][0] == function and found[-1][2] == address - 1:
            found[-1][2] = address
        else:
            found.append([function, address, address])
    return [f"{function}:{first}" + (f"-{last}" if last > first else "") for function, first, last in found]


@dataclass
class Offer:
    """Tables to add to station.toml, under names and series that are free there. `series` of each known profile. Of the
    station: its buses by port, speed and parity; all its ports; which sensor is at which bus and unit; what its sensors are
    called, and what they write.
    """

    series: Mapping[str, Sequence[str]]
    buses: Mapping[tuple[str, int, str], str] = field(default_factory=dict)
    ports: AbstractSet[str] = field(default_factory=set)
    units: Mapping[tuple[str, str], str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def tables(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """A guess at a device is marked as one."""
        return "\n".join(line for row in rows for line in self._tables(row))

    def _free(self, wanted: str) -> str:
        """That name, or the first with a number behind it that nobody has."""
        numbered = (f"{wanted}-{n}" for n in count(2))
        name = next(one for one in chain((wanted,), numbered) if one not in self.names)
        self.names.add(name)
        return name

    def _tables(self, row: Mapping[str, Any]) -> Iterator[str]:
        port = os.path.realpath(row["port"])
        for setting, lines in self._found(row):
            free = port not in self.ports or (port, *setting) in self.buses
            yield from lines if free else _put_off("This port is another's already, or at another speed.", lines)
            self.ports |= {port}

    def _found(self, row: Mapping[str, Any]) -> Iterator[tuple[tuple[int, str], Iterable[str]]]:
        """What hangs on a port, by speed and parity."""
        modbus = [one for one in row["devices"] if one["kind"] == "modbus"]
        probes = [one for one in row["devices"] if one["kind"] == "sdi12"]
        for baud, parity in dict.fromkeys((one["baud"], one["parity"]) for one in modbus):
            same = [one for one in modbus if (one["baud"], one["parity"]) == (baud, parity)]
            yield (baud, parity), self._bus(row["port"], baud, parity, same)
        if probes:
            yield (0, ""), self._probes(row["port"], probes)
        if heard := row.get("heard"):
            yield (0, ""), self._heard(row["port"], heard)

    def _bus(self, port: str, baud: int, parity: str, devices: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """A bus that the station has is not made anew."""
        bus = self.buses.get((os.path.realpath(port), baud, parity))
        if bus is None:
            bus = self._free(next(name for n in count(1) if (name := f"line{n}") not in self.names))
            yield from ("[[bus]]", f'name = "{bus}"', f'url = "{_url(port, baud, parity)}"', "")
        for one in devices:
            yield from self._sensor(bus, one)

    def _sensor(self, bus: str, one: Mapping[str, Any]) -> Iterator[str]:
        if not one["candidates"]:
            yield f"# unit {one['address']} answers, and no profile fits; registers {', '.join(one['registers']) or 'unknown'}"
            yield from ("# fengsui profile new modbus my-device", "")
            return
        if (bus, one["address"]) in self.units:
            yield from (f"# unit {one['address']} is the sensor {self.units[bus, one['address']]} already", "")
            return
        best, name = one["candidates"][0], self._free(f"{bus}-unit{one['address']}")
        yield from ("[[sensor]]", f'name = "{name}"', f'bus = "{bus}"', _profile(best))
        yield from (*self._prefix(best["profile"], name), f"unit = {one['address']}", "")

    def _probes(self, port: str, probes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        name = self._free("sdi12")
        yield from ("[[sensor]]", 'driver = "sdi12"', f'name = "{name}"', f'port = "{_url(port, 9600)}"', "")
        for one in probes:
            best = one["candidates"][0] if one["candidates"] else {"profile": ANY_PROBE}
            yield f"[[sensor.probe]]  # {one['identity'] or '?'}: if this is another, choose its profile (fengsui profile list)"
            yield from (f'name = "probe{one["address"]}"', f'address = "{one["address"]}"', _profile(best))
            yield from (*self._prefix(best["profile"], f"{name}-probe{one['address']}"), "")

    def _heard(self, port: str, heard: Mapping[str, Any]) -> Iterator[str]:
        language, candidates = heard["language"], heard["candidates"]
        if language in MODEMS:
            yield from (f"# {port} speaks {language} at {heard['baud']} baud: a modem becomes a [[bearer]]", "")
        elif candidates or language in BY_LANGUAGE:
            best: Mapping[str, Any] = candidates[0] if candidates else {"profile": BY_LANGUAGE[language]}
            name = self._free(language)
            yield from ("[[sensor]]", f'driver = "{language}"', f'name = "{name}"')
            yield from (
                f'port = "{_url(port, heard["baud"])}"',
                _profile(best),
                *self._prefix(best["profile"], name),
                "",
            )

    def _prefix(self, profile: str, name: str) -> list[str]:
        """Where its series are another's already: two rain gauges may not both write rain.total."""
        series = self.series.get(profile, ())
        prefix = "" if self.written.isdisjoint(series) else re.sub(r"[^a-z0-9]+", "_", name.lower())
        self.written |= {f"{prefix}.{one}" if prefix else one for one in series}
        return [f'prefix = "{prefix}"'] if prefix else []


def _put_off(why: str, lines: Iterable[str]) -> Iterator[str]:
    """Shown, and not offered."""
    yield f"# {why}"
    yield from (f"# {line}".rstrip() for line in lines)


def taken(config: "Config | None", series: Mapping[str, Sequence[str]]) -> Offer:
    """An offer for this station, or for one that has nothing yet."""
    if config is None:
        return Offer(series)
    from agent.config import measured
    from agent.doctor.gather import ports as serial_ports
    from agent.sampling import context_of

    found = [(bus.name, parse(bus.url)[0]) for bus in config.buses]
    buses = {
        (os.path.realpath(address.path), address.baud, address.parity): name
        for name, address in found
        if address is not None and address.scheme == "serial"
    }
    ports = {os.path.realpath(path) for path in serial_ports(config)}
    units = {
        (str(getattr(one.config, "bus", "")), str(getattr(one.config, "unit", ""))): one.name for one in config.sensors
    }
    names = {name for name, _ in found} | {one.name for one in config.sensors}
    return Offer(
        series, buses, ports, units, names, set(measured(config, context_of(config, lambda _kind, _fields: None)))
    )


def _profile(best: Mapping[str, Any]) -> str:
    sure = f"confidence {best['confidence']:.0%}: " if "confidence" in best else ""
    return f'profile = "{best["profile"]}"  # {sure}hold its values against the device'


def _url(port: str, baud: int, parity: str = "N") -> str:
    return f"serial://{port}?baud={baud}" + (f"&parity={parity}" if parity != "N" else "")
