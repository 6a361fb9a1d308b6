"""Iridium SBD by a 9602 or 9603 (RockBLOCK) as a bearer: one datagram, one session. Tells the time, where nobody else does."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from drivers.address import Address, AddressKey
from drivers.api import Accepted, Context, Datagram, Declined, Factory, Problem, Sent, Told, Traits, Unknown
from drivers.bearers.common import REOPEN_MOST, LineBearer
from drivers.values import Duration
from protocols import iridium_time
from protocols.framing import Event
from protocols.sbd import SbdMachine
from protocols.sbd_dialogue import Note
from protocols.sbd_events import Clock, Doubtful, Fault, Ready, Received, Refused, Taken
from protocols.sbd_words import MO_MOST

BAUD = 19_200  # bit/s as the modem leaves its maker
PORT = AddressKey("port", ("serial", "tcp", "sim"), BAUD)
CREDIT = 50  # bytes of one unit that is paid for (Ground Control, RockBLOCK credits)
LATENCY = 25.0  # seconds to the ground: a session of 5 to 30, and the gateway's delivery
RECHARGE_MOST = 600.0  # seconds
BARS = 5


class SbdConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[bearer]] driver = "sbd"`. `recharge`: what the supercapacitor wants between two sessions: 10 s for a RockBLOCK
    on 5 V, 30 s on USB, nothing for a bare module with a supply of its own. `mtu`: bytes, to cap what a message costs.
    """

    name: str
    port: str
    recharge: Duration = Duration(10.0)
    mtu: int = MO_MOST
    cost: float = 0.0


class Sbd(LineBearer):
    """See `drivers.api.Bearer` and `drivers.api.Timekeeper`."""

    _machine: SbdMachine

    def __init__(self, config: SbdConfig, address: Address, context: Context) -> None:
        chance = random.Random()  # noqa: S311 - spreads stations that all lost the same satellite, hides nothing
        super().__init__(config.name, address, SbdMachine(chance.random, float(config.recharge)), context)
        self._now = context.now
        self._imei = ""
        self._told: Told | None = None
        self._traits = Traits(
            mtu=config.mtu, min_interval=float(config.recharge), cost=config.cost, credit=CREDIT, latency=LATENCY
        )

    @property
    def traits(self) -> Traits:
        return self._traits

    async def send(self, data: bytes, to: str = "") -> Sent:  # noqa: ARG002 - a modem speaks to its account's address
        if not 1 <= len(data) <= self._traits.mtu:
            self.counters["size"] += 1
            return Declined("size", None)
        return await self.ask(lambda now: self._machine.send(data, now))

    def time(self) -> Told | None:
        return self._told

    def _take(self, event: Event) -> None:
        match event:
            case Ready(imei):
                self._imei = imei
                self.condition.succeeded()
            case Fault(reason):
                self.condition.failed(reason, at_once=True)
            case Received(data):
                self.counters["received"] += 1
                self._inbox.put(Datagram(data, at=self._now()))
            case Clock(ticks):
                self._hear_time(ticks)
            case Note(reason):
                self.counters[reason] += 1
            case Taken(momsn):
                self.counters["sent"] += 1
                self.condition.succeeded()
                self._turn.settle(Accepted(str(momsn)))
            case Doubtful(reason):
                self._turn.settle(Unknown(reason))
            case Refused(reason, retry_after):
                self._turn.settle(Declined(reason, retry_after))

    def _hear_time(self, ticks: int) -> None:
        unix = iridium_time.decode(ticks)
        if unix is None:
            self.counters["era"] += 1
        else:
            self._told = Told(round(unix * 1000), self._now(), round(iridium_time.ERROR * 1000))

    def _lost(self) -> Sent:
        return Unknown("port") if self._machine.launched else Declined("port", REOPEN_MOST)

    def _show(self, now: float) -> Mapping[str, Any]:
        bars = self._machine.signal
        return {
            "signal": None if bars is None else 100 * bars // BARS,
            "service": self._machine.service,
            "ready_in": self._machine.ready_in(now),
            "imei": self._imei,
        }


def _create(config: SbdConfig, context: Context) -> Sbd:
    return Sbd(config, PORT.opened(config.port), context)


def _check(config: SbdConfig, context: Context) -> Iterator[Problem]:
    yield from PORT.check(config.port, context.base)
    if not 1 <= config.mtu <= MO_MOST:
        yield Problem("mtu", "value.range", {"value": config.mtu, "least": 1, "most": MO_MOST})
    if config.recharge > RECHARGE_MOST:
        yield Problem("recharge", "value.range", {"value": config.recharge, "least": "0s", "most": "10min"})


FACTORY = Factory(SbdConfig, _create, _check)
