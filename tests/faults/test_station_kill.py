"""The station's process killed, stopped and started at bad moments: what was committed arrives, once in effect."""

import asyncio
import os
import random
import signal
from collections import defaultdict

import pytest

from tests.support.broker import Broker, free_port
from tests.support.scale import count
from tests.support.station import WITHIN, station
from tests.support.until import until

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


class Books:
    """What was seen on disk after each life; what is seen later must not contradict it."""

    def __init__(self):
        self.readings = {}  # (log, number) -> its readings
        self.numbers = {}  # (log, lane) -> numbers
        self.taken = 0

    def look(self, site):
        stored = site.stored()
        bodies = defaultdict(list)
        for log, number, series, value in stored:
            bodies[log, number].append((series, value))
        for key, body in bodies.items():
            assert self.readings.setdefault(key, body) == body, f"a number was used again: {key}"
        seen = site.numbers()
        for key, numbers in self.numbers.items():
            assert set(numbers) <= set(seen.get(key, ())), f"what was on disk is gone: {key}"
        self.numbers = seen
        self.taken = len(stored)


async def drained(site):
    site.route["url"] = f"mqtt://127.0.0.1:{site.platform.port}"
    await site.delivers_all()


@pytest.mark.timeout(1800)
def test_killed_at_random_moments_it_loses_nothing_and_never_reuses_a_number(tmp_path, broker):
    """Start-up, first commit, sending, merging: wherever the moment falls. What the agent said was on disk is the measure."""

    async def story():
        chance, books = random.Random(2), Books()
        async with station(tmp_path, broker.port, through=free_port()) as site:
            del site.tables["sensor gauge"]
            site.sensor("gauge", "field", interval="50ms")
            for _ in range(count(200)):
                online = chance.random() < 0.6
                site.route["url"] = f"mqtt://127.0.0.1:{broker.port if online else 1}"
                site.write()
                promised = await one_life(site, chance)
                before = books.taken
                books.look(site)
                assert books.taken >= before + promised
            assert len({log for log, _ in books.readings}) > count(200) // 4
            await drained(site)
            books.look(site)

    asyncio.run(story())


async def one_life(site, chance):
    """How many readings this life said were on disk before it was killed."""
    await site.agent.start()
    promised = 0
    if chance.random() < 0.7:
        await until(lambda: site.committed > 0, WITHIN)
        await asyncio.sleep(chance.uniform(0, 0.3))
        promised = site.committed
    else:
        await asyncio.sleep(chance.uniform(0, 0.5))  # in the middle of its start
    await site.kill()
    return promised


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ended_while_offline_it_loses_nothing(tmp_path, broker, how):
    async def story():
        async with station(tmp_path, broker.port, through=free_port()) as site:
            await site.agent.start()
            await until(lambda: site.committed > 10, WITHIN)
            promised = site.committed
            code = await site.agent.end(how)
            assert code == (-how if how is signal.SIGKILL else 0)
            assert len(site.stored()) >= promised
            assert site.delivered == 0
            await drained(site)

    asyncio.run(story())


def test_asked_to_stop_while_it_starts_it_ends_in_order(tmp_path, broker):
    async def story():
        chance = random.Random(4)
        async with station(tmp_path, broker.port) as site:
            for _ in range(count(40)):
                await site.agent.start()
                await asyncio.sleep(chance.uniform(0.15, 0.5))
                code = await site.agent.end(signal.SIGTERM)
                assert code in (0, -signal.SIGTERM), site.agent.said()
            assert "Traceback" not in site.agent.said()
            await drained(site)

    asyncio.run(story())


def test_a_file_that_is_none_any_more_is_set_aside_and_told_of(tmp_path, broker):
    async def story():
        async with station(tmp_path, broker.port, through=free_port()) as site:
            await site.agent.start()
            await until(lambda: site.committed > 10, WITHIN)
            await site.kill()
            for name in ("buffer.db", "buffer.db-wal"):
                site.agent.database.with_name(name).write_bytes(random.Random(1).randbytes(40_000))
            await site.agent.start()
            await until(lambda: site.committed > 5 or not site.agent.running, WITHIN)
            await until(lambda: "buffer.salvaged" in site.recorded() or not site.agent.running, WITHIN)
            assert site.agent.running, site.agent.said()
            await site.agent.end(signal.SIGTERM)
            await drained(site)
            assert len(site.platform.said("buffer.damaged")) == 1
            assert list((site.folder / "state" / "quarantine").iterdir())

    asyncio.run(story())


@pytest.mark.parametrize("cut", ["half", "to nothing"])
def test_a_file_cut_short_costs_at_most_what_was_cut(tmp_path, broker, cut):
    """Pages that a dying card did not keep: the agent starts all the same, measures, and sends what it still has."""

    async def story():
        async with station(tmp_path, broker.port, through=free_port()) as site:
            await site.agent.start()
            await until(lambda: site.committed > 10, WITHIN)
            await site.kill()
            file, log = site.agent.database, site.agent.database.with_name("buffer.db-wal")
            for each in (file, log):
                os.truncate(each, each.stat().st_size // 2 if cut == "half" else 0)
            await site.agent.start()
            await until(lambda: site.committed > 5 or not site.agent.running, WITHIN)
            assert site.agent.running, site.agent.said()
            await site.agent.end(signal.SIGTERM)
            await drained(site)

    asyncio.run(story())
