"""The satellites and the control centre that simulated BeiDou modules share: who hears whom, when, and what gets lost.

Nothing sleeps: time comes with each call. Chance is seeded, so that a bad day can be repeated.
"""

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from protocols.rdss import card_name
from protocols.rdss_content import Form

TERMINALS_MOST = 256
ARRIVALS_MOST = 64  # messages on their way to one terminal
LOSS = 0.045  # of single messages (Gu et al., Meteorological Science and Technology 43(3) 2015: 95.5 % arrive)
DELAY = 3.8  # seconds on average, from the same measurements


@dataclass(frozen=True, slots=True)
class Message:
    sender: str
    to: str
    form: Form
    content: bytes
    broadcast: bool = False


@dataclass(slots=True, eq=False)
class Terminal:
    """A card under the sky. Cards of one `broadcast` number belong together; their commander hears all they say."""

    number: str
    broadcast: str = ""
    commander: bool = False
    woken: Callable[[], None] = lambda: None
    arrivals: list[tuple[float, int, Message]] = field(default_factory=list)

    @property
    def due(self) -> float | None:
        return self.arrivals[0][0] if self.arrivals else None


class Sky:
    """`loss`: share of messages that get lost, of a broadcast to each hearer by itself. `counts`: sent, lost, delivered."""

    def __init__(self, chance: Random, *, loss: float = 0.0, delay: float = DELAY) -> None:
        self.loss, self.delay = loss, delay
        self.counts: Counter[str] = Counter()
        self.terminals: dict[str, Terminal] = {}
        self._chance = chance
        self._order = 0

    def join(self, terminal: Terminal) -> Terminal:
        """A terminal more, or another in the place of one with its number; the longest there leaves when there are too many."""
        if len(self.terminals) >= TERMINALS_MOST:
            del self.terminals[next(iter(self.terminals))]
        self.terminals[card_name(terminal.number)] = terminal
        return terminal

    def send(self, sender: Terminal, to: str, form: Form, content: bytes, now: float) -> None:
        """To a number, or to all under the sender's own broadcast number."""
        self.counts["sent"] += 1
        to = card_name(to)
        broadcast = sender.commander and to == card_name(sender.broadcast)
        message = Message(card_name(sender.number), to, form, content, broadcast)
        for hearer in self._hearers(sender, message):
            self._reach(hearer, message, now)

    def collect(self, terminal: Terminal, now: float) -> list[Message]:
        """What has arrived by now."""
        found = []
        while terminal.arrivals and terminal.arrivals[0][0] <= now:
            found.append(heapq.heappop(terminal.arrivals)[2])
        return found

    def _hearers(self, sender: Terminal, message: Message) -> list[Terminal]:
        if message.broadcast:
            return [one for one in self._family(sender) if one is not sender]
        named = self.terminals.get(message.to)
        hearers = [] if named is None else [named]
        listening = [one for one in self._family(sender) if one.commander and one is not sender]
        return hearers + [one for one in listening if one not in hearers]

    def _family(self, sender: Terminal) -> list[Terminal]:
        number = card_name(sender.broadcast)
        together = [one for one in self.terminals.values() if card_name(one.broadcast) == number]
        return together if sender.broadcast else []

    def _reach(self, hearer: Terminal, message: Message, now: float) -> None:
        if self._chance.random() < self.loss:
            self.counts["lost"] += 1
            return
        self.counts["delivered"] += 1
        self._order += 1
        if len(hearer.arrivals) < ARRIVALS_MOST:
            at = now + self._chance.uniform(0.5, 1.5) * self.delay
            heapq.heappush(hearer.arrivals, (at, self._order, message))
        hearer.woken()
