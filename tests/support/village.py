"""A station in one village with a journal in memory: messages go in, and the decision comes out."""

from dataclasses import dataclass, field
from typing import Any

from agent.alerts.decide import Decision, decide, due, first, resume
from agent.alerts.journal import Journal
from agent.alerts.journal_entries import Entry
from agent.alerts.orders import Order
from agent.alerts.policy import Channel, Now, Place, Policy
from protocols.alert import ClockReading, Local, VerifiedAlert
from protocols.area import Position
from protocols.keyring import Keyring
from protocols.seal import verify
from tests.support import seals
from tests.support.seals import T0, VILLAGE


@dataclass
class Village:
    ring: Keyring = field(default_factory=seals.keyring)
    place: Place = field(default_factory=lambda: Place((VILLAGE,), Position(29.87, 121.55)))
    policy: Policy = field(default_factory=Policy)
    journal: Journal = field(default_factory=Journal)
    unix: int = T0
    trusted: bool = True
    floor: int = T0 - 86_400
    monotonic: float = 1000.0
    boot: str = "b1"
    written: list[Entry] = field(default_factory=list)

    @property
    def now(self) -> Now:
        return Now(ClockReading(self.unix, min(self.floor, self.unix), self.trusted), self.monotonic, self.boot)

    def say(self, signers: str = "county", text: str = "", **changed: Any) -> Decision:
        """Seal it, verify it, decide it, take the decision."""
        return self.hear(seals.sealed(signers, text, **changed))

    def hear(self, data: bytes) -> Decision:
        found = verify(data, self.ring, self.now.clock)
        assert isinstance(found, VerifiedAlert), found
        return self.take(decide(self.journal, found, self.now, self.place, self.policy))

    def alarm(self, local: Local) -> Decision:
        return self.take(decide(self.journal, local, self.now, self.place, self.policy))

    def due(self) -> Decision:
        return self.take(due(self.journal, self.now))

    def take(self, decision: Decision) -> Decision:
        self.journal = self.journal.fold(decision.entries)
        self.written += decision.entries
        return decision

    def later(self, seconds: float) -> "Village":
        self.unix += int(seconds)
        self.monotonic += seconds
        return self

    def reboot(self, *, unix: int | None = None, trusted: bool | None = None) -> Decision:
        """The power was off for ten minutes."""
        self.later(600)
        self.unix = self.unix if unix is None else unix
        self.trusted = self.trusted if trusted is None else trusted
        self.boot, self.monotonic = self.boot + "'", 5.0
        return self.take(resume(self.journal, self.now, self.policy.longest))


def on(decision: Decision, channel: Channel) -> Order | None:
    """Whose turn it is on this channel."""
    return first(decision.orders, channel)


def channels(decision: Decision) -> set[str]:
    """Every channel that anybody may use now."""
    return {(c.name or "").lower() for c in Channel if first(decision.orders, c) is not None}
