"""The loop from seal to siren: verify, decide, write the intention, act, acknowledge.

What is believed stands in `protocols.seal`, what is allowed in `agent.alerts.decide`, how it sounds in `agent.alerts.plans`. This file
carries it out: nothing here waits for a disk longer than 100 ms, for an uplink at all, or for one actuator before another.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from agent.alerts.carrier import Carrier, Step
from agent.alerts.conductor import Conductor, names, shown
from agent.alerts.decide import decide
from agent.alerts.evidence import Evidence, Record
from agent.alerts.intake import Done, Intake, Message
from agent.alerts.journal_entries import Entry, Said
from agent.alerts.journal_file import JournalFile
from agent.alerts.orders import Change, Decision, Order, due, end, next_change, orders, resume
from agent.alerts.performer import Performer
from agent.alerts.places import Names
from agent.alerts.plans import Plans
from agent.alerts.policy import Channel, Now, Place, Policy
from agent.alerts.ration import Ration
from agent.alerts.spending import Spending
from drivers.api import Action, Actuator, Outcome, Verdict
from protocols import cose
from protocols.alert import ClockReading, Local, Refusal, VerifiedAlert
from protocols.keyring import Keyring
from protocols.seal import verify

log = logging.getLogger(__name__)

AT_A_STRETCH = (
    4  # messages judged before anybody else on the loop has a turn; a forged one costs up to a check for each key
)
LONGEST_NAP = 30.0  # seconds: the clock may become trusted, or be set, with nobody telling us
PUT_OFF = "put-off"  # not yet refused: it will be looked at again
PROBE_EVERY = 60.0  # seconds; also keeps the relay's port open, so that the first write need not wait for it
SHORTEST_NAP = 0.01  # seconds: whatever time says, the loop does not spin


class Clock(Protocol):
    """The part of `agent.clock.Clock` that is asked."""

    boot: bytes

    def read(self) -> ClockReading: ...


class Alerting:
    """`record(type, fields, lane)` writes an acknowledgement and returns at once. `beat` is told that the loop goes round,
    every LONGEST_NAP seconds at least. `now` is time.monotonic. Methods are for the event loop's thread.
    """

    def __init__(
        self,
        *,
        keyring: Keyring,
        journal: JournalFile,
        clock: Clock,
        place: Place,
        policy: Policy,
        plans: Plans,
        actuators: Sequence[Actuator],
        record: Record,
        beat: Callable[[], None] = lambda: None,
        heard: Callable[[str, VerifiedAlert], None] = lambda _bearer, _alert: None,
        areas: Names | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.keyring = keyring
        self._journal, self._clock, self._place, self._policy, self._monotonic = journal, clock, place, policy, now
        self._beat, self._evidence = beat, Evidence(record, now)
        self._performers = [Performer(one, partial(self._step, one.name), now) for one in actuators]
        self._conductor = Conductor(self._performers, plans, now, areas)
        self._spending = Spending()
        self._intake, self._ration = Intake(), Ration()
        self.heard = heard
        # Told at once of a decision that changes something, before it is carried out.
        self.acts: Callable[[], None] = _nothing
        self.junk = self._evidence.junk
        self._wake = asyncio.Event()
        self._carrier = Carrier(self._evidence.unjournalled, self._wake.set)
        self._look_at, self._resumed = 0.0, False
        self.watchers: list[Callable[[Sequence[Order]], None]] = []  # told what is in force, whenever it is carried out
        self._heard: dict[str, dict[str, float]] = {"bearers": {}, "holders": {}}

    # What comes in

    def submit(self, bearer: str, data: bytes, retained: bool, done: Done) -> None:
        """A message from a warning topic. `done` is called once: when it is journalled, or found to be worth nothing."""
        why = self._intake.put(Message(bearer, data, retained, done))
        if why:
            self._evidence.junk(why, bearer)
            done()
        self._wake.set()

    def local(self, alarm: Local) -> Decision:
        """An alarm of this station itself: of its sensors, or of a person on the spot."""
        decision = decide(self._journal.journal, alarm, self._now(), self._place, self._policy)
        self._enact(decision)
        return decision

    def mute(self, muted: bool) -> None:
        """The key switch: no siren while it is turned. Everything else goes on, and the siren's time is not used up."""
        self._conductor.muted = muted
        self._again()

    def note(self, notes: Mapping[bytes, str]) -> None:
        """A line of our own below an alert on the displays."""
        self._conductor.notes = dict(notes)
        if self._resumed:
            standing = orders(self._journal.journal, self._now())
            self._carrier.carry(Step(None, "", partial(self._conductor.conduct, standing), _nothing))

    def unheard(self, silent: bool) -> None:
        """An issuer has been silent for a day, or none is any more: the lamps say so while no warning has them."""
        if silent is not self._conductor.unheard:
            self._conductor.unheard = silent
            self._again()

    async def probe(self) -> dict[str, Outcome]:
        """Every actuator's answer, inaudible: those at work prove themselves."""
        outcomes = await asyncio.gather(*(one.probe() for one in self._performers))
        return {one.actuator.name: outcome for one, outcome in zip(self._performers, outcomes, strict=True)}

    def stands(self, identity: bytes) -> bool:
        """Is it in force?"""
        return identity in self._journal.journal.active

    def end(self, identity: bytes) -> None:
        """A local alarm is over, or a person on the spot ended it."""
        self._enact(end(self._journal.journal, identity, self._now()))

    def numbers(self, issuer: int) -> frozenset[int]:
        """What is remembered to have come of this issuer."""
        return frozenset(seen.seq for seen in self._journal.journal.seen.get(issuer, {}).values())

    def status(self) -> Mapping[str, Any]:
        """For health: whom we believe, what is in force, who was heard, what was refused."""
        now = self._monotonic()
        ago = {kind: {name: round(now - at) for name, at in who.items()} for kind, who in self._heard.items()}
        return {
            "keyring": self.keyring.number,
            "active": [shown(order) for order in orders(self._journal.journal, self._now())],
            "heard_seconds_ago": ago,
            "counts": dict(self._evidence.counts),
            "journal": "late" if self._carrier.late else "ok",
            "actuators": {one.actuator.name: one.status() for one in self._performers},
        }

    # The loop

    async def run(self) -> None:
        """Until cancelled. Then everything falls silent, and the next start resumes what still stands."""
        _warm()
        helpers = [asyncio.create_task(self._carrier.run()), asyncio.create_task(self._probe())]
        try:
            self._enact(resume(self._journal.journal, self._now(), self._policy.longest))
            self._resumed = True
            while True:
                self._beat()
                await self._sleep()
                self._judge()
                self._pass_time()
        finally:
            for helper in helpers:
                helper.cancel()
            self._evidence.flush(everything=True)
            await asyncio.gather(*(performer.close() for performer in self._performers))

    async def _sleep(self) -> None:
        """Until there is a message, or time has something to say; everybody else on the loop has a turn in any case."""
        if self._wake.is_set():
            await asyncio.sleep(0)
            return
        moments = (
            next_change(self._journal.journal, self._now()),
            self._conductor.next_change(),
            self._spending.next_change(),
            self._evidence.next_flush(),
            self._ration.next_look(self._monotonic()),
        )
        nap = min((moment - self._monotonic() for moment in moments if moment is not None), default=LONGEST_NAP)
        try:
            async with asyncio.timeout(max(SHORTEST_NAP, min(nap, LONGEST_NAP))):
                await self._wake.wait()
        except TimeoutError:
            return

    def _judge(self) -> None:
        for _ in range(AT_A_STRETCH):
            message = None if self._carrier.full else self._intake.take() or self._ration.again(self._monotonic())
            if message is None:
                self._wake.clear()
                return
            try:
                self._judge_one(message)
            except Exception:  # a bug that one message found must not keep the next from being heard
                log.exception("a message could not be judged")
                self._evidence.junk("broken", message.bearer)
                self._carrier.carry(Step(None, "", _nothing, message.done))

    def _judge_one(self, message: Message) -> None:
        self._heard["bearers"][message.bearer] = self._monotonic()
        found = self._verified(message)
        if isinstance(found, Refusal):
            if found.reason != PUT_OFF:
                self._evidence.junk(found.reason, message.bearer)
            self._carrier.carry(Step(None, "", _nothing, message.done))
            return
        self._heard["holders"] |= dict.fromkeys(found.holders, self._monotonic())
        self.heard(message.bearer, found)
        self._enact(decide(self._journal.journal, found, self._now(), self._place, self._policy), message, found)

    def _verified(self, message: Message) -> VerifiedAlert | Refusal:
        """Who signed it, for what checking may cost. A word of its issuer that is new here is worth a whole effort; of what is
        left undecided the rest is looked at later, and a message of nobody known so far is not refused before that.
        """
        now, clock = self._monotonic(), self._clock.read()
        effort = self._ration.effort(message.bearer, now)
        given = replace(effort)
        found = verify(message.data, self.keyring, clock, effort)
        self._ration.spent(message.bearer, given.left - effort.left, now, given.slow - effort.slow)
        if not effort.short or given.whole:
            return found
        if isinstance(found, VerifiedAlert) and self._journal.journal.find(found.alert.issuer, found.identity) is None:
            return verify(message.data, self.keyring, clock)
        kept = self._ration.put_off(message._replace(done=_nothing), known=isinstance(found, VerifiedAlert))
        if isinstance(found, Refusal):
            return Refusal(PUT_OFF if kept else "unchecked")
        return found

    def _pass_time(self) -> None:
        """What is due by the clock: beginnings, ends, the next slice of the siren's time, counted junk."""
        now = self._now()
        moment = next_change(self._journal.journal, now)
        if (moment is not None and now.monotonic >= moment) or now.monotonic >= self._look_at:
            self._look_at = now.monotonic + LONGEST_NAP
            self._enact(due(self._journal.journal, now))
        elif _passed(self._conductor.next_change(), now.monotonic):
            self._again()
        if _passed(self._spending.next_change(), now.monotonic):
            self._write(self._slices(orders(self._journal.journal, now)))
        self._evidence.flush()

    # What is decided

    def _enact(self, decision: Decision, message: Message | None = None, verified: VerifiedAlert | None = None) -> None:
        """Take the decision in memory at once; carry it out and acknowledge it when it is written."""
        changed = decision.change is not Change.NONE or message is None
        if decision.change is not Change.NONE:
            self.acts()
        paid = self._slices(decision.orders, decision.entries) if changed else []
        written = self._write([*decision.entries, *paid])

        def act() -> None:
            if changed:
                self._conduct(decision.orders)
            self._acknowledge(decision, message, verified)

        self._carrier.carry(Step(written, decision.identity.hex(), act, message.done if message else _nothing))

    def _again(self) -> None:
        """What stands, conducted once more, after everything that has been decided before. Not before the start has placed what
        an earlier life left: its times are another boot's.
        """
        if not self._resumed:
            return
        standing = orders(self._journal.journal, self._now())
        written = self._write(self._slices(standing))
        self._carrier.carry(Step(written, "", partial(self._conduct, standing), _nothing))

    def _conduct(self, standing: Sequence[Order]) -> None:
        self._conductor.conduct(standing)
        for watcher in self.watchers:
            try:
                watcher(standing)
            except Exception:  # whoever looks on must not be in the way
                log.exception("an onlooker failed")

    def _acknowledge(self, decision: Decision, message: Message | None, verified: VerifiedAlert | None) -> None:
        facts: dict[str, Any] = dict(decision.facts)
        order = next((order for order in decision.orders if order.identity == decision.identity), None)
        if order is not None:
            facts |= {"channels": names(order.channels), "withheld": self._withheld(order), "exercise": order.exercise}
        if message is not None and verified is not None:
            self._evidence.decided(message.bearer, verified, decision.outcome, facts)
        elif decision.change is not Change.NONE:
            self._evidence.changed(decision.identity.hex(), decision.outcome, facts)

    def _withheld(self, order: Order) -> dict[str, str]:
        inhibited = self._conductor.muted and Channel.SIREN in order.channels
        return {**order.withheld, **({"siren": "inhibited"} if inhibited else {})}

    def _slices(self, standing: Sequence[Order], entries: Sequence[Entry] = ()) -> Sequence[Entry]:
        """What of the siren's time is to be paid for, once `entries` are in the journal."""
        journal = self._journal.journal.fold(entries)
        siren, voices = self._conductor.slice_of(standing), self._conductor.voices(standing)
        return self._spending.due(journal, siren, voices, self._monotonic())

    def _write(self, entries: Sequence[Entry]) -> Future[None] | None:
        return self._journal.write(entries) if entries else None

    # What is seen of the actuators

    def _step(self, name: str, step: str, action: Action, outcome: Outcome) -> None:
        if step == "repeated":
            self._write([Said(bytes.fromhex(action.key), name)])
            return
        if action.key:  # a lamp that stands for no warning is nothing to acknowledge
            self._evidence.step(step, name, action, outcome)
        if action.kind == "voice" and step != "started":
            self._again()  # it may have something else to say

    async def _probe(self) -> None:
        """Ask every idle actuator whether it is there: a dead siren is found before the flood."""
        while True:
            idle = [one for one in self._performers if one.part is None]
            for one, outcome in zip(idle, await asyncio.gather(*(one.probe() for one in idle)), strict=True):
                there = outcome.verdict is Verdict.DONE
                if one.reachable is not there:
                    one.reachable = there
                    self._evidence.reach(one.actuator.name, outcome)
            await asyncio.sleep(PROBE_EVERY)

    def _now(self) -> Now:
        return Now(self._clock.read(), self._monotonic(), self._clock.boot.hex())


def _passed(moment: float | None, now: float) -> bool:
    return moment is not None and now >= moment


def _nothing() -> None:
    """Nobody waits for this."""


def _warm() -> None:
    """The first signature must not pay for the library: a public key is parsed and a signature refused."""
    cose.verifies(bytes(32), bytes(64), b"")
