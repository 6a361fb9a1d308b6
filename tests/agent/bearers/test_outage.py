"""A day without the public network, twenty series at a minute: what gets through meanwhile, and what comes after."""

import asyncio
import math
import random

import pytest

from agent.bearers.lanes import Load
from buffer.model import Lane
from buffer.ranges import Ranges
from buffer.store import Buffer, RouteSpec
from drivers.api import SeriesSpec
from tests.support.broker import Broker
from tests.support.listener import Listener
from tests.support.narrow import village
from tests.support.patient import run
from tests.support.scale import count
from tests.support.uplinks import make, pending, running, until

BEIDOU = {"interval": 60.0, "latency": 2.0, "mtu": 77, "loss": 0.045, "far_interval": 0.1}
SBD = {
    "interval": 40.0,
    "latency": 20.0,
    "mtu": 340,
    "cost": 0.2,
    "credit": 50,
    "daily_budget": 40.0,
    "far_interval": 0.1,
}
SERIES = {f"river.s{place:02d}": SeriesSpec("m", span=(0.0, 40.0), step=0.01) for place in range(20)}
HOURS = max(6, count(24))
SLOT = 60.0


class Day:
    """What was recorded when (loop seconds), and what the far end had of it in the end."""

    def __init__(self):
        self.alarms, self.done, self.ages, self.numbers = {}, {}, [], {}


async def outage(site, hours):
    """A reading a minute, an alarm an hour at any moment, and a line falling silent now and then."""
    day, chance, begun = Day(), random.Random(1), []
    dispatch = site.dispatch()
    obey, delivered = dispatch._obey, dispatch._delivered

    def noted(order, now):
        begun.append((now, order.load))
        obey(order, now)

    def acknowledged(parcel):
        day.done |= {span.key.number: site.loop.time() for span in parcel.spans if span.key.lane is Lane.ALARM}
        delivered(parcel)

    dispatch._obey, dispatch._delivered = noted, acknowledged
    for minute in range(hours * 60):
        site.sample(round(10 + chance.random(), 2))
        wait = chance.uniform(0, SLOT) if minute % 60 == 37 else 0.0
        await site.passes(wait)
        if wait:
            level = "red" if minute % 120 == 37 else "orange"
            day.alarms[await site.alarm(level=level, alert=chance.randbytes(32).hex())] = site.loop.time()
        if minute % 90 == 20:
            await site.event(text=chance.randbytes(20).hex())
        await site.passes(SLOT - wait)
    day.ages = ages(begun[10:])
    return day


def ages(begun):
    """How old the newest digest was when the next was made, in slots that no alarm had."""
    found, last, alarms = [], None, 0
    for at, load in begun:
        alarms += load is Load.ALARM
        if load is Load.DIGEST:
            found += [] if last is None else [(at - last) / SLOT - alarms]
            last, alarms = at, 0
    return found


@pytest.mark.parametrize(
    ("bearers", "within"), [({"beidou": BEIDOU}, 130), ({"beidou": BEIDOU, "sbd": SBD}, 60)], ids=["beidou", "and sbd"]
)
@pytest.mark.broker
def test_a_day_without_the_public_network(tmp_path, bearers, within):
    """`within`: seconds in which 95 in 100 alarms are delivered and acknowledged."""

    async def away():
        async with village(tmp_path, bearers, series=SERIES) as site:
            day = await outage(site, HOURS)
            await site.until(lambda: not site.pending(Lane.ALARM), 1800)
            took = sorted(day.done[number] - at for number, at in day.alarms.items())
            assert took[math.ceil(len(took) * 0.95) - 1] <= within
            assert max(map(int, day.ages)) <= 2  # a slot that an alarm cut short is none
            assert len(site.far.counters) == len(set(site.far.counters))
            assert site.fleet.lines["beidou"].bearer.counts["sent"] <= HOURS * 60 + 60
            await asyncio.wrap_future(site.buffer.flush())
            day.numbers = dict(site.far.numbers)
            return day

    asyncio.run(back(tmp_path, run(away())))


async def back(folder, day):
    """The network is there again: everything else comes by MQTT, and nothing of what the headend has."""
    buffer = Buffer.open(folder / "state" / "buffer.db", routes=[RouteSpec("county")])
    try:
        with Broker(folder / "broker") as broker, Listener(broker.port) as platform:
            async with running(make(buffer, broker.url, directory=folder, name="county")):
                await until(lambda: not pending(buffer, "county"))
                platform.wait(lambda _: platform.count("telemetry") >= HOURS * 60 - held(day, "telemetry"))
        narrow = {key for key, times in day.numbers.items() if times}
        assert set(day.numbers.values()) == {1}
        for info in buffer.logs():
            for lane in (Lane.ALARM, Lane.EVENT, Lane.TELEMETRY):
                name = lane.name.lower()
                wide = platform.numbers.get((info.log, name), Ranges())
                for number in range(1, (info.lanes[lane].last if lane in info.lanes else 0) + 1):
                    ways = ((info.log, name, number) in narrow) + wide.covers(number, number)
                    assert ways == 1, f"{info.log}/{name}/{number} came by {ways} ways"
        assert platform.repeats.total() == 0
    finally:
        buffer.close()


def held(day, lane):
    return sum(1 for _log, its, _number in day.numbers if its == lane)
