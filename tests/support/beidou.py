"""A session and simulated modules joined without a line, in time that jumps from deadline to deadline."""

from random import Random

from drivers.simulated.beidou import BeidouModule, Faults, Sky, card_2
from protocols.framing import Send
from protocols.rdss import Flaw
from protocols.rdss_events import Clock, Held, Incoming, Options, Outcome, Standing
from protocols.rdss_session import Session

__all__ = ["Clock", "Flaw", "Held", "Incoming", "Options", "Outcome", "Standing", "World"]


class World:
    """`world.run(seconds)`; `world.send(data)` gives the outcome; `events` are those of the session, with their times."""

    def __init__(
        self,
        card="0242286",
        *,
        options=None,
        left=0.0,
        faults=None,
        loss=0.0,
        seed=1,
        bd3=False,
        wire=lambda data: data,
    ):
        self.chance = Random(seed)
        self.sky = Sky(self.chance, loss=loss)
        card = card_2(card) if isinstance(card, str) else card
        self.module = BeidouModule(self.sky, card, self.chance, faults=faults or Faults(), bd3=bd3)
        self.others = []
        self.session = Session(options or Options(), left)
        self.now = 1000.0
        self.events = []
        self.wire = wire
        self._take(self.session.start(self.now))

    def other(self, number, **card):
        """Another terminal under the same sky, with a session of its own; its events come into `heard[number]`."""
        module = BeidouModule(self.sky, card_2(number, **card), self.chance)
        session = Session(Options(), 0.0)
        found = []
        self.others.append((module, session, found))
        self._pass(module, session.start(self.now), found, session)
        return session, found

    def run(self, seconds):
        self.until(lambda: False, seconds)

    def until(self, done, seconds=600.0):
        """Whether it came about in this time."""
        end = self.now + seconds
        while not done():
            due = min(time for machine in self._machines() if (time := machine.deadline) is not None)
            if due > end:
                self.now = end
                return done()
            self.now = max(self.now, due)
            self._turn()
        return True

    def send(self, data, to="0179773", session=None, **more):
        events = self.events if session is None else next(found for _, one, found in self.others if one is session)
        before = len(events)
        sender = session or self.session
        pair = self.module if session is None else next(module for module, one, _ in self.others if one is session)
        self._pass(pair, sender.send(data, to, self.now, **more), events, sender)

        def outcomes():
            return [event for _, event in events[before:] if isinstance(event, Outcome)]

        assert self.until(outcomes, 120.0), "no outcome"
        return outcomes()[0]

    def ready(self):
        assert self.until(lambda: Standing("ready") in self.seen(Standing), 300.0)
        self.run(12)
        return self

    def seen(self, kind, events=None):
        return [event for _, event in (self.events if events is None else events) if isinstance(event, kind)]

    def _machines(self):
        yield from (self.module, self.session)
        for module, session, _ in self.others:
            yield from (module, session)

    def _turn(self):
        for module, session, found in ((self.module, self.session, self.events), *self.others):
            if session.deadline is not None and session.deadline <= self.now:
                self._pass(module, session.tick(self.now), found, session)
            if module.deadline is not None and module.deadline <= self.now:
                self._hear(session, module.tick(self.now), found, module)

    def _take(self, events):
        self._pass(self.module, events, self.events, self.session)

    def _pass(self, module, events, found, session):
        for event in events:
            if isinstance(event, Send):
                self._hear(session, module.receive(event.data, self.now), found, module)
            else:
                found.append((self.now, event))

    def _hear(self, session, events, found, module):
        for event in events:
            self._pass(module, session.receive(self.wire(event.data), self.now), found, session)
