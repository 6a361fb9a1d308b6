"""The simulated bearer: what goes in comes out at the other end, unless the weather, the clock or the mtu forbids it."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from drivers.api import Accepted, Context, Declined, Unknown
from drivers.bearers.sim import FACTORY, Sim, SimConfig
from tests.support.until import until
from tests.support.virtual import run


@asynccontextmanager
async def pair(tmp_path, **words):
    context = Context(tmp_path, lambda _kind, _facts: None)
    ends = [Sim(SimConfig(name=name, air="air", to=to, **words), context) for name, to in (("a", "b"), ("b", "a"))]
    tasks = [asyncio.create_task(end.run()) for end in ends]
    await until(lambda: all(end.status()["state"] == "up" for end in ends))
    try:
        yield ends
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def heard(end, count=1):
    found = []
    async with asyncio.timeout(600):
        async for datagram in end.incoming():
            found.append(datagram)
            if len(found) == count:
                return found
    return found


def test_a_datagram_arrives_whole_and_says_who_sent_it(tmp_path):
    async def story():
        async with pair(tmp_path) as (a, b):
            assert await a.send(b"one") == Accepted()
            [got] = await heard(b)
            assert (got.data, got.sender, got.broadcast) == (b"one", "a", False)

    run(story())


def test_too_early_and_too_long_are_declined_with_the_wait(tmp_path):
    async def story():
        async with pair(tmp_path, interval=60.0, mtu=10) as (a, _b):
            assert await a.send(b"x" * 11) == Declined("too_long", None)
            await a.send(b"one")
            early = await a.send(b"two")
            assert early.reason == "early"
            assert 59 <= early.retry_after <= 60
            await asyncio.sleep(early.retry_after)
            assert await a.send(b"two") == Accepted()

    run(story())


def test_losses_and_doubts_come_in_their_shares(tmp_path):
    async def story():
        async with pair(tmp_path, interval=0.0, latency=0.0, loss=0.2, unknown=0.1, seed=3) as (a, b):
            outcomes = []
            for place in range(1000):
                outcomes.append(await a.send(bytes([place % 256])))
                await asyncio.sleep(0.01)
                while b._inbox:
                    b._inbox.popleft()
            assert 150 < 1000 - b.counts["heard"] < 250
            assert 60 < outcomes.count(Unknown("sim")) < 140

    run(story())


def test_a_modem_that_is_taken_away_says_so_and_comes_back(tmp_path):
    async def story():
        async with pair(tmp_path, interval=0.0) as (a, b):
            (tmp_path / "air" / "a.gone").touch()
            await until(lambda: a.status()["state"] == "down")
            assert (await a.send(b"x")).reason == "absent"
            (tmp_path / "air" / "a.gone").unlink()
            await until(lambda: a.status()["state"] == "up")
            await a.send(b"x")
            assert [one.data for one in await heard(b)] == [b"x"]

    run(story())


def test_a_broadcast_reaches_everybody_else(tmp_path):
    async def story():
        async with pair(tmp_path, interval=0.0, broadcast=True) as (a, b):
            await a.send(b"all", "*")
            [got] = await heard(b)
            assert got.broadcast
            assert a.counts["heard"] == 0

    run(story())


def test_what_nobody_takes_is_dropped_and_counted(tmp_path):
    async def story():
        async with pair(tmp_path, interval=0.0, latency=0.0) as (a, b):
            for place in range(200):
                await a.send(bytes([place]))
                await asyncio.sleep(0.01)
            assert len(b._inbox) == 64
            assert b.counts["dropped"] == 136
            assert (await heard(b))[0].data == bytes([136])

    run(story())


@pytest.mark.parametrize("wrong", [{"loss": 1.5}, {"unknown": -1.0}, {"repeat": 2.0}, {"mtu": 0}, {"to": "a/b"}])
def test_what_cannot_be_is_said_beforehand(tmp_path, wrong):
    context = Context(tmp_path, lambda _kind, _facts: None)
    assert [one.key for one in FACTORY.check(SimConfig(name="a", air="air", **wrong), context)] == [next(iter(wrong))]
