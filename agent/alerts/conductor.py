"""Who plays what: from the orders in force, most important first, to one part for each actuator.

Knows neither seals nor files. What has had its time makes room for the next: a siren when its seconds are used up, a voice
when it has said its sentence as often as the plan wants.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from agent.alerts.orders import Order
from agent.alerts.performer import Part, Performer
from agent.alerts.places import Names
from agent.alerts.plans import How, Plans
from agent.alerts.policy import Channel
from agent.alerts.voices import Voices, Wanted
from drivers.api import Action
from protocols.alert import ActionCode, Level
from protocols.area import code_text

CHANNELS = {"siren": Channel.SIREN, "display": Channel.DISPLAY, "voice": Channel.VOICE, "lamp": Channel.LAMP}
SETTLE = 0.5  # seconds after its time in which a siren falls silent by itself
LAMP_ALONE = 30 * 86_400.0  # seconds that a lamp stands for a silent way down, then anew


class _Sounding(NamedTuple):
    identity: bytes
    until: float


class Conductor:
    def __init__(
        self, performers: Sequence[Performer], plans: Plans, now: Callable[[], float], names: Names | None = None
    ) -> None:
        self._performers, self._plans, self._now, self._names = performers, plans, now, names or Names()
        self._sirens = [performer for performer in performers if performer.actuator.kind == "siren"]
        self._voices = [performer for performer in performers if performer.actuator.kind == "voice"]
        self._siren: _Sounding | None = None
        self._finished: set[bytes] = set()  # alerts whose siren has had its time
        self._speech = Voices()
        self.unheard = False  # an issuer has been silent for a day: a lamp says so while no warning has it
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

    def voices(self, orders: Sequence[Order]) -> Mapping[str, Action]:
        """What each voice says once `orders` are conducted."""
        parts = {one.actuator.name: self._part(orders, one) for one in self._voices}
        return {name: part.action for name, part in parts.items() if part is not None}

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
        mine = [one for one in orders if channel and channel in one.channels and self._takes_part(performer, one)]
        if kind == "voice":
            wanted = [Wanted(one, self._action(one, kind)) for one in mine]
            return self._speech.part(performer, wanted, self._now())
        if mine:
            return Part(self._action(mine[0], kind), self._now() + mine[0].seconds)
        return self._alone(performer) if kind == "lamp" and self.unheard else None

    def _alone(self, performer: Performer) -> Part:
        """A lamp without a warning."""
        action = Action("lamp", self._plans.unheard)
        part = performer.part
        stands = part is not None and part.action == action and self._now() < part.until
        return part if stands and part is not None else Part(action, self._now() + LAMP_ALONE)

    def _action(self, order: Order, kind: str) -> Action:
        how, level, key = self._how(order), _word(order.level), order.identity.hex()
        if kind == "lamp":
            return Action(kind, how.lamp, "", level, order.exercise, key)
        if kind == "voice":
            return Action(kind, "", how.text, level, order.exercise, key, how.clips, how.repeat)
        note = self.notes.get(order.identity, "") if kind == "display" else ""
        area = self._names.shown(order.area)
        return Action(kind, "", f"{how.text} {note}".strip(), level, order.exercise, key, area=area)

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
        "area": [code_text(code) for code in order.area],
        "exercise": order.exercise,
        "who": list(order.who),
        "channels": names(order.channels),
        "withheld": dict(order.withheld),
        "seconds": round(order.seconds),
        "siren_seconds": round(order.siren_seconds),
    }


def _word(value: Level | ActionCode) -> str:
    return value.name.lower().replace("_", "-")
