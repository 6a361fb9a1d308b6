"""Profiles of Modbus devices: the register map of a maker's document as data."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from drivers.api import Problem
from drivers.profile import Profile, Series, head_problems, open_profile, series_problems
from drivers.values import Duration
from protocols.errors import LocalError
from protocols.modbus_map import Register, overlapping
from protocols.modbus_plan import GAP, Limits


class Defaults(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """As the device leaves its maker."""

    unit: int = 1
    baud: int = 9600
    parity: str = "N"
    bits: int = 8
    stop: int = 1
    timeout: Duration | None = None
    interval: Duration = Duration(10.0)


class Readable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Addresses that hold no series of ours but may be read."""

    first: int
    last: int
    fc: int = 3


class ModbusLimits(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`registers` in one request; `gap` unused ones between two series; `allow_gaps` over addresses the map does not list."""

    registers: int = 125
    gap: int = GAP
    allow_gaps: bool = False
    readable: list[Readable] = []


class Identity(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Registers that no two devices have alike, as a serial number; they are read when a device is met, and not in a scan."""

    address: int
    count: int = 1
    fc: int = 3


class ModbusSeries(Series, forbid_unknown_fields=True, kw_only=True):
    address: int
    fc: int = 3
    type: str = "uint16"
    order: str = "ABCD"
    scale: float = 1.0
    offset: float = 0.0
    bit: int = 0
    missing: list[float] = msgspec.field(default_factory=list)

    def register(self) -> Register:
        return Register(
            self.name,
            self.address,
            self.fc,
            self.type,
            self.order,
            self.scale,
            self.offset,
            self.bit,
            tuple(self.missing),
        )


class Signature(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A register by which its maker lets the device be known: its bits of `mask` are `value`. Read in a scan alone."""

    address: int
    value: int
    mask: int = 0xFFFF
    fc: int = 3


class ModbusProfile(Profile, forbid_unknown_fields=True, kw_only=True):
    series: list[ModbusSeries]
    signature: list[Signature] = msgspec.field(default_factory=list)
    defaults: Defaults = msgspec.field(default_factory=Defaults)
    limits: ModbusLimits = msgspec.field(default_factory=ModbusLimits)
    identity: Identity | None = None

    def planned(self) -> Limits:
        readable = tuple((one.fc, one.first, one.last) for one in self.limits.readable)
        return Limits(self.limits.registers, self.limits.gap, self.limits.allow_gaps, readable)


def open_modbus(name: str, directories: Sequence[Path] = ()) -> tuple[ModbusProfile | None, list[Problem]]:
    """The profile of this name, or everything that is wrong with it."""
    return open_profile(name, ModbusProfile, check_modbus, directories)


def check_modbus(profile: ModbusProfile) -> Iterator[Problem]:
    """What is wrong with a map besides the types of its fields."""
    yield from head_problems(profile, "modbus", profile.series)
    if not 1 <= profile.limits.registers <= 125:
        yield Problem("limits.registers", "value.range", {"value": profile.limits.registers, "least": 1, "most": 125})
    if not 1 <= profile.defaults.unit <= 255:
        yield Problem("defaults.unit", "value.range", {"value": profile.defaults.unit, "least": 1, "most": 255})
    for sign in profile.signature:
        if not 0 <= sign.value & sign.mask == sign.value <= 0xFFFF:
            yield Problem("signature.value", "value.range", {"value": sign.value, "least": 0, "most": sign.mask})
    known = profile.identity
    if known is not None and not (1 <= known.count <= 16 and known.fc in (3, 4) and 0 <= known.address <= 0xFFFF):
        yield Problem("identity", "profile.identity", {"count": known.count, "fc": known.fc})
    yield from series_problems(profile.series)
    registers = []
    for one in profile.series:
        try:
            registers.append(one.register())
        except LocalError as wrong:
            yield Problem(f"series[{one.name}]", "series.register", {"why": wrong.detail})
    for name, other in overlapping(registers):
        yield Problem(f"series[{other}].address", "series.overlap", {"other": name})
