"""How long a siren may still sound: per activation and per hour. Pure; the time is an argument.

This is the last guard, in the driver itself, below every plan and decision: whoever asks, a siren does not outlive it.
"""

from typing import NamedTuple

HOUR = 3600.0
# Each spell is at least one request by a sealed warning; more than this in an hour is a fault, and the answer is silence.
MOST_SPELLS = 256


class _Spell(NamedTuple):
    key: str
    start: float
    end: float


class Allowance:
    """Counts spells of sounding, pauses of the pattern included. `key` is the alert's identity: resuming it is the same
    activation, so that a replaced, repeated or resumed action never starts the count again.
    """

    def __init__(self, per_activation: float, per_hour: float) -> None:
        self.per_activation, self.per_hour = per_activation, per_hour
        self._spells: list[_Spell] = []

    def left(self, key: str, now: float) -> float:
        """Seconds that `key` may sound from now."""
        self._spells = [spell for spell in self._spells if spell.end > now - HOUR]
        if len(self._spells) >= MOST_SPELLS:
            return 0.0
        hour = sum(spell.end - spell.start for spell in self._spells)
        own = sum(spell.end - spell.start for spell in self._spells if spell.key == key)
        return max(0.0, min(self.per_hour - hour, self.per_activation - own))

    def spent(self, key: str, start: float, end: float) -> None:
        self._spells.append(_Spell(key, start, end))

    def used(self, now: float) -> float:
        """Seconds of the last hour, for status."""
        return sum(spell.end - max(spell.start, now - HOUR) for spell in self._spells if spell.end > now - HOUR)
