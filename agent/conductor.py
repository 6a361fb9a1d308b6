"""Who plays what: from the orders in force, most important first, to one part for each actuator, and to what of their
time is used up.

Knows neither seals nor files. A siren's time is paid for in the journal in slices *before* it is used, so that a restart
may cut a sounding short by a slice and never adds to it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from agent.journal import SIREN_SLICE, Journal, Spent
from agent.orders import Order
from agent.performer import Part, Performer
from agent.plans import How, Plans
from agent.policy import Channel
from drivers.api import Action
from protocols.alert import ActionCode, Level

CHANNELS = {"siren": Channel.SIREN, "display": Channel.DISPLAY, "voice": Channel.VOICE, "lamp": Channel.LAMP}
SETTLE = 0.5  # seconds after its time in which a siren falls silent by itself
AHEAD = 0.5  # seconds before a slice is used up that the next is written: a slow card takes some tenths
STANDING_SLICE = 300.0  # seconds between notes of how long alerts stand; they matter after a power cut without a clock


class _Sounding(NamedTuple):
    identity: bytes
    until: float


class Conductor:
    def __init__(self, performers: Sequence[Performer], plans: Plans, now: Callable[[], float]) -> None:
        self._performers, self._plans, self._now = performers, plans, now
        self._sirens = [performer for performer in performers if performer.actuator.kind == "siren"]
        self._siren: _Sounding | None = None
        self._finished: set[bytes] = set()  # alerts whose siren has had its time
        self.muted = False  # the key switch; whatever is decided, no siren is given a part
        self.notes: Mapping[bytes, str] = {}  # a line of our own for the displays, by alert

    def conduct(self, orders: Sequence[Order]) -> None:
        """Give every actuator its part; who has it already is not disturbed. Sirens first."""
        order = self._next_siren(orders)
        part = self._siren_part(order) if order else None
        for performer in self._sirens:
            performer.want(part if order and self._takes_part(performer, order) else None)
        for performer in self._performers:
            if performer.actuator.kind != "siren":
                performer.want(self._part(orders, performer))

    def slice_of(self, orders: Sequence[Order]) -> bytes | None:
        """The alert whose siren time is being used once `orders` are conducted."""
        order = self._next_siren(orders) if self._sirens else None
        return order.identity if order else None

    def next_change(self) -> float | None:
        """When (monotonic) the siren is free for the next."""
        return self._siren.until + SETTLE if self._siren else None

    def _next_siren(self, orders: Sequence[Order]) -> Order | None:
        if self.muted:
            self._siren = None
            return None
        if self._siren is not None and self._now() >= self._siren.until + SETTLE:
            self._finished.add(self._siren.identity)
            self._siren = None
        self._finished &= {order.identity for order in orders}
        return next((order for order in orders if self._has_siren(order)), None)

    def _has_siren(self, order: Order) -> bool:
        if Channel.SIREN not in order.channels or order.identity in self._finished:
            return False
        sounding = self._siren is not None and self._siren.identity == order.identity
        return sounding or self._siren_seconds(order, self._how(order)) > 0

    def _siren_seconds(self, order: Order, how: How) -> float:
        """What plan and budget leave, whichever is less."""
        return min(order.siren_seconds, how.seconds - order.siren_spent)

    def _siren_part(self, order: Order) -> Part:
        how = self._how(order)
        if self._siren is None or self._siren.identity != order.identity:
            self._siren = _Sounding(order.identity, self._now() + self._siren_seconds(order, how))
        action = Action("siren", how.pattern, "", _word(order.level), order.exercise, order.identity.hex())
        return Part(action, self._siren.until)

    def _part(self, orders: Sequence[Order], performer: Performer) -> Part | None:
        kind = performer.actuator.kind
        channel = CHANNELS.get(kind, Channel.NONE)
        mine = (one for one in orders if channel and channel in one.channels and self._takes_part(performer, one))
        order = next(mine, None)
        return Part(self._action(order, kind), self._now() + order.seconds) if order else None

    def _action(self, order: Order, kind: str) -> Action:
        how, level, key = self._how(order), _word(order.level), order.identity.hex()
        if kind == "lamp":
            return Action(kind, how.lamp, "", level, order.exercise, key)
        if kind == "voice":
            return Action(kind, "", how.text, level, order.exercise, key, how.clips, how.repeat)
        note = self.notes.get(order.identity, "") if kind == "display" else ""
        return Action(kind, "", f"{how.text} {note}".strip(), level, order.exercise, key)

    def _takes_part(self, performer: Performer, order: Order) -> bool:
        """Whom the plan names; everybody of a kind of whom it names nobody that is there: a name that is wrong must not
        make a warning silent.
        """
        named = self._how(order).actuators
        alike = {one.actuator.name for one in self._performers if one.actuator.kind == performer.actuator.kind}
        return performer.actuator.name in named or not alike.intersection(named)

    def _how(self, order: Order) -> How:
        return self._plans.how(
            order.event,
            _word(order.level),
            _word(order.action),
            exercise=order.exercise,
            issuer="、".join(order.who),
            text=order.text,
            named=order.plan,
        )


class Spending:
    """Pays for time in the journal before it is used."""

    def __init__(self) -> None:
        self._siren: _Sounding | None = None  # paid for until then
        self._standing = 0.0

    def due(self, journal: Journal, sounding: bytes | None, now: float) -> list[Spent]:
        """What is to be written now, given whose siren sounds."""
        return [*self._siren_slice(journal, sounding, now), *self._notes(journal, now)]

    def next_change(self) -> float | None:
        return self._siren.until - AHEAD if self._siren else None

    def _siren_slice(self, journal: Journal, sounding: bytes | None, now: float) -> list[Spent]:
        active = journal.active.get(sounding) if sounding else None
        if active is None:
            self._siren = None
            return []
        paid = self._siren.until if self._siren and self._siren.identity == active.identity else now
        if paid > now + AHEAD:
            return []
        until = max(paid, now) + SIREN_SLICE
        self._siren = _Sounding(active.identity, until)
        return [Spent(active.identity, min(active.siren, active.siren_spent + SIREN_SLICE), until - active.starts)]

    def _notes(self, journal: Journal, now: float) -> list[Spent]:
        if now < self._standing:
            return []
        self._standing = now + STANDING_SLICE
        begun = (active for active in journal.active.values() if active.begun)
        return [Spent(a.identity, a.siren_spent, self._standing - a.starts) for a in begun]


def names(channels: Channel) -> list[str]:
    """The channels' names, for people and platforms."""
    return [name for name, channel in CHANNELS.items() if channel in channels]


def shown(order: Order) -> Mapping[str, Any]:
    """An order as status shows it."""
    return {
        "alert": order.identity.hex(),
        "event": order.event,
        "level": _word(order.level),
        "action": _word(order.action),
        "exercise": order.exercise,
        "who": list(order.who),
        "channels": names(order.channels),
        "withheld": dict(order.withheld),
        "seconds": round(order.seconds),
        "siren_seconds": round(order.siren_seconds),
    }


def _word(value: Level | ActionCode) -> str:
    return value.name.lower().replace("_", "-")
