"""`[contacts]`: whose word is wanted when a warning stands here, in which order, and for how long one is waited for.

The order of things is pure (`Calls`); `Contacts` carries it out. A text message is one way to reach a person, and the only
one that is missing: `reach` is where it comes in.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from agent.alerts.orders import Order
from agent.spot.rules import LevelName
from buffer.model import Lane
from drivers.api import Problem
from drivers.values import Duration
from protocols.alert import ActionCode, Level, displayable

ATTEMPTS = 2  # silence is answered by one repetition
MOST_PEOPLE = 20
KEPT = "contacts"  # the buffer's key: which alerts were acknowledged
MOST_KEPT = 64  # as many as may be in force
TICK = 1.0  # seconds

Record = Callable[[str, Mapping[str, Any], Lane], object]


class Person(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    name: str
    number: str = ""


Reach = Callable[[Person, bytes, int], None]
"""`reach(person, alert, attempt)`: how a person is told, beside the event and the display. Returns at once."""


class ContactsConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`people` in the order in which they are asked; `patience` with each attempt; `level`: the least that asks anybody."""

    people: list[Person]
    patience: Duration = Duration(300.0)
    level: LevelName = "orange"


class Asked(NamedTuple):
    """Something to say: `called`, `silent` (and nobody came), `exhausted` (the list is at its end), `acknowledged`."""

    what: str
    alert: bytes
    person: Person | None = None
    attempt: int = 0


@dataclass(slots=True)
class _Call:
    place: int
    attempt: int
    due: float


class Calls:
    """Time is an argument, in seconds. One line of calls for each alert; `open` alone may be acknowledged."""

    def __init__(self, people: Sequence[Person], patience: float, acknowledged: Iterable[bytes] = ()) -> None:
        self.open: dict[bytes, _Call | None] = {}  # None: everybody was asked in vain
        self.acknowledged = set(acknowledged)
        self._people, self._patience = people, patience

    def stand(self, alerts: Iterable[bytes], now: float) -> list[Asked]:
        """These want an answer, and no others."""
        wanted = set(alerts)
        self.acknowledged &= wanted
        self.open = {alert: call for alert, call in self.open.items() if alert in wanted}
        return [self._ask(alert, 0, 1, now) for alert in sorted(wanted - self.open.keys() - self.acknowledged)]

    def pass_time(self, now: float) -> list[Asked]:
        late = [(alert, call) for alert, call in self.open.items() if call is not None and now >= call.due]
        return [said for alert, call in late for said in self._next(alert, call, now)]

    def acknowledge(self) -> list[Asked]:
        """Somebody answered, here, for all that stands."""
        said = [Asked("acknowledged", alert, self.person(alert)) for alert in self.open]
        self.acknowledged |= self.open.keys()
        self.open.clear()
        return said

    def person(self, alert: bytes) -> Person | None:
        """Who is waited for."""
        call = self.open.get(alert)
        return self._people[call.place] if call is not None else None

    def _ask(self, alert: bytes, place: int, attempt: int, now: float) -> Asked:
        self.open[alert] = _Call(place, attempt, now + self._patience)
        return Asked("called", alert, self._people[place], attempt)

    def _next(self, alert: bytes, call: _Call, now: float) -> Iterator[Asked]:
        yield Asked("silent", alert, self._people[call.place], call.attempt)
        if call.attempt < ATTEMPTS:
            yield self._ask(alert, call.place, call.attempt + 1, now)
        elif call.place + 1 < len(self._people):
            yield self._ask(alert, call.place + 1, 1, now)
        else:
            self.open[alert] = None
            yield Asked("exhausted", alert)


class Contacts:
    """`note(notes)` puts a line for each alert on the displays; `words` is that line, with {name}."""

    def __init__(
        self,
        config: ContactsConfig,
        *,
        record: Record,
        keep: Callable[[bytes], object],
        saved: bytes | None,
        now: Callable[[], float],
        note: Callable[[Mapping[bytes, str]], None],
        words: str,
        reach: Reach = lambda _person, _alert, _attempt: None,
    ) -> None:
        self._level = Level[config.level.upper()]
        self._calls = Calls(config.people, float(config.patience), _loaded(saved))
        self._record, self._keep, self._now, self._note, self._words = record, keep, now, note, words
        self._reach = reach

    def orders(self, orders: Sequence[Order]) -> None:
        """What is in force now."""
        before = set(self._calls.acknowledged)
        self._say(self._calls.stand([one.identity for one in orders if self._wanted(one)], self._now()))
        if before != self._calls.acknowledged:
            self._save()

    def acknowledge(self, by: str) -> None:
        said = self._calls.acknowledge()
        self._say(said, by)
        if said:
            self._save()

    async def run(self) -> None:
        while True:
            self._say(self._calls.pass_time(self._now()))
            await asyncio.sleep(TICK)

    def status(self) -> Mapping[str, Any]:
        people = {alert.hex(): self._calls.person(alert) for alert in self._calls.open}
        return {"waiting_for": {alert: one.name if one else "" for alert, one in people.items()}}

    def _wanted(self, order: Order) -> bool:
        urgent = order.level <= self._level or order.action in (ActionCode.SHELTER, ActionCode.EVACUATE)
        return urgent and not order.exercise and order.action is not ActionCode.ALL_CLEAR

    def _say(self, said: Sequence[Asked], by: str = "") -> None:
        for one in said:
            self._record(*_event(one, by), Lane.ALARM)
            if one.what == "called" and one.person is not None:
                self._reach(one.person, one.alert, one.attempt)
        if said:
            waiting = {alert: self._calls.person(alert) for alert in self._calls.open}
            self._note({a: self._words.format(name=displayable(p.name, 40)) for a, p in waiting.items() if p})

    def _save(self) -> None:
        self._keep(json.dumps([alert.hex() for alert in self._calls.acknowledged][:MOST_KEPT]).encode())


def _event(one: Asked, by: str) -> tuple[str, dict[str, Any]]:
    """Numbers are for those who call; what leaves the station has names."""
    facts: dict[str, Any] = {"alert": one.alert.hex()}
    if one.what == "acknowledged":
        return "warning.acknowledged", facts | {"by": by}
    name = {"contact": one.person.name, "attempt": one.attempt} if one.person else {}
    return f"contact.{one.what}", facts | name


def _loaded(saved: bytes | None) -> list[bytes]:
    try:
        return [bytes.fromhex(one) for one in json.loads(saved or b"[]")]
    except (ValueError, TypeError):
        return []


def check_contacts(config: ContactsConfig) -> Iterator[Problem]:
    if not 1 <= len(config.people) <= MOST_PEOPLE:
        yield Problem("people", "contacts.people", {"count": len(config.people), "most": MOST_PEOPLE})
    for person in config.people:
        if not displayable(person.name):
            yield Problem("people", "contacts.name")
        digits = person.number.removeprefix("+")
        if digits and not (digits.isdecimal() and digits.isascii() and 3 <= len(digits) <= 15):  # E.164
            yield Problem("people", "contacts.number", {"name": person.name, "value": person.number})
    if not 10 <= config.patience <= 3600:
        yield Problem("patience", "value.range", {"value": config.patience, "least": "10s", "most": "1h"})
