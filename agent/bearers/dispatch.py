"""The loop of one platform's bearers: look what waits, choose, send, hear what became of it, settle.

Decides nothing about what goes by which bearer (`schedule`), writes no body (`letters`) and no frame (`parcels`). The
platform's MQTT is one of the bearers: it carries by itself (`agent.uplink`), and is only watched here.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.bearers.hearing import Ears, Hearing
from agent.bearers.lanes import Backlog, Load, Message, Policy, Waiting
from agent.bearers.letters import FIRST_RUN, Letter, Letters
from agent.bearers.line import Line
from agent.bearers.pact import Pact
from agent.bearers.parcels import Parcel, Parcels
from agent.bearers.schedule import Order, choose
from agent.bearers.stock import Held, Key, Stock
from agent.bearers.wide import Wide
from buffer.model import Lane
from drivers.api import Declined, Sent, Unknown
from protocols import event as events
from protocols.errors import LocalError, RemoteError
from protocols.narrow import control, header, schema
from protocols.narrow.command import Command
from protocols.narrow.control import Ping
from protocols.narrow.header import Kind
from protocols.narrow.receipt import Receipt

log = logging.getLogger(__name__)

LOOK = 2.0  # seconds between looks while an alarm or event waits and MQTT is there: what it settles is seen by looking
QUIET_LOOK = 30.0  # otherwise; what is new wakes us
FORGET = 900.0  # seconds after which a digest or a proof is no longer waited for
DIGESTS = 8  # that nobody acknowledged and that still may be; older ones are superseded anyway
NOTHING = "nothing"  # there was nothing to send after all
LOADS = {Lane.ALARM: Load.ALARM, Lane.EVENT: Load.EVENT}
OWED = "receipts "  # key of what a bearer owes, before its name
SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class Ready:
    """A datagram about to go. `sent(now)` once it went, or may have; `wanted`: an answer is due if it arrives."""

    data: bytes
    wanted: bool
    sent: Callable[[float], None] = lambda _now: None
    to: str = ""


class Dispatch:
    """`run()` for ever. `day`: days since 1970. Methods are for the event loop's thread."""

    def __init__(
        self,
        route: str,
        *,
        lines: Mapping[str, Line],
        wide: Wide,
        stock: Stock,
        letters: Letters,
        pact: Pact,
        policy: Policy,
        day: Callable[[], float],
        top: Callable[[Mapping[str, Any]], bool],
        command: Callable[[Line, Command], None],
        time: Callable[[int, float | None], None],
        now: Callable[[], float],
    ) -> None:
        self.route, self.lines, self.wide, self.pact = route, dict(lines), wide, pact
        self.parcels = Parcels()
        self.hearing = Hearing(pact, Ears(self.proven, self.answered, command, time))
        self.delivered = self.refused = 0  # messages
        self.failed: dict[str, int] = {}  # of the loop itself, by the fault's name
        self._stock, self._letters, self._policy, self._day, self._top, self._now = (
            stock,
            letters,
            policy,
            day,
            top,
            now,
        )
        self._messages: dict[Key, Message] = {}
        self._keys: dict[str, Key] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._look_at = 0.0
        self._epoch = pact.session.epoch

    def wake(self, *, stock: bool = False) -> None:
        """Something happened: look at the stock again, or only choose."""
        if stock:
            self._look_at = 0.0
        self._wake.set()

    async def run(self) -> None:
        try:
            while True:
                await self._turn()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # The loop

    async def _turn(self) -> None:
        now = self._now()
        self._wake.clear()
        if self._epoch != self.pact.session.epoch:  # nobody can read any more what was sealed before
            self._epoch = self.pact.session.epoch
            self.parcels = Parcels()
        if now >= self._look_at:
            await self._look(now)
        self._pass_time(now)
        ways = [*self.wide.ways(now), *(line.way for line in self.lines.values())]
        plan = choose(ways, self._backlog(now), now, self._day(), self._policy)
        for order in plan.orders:
            self._obey(order, now)
        until = min(plan.look, self._look_at, self.parcels.deadline() or plan.look)
        timer = asyncio.get_running_loop().call_at(max(until, now + 0.01), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _look(self, now: float) -> None:
        await self._stock.look(now)
        held = self._stock.held
        self._messages = {key: self._messages.get(key) or self._message(one) for key, one in held.items()}
        self._keys = {message.key: key for key, message in self._messages.items()}
        self.parcels.forget(held)
        self._look_at = now + (LOOK if held and self.wide.way.open else QUIET_LOOK)

    def _pass_time(self, now: float) -> None:
        for parcel, bearer in self.parcels.tick(now):
            self._given_up(parcel, bearer)
        for parcel in [one for one in self.parcels.all.values() if one.load > Load.EVENT and now - one.born > FORGET]:
            self.parcels.drop(parcel)
        self.hearing.stalled(self.lines, now)
        for line in self.lines.values():
            line.refresh(now)
            line.way = replace(line.way, train=self.parcels.train(line.name))

    def _given_up(self, parcel: Parcel, bearer: str) -> None:
        if parcel.load > Load.EVENT:
            self.parcels.drop(parcel)
        log.info("%s gave up a message (%s)", bearer, parcel.load.name.lower())

    def _message(self, held: Held) -> Message:
        try:
            facts = events.decode(held.body)
            size = len(self._letters.event(held).body)
        except (RemoteError, LocalError, ValueError):
            return Message(
                _name(held.key), LOADS[held.key.lane], len(held.body), held.since, barred=frozenset(self.lines)
            )
        return Message(_name(held.key), LOADS[held.key.lane], size, held.since, self._top(facts))

    def _backlog(self, now: float) -> Backlog:
        messages = sorted(self._messages.values(), key=lambda one: (one.load, not one.top, one.since))
        owed = [self._owed(line) for line in self.lines.values() if line.owed]
        alarms = [one for one in messages if one.load is Load.ALARM]
        waiting = self._stock.waiting(Lane.TELEMETRY)
        detail = Waiting(waiting, now) if waiting >= FIRST_RUN else Waiting()
        return Backlog((*alarms, *owed, *messages[len(alarms) :]), digest=self._letters.known, detail=detail)

    def _owed(self, line: Line) -> Message:
        others = frozenset({*self.lines, self.wide.name} - {line.name})
        return Message(OWED + line.name, Load.EVENT, 2 + 3 * len(line.owed), line.owed_since, barred=others)

    # What was chosen

    def _obey(self, order: Order, now: float) -> None:
        line = self.lines.get(order.bearer)
        key = self._keys.get(order.key)
        going_on = line is not None and line.way.train is not None and line.way.train.key == order.key
        if key is not None and not going_on:
            self._messages[key] = self._messages[key].tried(order.bearer, now)
        if line is not None:
            size = self._messages[key].size if key is not None else line.room
            line.way = line.way.begin(order.load, size, self._day(), now)
            task = asyncio.create_task(self._carry(line, order, key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, line: Line, order: Order, key: Key | None) -> None:
        outcome: Sent = Declined(NOTHING, LOOK)
        wanted = False
        try:
            ready = await self._ready(line, order, key)
            if ready is not None:
                wanted, outcome = ready.wanted, Unknown("cancelled")
                outcome = await line.bearer.send(ready.data, ready.to)
                if not isinstance(outcome, Declined):
                    ready.sent(self._now())
        except Exception as fault:  # a driver's bug, or ours: told, and it costs this datagram
            name = type(fault).__name__
            if name not in self.failed:
                log.exception("%s could not send", line.name)
            self.failed[name] = self.failed.get(name, 0) + 1
            outcome = Declined(name, LOOK)
        finally:
            self._ended(line, key, outcome, wanted=wanted)

    def _ended(self, line: Line, key: Key | None, outcome: Sent, *, wanted: bool) -> None:
        now = self._now()
        line.way = line.way.end(outcome, now, wanted=wanted)
        line.counts[f"sent_{type(outcome).__name__.lower()}"] += 1
        if isinstance(outcome, Declined):
            if outcome.reason == NOTHING:
                line.way = replace(line.way, refused=None)
            message = self._messages.get(key) if key is not None else None
            if key is not None and message is not None and line.name in message.tries:
                message = message.untried(line.name)
                self._messages[key] = message.bar(line.name) if outcome.retry_after is None else message
        self.wake()

    async def _ready(self, line: Line, order: Order, key: Key | None) -> Ready | None:
        """The datagram that is due. A hello before everything, while the headend does not know our epoch."""
        now = self._now()
        if not self.pact.known and line.must_greet(self.pact.round, now):
            return self._hello(line)
        if order.key.startswith(OWED):
            return self._receipts(line)
        if key is not None:
            return self._numbered(line, key, now)
        if order.load is Load.DIGEST or order.key == SCHEMA:
            return self._digest(line, now)
        if order.load is Load.DETAIL:
            return await self._detail(line, now)
        return self._proof(line, now)

    def _hello(self, line: Line) -> Ready | None:
        context = self._letters.present()
        frame = self.pact.greet((context,))
        data = header.encode(frame._replace(address=line.address))
        if len(data) > line.mtu:
            data = header.encode(self.pact.greet()._replace(address=line.address))
        if len(data) > line.mtu:
            return None
        return Ready(data, wanted=True, sent=lambda now: line.has_greeted(self.pact.round, now))

    def _receipts(self, line: Line) -> Ready | None:
        owed = list(line.owed.values())
        while owed and len(control.encode(owed)) > line.room:
            owed.pop()
        message = self.pact.seal(Kind.CONTROL, control.encode(owed)) if owed else None
        if message is None:
            return None
        frame = header.Frame(message.kind, message.id, message.data, address=line.address)
        return Ready(header.encode(frame), wanted=False, sent=lambda _now: line.paid(owed), to=line.said_to)

    def _numbered(self, line: Line, key: Key, now: float) -> Ready | None:
        held = self._stock.held.get(key)
        if held is None:
            return None
        parcel = self.parcels.carrying(key) or self._sealed(LOADS[key.lane], Kind.EVENT, self._letters.event(held), now)
        if parcel is not None:
            parcel.name = _name(key)
        return self._next(line, parcel) if parcel is not None else None

    def _digest(self, line: Line, now: float) -> Ready | None:
        """Of now; the schema before the first that names it."""
        if not self.pact.knows_schema(self._letters.schema.id):
            parcel = self.parcels.of(Load.DIGEST, SCHEMA) or self._schema(now)
            return self._next(line, parcel) if parcel is not None else None
        letter = self._letters.digest(line.room)
        parcel = self._sealed(Load.DIGEST, Kind.DIGEST, letter, now) if letter is not None else None
        for old in self.parcels.superseded(DIGESTS):
            self.parcels.drop(old)
        return self._next(line, parcel) if parcel is not None else None

    def _schema(self, now: float) -> Parcel | None:
        its = self._letters.schema
        parcel = self._sealed(Load.DIGEST, Kind.DIGEST, Letter(b"\0" + schema.announce(its)), now)
        if parcel is not None:
            parcel.name = SCHEMA
        return parcel

    async def _detail(self, line: Line, now: float) -> Ready | None:
        if not self.pact.knows_schema(self._letters.schema.id):
            return self._digest(line, now)
        waiting = self.parcels.unsent(Load.DETAIL, line.name)
        if waiting is None:
            besides = [span for one in self.parcels.all.values() if one.load is Load.DETAIL for span in one.spans]
            letter = await self._letters.detail(line.room, besides)
            waiting = self._sealed(Load.DETAIL, Kind.DATA, letter, now) if letter is not None else None
        return self._next(line, waiting) if waiting is not None else None

    def _proof(self, line: Line, now: float) -> Ready | None:
        parcel = self._sealed(Load.PROOF, Kind.CONTROL, Letter(control.encode([Ping()])), now)
        return self._next(line, parcel) if parcel is not None else None

    def _sealed(self, load: Load, kind: Kind, letter: Letter, now: float) -> Parcel | None:
        message = self.pact.seal(kind, letter.body)
        if message is None:
            return None
        return self.parcels.put(Parcel(load, message, letter.spans, letter.mark, letter.told, born=now))

    def _next(self, line: Line, parcel: Parcel) -> Ready | None:
        """The next datagram of a message by this bearer. LocalError: too long for it."""
        sending = parcel.on.get(line.name)
        if sending is None:
            answers = line.bearer.traits.duplex
            sending = self.parcels.begin(
                parcel, line.name, line.mtu, address=line.address, patience=line.patience, answers=answers
            )
        if not sending.waiting and sending.deadline is not None:
            sending.tick(sending.deadline)
        out = sending.next()
        if out is None:
            return None
        wanted = sending.waiting == 1
        return Ready(out.data, wanted=wanted, sent=lambda at: sending.sent(out.place, at))

    # What came back

    def proven(self, line: Line, counter: int, receipt: Receipt) -> None:
        """A receipt that only our headend can have made."""
        now = self._now()
        line.way = line.way.answered(now)
        parcel = self.parcels.hear(counter, receipt)
        if parcel is None:
            self.wake()
            return
        if parcel.refused:
            self._refused(parcel)
        else:
            self._delivered(parcel)
        self.wake()

    def answered(self, line: Line) -> None:
        line.way = line.way.answered(self._now())

    def _delivered(self, parcel: Parcel) -> None:
        self.delivered += 1
        self.pact.told(parcel.told)
        for span in parcel.spans:
            self._stock.settle(span.key, span.last)
            self._messages.pop(span.key, None)
        if parcel.name == SCHEMA:
            self.pact.told_schema(self._letters.schema.id)
        if parcel.mark:
            self._letters.summary.delivered(parcel.mark)

    def _refused(self, parcel: Parcel) -> None:
        """Not to be sent again as it is: in full, under a new number, or not by this way."""
        self.refused += 1
        if parcel.refused == "context":
            self._unknown(parcel)
        elif parcel.refused in ("malformed", "unsupported"):
            for span in parcel.spans:
                message = self._messages.get(span.key)
                if message is not None:
                    self._messages[span.key] = replace(message, barred=message.barred | frozenset(self.lines))

    def _unknown(self, parcel: Parcel) -> None:
        """The headend has lost what this message refers to."""
        if parcel.load in (Load.DIGEST, Load.DETAIL):
            self.pact.told_schema(b"")
        if parcel.load is not Load.DIGEST:
            self.pact.forget()

    # For the status

    def queue(self, bearer: str) -> int:
        """Messages that this bearer has begun and nobody acknowledged."""
        return sum(bearer in one.on for one in self.parcels.all.values())

    def status(self) -> dict[str, Any]:
        return {
            **self.pact.status(),
            "waiting": len(self._messages),
            "under_way": len(self.parcels.all),
            "delivered": self.delivered,
            "refused": self.refused,
            "failed": dict(self.failed),
            **self.hearing.status(),
        }


def _name(key: Key) -> str:
    return f"{key.lane.name.lower()}/{key.log}/{key.number}"
