"""What to give up next when space is short. Pure: books in, one step out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from buffer.book import HISTORY, Book
from buffer.model import Lane, RouteSpec
from buffer.ranges import Ranges

SHEDDABLE = (Lane.BULK, Lane.TELEMETRY, Lane.EVENT)  # least valuable first; alarms answer to their own quota only
RECENT = 600  # numbers of the open log, at most, left whole: ten minutes at 1 Hz, what somebody may be looking at now
NOTHING = Ranges()
Spared = Mapping[tuple[str, str, Lane], Ranges]
"""By (reason, log, lane): numbers that a step could not take. Rows marked keep; blocks only partly settled."""


class Action(Enum):
    DROP = "drop"
    THIN = "thin"


class Step(NamedTuple):
    action: Action
    log: str
    ordinal: int
    lane: Lane
    first: int
    last: int
    reason: str


class Shop(NamedTuple):
    """Everything the choice depends on."""

    books: Sequence[Book]  # oldest log first
    routes: Mapping[str, RouteSpec]
    spared: Spared
    swept: Mapping[tuple[str, Lane], Ranges] | None  # telemetry this round of thinning has been over; None: no thinning
    current: str  # the open log: its newest numbers are thinned last


def for_space(shop: Shop) -> Iterator[Step]:
    """History that all routes have; what only optional routes still want; bulk; telemetry thinned, then dropped; events."""
    for lane in SHEDDABLE:
        yield from _settled(shop, lane, _takers(shop, lane), HISTORY)
    for lane in SHEDDABLE:
        required = [name for name in _takers(shop, lane) if shop.routes[name].required]
        yield from _settled(shop, lane, required, "optional")
    yield from _stored(shop, Lane.BULK, "space")
    yield from _thinnable(shop)
    yield from _stored(shop, Lane.TELEMETRY, "space")
    yield from _stored(shop, Lane.EVENT, "space")


def for_alarms(shop: Shop) -> Iterator[Step]:
    """The alarm lane's own quota: settled ones first, then the oldest."""
    yield from _settled(shop, Lane.ALARM, _takers(shop, Lane.ALARM), HISTORY)
    yield from _stored(shop, Lane.ALARM, "quota")


def for_age(shop: Shop, lane: Lane, ordinal: int, number: int) -> Iterator[Step]:
    """Settled history up to one number of one log goes early."""
    for step in _settled(shop, lane, _takers(shop, lane), HISTORY):
        if step.ordinal < ordinal:
            yield step
        elif step.ordinal == ordinal and step.first <= number:
            yield step._replace(last=min(step.last, number))


def for_history(shop: Shop) -> Iterator[Step]:
    """Only what every route has."""
    for lane in (*SHEDDABLE, Lane.ALARM):
        yield from _settled(shop, lane, _takers(shop, lane), HISTORY)


def _takers(shop: Shop, lane: Lane) -> list[str]:
    return [name for name, spec in shop.routes.items() if lane in spec.lanes]


def _settled(shop: Shop, lane: Lane, routes: Iterable[str], reason: str) -> Iterator[Step]:
    names = list(routes)
    for book in _of(shop, lane):
        yield from _drops(shop, book, book.settled_by(names), reason)


def _stored(shop: Shop, lane: Lane, reason: str) -> Iterator[Step]:
    for book in _of(shop, lane):
        yield from _drops(shop, book, book.stored(), reason)


def _thinnable(shop: Shop) -> Iterator[Step]:
    for book in _of(shop, Lane.TELEMETRY) if shop.swept is not None else ():
        newest = book.last - (min(RECENT, (book.last - book.absent.count) // 4) if book.log == shop.current else 0)
        swept = (shop.swept or {}).get((book.log, book.lane), NOTHING)
        yield from _steps(Action.THIN, book, book.absent.holes(1, newest), swept, "space")


def _of(shop: Shop, lane: Lane) -> Iterator[Book]:
    return (book for book in shop.books if book.lane is lane and book.bytes)


def _drops(shop: Shop, book: Book, ranges: Iterable[tuple[int, int]], reason: str) -> Iterator[Step]:
    yield from _steps(Action.DROP, book, ranges, shop.spared.get((reason, book.log, book.lane), NOTHING), reason)


def _steps(action: Action, book: Book, ranges: Iterable[tuple[int, int]], skip: Ranges, reason: str) -> Iterator[Step]:
    for first, last in ranges:
        for low, high in skip.holes(first, last):
            yield Step(action, book.log, book.ordinal, book.lane, low, high, reason)
