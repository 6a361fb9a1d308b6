"""What a simulated module says, with what can happen to it on its line. Chance comes from a seeded source."""

from dataclasses import dataclass
from random import Random

from protocols.framing import Event, Send


@dataclass
class Faults:
    """`noise`: bytes nobody sent, before a packet; `tear`: what is said is cut in two; both shares of 1."""

    noise: float = 0.0
    tear: float = 0.0


class Voice:
    """What goes out on the line, with what can happen to it there."""

    def __init__(self, chance: Random, faults: Faults) -> None:
        self._chance, self.faults = chance, faults

    def say(self, data: bytes) -> list[Event]:
        if self._chance.random() < self.faults.noise:
            data = self._chance.randbytes(self._chance.randint(1, 12)) + data
        if len(data) > 1 and self._chance.random() < self.faults.tear:
            cut = self._chance.randrange(1, len(data))
            return [Send(data[:cut]), Send(data[cut:])]
        return [Send(data)]
