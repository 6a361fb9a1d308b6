"""How long an alarm takes from append to broker while a backlog drains, and how much of the link the backlog uses."""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.report import Figure, Measured, measures
from benchmarks.uplink_scene import Store, make, percentile, platform, running, until
from tests.support import netns

SPELL = 32.0  # seconds of continuous drain
GAP = 0.1  # seconds between alarms
MEGABIT = 125_000.0  # bytes per second


async def _alarms(store: Store, host: str, port: int, form: str) -> tuple[float, float]:
    """Share of the time in which a backlog was waiting, and payload bytes per second."""
    uplink = make(store, host, port, form)
    waiting = looks = 0
    with running(uplink, asyncio.get_running_loop()):
        await until(lambda: uplink.counts.settled)
        began, bytes_then = time.monotonic(), uplink.counts.payload_bytes
        while time.monotonic() - began < SPELL:
            store.alarm()
            waiting += store.pending() > 0
            looks += 1
            await asyncio.sleep(GAP)
        rate = (uplink.counts.payload_bytes - bytes_then) / (time.monotonic() - began)
    return waiting / looks, rate


def _latency(form: str, *, rate: float = 0.0, readings: int) -> tuple[float, float, float]:
    """p99 in milliseconds, share of time draining, payload bytes per second."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        store = Store(directory, readings)
        if not rate:
            with platform(directory) as (broker, ears):
                busy, used = asyncio.run(_alarms(store, broker.host, broker.port, form))
                time.sleep(1.0)
                p99 = percentile(ears.alarms(), 0.99)
        else:
            with (
                netns.Path(delay=0.02, rate=rate) as path,
                platform(directory, path.far, path.prefix) as (broker, ears),
            ):
                busy, used = asyncio.run(_alarms(store, broker.host, broker.port, form))
                time.sleep(2.0)
                p99 = percentile(ears.alarms(), 0.99)
        store.buffer.close()
        return p99 * 1000, busy, used


@measures(
    3,
    Figure("alarm appended → broker during drain, loopback, JSON, p99", "ms", "≤ 40"),
    Figure("share of the spell spent draining, JSON", "%", "100"),
)
def alarm_loopback() -> Measured:
    """JSON, because its encoding is what holds the loop; packed would need a billion readings for the spell."""
    p99, busy, _ = _latency("json", readings=45_000_000)
    return {
        "alarm appended → broker during drain, loopback, JSON, p99": p99,
        "share of the spell spent draining, JSON": busy * 100,
    }


@measures(
    3,
    Figure("alarm appended → broker, 1 Mbit/s uplink, p99", "ms", "≤ 250"),
    Figure("1 Mbit/s uplink used by payload meanwhile", "%", "≥ 80"),
    Figure("alarm appended → broker, 1 Mbit/s uplink, JSON, p99", "ms", "reported"),
)
def alarm_megabit() -> Measured:
    if why := netns.missing():
        raise RuntimeError(why)
    p99, _, used = _latency("packed", rate=MEGABIT, readings=8_000_000)
    json_p99, _, _ = _latency("json", rate=MEGABIT, readings=300_000)
    return {
        "alarm appended → broker, 1 Mbit/s uplink, p99": p99,
        "1 Mbit/s uplink used by payload meanwhile": used / MEGABIT * 100,
        "alarm appended → broker, 1 Mbit/s uplink, JSON, p99": json_p99,
    }
