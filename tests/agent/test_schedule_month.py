"""A month of outages in seconds: what the scheduler promises, over bearers that fail at random."""

import random
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.bearers.budget import KEPT, Ledger, Limits
from agent.bearers.lanes import Load, Policy
from agent.bearers.way import Way
from drivers.api import Traits
from tests.support.ether import DAY, Air, Ether, beidou, mqtt, outages, sbd
from tests.support.scale import count

DEAD = [(0.0, float("inf"))]
HOUR = 3600.0


def delays(log):
    """From raised to acknowledged; every alarm must have been."""
    assert log.acknowledged.keys() == log.raised.keys()
    return sorted(log.acknowledged[key] - message.since for key, message in log.raised.items())


def p95(values):
    return values[int(len(values) * 0.95)]


# Figures


@pytest.mark.parametrize("top", [False, True])
@pytest.mark.parametrize(("others", "most"), [([], 130.0), ([sbd()], 60.0)], ids=["beidou", "with sbd"])
def test_alarms_while_the_public_network_is_dead(others, most, top):
    airs = {"mqtt": Air(outages=DEAD), "beidou": Air(0.045), "sbd": Air(0.02)}
    ether, chance = Ether([mqtt(), beidou(), *others], airs, seed=7), random.Random(8)
    alarms = count(2000)
    for nth in range(alarms):
        ether.raise_at(HOUR + nth * 600 + chance.uniform(0, 60), f"alarm {nth}", top=top)
    assert p95(delays(ether.run(HOUR * 2 + alarms * 600))) <= most


def test_the_digest_is_never_older_than_two_slots():
    ether = Ether([mqtt(), beidou()], {"mqtt": Air(outages=DEAD), "beidou": Air()})
    for nth in range(100):
        ether.raise_at(HOUR, f"event {nth}", Load.EVENT)
    log = ether.run(DAY)
    assert max(later - before for before, later in pairwise(log.digests)) <= 2 * 60.0 + 10.0
    assert len(log.acknowledged) == 100


# A month


def month(seed):
    chance = random.Random(seed)
    ways = [mqtt(), beidou(), sbd(money=300.0, messages=60)]
    airs = {
        "mqtt": Air(outages=outages(chance, 30 * DAY, every=12 * HOUR, length=2 * HOUR)),
        "beidou": Air(0.045, outages(chance, 30 * DAY, every=24 * HOUR, length=HOUR)),
        "sbd": Air(0.02, outages(chance, 30 * DAY, every=18 * HOUR, length=HOUR), says_so=True),
    }
    ether = Ether(ways, airs, seed=seed, policy=Policy(alarm_deadline=300.0), detail=1000)
    at = HOUR
    while (at := at + 600 + chance.expovariate(1 / HOUR)) < 30 * DAY - HOUR:
        ether.raise_at(at, f"alarm {at}", top=chance.random() < 0.2)
        ether.raise_at(at + 60, f"event {at}", Load.EVENT)
    return ether, airs


def test_a_month_of_random_outages():
    ether, airs = month(3)
    log = ether.run(30 * DAY)
    alarms = {key: message for key, message in log.raised.items() if message.load is Load.ALARM}
    assert len(alarms) > 400
    for key, message in alarms.items():
        end = message.since + 300.0
        if any(air.works(message.since, end) for air in airs.values()):
            assert log.delivered[key] <= end, message
    assert set(alarms) <= set(log.acknowledged), "and the others when a bearer came back"
    budgets_hold(ether)
    events = [key for key in log.raised if key not in alarms]
    assert set(events) <= set(log.acknowledged)
    assert lanes_served(ether, airs)


def budgets_hold(ether):
    """No day's money or messages, no hour's airtime is exceeded, whatever way one counts."""
    for name, way in ether.ways.items():
        days, limits = defaultdict(list), way.ledger.limits
        for at, price in ether.spent(name):
            days[int(ether.day(at))].append(price)
        for prices in days.values():
            assert sum(price.money for price in prices) <= limits.money + 1e-6
            assert len(prices) <= limits.messages
        begun = ether.spent(name)
        for first, (start, _) in enumerate(begun):
            hour = [price.airtime for at, price in begun[first : first + 4000] if at < start + HOUR]
            if limits.airtime == float("inf"):
                break
            assert sum(hour) <= limits.airtime + 1e-6
        starts = [at for at, _ in begun]  # what was declined did not go out
        assert all(later - before >= way.traits.min_interval - 1e-6 for before, later in pairwise(starts))


def lanes_served(ether, airs):
    """While only BeiDou works, a digest at least every ten minutes; detail goes at all; each bearer is proven."""
    loads = {load for _, _, load in ether.log.began}
    assert {Load.ALARM, Load.EVENT, Load.DIGEST, Load.DETAIL, Load.PROOF} <= loads
    for start, end in airs["mqtt"].outages:
        begin, stop = start + 1800, min(end, 30 * DAY)
        if stop - begin > HOUR and airs["beidou"].works(start - HOUR, stop):
            made = [begin, *(at for at in ether.log.digests if begin < at < stop), stop]
            assert max(later - before for before, later in pairwise(made)) <= 600.0
    return True


# Any set of bearers

PERIODS = st.tuples(st.floats(0, 11 * HOUR), st.floats(10, 2 * HOUR)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@st.composite
def bearers(draw):
    """A bearer with its air: narrow or wide, paid or free, guarded or not."""
    interval, cost = draw(st.sampled_from([0.0, 5.0, 30.0, 60.0])), draw(st.sampled_from([0.0, 0.0, 0.5, 2.0]))
    guard, wide = draw(st.sampled_from([0.0, 0.0, 36.0])), draw(st.integers(0, 4)) == 0
    traits = Traits(
        draw(st.sampled_from([70, 77, 140, 340, 1750])),
        min_interval=0.0 if wide else interval,
        cost=cost,
        credit=draw(st.sampled_from([0, 50])),
        latency=draw(st.floats(0.2, 20.0)),
        guard=0.0 if wide else guard,
    )
    limits = Limits(
        money=draw(st.sampled_from([float("inf"), 100.0, 400.0])),
        messages=draw(st.sampled_from([float("inf"), 50, 300])),
        airtime=traits.guard or float("inf"),
        interval=traits.min_interval,
    )
    way = Way("", traits, Ledger(limits), wide=wide, medium=draw(st.sampled_from(["", "", "m"])), air=0.3)
    air = Air(draw(st.sampled_from([0.0, 0.02])), draw(st.lists(PERIODS, max_size=4)), draw(st.booleans()))
    return way, air


@given(st.lists(bearers(), min_size=1, max_size=5), st.integers(0, 999))
@settings(max_examples=count(250), deadline=None)
def test_any_set_of_bearers(drawn, seed):
    ways = [replace(way, name=f"b{nth}") for nth, (way, _) in enumerate(drawn)]
    airs = {f"b{nth}": air for nth, (_, air) in enumerate(drawn)}
    ether = Ether(ways, airs, seed=seed, policy=Policy(alarm_deadline=600.0), detail=100)
    ready = {}

    def look(key, at):
        """Which bearers could pay for the alarm, and a few tries, when it was raised."""
        ready[key] = [way.name for way in ether.ways.values() if pays(way, at)]

    def pays(way, at):
        price = way.price(40)
        three = replace(price, money=3 * price.money, airtime=3 * price.airtime)
        left = way.ledger.left(ether.day(at))[1]
        return left >= 3 and way.ledger.affords(Load.ALARM, three, ether.day(at), at)

    for nth in range(20):
        at = 600.0 + nth * 2000.0
        ether.raise_at(at, f"alarm {nth}", top=nth % 3 == 0)
        ether._at(at, look, f"alarm {nth}", at)
        ether.raise_at(at + 900, f"event {nth}", Load.EVENT)
    log = ether.run(12 * HOUR)
    budgets_hold(ether)
    for key, message in log.raised.items():
        sure = [name for name in ready.get(key, ()) if airs[name].works(message.since - 60, message.since + 600)]
        if any(not airs[name].loss for name in sure):
            assert log.delivered.get(key, float("inf")) <= message.since + 600.0


def test_a_fifth_of_the_slots_stays_free():
    """With more to say than fits, the air is silent in every fifth slot, and the next alarm goes there."""
    ether = Ether([beidou()], {"beidou": Air()}, digest=True)
    for nth in range(500):
        ether.raise_at(0.0, f"event {nth}", Load.EVENT)
    log = ether.run(6 * HOUR)
    assert len(log.began) == pytest.approx((1 - KEPT) * 6 * 60, rel=0.03)
