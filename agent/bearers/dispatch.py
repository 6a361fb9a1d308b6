"""The loop of one platform's bearers: look what waits, choose, send, hear what became of it, settle.

Decides nothing about what goes by which bearer (`schedule`), and makes no datagram (`making`). The platform's MQTT is one of the bearers: it carries by itself (`agent.links.uplink`), and is only watched here.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agent.bearers.hearing import Ears, Hearing
from agent.bearers.lanes import Backlog, Load, Message, Policy, Waiting
from agent.bearers.letters import FIRST_RUN, Letters
from agent.bearers.line import Line
from agent.bearers.making import LOADS, OWED, SCHEMA, Making, name_of
from agent.bearers.pact import Pact
from agent.bearers.parcels import Parcel, Parcels
from agent.bearers.schedule import Order, choose
from agent.bearers.stock import Held, Key, Stock
from agent.bearers.wide import Wide
from buffer.model import Lane
from drivers.api import Declined, Sent, Unknown
from protocols import event as events
from protocols.errors import LocalError, RemoteError
from protocols.narrow.command import Command
from protocols.narrow.receipt import Receipt

log = logging.getLogger(__name__)

LOOK = 2.0  # seconds between looks while an alarm or event waits and MQTT is there: what it settles is seen by looking
QUIET_LOOK = 30.0  # otherwise; what is new wakes us
FORGET = 900.0  # seconds after which a digest or a proof is no longer waited for
NOTHING = "nothing"  # there was nothing to send after all


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
        self.making = Making(pact, letters, stock)
        self.hearing = Hearing(pact, Ears(self.proven, self.answered, command, time))
        self.delivered = self.refused = 0  # messages
        self.failed: dict[str, int] = {}  # of the loop itself, by the fault's name
        self._stock, self._letters, self._policy = stock, letters, policy
        self._day, self._top, self._now = day, top, now
        self._messages: dict[Key, Message] = {}
        self._keys: dict[str, Key] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._look_at = 0.0

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

    @property
    def parcels(self) -> Parcels:
        return self.making.parcels

    # The loop

    async def _turn(self) -> None:
        now = self._now()
        self._wake.clear()
        self.making.renew()
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
                name_of(held.key), LOADS[held.key.lane], len(held.body), held.since, barred=frozenset(self.lines)
            )
        return Message(name_of(held.key), LOADS[held.key.lane], size, held.since, self._top(facts))

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
            ready = await self.making.ready(line, order, key, self._now())
            if ready is not None:
                wanted, outcome = ready.wanted, Unknown("cancelled")
                outcome = await line.bearer.send(ready.data, ready.to)
                if not isinstance(outcome, Declined):
                    ready.sent(self._now())
                if ready.instead and key is not None:
                    self._untried(line, key)
        except LocalError as wrong:  # too long for this bearer, whenever it is tried
            outcome = Declined(wrong.reason, None)
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
            if key is not None:
                self._untried(line, key, bar=outcome.retry_after is None)
        self.wake()

    def _untried(self, line: Line, key: Key, *, bar: bool = False) -> None:
        """It did not go out by this bearer, and with `bar` never will as it is."""
        message = self._messages.get(key)
        if message is not None and line.name in message.tries:
            message = message.untried(line.name)
            self._messages[key] = message.bar(line.name) if bar else message

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
