"""What to send next, by which bearer: `choose(ways, backlog, now, day) -> Plan`. Pure; called whenever anything changed.

Knows traits, counts and times; never a device, a body or a clock. Alarms first, by as many bearers as their level and
their patience ask for; then each narrow bearer's slot goes to the lane that waited longest. Wide bearers carry streams of
their own: of them the plan says which lanes are open.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from agent.bearers.budget import DEBT
from agent.bearers.engage import again, cost, engaged, step
from agent.bearers.lanes import MOST_ALARMS, MOST_EVENTS, Backlog, Load, Message, Policy
from agent.bearers.proven import State
from agent.bearers.way import Train, Way

LONGEST_LOOK = 60.0  # seconds: budgets and days change unseen
FULL = 1 << 30  # bytes: a digest, a detail or a fragment fills whatever datagram there is
PROOF_SIZE = 4
LEAST_DIGEST = 30.0  # seconds between two, where slots follow one another sooner
LEEWAY = 1 / 8  # of a slot by which a digest may be older than two, since no slot is exact
LIVELIER = 4  # times as often an idle bearer is proven while no wide one lives
_CHEAP_WIDE = frozenset({Load.ALARM, Load.EVENT, Load.TELEMETRY, Load.BULK})
_DEAR_WIDE = frozenset({Load.ALARM, Load.EVENT})


class Order(NamedTuple):
    """Begin one datagram. `key`: the message's; "" for what has none. `again`: by this bearer it went before."""

    bearer: str
    load: Load
    key: str = ""
    again: bool = False


class Plan(NamedTuple):
    """One order a bearer at most. `open`: which lanes each wide bearer may carry. `look`: when to choose again unless
    something happens before.
    """

    orders: tuple[Order, ...]
    open: Mapping[str, frozenset[Load]]
    look: float


def choose(ways: Sequence[Way], backlog: Backlog, now: float, day: float, policy: Policy | None = None) -> Plan:
    """`day`: days since 1970 with the fraction of today. Ways have had their `tick`."""
    return _Choice(ways, backlog, now, day, policy or Policy()).plan()


class _Choice:
    """One decision in the making."""

    def __init__(self, ways: Sequence[Way], backlog: Backlog, now: float, day: float, policy: Policy) -> None:
        self.ways = [way for way in ways if way.open]
        self.backlog, self.now, self.day, self.policy = backlog, now, day, policy
        self.free = {way.name: way for way in self.ways if not way.busy and way.ready <= now}
        self.later = [way.ready for way in self.ways if not way.busy]
        self.orders: dict[str, Order] = {}
        self.afforded: dict[tuple[str, Load, int], bool] = {}  # messages are much of a size: asked once
        self.dumb = False  # there is a digest, and no bearer to carry it
        self.wide = [way for way in ways if way.wide and self._cheap(way)]
        self.wide_up = any(way.open and way.proof.state is State.UP for way in self.wide)

    def plan(self) -> Plan:
        self._alarms(self._named(Load.ALARM, MOST_ALARMS))
        events = self._carried(self._named(Load.EVENT, MOST_EVENTS))
        digest, detail = self._digest_by(), self._detail_by()
        self.dumb = digest is None and self.backlog.digest and not self.wide_up
        for way in [way for name, way in self.free.items() if name not in self.orders]:
            self._slot(way, events.get(way.name), way.name == digest, way.name == detail)
        look = min((at for at in self.later if at > self.now), default=self.now + LONGEST_LOOK)
        return Plan(tuple(self.orders.values()), self._open(), min(look, self.now + LONGEST_LOOK))

    def _named(self, load: Load, most: int) -> list[Message]:
        """What never began goes before what is tried again, so that nothing stands in the way for ever."""
        found = [message for message in self.backlog.messages if message.load is load]
        return sorted(found, key=lambda one: (bool(one.tries), not one.top, one.since))[:most]

    def _cheap(self, way: Way) -> bool:
        traits = way.traits
        return traits.cost * 1000 <= self.policy.cheap * (traits.credit or traits.mtu)

    # Alarms

    def _alarms(self, alarms: Iterable[Message]) -> None:
        wanted: dict[str, list[Message]] = {}
        for alarm in alarms:
            able = [way for way in self.ways if self._able(way, alarm)]
            for way in engaged(alarm, able, self.now, self.policy):
                wanted.setdefault(way.name, []).append(alarm)
            every = step(len(able), self.policy)
            self.later.append(alarm.since + (int((self.now - alarm.since) / every) + 1) * every)
        for name, waiting in wanted.items():
            free = self.free.get(name)
            if free is not None:
                self._alarm(free, waiting)

    def _able(self, way: Way, message: Message) -> bool:
        if way.name in message.barred:
            return False
        key = way.name, message.load, message.size
        if key not in self.afforded:
            self.afforded[key] = way.affords(message.load, message.size, self.day, self.now)
        return self.afforded[key]

    def _alarm(self, way: Way, waiting: list[Message]) -> None:
        """What has not gone by this bearer first, then the top level, then the oldest."""
        due = [alarm for alarm in waiting if self._due(way, alarm)]
        due.sort(key=lambda alarm: (way.name in alarm.tries, not alarm.top, alarm.since))
        train = way.train
        if train is not None and train.load is Load.ALARM:
            first = due[0] if due else None
            if first is None or not first.top or way.name in first.tries:
                self._go_on(way, train)
                return
        if due:
            self._order(way, Load.ALARM, due[0].key, again=way.name in due[0].tries)

    def _due(self, way: Way, message: Message) -> bool:
        tried = message.tries.get(way.name)
        if tried is None:
            return True
        at = tried.at + again(way, message, tried, self.now, self.policy)
        self.later.append(at)
        return at <= self.now

    def _go_on(self, way: Way, train: Train) -> None:
        """With the next fragment, whatever better bearer may have come up meanwhile."""
        if self._affords(way, train.load):
            self._order(way, train.load, train.key, again=True)

    # Everything else

    def _carried(self, events: Iterable[Message]) -> dict[str, Message]:
        """By narrow bearer, the first event that should go by it now."""
        found: dict[str, Message] = {}
        for event in events:
            way = self._carrier(event)
            if way is not None and not way.wide and way.name not in found and self._due(way, event):
                found[way.name] = event
        return found

    def _carrier(self, event: Message) -> Way | None:
        """The cheapest that can within the deadline. One that is past it does not wait for a wide bearer any longer."""
        overdue = self.now > event.since + self.policy.event_deadline
        able = [way for way in self._working() if self._able(way, event) and not (way.wide and overdue)]
        left = event.since + self.policy.event_deadline - self.now

        def rank(way: Way) -> tuple[float, ...]:
            expected = way.expected(event.size, self.now)
            return expected > left, cost(way, event.size), expected

        return min(able, key=rank, default=None)

    def _working(self) -> list[Way]:
        """Those that are not down; where all are, those that have answered again."""
        up = [way for way in self.ways if way.proof.state is not State.DOWN]
        return up or [way for way in self.ways if way.proof.answers]

    def _digest_by(self) -> str | None:
        """The cheapest narrow bearer, also one that is only coming back, while no wide one lives."""
        if self.wide_up or not self.backlog.digest:
            return None
        able = [way for way in self.ways if way.proof.state is not State.DOWN or way.proof.answers]
        return self._cheapest(way for way in able if not way.wide and self._affords(way, Load.DIGEST))

    def _detail_by(self) -> str | None:
        seen = max((way.proof.last for way in self.wide if way.proof.last is not None), default=None)
        away = seen is None or self.now - seen > self.policy.detail_after
        if self.wide_up or not away or not self.backlog.detail.records:
            return None
        able = [way for way in self._working() if not way.wide and way.traits.mtu >= self.policy.detail_mtu]
        return self._cheapest(way for way in able if self._affords(way, Load.DETAIL))

    def _affords(self, way: Way, load: Load) -> bool:
        return way.ledger.affords(load, way.price(PROOF_SIZE if load is Load.PROOF else FULL), self.day, self.now)

    def _cheapest(self, ways: Iterable[Way]) -> str | None:
        way = min(ways, key=lambda way: (way.traits.cost, way.traits.min_interval, way.traits.latency), default=None)
        return way.name if way else None

    def _slot(self, way: Way, event: Message | None, digest: bool, detail: bool) -> None:
        """One slot that no alarm wants. A fifth of a slow bearer's are left empty, that the next alarm need not wait. A
        digest takes every second slot, in advance of the share if it must; what else waits goes between two of them.
        """
        lanes = [Load.EVENT] * (event is not None) + [Load.DETAIL] * detail
        at = self._digest_at(way, crowded=bool(lanes) or way.train is not None) if digest else None
        if at is not None and at <= self.now:
            if self._share(way, 1.0 - DEBT if lanes or way.train else 1.0):
                self._order(way, Load.DIGEST)
        elif at is not None and self.now + way.traits.min_interval > at + LEEWAY * way.traits.min_interval:
            return
        elif way.train is not None:
            if way.train.load is Load.ALARM or self._share(way, 1.0):
                self._go_on(way, way.train)
        elif lanes:
            self._longest_unserved(way, lanes, event)
        else:
            self._prove(way)

    def _longest_unserved(self, way: Way, lanes: list[Load], event: Message | None) -> None:
        load = min(lanes, key=lambda load: (way.served.get(load, float("-inf")), load))
        if not self._share(way, 1.0):
            return
        if event and load is Load.EVENT:
            self._order(way, load, event.key, again=way.name in event.tries)
        else:
            self._order(way, load)

    def _prove(self, way: Way) -> None:
        """Where nothing else would; with a digest where no bearer works and this one costs nothing."""
        if not way.traits.duplex:
            return
        load = Load.DIGEST if self.dumb and not way.wide and not way.traits.cost else Load.PROOF
        if self._proof_at(way) <= self.now and self._affords(way, load) and self._share(way, 1.0):
            self._order(way, load)

    def _digest_at(self, way: Way, *, crowded: bool) -> float:
        """In the next slot that there is, or where others wait in the one after that."""
        every = self.policy.paid_digest_every if way.traits.cost else self.policy.digest_every
        every = max(every, way.traits.min_interval, LEAST_DIGEST)
        at = way.served.get(Load.DIGEST, float("-inf")) + (2 if crowded else 1) * every
        self.later.append(at)
        return at

    def _proof_at(self, way: Way) -> float:
        period = way.period if self.wide_up else way.period / LIVELIER
        at = way.proof.due(self.now, period, way.traits.min_interval)
        self.later.append(at)
        return at

    def _share(self, way: Way, least: float) -> bool:
        """Whether so many slots are left for other lanes than alarms."""
        at = way.ledger.slot_at(self.now, least)
        self.later.append(at)
        return at <= self.now

    def _order(self, way: Way, load: Load, key: str = "", *, again: bool = False) -> None:
        self.orders[way.name] = Order(way.name, load, key, again)

    def _open(self) -> dict[str, frozenset[Load]]:
        return {way.name: self._lanes_of(way) for way in self.ways if way.wide}

    def _lanes_of(self, way: Way) -> frozenset[Load]:
        if self._cheap(way):
            return _CHEAP_WIDE
        telemetry = self.backlog.telemetry
        old = telemetry.records and self.now - telemetry.oldest >= self.policy.telemetry_lifetime
        if old and not self.wide_up and self._affords(way, Load.TELEMETRY):
            return _DEAR_WIDE | {Load.TELEMETRY}
        return _DEAR_WIDE
