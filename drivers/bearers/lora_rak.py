"""RAK3172 as a bearer: one datagram is one LoRa packet, never longer or more often on the air than the law of the place
allows. What would break it is declined and never said to the module; where the law asks to listen before talking, a
module that cannot is not sent by.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from drivers.address import Address, AddressKey
from drivers.api import Accepted, Context, Datagram, Declined, Factory, Problem, Sent, Traits, Unknown
from drivers.bearers.common import LineBearer
from drivers.bearers.lora_e22 import SETTINGS_AGAIN, percent
from drivers.bearers.lora_law import Law, check_law, regions
from protocols.framing import Event
from protocols.lora_airtime import LONGEST_PACKET, Modulation, airtime, longest
from protocols.rak3172 import Rak3172
from protocols.rak3172_events import Damaged, Done, Mismatch, Ready, Received, Silent
from protocols.rak3172_lines import BANDWIDTHS, Radio

PORT = AddressKey("port", ("serial", "tcp", "sim"))
NOT_READY, BUSY_AGAIN = 10.0, 5.0  # seconds until it is worth asking again


class RakConfig(Law, forbid_unknown_fields=True, kw_only=True):
    """`[[bearer]] driver = "lora-rak"`. `frequency` in MHz, `bandwidth` in kHz, `coding` the denominator of 4/5 to 4/8,
    `power` in dBm. All stations of a village have the same.
    """

    name: str
    port: str
    frequency: float
    spreading: int = 9
    bandwidth: Literal[125, 250, 500] = 125
    coding: int = 5
    preamble: int = 8
    power: int = 17
    listen: bool = True
    configure: bool = False
    cost: float = 0.0

    def radio(self) -> Radio:
        hertz = round(self.frequency * 1e6)
        return Radio(hertz, self.spreading, self.bandwidth, self.coding, self.preamble, self.power)

    def modulation(self) -> Modulation:
        return Modulation(self.spreading, self.bandwidth * 1000, self.coding, self.preamble)

    def mtu(self) -> int:
        """0 where the law leaves no room for a datagram."""
        seconds, _ = self.limits()
        return max(longest(self.modulation(), seconds * 1000), 0)


class LoraRak(LineBearer):
    """See `drivers.api.Bearer`."""

    _machine: Rak3172

    def __init__(self, config: RakConfig, address: Address, context: Context) -> None:
        machine = Rak3172(config.radio(), configure=config.configure, listens=config.listen)
        super().__init__(config.name, address, machine, context)
        self._config, self._guard = config, config.guard()
        self._mtu = config.mtu()
        self._refused = ""  # why nothing may be sent as the module is
        self._strength: int | None = None

    @property
    def traits(self) -> Traits:
        return Traits(
            mtu=self._mtu,
            cost=self._config.cost,
            latency=self.airtime(self._mtu) + 1.0,
            broadcast=True,
            guard=self._guard.hour / 1000,
        )

    async def send(self, data: bytes, to: str = "") -> Sent:  # noqa: ARG002 - whoever is in reach hears it
        if self._refused:
            return self._decline(self._refused, SETTINGS_AGAIN)
        if not 1 <= len(data) <= self._mtu:
            return self._decline("size", None)
        return await self.ask(lambda now: self._transmit(data, now))

    def _transmit(self, data: bytes, now: float) -> list[Event]:
        """The last moment before it is on the air: here the law is held."""
        seconds = self.airtime(len(data))
        wait = self._guard.wait(now, seconds * 1000)
        if not self._machine.ready or self._machine.busy:
            self._turn.settle(self._decline("not_ready", NOT_READY))
            return []
        if wait is None or wait > 0:
            self._turn.settle(self._decline("airtime", wait))
            return []
        self._guard.spend(now, seconds * 1000)
        self.counters["sent"] += 1
        return list(self._machine.send(data, seconds, now))

    def airtime(self, length: int) -> float:
        """Seconds that a datagram of so many bytes is on the air, for whoever plans with it."""
        return airtime(self._config.modulation(), min(length, LONGEST_PACKET)) / 1000

    def _decline(self, reason: str, retry_after: float | None) -> Declined:
        self.counters[reason] += 1
        return Declined(reason, retry_after)

    def _take(self, event: Event) -> None:
        match event:
            case Done(outcome, reason, again):
                self._settle(outcome, reason, again=again)
            case Received(data, rssi, _):
                self._strength = rssi
                self.counters["received"] += 1
                self._inbox.put(Datagram(data, "", self._context.now(), broadcast=True))
            case Ready(_, listens):
                self._allow(listens=listens)
            case Mismatch(name, found):
                self._refuse("settings", {name: found})
            case Silent(command, reason):
                self.counters["silent"] += 1
                self.condition.failed("silent", lambda: [f"{command}: {reason}"])
            case Damaged(reason):
                self.counters[f"damaged_{reason}"] += 1

    def _settle(self, outcome: str, reason: str, *, again: bool) -> None:
        if outcome == "sent":
            self.condition.succeeded()
            self._turn.settle(Accepted())
        elif outcome == "unknown":
            self.counters["unknown"] += 1
            self._turn.settle(Unknown(reason))
        else:
            self._turn.settle(self._decline(f"module_{reason.lower()}", BUSY_AGAIN if again else None))

    def _allow(self, *, listens: bool) -> None:
        """Set as it should be, and lawful."""
        unlawful = list(broken(self._config, listens=listens))
        if unlawful:
            self._refuse("unlawful", {one.key: dict(one.facts) for one in unlawful})
            return
        self._refused = ""
        self.condition.succeeded()

    def _refuse(self, why: str, found: Mapping[str, Any]) -> None:
        if self._refused != why:
            self._context.report("bearer.settings", {"bearer": self.name, "reason": why, "found": found})
        self._refused = why
        self.condition.failed(why, at_once=True)

    def _show(self, now: float) -> Mapping[str, Any]:
        return {
            "signal": None if self._strength is None else percent(self._strength),
            "dbm": self._strength,
            "airtime_left": round(self._guard.left(now), 1),
            "ready_in": self._guard.wait(now, self.airtime(self._mtu) * 1000) or 0.0,
            "refused": self._refused,
        }


def broken(config: RakConfig, *, listens: bool) -> Iterator[Problem]:
    yield from config.broken(config.frequency, config.bandwidth * 1000, config.power, listens=listens)
    if config.mtu() < 1:
        yield Problem("spreading", "lora.no_room", {"rate": f"SF{config.spreading}/{config.bandwidth} kHz"})


def create(config: RakConfig, context: Context) -> LoraRak:
    return LoraRak(config, PORT.opened(config.port), context)


def check(config: RakConfig, context: Context) -> Iterator[Problem]:
    yield from PORT.check(config.port, context.base)
    yield from check_law(config)
    # The module's own bounds: RAK3172 AT manual, AT+P2P
    bounds = {"spreading": (5, 12), "coding": (5, 8), "preamble": (5, 65_535), "power": (5, 22)}
    wrong = [key for key, (least, most) in bounds.items() if not least <= getattr(config, key) <= most]
    for key in wrong:
        least, most = bounds[key]
        yield Problem(key, "value.range", {"value": getattr(config, key), "least": least, "most": most})
    if not wrong and config.region in regions() and config.bandwidth in BANDWIDTHS:
        yield from broken(config, listens=config.listen)


FACTORY = Factory(RakConfig, create, check)
