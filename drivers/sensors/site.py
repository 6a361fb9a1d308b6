"""The station itself as a sensor: how warm it is, how long it runs, what room its disk has, its supply, its door.

Linux's own files say it, below a root that tests move elsewhere. What a computer does not have is left out, and said once.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from drivers.api import Context, Emit, Factory, Problem, SeriesSpec
from drivers.condition import Condition
from drivers.inputs import FileInput, Input, InputConfig, ModbusInput, PinInput
from drivers.pace import Fast, Pace, check_pace
from drivers.sensors.names import Naming, check_names
from drivers.values import Duration
from protocols.errors import RemoteError
from protocols.reading import Reading

DOOR_LOOK = 1.0  # seconds between looks at the door: who opens it is longer inside


class SiteConfig(Naming, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "station"`. `door`: a contact that is closed while the door is shut, as a button's. `supply`: the hwmon
    name of what measures the supply (ina219, ina226 ...; "" any of the INA family). `disk`: the file system that is watched.
    """

    name: str
    root: str = "/"
    supply: str = ""
    disk: str = ""
    door: InputConfig | None = None
    interval: Duration = Duration(60.0)
    fast: Fast | None = None


class Seen(NamedTuple):
    spec: SeriesSpec
    read: Callable[["Files"], float]


class Files:
    """Linux's files below a root. OSError, ValueError: this computer does not say."""

    def __init__(self, root: Path, disk: Path, supply: str) -> None:
        self.root, self._disk, self._supply = root, disk, supply

    def temperature(self) -> float:
        """The warmest zone, °C (Documentation/ABI/testing/sysfs-class-thermal: millidegrees)."""
        zones = [_number(one) for one in self.root.glob("sys/class/thermal/thermal_zone*/temp")]
        if not zones:
            raise FileNotFoundError(2, "no thermal zone")
        return round(max(zones) / 1000, 1)

    def uptime(self) -> float:
        """Seconds (proc(5))."""
        return float((self.root / "proc/uptime").read_text().split()[0])

    def disk(self) -> float:
        """Bytes that are free to us."""
        found = os.statvfs(self._disk)
        return float(found.f_bavail * found.f_frsize)

    def voltage(self) -> float:
        """Volts: in1 of an INA2xx is the bus, in millivolts (Documentation/hwmon/ina2xx)."""
        return _number(self._monitor() / "in1_input") / 1000

    def current(self) -> float:
        """Amperes."""
        return _number(self._monitor() / "curr1_input") / 1000

    def throttled(self) -> float:
        """The Raspberry Pi's own word: bit 0 under-voltage, 1 capped, 2 throttled, 3 soft limit; 16-19 the same since boot."""
        files = [*self.root.glob("sys/devices/platform/soc*/soc*:firmware/get_throttled")]
        if not files:
            raise FileNotFoundError(2, "no get_throttled")
        return float(int(files[0].read_text().strip(), 16))

    def _monitor(self) -> Path:
        for folder in sorted(self.root.glob("sys/class/hwmon/hwmon*")):
            name = (folder / "name").read_text().strip()
            if name == self._supply or (not self._supply and name.startswith("ina")):
                return folder
        raise FileNotFoundError(2, f"no {self._supply or 'INA2xx'} in /sys/class/hwmon")


def _number(file: Path) -> float:
    return float(file.read_text().strip())


SEEN: Mapping[str, Seen] = {
    "station.temperature": Seen(
        SeriesSpec("Cel", span=(-55.0, 125.0), expect=(-40.0, 85.0), step=0.1), Files.temperature
    ),
    "station.uptime": Seen(SeriesSpec("s", span=(0.0, 1e10), step=0.01), Files.uptime),
    "station.disk": Seen(SeriesSpec("By", span=(0.0, 1e15), step=1.0), Files.disk),
    "station.voltage": Seen(SeriesSpec("V", span=(0.0, 60.0), step=0.001), Files.voltage),
    "station.current": Seen(SeriesSpec("A", span=(-50.0, 50.0), step=0.001), Files.current),
    "station.throttled": Seen(SeriesSpec("1", span=(0.0, float(0xFFFFF)), step=1.0), Files.throttled),
}
DOOR = "station.door"  # 1 while it is open


class SiteSource:
    """See `drivers.api.Source`."""

    def __init__(self, config: SiteConfig, context: Context) -> None:
        self.name, self.interval = config.name, float(config.interval)
        self.pace = Pace(self.interval, context.station_time)
        disk = Path(config.disk) if config.disk else context.state or context.base
        self._config, self._now, self._report = config, context.now, context.report
        self._files = Files(Path(config.root), disk, config.supply)
        self._wanted = [one for one in SEEN if one not in config.omit]
        self._door = _input(config.door, context) if config.door is not None and DOOR not in config.omit else None
        self._shut: bool | None = None
        self._absent: set[str] = set()
        self._condition = Condition(config.name, context.report, context.now, {})

    @property
    def series(self) -> Mapping[str, SeriesSpec]:
        found = {one: SEEN[one].spec for one in self._wanted}
        if self._door is not None:
            found[DOOR] = SeriesSpec("1", span=(0.0, 1.0), step=1.0)
        return {self._config.called(one): self._config.bounded(one, spec) for one, spec in found.items()}

    async def run(self, emit: Emit) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat(emit))
            if self._door is not None:
                tasks.create_task(self._watch(self._door, emit))

    async def read_once(self) -> Sequence[Reading]:
        values = await asyncio.to_thread(self._values)
        if self._door is not None:
            values[DOOR] = float(not await self._door.read())
        if not values:
            raise RemoteError("silent", self.name)
        return self._readings(values)

    def status(self) -> Mapping[str, Any]:
        return {**self._condition.status(), "absent": sorted(self._config.called(one) for one in self._absent)}

    async def _beat(self, emit: Emit) -> None:
        while True:
            started = time.monotonic()
            values = await asyncio.to_thread(self._values)  # a monitor on I²C takes milliseconds
            if values:
                self._condition.succeeded()
                emit(self._readings(values))
            else:
                self._condition.failed("silent")
            await self.pace.beat(started)

    async def _watch(self, door: Input, emit: Emit) -> None:
        """At each change, and with every beat of the others."""
        told = 0.0
        while True:
            try:
                shut = await door.read()
            except (OSError, RemoteError):
                shut = None
            if shut is not None and (shut != self._shut or time.monotonic() - told >= self.pace.interval):
                told = time.monotonic()
                emit(self._readings({DOOR: float(not shut)}))
            self._shut = shut
            await asyncio.sleep(DOOR_LOOK)

    def _values(self) -> dict[str, float]:
        values: dict[str, float] = {}
        for one in self._wanted:
            try:
                values[one] = SEEN[one].read(self._files)
                self._absent.discard(one)
            except (OSError, ValueError, IndexError):
                self._absent.add(one)
        return values

    def _readings(self, values: Mapping[str, float]) -> list[Reading]:
        at = self._now()
        called = ((self._config.called(one), value) for one, value in values.items())
        return [Reading(name, at, value, self.series[name].unit) for name, value in called]


def _input(config: InputConfig, context: Context) -> Input:
    if config.file:
        return _Turned(FileInput(context.base / config.file), config.inverted)
    if config.bus:
        return _Turned(ModbusInput(context.buses[config.bus], config.unit, config.input), config.inverted)
    return _Turned(PinInput(config.chip, config.line or 0), config.inverted)


class _Turned:
    def __init__(self, contact: Input, inverted: bool) -> None:
        self._contact, self._inverted = contact, inverted

    async def read(self) -> bool:
        return await self._contact.read() != self._inverted


def _check(config: SiteConfig, context: Context) -> Iterator[Problem]:
    yield from check_pace(config.interval, config.fast)
    yield from check_names(config, [*SEEN, *([DOOR] if config.door is not None else [])])
    door = config.door
    if door is not None and door.bus and door.bus not in context.buses:
        yield Problem("door.bus", "sensor.bus_unknown", {"bus": door.bus, "known": ", ".join(context.buses)})


FACTORY = Factory(SiteConfig, SiteSource, _check)
