"""Where the bearers meet the rest of the station: what each is given of the other. Wires, and decides nothing."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence

from agent.alerts.alerting import Alerting
from agent.alerts.orders import Order
from agent.bearers.beacon_fire import kind_of
from agent.bearers.fleet import Fleet, House, OnCommand, OnWarning
from agent.bearers.texting import LONGEST, Texting
from agent.bearers.wide import Uplink
from agent.clock import Clock
from agent.config import Config
from agent.on_site import OnSite
from agent.record import Recorder
from agent.say import say_in
from agent.trust.trusting import Trusting
from drivers.api import Context, SeriesSpec
from protocols.alert import VerifiedAlert, displayable
from protocols.seal import verify


def open_fleet(
    config: Config,
    recorder: Recorder,
    context: Context,
    *,
    uplinks: Sequence[Uplink],
    commands: Mapping[str, OnCommand],
    series: Mapping[str, SeriesSpec],
    alerting: Alerting | None,
    trusting: Trusting | None,
    warned: OnWarning,
    on_site: OnSite,
    now: Callable[[], float],
) -> Fleet:
    """Blocks; for the start."""
    house = House(
        uplinks=uplinks,
        commands=commands,
        series=series,
        warning=warned if alerting is not None else None,
        trust=trusting.hear if trusting is not None else None,
        genuine=_genuine(alerting, recorder.clock),
        standing=lambda: _standing(on_site),
    )
    fleet = Fleet(config, recorder, context, house, now)
    if alerting is not None and fleet.relaying.lines:
        _relay(alerting, fleet, recorder.clock, now)
    _text(fleet, config, recorder, alerting, on_site)
    return fleet


def _text(fleet: Fleet, config: Config, recorder: Recorder, alerting: Alerting | None, on_site: OnSite) -> None:
    """Contacts are asked by SMS where a bearer carries texts for people."""
    if alerting is None or config.contacts is None:
        return
    standing: dict[bytes, Order] = {}

    def watch(orders: Sequence[Order]) -> None:
        standing.clear()
        standing.update({order.identity: order for order in orders})

    texting = Texting(
        [line.bearer for line in fleet.lines.values()],
        config.contacts.people,
        words=lambda alert: words(config, standing.get(alert)),
        acknowledge=lambda name: on_site.acknowledge(f"sms: {name}"),
        record=recorder.event,
    )
    if texting.texters:
        fleet.parts["texts"] = texting.run
        on_site.reach = texting.reach
        alerting.watchers.append(watch)


def words(config: Config, order: Order | None) -> str:
    """What a contact reads on a telephone."""
    tongue, name = config.language, config.station.name or config.station.id
    if order is None:
        return say_in(tongue, "contact.text_bare", station=name)
    text = displayable(order.text, LONGEST) or order.event
    level = say_in(tongue, f"contact.level_{order.level.name.lower()}")
    return say_in(tongue, "contact.text", station=name, level=level, text=text)


def _genuine(alerting: Alerting | None, clock: Clock) -> Callable[[bytes], bool]:
    """Of an alert put together from pieces; beacons and key-sets are judged where they are heard."""

    def genuine(data: bytes) -> bool:
        kind = kind_of(data)
        if kind != "alert" or alerting is None:
            return kind in ("beacon", "keyset")
        return isinstance(verify(data, alerting.keyring, clock.read()), VerifiedAlert)

    return genuine


def _standing(on_site: OnSite) -> Iterable[str]:
    """Series that a standing local alarm speaks of."""
    rules = on_site.alarms.rules
    return [name for rule in rules if rule.state.active for name, _value in rule.state.found.evidence]


def _relay(alerting: Alerting, fleet: Fleet, clock: Clock, now: Callable[[], float]) -> None:
    before, chance = alerting.heard, random.Random()  # noqa: S311 - spreads neighbours apart, hides nothing

    def heard(bearer: str, alert: VerifiedAlert) -> None:
        before(bearer, alert)
        fleet.fire.verified(bearer, alert, alert.alert.expires - clock.read().best, now(), chance.random)

    alerting.heard = heard
