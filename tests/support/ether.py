"""A station among bearers that fail at random, in simulated time: carries out what the scheduler plans, and keeps count.

The loop that does it in earnest is `agent.bearers`; here a device is a delay, a loss and a list of outages.
"""

import heapq
import itertools
import random
from collections import defaultdict
from dataclasses import dataclass, field, replace

from agent.bearers.budget import Ledger, Limits
from agent.bearers.lanes import Backlog, Load, Message, Policy, Waiting
from agent.bearers.schedule import choose
from agent.bearers.way import Train, Way
from drivers.api import Accepted, Declined, Traits, Unknown

DAY = 86_400.0
EVENT, ALARM = 150, 40  # bytes of a usual one


@dataclass
class Air:
    """The truth about one bearer. `says_so`: in an outage the device declines, else what it takes is lost."""

    loss: float = 0.0
    outages: list[tuple[float, float]] = field(default_factory=list)
    says_so: bool = False
    wait: float = 30.0

    def works(self, at, until=None):
        until = at if until is None else until
        return not any(start <= until and at < end for start, end in self.outages)


@dataclass
class Log:
    """What happened, for the assertions."""

    raised: dict[str, Message] = field(default_factory=dict)
    delivered: dict[str, float] = field(default_factory=dict)
    acknowledged: dict[str, float] = field(default_factory=dict)
    began: list[tuple[float, str, Load]] = field(default_factory=list)  # what went out
    declined: int = 0
    copies: int = 0
    digests: list[float] = field(default_factory=list)  # when a digest that arrived was made
    decisions: int = 0


class Ether:
    """`ways` and their `airs` by name; run it from 0 to a time, raising alarms and events as told beforehand."""

    def __init__(self, ways, airs, *, seed=0, policy=None, digest=True, detail=0):
        self.ways = {way.name: way for way in ways}
        self.airs, self.policy = airs, policy or Policy()
        self.chance = random.Random(seed)
        self.now, self.midnight = 0.0, 0.25  # the simulation starts at six in the morning
        self.log = Log()
        self.messages: dict[str, Message] = {}
        self.digest, self.detail = digest, detail
        self._order = itertools.count()
        self._heap = []
        self._torn = set()  # messages of which a fragment was lost; the whole goes again after its patience
        self._prices = defaultdict(list)  # name -> (time, price) of what went out

    def raise_at(self, at, key, load=Load.ALARM, *, top=False, size=None):
        size = size or (ALARM if load is Load.ALARM else EVENT)
        self._at(at, self._raise, Message(key, load, size, at, top))

    def run(self, until):
        self._at(0.0, lambda: None)
        look = 0.0
        while self._heap or look < until:
            at = min(look, self._heap[0][0]) if self._heap else look
            if at > until:
                return self.log
            self.now = max(self.now, at)
            while self._heap and self._heap[0][0] <= self.now:
                _, _, do, args = heapq.heappop(self._heap)
                do(*args)
            look = self._decide()
        return self.log

    def spent(self, name):
        return self._prices[name]

    def day(self, at=None):
        return 20_000 + self.midnight + (self.now if at is None else at) / DAY

    def _at(self, at, do, *args):
        heapq.heappush(self._heap, (at, next(self._order), do, args))

    def _raise(self, message):
        self.log.raised[message.key] = message
        self.messages[message.key] = message

    def _decide(self):
        self.ways = {name: way.tick(self.now) for name, way in self.ways.items()}
        waiting = sorted(self.messages.values(), key=lambda one: (one.load, not one.top, one.since))
        backlog = Backlog(tuple(waiting), self.digest, Waiting(self.detail), Waiting(1_000_000), Waiting(10))
        plan = choose(list(self.ways.values()), backlog, self.now, self.day(), self.policy)
        self.log.decisions += 1
        assert len({order.bearer for order in plan.orders}) == len(plan.orders)
        for order in plan.orders:
            self._begin(order)
        assert plan.look > self.now
        return plan.look

    def _begin(self, order):
        way = self.ways[order.bearer]
        assert not way.busy
        assert way.ready <= self.now
        message = self.messages.get(order.key)
        size = message.size if message else 1 << 30
        last = True
        if message:
            goes_on = way.train is not None and way.train.key == order.key
            left = (way.train.left if goes_on else way.pieces(size)) - 1
            last = left == 0
            way = replace(way, train=Train(order.key, order.load, left) if left else None)
            if not goes_on:
                self.messages[order.key] = message.tried(way.name, self.now)
        elif way.train is not None and way.train.key == order.key:
            way = replace(way, train=None)  # acknowledged meanwhile
            self.ways[order.bearer] = way
            return
        price = way.price(4 if order.load is Load.PROOF else size)
        self.log.began.append((self.now, way.name, order.load))
        self.ways[order.bearer] = way.begin(order.load, 4 if order.load is Load.PROOF else size, self.day(), self.now)
        self._prices[way.name].append((self.now, price))
        self._at(self.now + way.traits.latency, self._end, order, self.now, last)

    def _end(self, order, began, last):
        way, air = self.ways[order.bearer], self.airs[order.bearer]
        works = air.works(began, self.now)
        if not works and air.says_so:
            self.log.declined += 1
            self._prices[way.name].remove(next(one for one in reversed(self._prices[way.name]) if one[0] == began))
            self.ways[order.bearer] = replace(way.end(Declined("no-service", air.wait), self.now), train=None)
            if order.key in self.messages and order.bearer in self.messages[order.key].tries:
                self.messages[order.key] = self.messages[order.key].untried(order.bearer)
            return
        outcome = Accepted() if works or self.chance.random() < 0.5 else Unknown("lost")
        self.ways[order.bearer] = way.end(outcome, self.now, wanted=last)
        arrived = works and self.chance.random() >= air.loss
        torn = (order.bearer, order.key)
        if not arrived:
            self._torn.add(torn)
        if last:
            whole = torn not in self._torn
            self._torn.discard(torn)
            if whole:
                self._arrive(order, began)

    def _arrive(self, order, began):
        way, air = self.ways[order.bearer], self.airs[order.bearer]
        if order.key:
            self.log.copies += order.key in self.log.delivered
            self.log.delivered.setdefault(order.key, self.now)
        if order.load is Load.DETAIL:
            self.detail -= 1
        if order.load is Load.DIGEST:
            self.log.digests.append(began)
        back = self.now + way.traits.latency
        if way.traits.duplex and air.works(self.now, back) and self.chance.random() >= air.loss:
            self._at(back, self._acknowledge, order)

    def _acknowledge(self, order):
        self.ways[order.bearer] = self.ways[order.bearer].answered(self.now)
        if self.messages.pop(order.key, None):
            self.log.acknowledged[order.key] = self.now
            for name, way in self.ways.items():
                if way.train and way.train.key == order.key:
                    self.ways[name] = replace(way, train=None)


def outages(chance, until, *, every, length):
    """Random ones, about one in `every` seconds, of about `length`."""
    at, found = 0.0, []
    while (at := at + chance.expovariate(1 / every)) < until:
        end = at + chance.expovariate(1 / length)
        found.append((at, end))
        at = end
    return found


def mqtt(**more):
    return Way("mqtt", Traits(1 << 16, latency=0.3), wide=True, medium="cellular", period=300.0, **more)


def beidou(**more):
    """A civil card of level 3: 77 bytes a minute, 3.8 s on average (National Meteorological Information Centre, 2015)."""
    traits = Traits(77, min_interval=60.0, latency=3.8, broadcast=True)
    return Way("beidou", traits, Ledger(Limits(interval=60.0)), **more)


def sbd(money=float("inf"), messages=float("inf"), **more):
    """340 bytes, a session of about ten seconds, one message in 40 s under open sky; 50 bytes a credit."""
    traits = Traits(340, min_interval=40.0, cost=1.0, credit=50, latency=10.0)
    return Way("sbd", traits, Ledger(Limits(money=money, messages=messages, interval=40.0)), **more)
