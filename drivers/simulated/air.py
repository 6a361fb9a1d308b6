"""An air that several simulated radios share: who hears whom, for how long, and what becomes of two who speak at once.

Time comes with each call, chance from a seeded source; nothing sleeps. A radio that is reached without its own line
being used tells whoever hosts it (`woken`).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

RADIOS_MOST = 256
ARRIVALS_MOST = 64  # packets on their way to one radio; a real one has room for a single one


@dataclass(slots=True)
class Arrival:
    """A packet on its way to one radio; `spoiled` by another one, or by the radio's own sending."""

    packet: bytes
    end: float
    channel: Any
    strength: int
    spoiled: bool = False


@dataclass(slots=True, eq=False)
class Radio:
    """One place in the air. `woken` is called when something is on its way here."""

    name: str
    channel: Any = None  # what two radios must have in common to hear each other: frequency, spreading factor, ...
    woken: Callable[[], None] = lambda: None
    sending_until: float = 0.0
    arrivals: list[Arrival] = field(default_factory=list)


class Air:
    """`loss` of each packet to each hearer, `repeat` the share that is heard twice (a reflection, a repeater).

    `heard(sender, hearer)` says who reaches whom; without it everybody does.
    """

    def __init__(
        self,
        chance: Random,
        *,
        loss: float = 0.0,
        repeat: float = 0.0,
        heard: Callable[[str, str], bool] = lambda _sender, _hearer: True,
    ) -> None:
        self.loss, self.repeat = loss, repeat
        self.counts: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()  # milliseconds on the air, by radio
        self.log: list[tuple[str, float, float]] = []  # sender, begin, seconds; a test reads it
        self._chance, self._heard = chance, heard
        self.radios: dict[str, Radio] = {}

    def join(self, radio: Radio) -> Radio:
        """A radio more; the longest there leaves when there are too many."""
        if len(self.radios) >= RADIOS_MOST:
            del self.radios[next(iter(self.radios))]
        self.radios[radio.name] = radio
        return radio

    def busy(self, radio: Radio, now: float) -> bool:
        """Somebody within reach is speaking on its channel."""
        return any(one.end > now and one.channel == radio.channel for one in radio.arrivals)

    def transmit(self, sender: Radio, packet: bytes, seconds: float, now: float) -> None:
        self.counts["sent"] += 1
        self.spent[sender.name] += round(seconds * 1000)
        self.log.append((sender.name, now, seconds))
        sender.sending_until = now + seconds
        for one in sender.arrivals:  # who speaks hears nothing
            one.spoiled |= one.end > now
        for hearer in self.radios.values():
            if hearer is not sender and hearer.channel == sender.channel and self._heard(sender.name, hearer.name):
                self._reach(hearer, packet, seconds, now)

    def collect(self, radio: Radio, now: float) -> list[tuple[bytes, int]]:
        """What has arrived whole by now, with its strength in dBm."""
        ended = [one for one in radio.arrivals if one.end <= now]
        radio.arrivals = [one for one in radio.arrivals if one.end > now]
        self.counts["collided"] += sum(one.spoiled for one in ended)
        return [(one.packet, one.strength) for one in ended if not one.spoiled]

    def due(self, radio: Radio) -> float | None:
        return min((one.end for one in radio.arrivals), default=None)

    def _reach(self, hearer: Radio, packet: bytes, seconds: float, now: float) -> None:
        arrival = Arrival(packet, now + seconds, hearer.channel, -self._chance.randint(60, 120))
        arrival.spoiled = hearer.sending_until > now
        for other in hearer.arrivals:
            if other.end > now and other.channel == hearer.channel:
                other.spoiled = arrival.spoiled = True
        if self._chance.random() < self.loss:
            self.counts["lost"] += 1
            arrival.packet, arrival.spoiled = b"", True
        if len(hearer.arrivals) < ARRIVALS_MOST:
            hearer.arrivals.append(arrival)
        if self._chance.random() < self.repeat and not arrival.spoiled:
            self.counts["repeated"] += 1
            hearer.arrivals.append(Arrival(packet, arrival.end + 0.001, hearer.channel, arrival.strength))
        hearer.woken()
