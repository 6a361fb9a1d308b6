"""What a scan found, as JSON for programs and as TOML for a configuration. Opens nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drivers.scan.identify import Candidate, match_sentences
from drivers.scan.line import Device, Result
from drivers.sensors.nmea_profile import NmeaProfile


def as_json(result: Result, instruments: Sequence[NmeaProfile]) -> dict[str, Any]:
    """Keys and codes are English in every language."""
    row: dict[str, Any] = {
        "port": result.port.path,
        "device": result.port.device,
        "named_by": result.port.by,
        "product": result.port.product,
        "state": result.state,
        "requests": result.requests,
        "devices": [_device(one) for one in result.devices],
    }
    if result.why:
        row["why"] = result.why
    if result.state in ("talking", "foreign"):
        heard = {"language": result.heard.kind, "said": list(result.heard.said), "baud": result.baud}
        candidates = match_sentences(result.heard.said, instruments) if result.heard.kind == "nmea" else []
        row["heard"] = heard | {"candidates": [_candidate(one) for one in candidates]}
    return row


def _device(one: Device) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "address": one.address,
        "baud": one.baud,
        "parity": one.parity,
        "identity": one.identity,
        "registers": spans(one.registers),
        "candidates": [_candidate(each) for each in one.candidates],
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


def offer(rows: Sequence[Mapping[str, Any]]) -> str:
    """The tables to add to station.toml; a guess at a device is marked as one."""
    return "\n".join(line for number, row in enumerate(rows, 1) for line in _tables(row, number))


def _tables(row: Mapping[str, Any], number: int) -> Iterator[str]:
    modbus = [one for one in row["devices"] if one["kind"] == "modbus"]
    for place, (baud, parity) in enumerate(dict.fromkeys((one["baud"], one["parity"]) for one in modbus)):
        bus = f"line{number}" + (f"-{place + 1}" if place else "")
        yield from ("[[bus]]", f'name = "{bus}"', f'url = "{_url(row["port"], baud, parity)}"', "")
        for one in modbus:
            if (one["baud"], one["parity"]) == (baud, parity):
                yield from _sensor(bus, one)
    probes = [one for one in row["devices"] if one["kind"] == "sdi12"]
    if probes:
        yield from (
            "[[sensor]]",
            'driver = "sdi12"',
            f'name = "line{number}"',
            f'port = "{_url(row["port"], 9600)}"',
            "",
        )
    for one in probes:
        yield f"[[sensor.probe]]  # {one['identity'] or '?'}: choose its profile (fengsui profile list sdi12)"
        yield from (f'name = "probe{one["address"]}"', f'address = "{one["address"]}"', 'profile = "sdi12-level"', "")
    heard = row.get("heard", {})
    if heard.get("language") == "nmea" and heard["candidates"]:
        best = heard["candidates"][0]
        yield from ("[[sensor]]", 'driver = "nmea"', f'name = "line{number}"')
        yield from (f'port = "{_url(row["port"], heard["baud"])}"', _profile(best), "")


def _sensor(bus: str, one: Mapping[str, Any]) -> Iterator[str]:
    if not one["candidates"]:
        yield f"# unit {one['address']} answers, and no profile fits; registers {', '.join(one['registers']) or 'unknown'}"
        yield from ("# fengsui profile new modbus my-device", "")
        return
    yield from ("[[sensor]]", f'name = "{bus}-unit{one["address"]}"', f'bus = "{bus}"')
    yield from (_profile(one["candidates"][0]), f"unit = {one['address']}", "")


def _profile(best: Mapping[str, Any]) -> str:
    return f'profile = "{best["profile"]}"  # confidence {best["confidence"]:.0%}: hold its values against the device'


def _url(port: str, baud: int, parity: str = "N") -> str:
    return f"serial://{port}?baud={baud}" + (f"&parity={parity}" if parity != "N" else "")
