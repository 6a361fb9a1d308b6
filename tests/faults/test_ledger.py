"""The books are open: what a full disk made the station give up is told as ranges, the platform counts it as gone and not as
a hole, and the account, the subscriber and the file come to the same sum.
"""

import asyncio
import random

import pytest

from buffer.model import Lane
from protocols import columns
from protocols.reading import Reading
from tests.support.broker import Broker
from tests.support.living import living
from tests.support.scale import count
from tests.support.station import WITHIN, station, table
from tests.support.until import until

pytestmark = pytest.mark.broker
NUMBERS = count(40_000)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


async def flood(agent, numbers):
    """Readings that do not pack well, faster than any sensor."""
    chance = random.Random(1)
    for n in range(1, numbers + 1):
        readings = [Reading(f"noise.s{i}", n * 10, chance.random(), "m", 1) for i in range(20)]
        agent.buffer.append(Lane.TELEMETRY, columns.pack(agent.clock.boot, readings))
        if n % 200 == 0:
            await asyncio.wrap_future(agent.buffer.flush())


def sums(agent):
    """By (log, lane): numbers issued, and those gone by the station's own books."""
    return {
        (info.log, lane.name.lower()): (found.last, sum(b - a + 1 for ranges in found.gone.values() for a, b in ranges))
        for info in agent.buffer.logs()
        for lane, found in info.lanes.items()
        if found.last
    }


def test_what_a_full_disk_cost_is_told_and_sums_up_on_both_sides(tmp_path, broker):
    async def story():
        async with station(tmp_path, broker.port, sensor=False) as site:
            home, site.route["url"] = site.route["url"], "mqtt://127.0.0.1:1"
            site.tables["buffer"] = table(
                "buffer", max_size="600kB", alarm_quota="60kB", commit_interval="50ms", settle_interval="200ms"
            )
            async with living(site) as agent:
                await flood(agent, NUMBERS)
                await until(lambda: agent.buffer.stats().gone.get("space", 0) > NUMBERS // 4, WITHIN)
                flooded = agent.buffer.log
            site.route["url"] = home
            async with living(site) as agent:
                tracker = site.platform.tracker
                await until(lambda: site.platform.said("account", log=flooded), WITHIN)
                await until(lambda: tracker.complete() and not any(agent.buffer.stats().pending.values()), WITHIN)
                books = sums(agent)[flooded, "telemetry"]
            assert site.platform.problems == []
            assert site.platform.said("buffer.shed", log=flooded, lane="telemetry", reason="space")
            held = {(lane.log, lane.lane): found for lane, found in tracker.holdings}[flooded, "telemetry"]
            assert books == (NUMBERS, held.gone.count)
            assert held.numbers.count + held.gone.count == NUMBERS
            assert not list(held.numbers.intersection(held.gone)), "what came is not called gone"
            audit = tracker.summary()["audit"]
            assert audit["missing"] == []
            assert audit["held"] + audit["gone"] == audit["issued"]

    asyncio.run(story())


def test_what_damage_cost_is_told_in_the_same_way(tmp_path, broker):
    """Rows that fail their checksum are found when they are to be sent."""

    async def story():
        async with station(tmp_path, broker.port, sensor=False) as site:
            home, site.route["url"] = site.route["url"], "mqtt://127.0.0.1:1"
            async with living(site) as agent:
                for n in range(1, 41):
                    agent.buffer.append(Lane.TELEMETRY, columns.pack(agent.clock.boot, [Reading("x", n, n, "m", 1)]))
                await asyncio.wrap_future(agent.buffer.flush())
                log, ordinal = agent.buffer.log, agent.buffer._engine.ordinal
            await asyncio.to_thread(scribble, site.agent.database, ordinal, 10, 14)
            site.route["url"] = home
            async with living(site):
                tracker = site.platform.tracker
                await until(lambda: site.platform.said("buffer.unreadable", log=log), WITHIN)
                await until(tracker.complete, WITHIN)
            held = {(lane.log, lane.lane): found for lane, found in tracker.holdings}[log, "telemetry"]
            assert list(held.gone) == [(10, 14)]
            assert held.numbers.count == 35
            assert site.platform.problems == []

    asyncio.run(story())


def scribble(database, ordinal, first, last):
    import sqlite3

    from buffer.schema import key_of

    with sqlite3.connect(database) as db:
        low, high = key_of(Lane.TELEMETRY, ordinal, first), key_of(Lane.TELEMETRY, ordinal, last)
        changed = db.execute("UPDATE block SET crc = crc + 1 WHERE key BETWEEN ? AND ?", (low, high)).rowcount
    assert changed == last - first + 1
