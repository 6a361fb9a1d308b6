"""BeiDou short messages by a module of the 2.1 protocol or of BD-3 (RSMC) as a bearer: one datagram, one message.

The module's own wait is obeyed, over restarts too. Tells the time where the module has it, and can send to itself.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from drivers.address import Address, AddressKey
from drivers.api import Accepted, Context, Datagram, Declined, Factory, Problem, Sent, Told, Traits, Unknown
from drivers.bearers.beidou_memory import Memory
from drivers.bearers.beidou_proof import Proof
from drivers.bearers.common import REOPEN_MOST, LineBearer
from protocols.framing import Event
from protocols.rdss import Flaw, Text, is_card
from protocols.rdss_card import BITS_TOP, Card
from protocols.rdss_content import Coding, capacity
from protocols.rdss_events import Clock, Held, Incoming, Options, Outcome, Standing
from protocols.rdss_request import Bss
from protocols.rdss_session import Session, State
from protocols.rdss_time import FIRST_YEAR, nearest_day

BAUD = 115_200  # bit/s of most modules; handhelds 9600 or 19200
PORT = AddressKey("port", ("serial", "tcp", "sim"), BAUD)
LATENCY = 4.0  # seconds; 3.8 on average (Gu et al., Meteorological Science and Technology 43(3) 2015)
TO_ALL = "broadcast"  # as `to`: all terminals of this commander
NO_CARD = 60.0  # seconds after which a card may have been read
TIME_ERROR_MS = 1000  # of ZDA: the way from the satellite (0.13 s), the module's own pace, the line
LEAST_CLOCK = (FIRST_YEAR - 1970) * 31_556_952  # Unix s: a system's clock before this was never set
MOST_MTU = capacity(BITS_TOP, Coding.HEX)


class BeidouConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[bearer]] driver = "beidou"`. `to`: the other side's card. `coding`: `auto` is mixed for 2.1; for BD-3 decimal
    digits until a message to the own card has proven that the firmware takes hexadecimal ones.

    `point` is the frequency point (2: Lf1), `confirm` asks for a confirmation of the way in, `swapped` is for firmware that
    wants period and content the other way round, `beams` forces response and time beam (`05,03`), `position` (degrees north,
    east, metres) is told to a module without a receiver of its own, `mtu` (bytes) is what the contract allows.
    """

    name: str
    port: str
    to: str = ""
    protocol: Literal["auto", "2.1", "rsmc"] = "auto"
    coding: Literal["auto", "mixed", "hex", "decimal"] = "auto"
    point: int = 2
    confirm: bool = False
    swapped: bool = False
    beams: str = ""
    position: list[float] = []
    mtu: int = 0
    cost: float = 0.0


class Beidou(LineBearer):
    """See `drivers.api.Bearer` and `drivers.api.Timekeeper`."""

    _machine: Session

    def __init__(self, config: BeidouConfig, address: Address, context: Context, memory: Memory | None = None) -> None:
        file = None if context.state is None else context.state / f"beidou-{quote(config.name, safe='')}.json"
        self._memory = memory or Memory(file, context.now)
        super().__init__(config.name, address, Session(_options(config), self._memory.left()), context)
        self._config, self._now = config, context.now
        self._told: Told | None = None
        self._proof = Proof(self._ask_self, self._learn)

    @property
    def traits(self) -> Traits:
        card = self._machine.card
        return Traits(
            mtu=self._machine.mtu,
            min_interval=self._machine.hold.interval,
            cost=self._config.cost,
            latency=LATENCY,
            broadcast=card is not None and card.commander,
        )

    async def send(self, data: bytes, to: str = "") -> Sent:
        """`to`: a card's number, or `broadcast`, which is also what a commander with no other side of its own sends to."""
        number = self._number(to or self._config.to or TO_ALL)
        return await self.ask(lambda now: self._machine.send(data, number, now, unix=self._unix()))

    async def self_test(self) -> Sent:
        """A message to the own card and back: proves module, card, antenna and sky, for one slot. Where it is not known yet
        which digits the firmware takes, it finds out.
        """
        card = self._machine.card
        if card is None or not card.present:
            return Declined("no-card", NO_CARD)
        unknown = card.bd3 and self._config.coding == "auto" and self._memory.coding(card.number) is None
        coding = Coding.HEX if unknown else None
        return await self._proof.run(card, self._machine.capacity(coding or self._machine.in_use), coding)

    def time(self) -> Told | None:
        return self._told

    def _ask_self(self, data: bytes, number: str, coding: Coding | None) -> Awaitable[Sent]:
        return self.ask(lambda now: self._machine.send(data, number, now, unix=self._unix(), coding=coding))

    def _learn(self, card: Card, coding: Coding) -> None:
        self._machine.coding = coding
        self._keep(lambda: self._memory.learn(card.number, coding))

    # What the machine says

    def _take(self, event: Event) -> None:
        match event:
            case Outcome():
                self._turn.settle(self._sent(event))
            case Incoming():
                self._receive(event)
            case Held(until):
                self._keep_hold(until)
            case Standing(word):
                self._stand(word)
            case Clock():
                self._hear_time(event)
            case Card() if self._config.coding == "auto":
                self._machine.coding = self._memory.coding(event.number)
            case Flaw() | Text():
                self.counters[event.reason if isinstance(event, Flaw) else "words"] += 1

    def _keep_hold(self, until: float) -> None:
        left = max(until - asyncio.get_running_loop().time(), 0.0)
        self._keep(lambda: self._memory.hold(left, self._machine.hold.interval))

    def _stand(self, word: str) -> None:
        if word == "ready":
            self.condition.succeeded()
        else:
            self.condition.failed(word, at_once=True)

    def _sent(self, outcome: Outcome) -> Sent:
        if outcome.sent:
            self.counters["sent"] += 1
            return Accepted()
        self.counters[outcome.reason] += 1
        return Unknown(outcome.reason) if outcome.sent is None else Declined(outcome.reason, outcome.wait)

    def _receive(self, message: Incoming) -> None:
        card = self._machine.card
        if card is not None and message.sender == card.number:
            self.counters["echo"] += 1
            self._proof.hear(message.data)
            return
        self.counters["received"] += 1
        self._inbox.put(Datagram(message.data, message.sender, self._now(), message.broadcast))

    def _hear_time(self, clock: Clock) -> None:
        """A time of day alone is none; it carries on a date that the module has said before."""
        unix, at = clock.unix, self._now()
        if unix is None and self._told is not None and clock.day_second is not None:
            unix = nearest_day(clock.day_second, (self._told.unix_ms + at - self._told.at) / 1000)
        if unix is not None:
            self._told = Told(round(unix * 1000), at, TIME_ERROR_MS)

    # Small things

    def _number(self, to: str) -> str:
        card = self._machine.card
        return card.broadcast if to == TO_ALL and card is not None and card.commander else to

    def _unix(self) -> float | None:
        """The time for a module without a receiver: its own word, else the system's if that was ever set."""
        if not self._config.position:
            return None
        if self._told is not None:
            return (self._told.unix_ms + self._now() - self._told.at) / 1000
        wall = time.time()
        return wall if wall > LEAST_CLOCK else None

    def _keep(self, write: Callable[[], None]) -> None:
        """Written at once, made to survive a power cut a moment later; a disk that refuses costs an interval, not a send."""
        try:
            write()
        except OSError:
            self.counters["state"] += 1
            return
        asyncio.get_running_loop().run_in_executor(None, self._sync)

    def _sync(self) -> None:
        with contextlib.suppress(OSError):
            self._memory.sync()

    def _lost(self) -> Sent:
        return Unknown("port") if self._machine.state is State.SENDING else Declined("port", REOPEN_MOST)

    def _show(self, now: float) -> Mapping[str, Any]:
        machine, card = self._machine, self._machine.card
        heard = machine.power is not None and machine.able(now) is not None
        return {
            "signal": machine.power.signal if heard and machine.power is not None else None,
            "ready_in": machine.hold.left(now),
            "module": machine.state.value,
            "protocol": "" if card is None else "rsmc" if card.bd3 else "2.1",
            "card": "" if card is None else card.number,
            "interval": machine.hold.interval,
            "mtu": machine.mtu,
            "coding": machine.in_use.value,
        }


def _options(config: BeidouConfig) -> Options:
    response, _, timing = config.beams.partition(",")
    north, east, height = (*config.position, 0.0, 0.0, 0.0)[:3]
    return Options(
        protocol=config.protocol,
        coding=None if config.coding == "auto" else Coding(config.coding),
        point=config.point,
        confirm=config.confirm,
        swapped=config.swapped,
        beams=Bss(response, timing) if config.beams else None,
        position=(north, east, height) if config.position else None,
        most=config.mtu,
    )


def _create(config: BeidouConfig, context: Context) -> Beidou:
    return Beidou(config, PORT.opened(config.port), context)


def _check(config: BeidouConfig, context: Context) -> Iterator[Problem]:
    yield from PORT.check(config.port, context.base)
    if config.to and config.to != TO_ALL and not is_card(config.to):
        yield Problem("to", "beidou.card", {"to": config.to})
    if not 1 <= config.point <= 5:
        yield Problem("point", "value.range", {"value": config.point, "least": 1, "most": 5})
    if not 0 <= config.mtu <= MOST_MTU:
        yield Problem("mtu", "value.range", {"value": config.mtu, "least": 0, "most": MOST_MTU})
    if config.beams and not all(part.isascii() and part.isdigit() for part in config.beams.split(",", 1)):
        yield Problem("beams", "beidou.beams", {"beams": config.beams})
    yield from _check_position(config.position)


def _check_position(position: list[float]) -> Iterator[Problem]:
    most = (90.0, 180.0, 9000.0)
    wrong = len(position) not in (0, 2, 3)
    if wrong or any(abs(value) > limit for value, limit in zip(position, most, strict=False)):
        yield Problem("position", "beidou.position", {"position": position})


FACTORY = Factory(BeidouConfig, _create, _check)
