"""How fast a backlog leaves: on loopback, by satellite, and on a lossy radio link."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.report import Figure, Measured, Value, measures
from benchmarks.uplink_scene import Store, drained, make, platform, running
from tests.support import netns

BEST_PEER = "thingsboard-gateway 3.8.5, 1000-record packs"


async def _drain(store: Store, host: str, port: int, form: str, limit: float, congestion: str = "") -> float:
    uplink = make(store, host, port, form)
    uplink.telemetry._options = replace(uplink.telemetry._options, congestion=congestion)  # noqa: SLF001 - the scene sets what no station may
    with running(uplink, asyncio.get_running_loop()):
        return await drained(store, uplink, limit)


def on_loopback(form: str, readings: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        store = Store(directory, readings)
        with platform(directory) as (broker, _ears):
            rate = asyncio.run(_drain(store, broker.host, broker.port, form, 120.0))
        store.buffer.close()
        return rate


@measures(3, Figure("drain, loopback, SenML JSON", "readings/s", "≥ 300,000", BEST_PEER))
def drain_json() -> Measured:
    return {"drain, loopback, SenML JSON": Value(on_loopback("json", 3_000_000), 20_224.0)}


@measures(3, Figure("drain, loopback, packed", "readings/s", "≥ 1,000,000", BEST_PEER))
def drain_packed() -> Measured:
    return {"drain, loopback, packed": Value(on_loopback("packed", 12_000_000), 20_224.0)}


def _on_path(form: str, readings: int, congestion: str, *, delay: float, loss: float) -> float:
    with tempfile.TemporaryDirectory() as name, netns.Path(delay=delay, loss=loss) as path:
        directory = Path(name)
        store = Store(directory, readings)
        with platform(directory, path.far, path.prefix) as (broker, _ears):
            rate = asyncio.run(_drain(store, broker.host, broker.port, form, 30.0, congestion))
        store.buffer.close()
        return rate


@measures(
    3,
    Figure("drain, 600 ms round trip, packed", "readings/s", "≥ 20,000", BEST_PEER),
    Figure("drain, 600 ms round trip, SenML JSON", "readings/s", "reported"),
)
def drain_satellite() -> Measured:
    if why := netns.missing():
        raise RuntimeError(why)
    return {
        "drain, 600 ms round trip, packed": Value(_on_path("packed", 20_000_000, "", delay=0.3, loss=0.0), 1_173.0),
        "drain, 600 ms round trip, SenML JSON": _on_path("json", 6_000_000, "", delay=0.3, loss=0.0),
    }


@measures(
    3,
    Figure("drain, 100 ms, 2 % loss each way, cubic, packed", "readings/s", "≥ 20,000"),
    Figure("drain, 100 ms, 2 % loss each way, cubic, SenML JSON", "readings/s", "reported"),
)
def drain_lossy() -> Measured:
    if why := netns.missing():
        raise RuntimeError(why)
    return {
        "drain, 100 ms, 2 % loss each way, cubic, packed": _on_path(
            "packed", 20_000_000, "cubic", delay=0.05, loss=0.02
        ),
        "drain, 100 ms, 2 % loss each way, cubic, SenML JSON": _on_path(
            "json", 3_000_000, "cubic", delay=0.05, loss=0.02
        ),
    }
