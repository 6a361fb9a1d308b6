"""How soon a half-open link is noticed, and how soon one that is back is used."""

import asyncio
import random
import tempfile
from pathlib import Path

from agent.links.uplink import Uplink
from benchmarks.report import Figure, Measured, measures
from benchmarks.uplink_scene import Store, make, platform, running, until
from tests.support import netns
from tests.support.netns import Path as NetPath


async def _busy(store: Store, uplink: Uplink, path: NetPath) -> tuple[float, float]:
    """Seconds to notice with data in flight, and from the link's return to the next acceptance."""
    with running(uplink, asyncio.get_running_loop()):
        await until(lambda: uplink.counts.settled)
        path.set(black_hole=True)
        store.add(10_000)
        noticed = await until(lambda: uplink.telemetry.failures)
        await asyncio.sleep(20.0)
        settled = uplink.counts.settled
        path.set(black_hole=False)
        return noticed, await until(lambda: uplink.counts.settled > settled)


async def _idle(uplink: Uplink, path: NetPath) -> float:
    with running(uplink, asyncio.get_running_loop()):
        await until(lambda: uplink.up)
        await asyncio.sleep(3.0)
        path.set(black_hole=True)
        return await until(lambda: uplink.urgent.failures)


@measures(
    3,
    Figure("half-open link noticed, data in flight", "s", "≤ 15"),
    Figure("half-open link noticed, idle, keep-alive 10 s", "s", "≤ 15"),
    Figure("link back → first PUBACK", "s", "≤ 30"),
)
def half_open() -> Measured:
    if why := netns.missing():
        raise RuntimeError(why)
    with tempfile.TemporaryDirectory() as name, netns.Path(delay=0.02) as path:
        directory = Path(name)
        store = Store(directory, 10_000)
        with platform(directory, path.far, path.prefix) as (broker, _ears):
            uplink = make(store, broker.host, broker.port, "packed", linger=0.0)
            uplink.telemetry._backoff._random = random.Random(3).random  # noqa: SLF001 - jitter as in the field
            busy, back = asyncio.run(_busy(store, uplink, path))
            idle = asyncio.run(_idle(make(store, broker.host, broker.port, "packed", status_interval=3600), path))
        store.buffer.close()
    return {
        "half-open link noticed, data in flight": busy,
        "half-open link noticed, idle, keep-alive 10 s": idle,
        "link back → first PUBACK": back,
    }
