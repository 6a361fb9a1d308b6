"""One bearer as the scheduler sees it: traits, proof, purse, next slot, and what it is in the middle of. Immutable.

Knows no driver and no datagram; the loop that carries a plan out tells it what began and how it ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, NamedTuple

from agent.bearers.budget import Ledger, Price
from agent.bearers.lanes import Load
from agent.bearers.proven import LEAST_RATE, Proof
from drivers.api import Declined, Sent, Traits

HEAD = 13  # bytes of a datagram that frames need: five of header, eight of tag
LEAST_ANSWER = 20.0  # seconds: an answer may wait for a slot of the headend's
ANSWER = 4  # times the latency for an answer: there, back, and as much again
LEAST_HOLD = 1.0  # seconds after a refusal that names no time
REFUSALS = 3  # intervals of nothing but refusals, and each further one is a miss ...
REFUSED_FOR = 120.0  # ... after so many seconds at least


class Train(NamedTuple):
    """Fragments of one message, of which `left` have not begun yet."""

    key: str
    load: Load
    left: int


@dataclass(frozen=True, slots=True)
class Way:
    """`medium`: what fails together. `open`: the device could send, as far as it knows. `ready`: nothing begins before.
    `served`: when each lane last began. Airtime of a datagram is `air` and `air_byte` for each of its bytes, in seconds.
    """

    name: str
    traits: Traits
    ledger: Ledger = field(default_factory=Ledger)
    proof: Proof = field(default_factory=Proof)
    wide: bool = False
    medium: str = ""
    period: float = 12 * 3600.0
    head: int = HEAD
    air: float = 0.0
    air_byte: float = 0.0
    ready: float = 0.0
    busy: bool = False
    open: bool = True
    train: Train | None = None
    served: Mapping[Load, float] = field(default_factory=dict)
    begun: tuple[Load, Price] | None = None
    refused: float | None = None  # since when it only refuses

    @property
    def group(self) -> str:
        return self.medium or self.name

    @property
    def answer(self) -> float:
        """Seconds in which an answer should be here."""
        return max(LEAST_ANSWER, ANSWER * self.traits.latency)

    def pieces(self, size: int) -> int:
        """Datagrams for a message of so many bytes."""
        return max(1, ceil(size / max(1, self.traits.mtu - self.head)))

    def price(self, size: int) -> Price:
        """Of one datagram of a message of so many bytes."""
        length, traits = min(size + self.head, self.traits.mtu), self.traits
        units = ceil(length / traits.credit) if traits.credit else 1
        return Price(traits.cost * units, self.air + self.air_byte * length)

    def affords(self, load: Load, size: int, day: float, now: float) -> bool:
        """The whole message."""
        pieces, (money, airtime) = self.pieces(size), _parts(self.price(size))
        return self.ledger.affords(load, Price(money * pieces, airtime * pieces), day, now)

    def expected(self, size: int, now: float) -> float:
        """Seconds until a message of this size is on the other side, all in all: wait, slots, tries."""
        tries = 1 / max(self.proof.rate, LEAST_RATE)
        again = max(self.traits.min_interval, self.answer)
        train = (self.pieces(size) - 1) * self.traits.min_interval
        return max(0.0, self.ready - now) + train + self.traits.latency * tries + again * (tries - 1)

    def begin(self, load: Load, size: int, day: float, now: float) -> "Way":
        """A datagram goes to the device."""
        price = self.price(size)
        return replace(
            self,
            ledger=self.ledger.spend(load, price, day, now),
            busy=True,
            ready=now + self.traits.min_interval,
            served={**self.served, load: now},
            begun=(load, price),
        )

    def end(self, outcome: Sent, now: float, *, wanted: bool = True) -> "Way":
        """`wanted`: an answer to this datagram will come if it arrived. Where nothing can come back, nothing is missed."""
        way = replace(self, busy=False, begun=None)
        if not isinstance(outcome, Declined):
            proof = self.proof.sent(now, self.answer) if wanted and self.traits.duplex else self.proof
            return replace(way, proof=proof, refused=None)
        ledger = self.ledger.give_back(*self.begun, now) if self.begun else self.ledger
        refused = now if self.refused is None else self.refused
        long = now - refused > max(REFUSED_FOR, REFUSALS * self.traits.min_interval)
        proof = self.proof.missed(now) if long else self.proof
        ready = now + max(outcome.retry_after or 0.0, LEAST_HOLD)
        return replace(way, ledger=ledger, refused=refused, proof=proof, ready=ready)

    def answered(self, now: float) -> "Way":
        return replace(self, proof=self.proof.answered(now), refused=None)

    def tick(self, now: float) -> "Way":
        """Before each decision."""
        proof = self.proof.tick(now)
        return self if proof is self.proof else replace(self, proof=proof)

    def save(self, now: float) -> dict[str, Any]:
        """What must survive a restart: spent today, the next slot, proven."""
        hold = max(0.0, self.ready - now)
        return {"hold": hold, "ledger": self.ledger.save(now), "proof": self.proof.save(now)}

    def recall(self, saved: Mapping[str, Any], now: float, elapsed: float = 0.0) -> "Way":
        """`elapsed` seconds of restart, 0 where nobody knows. ValueError, KeyError or TypeError for what no `save` wrote."""
        return replace(
            self,
            ready=now + max(0.0, float(saved["hold"]) - elapsed),
            ledger=self.ledger.recall(saved["ledger"], now, elapsed),
            proof=self.proof.recall(saved["proof"], now, elapsed),
        )


def _parts(price: Price) -> tuple[float, float]:
    return price.money, price.airtime
