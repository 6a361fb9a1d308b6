"""What the platform holds of one station: numbers that came over MQTT, or that were published here. Pure."""

from collections.abc import Iterable

from buffer.ranges import Ranges
from protocols.key import Key

MOST_LOGS = 64  # a station begins one with every start


class Holder:
    """By log and lane; the log heard of last is the last to be forgotten."""

    def __init__(self, kept: Iterable[tuple[str, str, Ranges]] = ()) -> None:
        self._of: dict[tuple[str, str], Ranges] = {}
        self._changed: set[tuple[str, str]] = set()
        self.forgotten: set[str] = set()  # logs
        for log, lane, numbers in kept:
            self._of[log, lane] = numbers

    def covers(self, key: Key) -> bool:
        return self._numbers(key).covers(key.first, key.last)

    def missing(self, key: Key) -> list[tuple[int, int]]:
        """The parts of a key that nobody has."""
        return list(self._numbers(key).holes(key.first, key.last))

    def add(self, key: Key) -> None:
        place = key.log, key.lane
        numbers = self._of.pop(place) if place in self._of else Ranges()
        numbers.add(key.first, key.last)
        self._of[place] = numbers
        self._changed.add(place)
        logs = dict.fromkeys(log for log, _ in self._of)
        if len(logs) > MOST_LOGS:
            self._forget(next(iter(logs)))

    def changed(self) -> list[tuple[str, str, Ranges]]:
        """Since it was last asked."""
        found = [(*place, self._of[place]) for place in self._changed if place in self._of]
        self._changed.clear()
        return found

    def _numbers(self, key: Key) -> Ranges:
        return self._of.get((key.log, key.lane)) or Ranges()

    def _forget(self, log: str) -> None:
        self.forgotten.add(log)
        self._of = {place: numbers for place, numbers in self._of.items() if place[0] != log}
