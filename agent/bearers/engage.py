"""Which bearers an alarm is carried by at its age, and when the same one tries again. Pure.

The top level begins with two independent media, any other with the cheapest that can within the deadline; each further
step of patience without an acknowledgement adds one, in parallel, until all of them try.
"""

from collections.abc import Iterator, Sequence

from agent.bearers.lanes import Load, Message, Policy
from agent.bearers.proven import RANK, State
from agent.bearers.way import Way

PAID_AGAIN = 120.0  # seconds at most between two tries of an alarm by a bearer that costs money ...
LATE_AGAIN = 900.0  # ... and once its deadline has passed
EVENT_AGAIN = 3600.0  # seconds at most between two tries of an event
_WEIGHT = {State.UP: 1.0, State.NEW: 1.0, State.DOWN: 0.5}  # of a bearer, as one of those that an alarm needs


def step(able: int, policy: Policy) -> float:
    """Seconds until one more bearer is added: with many of them less than the patience, so that all try in time."""
    return min(policy.patience, policy.alarm_deadline / (able + 1))


def engaged(alarm: Message, able: Sequence[Way], now: float, policy: Policy) -> Iterator[Way]:
    """Of the bearers that are able: those that began it, and as many more as its age asks for, the best first."""
    used = [way for way in able if way.name in alarm.tries]
    rest = sorted((way for way in able if way.name not in alarm.tries), key=lambda way: _rank(way, alarm, now, policy))
    yield from used
    steps = int((now - alarm.since) / step(len(able), policy))
    need = (2 if alarm.top else 1) + steps - sum(_WEIGHT[way.proof.state] for way in used)
    media = {way.group for way in used}
    while need > 0 and (more := _next(rest, media, strict=alarm.top and not steps)):
        rest.remove(more)
        media.add(more.group)
        need -= 0.5 if _late(more, alarm, now, policy) else _WEIGHT[more.proof.state]
        yield more


def again(way: Way, message: Message, count: int, now: float, policy: Policy) -> float:
    """Seconds from the last of `count` tries to the next by the same bearer; each slot for an alarm where that is free."""
    least = max(way.traits.min_interval, way.answer)
    if message.load is Load.ALARM and not way.traits.cost:
        return least
    late = now > message.since + policy.alarm_deadline
    most = EVENT_AGAIN if message.load is Load.EVENT else LATE_AGAIN if late else PAID_AGAIN
    return max(least, min(most, least * 2.0 ** min(count - 1, 16)))


def cost(way: Way, size: int) -> float:
    """Of a whole message."""
    return way.price(size).money * way.pieces(size)


def _rank(way: Way, alarm: Message, now: float, policy: Policy) -> tuple[float, ...]:
    """Cheapest of those that can within the deadline; for the top level the quickest."""
    expected, money = way.expected(alarm.size, now), cost(way, alarm.size)
    late = _late(way, alarm, now, policy)
    return (RANK[way.proof.state], late, *((expected, money) if alarm.top else (money, expected)))


def _late(way: Way, alarm: Message, now: float, policy: Policy) -> bool:
    """Whether it can hardly be in time by this bearer; then it is half a bearer, as one that is down."""
    return now + way.expected(alarm.size, now) > alarm.since + policy.alarm_deadline


def _next(rest: list[Way], media: set[str], *, strict: bool) -> Way | None:
    """The best of a medium not used yet; else, unless `strict`, the best: two cards in one network are not two media."""
    fresh = (way for way in rest if way.group not in media)
    return next(fresh, None if strict or not rest else rest[0])
