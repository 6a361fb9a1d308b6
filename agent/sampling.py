"""Buses and sensors of a configuration, made and read. The agent keeps them running; a technician's command reads once."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from agent.config import Config
from drivers.api import Context, Report, Source, StationTime
from drivers.bus import Bus
from protocols.errors import RemoteError
from protocols.qartod import Checker
from protocols.quality import flag_of, reasons_of
from protocols.reading import Reading

if TYPE_CHECKING:
    from agent.clock import Clock

log = logging.getLogger(__name__)

PORT = "port"  # the reason of a sensor that was not even asked: its port is away, or another's


def context_of(config: Config, report: Report, clock: "Clock | None" = None) -> Context:
    """What the station's drivers are given; its buses are made here, and opened when first used."""
    buses = {bus.name: Bus(bus, report) for bus in config.buses}
    lan = config.lan.lan() if config.lan is not None else None
    beats = station_time(clock, ZoneInfo(config.station.timezone)) if clock is not None else unaligned
    return Context(
        config.base, report, buses, profiles=config.profiles, state=config.state, lan=lan, station_time=beats
    )


def station_time(clock: "Clock", zone: tzinfo) -> StationTime:
    """What sampling is aligned to, while the clock is trusted."""

    def now() -> float | None:
        unix, trusted = clock.wall(clock.boot, clock.now())
        if not trusted:
            return None
        offset = datetime.fromtimestamp(unix / 1000, zone).utcoffset() or timedelta()
        return unix / 1000 + offset.total_seconds()

    return now


def unaligned() -> float | None:
    return None


def sources_of(config: Config, context: Context) -> list[Source]:
    return [sensor.factory.create(sensor.config, context) for sensor in config.sensors]


async def close_buses(context: Context) -> None:
    for bus in context.buses.values():
        await bus.close()


@asynccontextmanager
async def open_sensors(config: Config) -> AsyncIterator[list[Source]]:
    """The sensors on their own ports, for a command that runs while no agent does."""
    context = context_of(config, lambda _kind, _fields: None)
    try:
        yield sources_of(config, context)
    finally:
        await close_buses(context)


async def read_all(sources: Iterable[Source]) -> list[dict[str, Any]]:
    """One row a sensor: its readings, or why there are none. Sensors on different buses are read side by side."""
    return list(await asyncio.gather(*(read_one(source) for source in sources)))


async def read_one(source: Source) -> dict[str, Any]:
    try:
        readings = await source.read_once()
    except (RemoteError, TimeoutError) as silent:
        reason = getattr(silent, "reason", "timeout")
        return {"sensor": source.name, "error": str(silent) or type(silent).__name__, "reason": reason}
    except OSError as gone:
        return {"sensor": source.name, "error": gone.strerror or str(gone), "reason": PORT}
    except Exception as bug:  # one driver's bug must not hide what the other sensors say
        log.exception("sensor %s", source.name)
        return {"sensor": source.name, "error": f"{type(bug).__name__}: {bug}"}
    return {"sensor": source.name, "readings": [as_json(reading, source) for reading in readings]}


def as_json(reading: Reading, source: Source) -> dict[str, Any]:
    """A reading as the bench shows it; only the range can be judged from one sample."""
    spec = source.series.get(reading.series)
    quality = Checker(spec.span, spec.expect).check(reading.at, reading.value) if spec else reading.quality
    return {"series": reading.series, "value": reading.value, "unit": reading.unit, "quality": named(quality)}


def named(quality: int) -> str:
    """`good`, `suspect(range)` …"""
    reasons = reasons_of(quality)
    names = ",".join(r.name.lower() for r in type(reasons) if r in reasons and r.name)
    return flag_of(quality).name.lower() + (f"({names})" if names else "")


def newest(readings: Mapping[str, Reading], now: int) -> dict[str, dict[str, Any]]:
    """The newest value of each series, for status: with its age in seconds."""
    return {
        name: {"value": r.value, "unit": r.unit, "quality": named(r.quality), "age": round((now - r.at) / 1000, 1)}
        for name, r in sorted(readings.items())
    }
