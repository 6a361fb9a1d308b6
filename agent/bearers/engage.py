"""Which bearers an alarm is carried by at its age, and when the same one tries again. Pure.

The top level begins with two independent media, any other with the cheapest that can within the deadline; each further
step of patience without an acknowledgement adds one, in parallel, until all of them try.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agent.bearers.lanes import Load, Message, Policy, Tried
from agent.bearers.proven import RANK, State
from agent.bearers.way import Way

PAID_AGAIN = 120.0  # seconds at most between two tries of an alarm by a bearer that costs money ...
LATE_AGAIN = 900.0  # ... and by any that does not answer, once its deadline has passed
EVENT_AGAIN = 3600.0  # seconds at most between two tries of an event
_WEIGHT = {State.UP: 1.0, State.NEW: 1.0, State.DOWN: 0.5}  # of a bearer, as one of those that an alarm needs


def step(able: int, policy: Policy) -> float:
    """Seconds until one more bearer is added: with many of them less than the patience, so that all try in time."""
    return min(policy.patience, policy.alarm_deadline / (able + 1))


def engaged(alarm: Message, able: Sequence[Way], now: float, policy: Policy) -> Iterator[Way]:
    """Of the bearers that are able: those that began it, and as many more as its age asks for, the best first."""
    used = [way for way in able if way.name in alarm.tries]
    yield from used
    steps = int((now - alarm.since) / step(len(able), policy))
    need = (2 if alarm.top else 1) + steps - sum(_WEIGHT[way.proof.state] for way in used)
    if need <= 0:
        return
    rest = sorted((_ranked(way, alarm, now, policy) for way in able if way.name not in alarm.tries), key=_rank)
    media = {way.group for way in used}
    while need > 0 and (more := _next(rest, media, strict=alarm.top and not steps)):
        rest.remove(more)
        media.add(more.way.group)
        need -= more.weight
        yield more.way


def again(way: Way, message: Message, tried: Tried, now: float, policy: Policy) -> float:
    """Seconds from the last try to the next by the same bearer: each slot for an alarm where that is free, until its
    deadline has passed and nothing at all has been answered by this bearer since.
    """
    least = max(way.traits.min_interval, way.answer)
    late = now > message.since + policy.alarm_deadline
    dumb = late and (way.proof.last is None or way.proof.last <= tried.at)
    if message.load is Load.ALARM and not way.traits.cost and not dumb:
        return least
    most = EVENT_AGAIN if message.load is Load.EVENT else LATE_AGAIN if dumb else PAID_AGAIN
    return max(least, min(most, least * 2.0 ** min(tried.count - 1, 16)))


def cost(way: Way, size: int) -> float:
    """Of a whole message."""
    return way.price(size).money * way.pieces(size)


class _Ranked(NamedTuple):
    rank: tuple[float, ...]
    weight: float
    way: Way


def _rank(ranked: _Ranked) -> tuple[float, ...]:
    return ranked.rank


def _ranked(way: Way, alarm: Message, now: float, policy: Policy) -> _Ranked:
    """Cheapest of those that can within the deadline; for the top level the quickest. One by which it can hardly be in
    time is half a bearer, as one that is down.
    """
    expected, money, state = way.expected(alarm.size, now), cost(way, alarm.size), way.proof.state
    late = now + expected > alarm.since + policy.alarm_deadline
    rank = (RANK[state], late, *((expected, money) if alarm.top else (money, expected)))
    return _Ranked(rank, 0.5 if late else _WEIGHT[state], way)


def _next(rest: list[_Ranked], media: set[str], *, strict: bool) -> _Ranked | None:
    """The best of a medium not used yet; else, unless `strict`, the best: two cards in one network are not two media."""
    fresh = (ranked for ranked in rest if ranked.way.group not in media)
    return next(fresh, None if strict or not rest else rest[0])
