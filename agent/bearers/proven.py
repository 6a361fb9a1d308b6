"""Whether a bearer works, as far as the other side has answered through it. Immutable; times in seconds are arguments.

A bearer goes down after three misses in a row, comes back after five answers over two minutes at least, and is held down
for longer and longer when it flaps. What the device says of itself (registered, in beam) proves nothing here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

MISSES = 3  # in a row, and it is down; mwan3 takes 3 to 5
ANSWERS = 5  # in a row, and it is back ...
STABLE = 120.0  # ... when as many seconds lie between the first and the last of them
FLAPS = 3  # times down within `FLAP_WINDOW` that are not yet held against it
FLAP_WINDOW = 600.0  # seconds
HOLD = 600.0  # seconds of the first hold-down; each further one is twice as long
MOST_HOLD = 4 * 3600.0
FORGIVEN = 3600.0  # seconds without going down, and the next hold-down is a first one
WEIGHT = 0.1  # of the newest outcome in the rate of success: about the last twenty count
PRIOR = 0.8  # rate of success before anything is known; BeiDou measures 0.955 per message, and an answer is two
LEAST_RATE = 0.05  # nothing is expected to need more than twenty tries
RECOVERY = 30.0  # seconds between two proofs of a bearer that is coming back
RETRY = 60.0  # seconds to the next proof of one that misses, doubling with each miss once it is down
MOST_WAITING = 16  # messages without their answers; the oldest is a miss when there are more


class State(Enum):
    """In the order in which bearers are preferred."""

    UP = "up"
    NEW = "unknown"
    DOWN = "down"


RANK = {State.UP: 0, State.NEW: 1, State.DOWN: 2}


@dataclass(frozen=True, slots=True)
class Proof:
    """`waiting`: until when each message under way should have its answer. `asked`: when one was last sent for the sake
    of an answer. `spell`: since when it answers again; `hold`: not up before that.
    """

    state: State = State.NEW
    rate: float = PRIOR
    last: float | None = None  # answer
    asked: float | None = None
    misses: int = 0
    answers: int = 0
    spell: float = 0.0
    falls: tuple[float, ...] = ()
    hold: float = 0.0
    holds: int = 0
    waiting: tuple[float, ...] = ()

    def sent(self, now: float, patience: float) -> "Proof":
        """Something went out to which an answer is due within `patience` seconds."""
        proof = replace(self, asked=now, waiting=tuple(sorted((*self.waiting, now + patience))))
        return proof if len(proof.waiting) <= MOST_WAITING else replace(proof, waiting=proof.waiting[1:]).missed(now)

    def tick(self, now: float) -> "Proof":
        """Count what is overdue."""
        proof = self
        while proof.waiting and proof.waiting[0] <= now:
            proof = replace(proof, waiting=proof.waiting[1:]).missed(now)
        return proof

    def answered(self, now: float) -> "Proof":
        """The other side answered to something that went this way."""
        coming = self.state is State.DOWN
        proof = replace(
            self,
            rate=self.rate + WEIGHT * (1 - self.rate),
            last=now,
            misses=0,
            answers=self.answers + 1,
            spell=self.spell if self.answers else now,
            waiting=self.waiting[1:],
        )
        if not coming:
            return replace(proof, state=State.UP)
        stable = proof.answers >= ANSWERS and now - proof.spell >= STABLE and now >= proof.hold
        return replace(proof, state=State.UP) if stable else proof

    def missed(self, now: float) -> "Proof":
        """It may have gone out, and no answer came."""
        proof = replace(self, rate=self.rate * (1 - WEIGHT), misses=self.misses + 1, answers=0)
        return _fall(proof, now) if proof.misses >= MISSES and self.state is not State.DOWN else proof

    def due(self, now: float, period: float, interval: float) -> float:
        """When it should next be proven: `period` after the last answer, sooner while its state is in doubt."""
        if self.waiting:
            return self.waiting[0]
        if self.state is State.UP and not self.misses:
            return (now if self.last is None else self.last) + period
        if self.asked is None:
            return now
        if self.answers:
            return self.asked + max(RECOVERY, interval)
        return self.asked + max(interval, min(period, RETRY * 2.0 ** min(max(0, self.misses - MISSES), 16)))

    def proven(self, now: float, period: float) -> bool:
        """Up, and that was seen within two of its periods."""
        return self.state is State.UP and self.last is not None and now - self.last <= 2 * period

    def save(self, now: float) -> dict[str, Any]:
        last = None if self.last is None else now - self.last
        return {"state": self.state.value, "rate": self.rate, "last": last, "misses": self.misses}

    def recall(self, saved: Mapping[str, Any], now: float, elapsed: float) -> "Proof":
        """As it was before a restart; a spell that was interrupted begins anew."""
        last = saved["last"]
        return replace(
            self,
            state=State(saved["state"]),
            rate=min(1.0, max(0.0, float(saved["rate"]))),
            last=None if last is None else now - elapsed - float(last),
            misses=int(saved["misses"]),
        )


def _fall(proof: Proof, now: float) -> Proof:
    calm = not proof.falls or now - proof.falls[-1] > FORGIVEN
    falls = (*(at for at in proof.falls if now - at <= FLAP_WINDOW), now)
    holds = 0 if calm else proof.holds
    if len(falls) <= FLAPS:
        return replace(proof, state=State.DOWN, falls=falls, holds=holds)
    hold = now + min(MOST_HOLD, HOLD * 2.0**holds)
    return replace(proof, state=State.DOWN, falls=falls, holds=holds + 1, hold=hold)


FEW = 2  # proven media, and fewer are an alarm: the next fault would cut the station off
FEW_FOR = 300.0  # seconds of fewer before it is said: a restart of the modem is no news
ENOUGH_FOR = 600.0  # seconds of enough before it is taken back
FIRST = 900.0  # seconds after the start before it can be said: each bearer has had time for its first proof


@dataclass(frozen=True, slots=True)
class Watch:
    """Fewer than two proven media, with a memory, so that it is said once. `since`: when the other was first seen."""

    few: bool = False
    since: float | None = None
    start: float | None = None

    def see(self, media: int, now: float) -> tuple["Watch", bool]:
        """And whether that changed what is to be said."""
        start = now if self.start is None else self.start
        if (media < FEW) == self.few:
            return replace(self, since=None, start=start), False
        since = now if self.since is None else self.since
        patience = ENOUGH_FOR if self.few else FEW_FOR
        if now - since < patience or now - start < FIRST:
            return replace(self, since=since, start=start), False
        return Watch(not self.few, None, start), True


def media(proven: Iterable[str]) -> int:
    """How many independent ways there are, from the groups of the proven bearers."""
    return len(set(proven))
