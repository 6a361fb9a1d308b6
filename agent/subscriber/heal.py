"""When a subscriber asks a station for what is missing: not at once, not everything again and again. Pure.

A hole may close by itself (a message on its way), so it is given patience; what does not come is asked for again later and
later; a station is asked once in a while only, because it counts commands.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.subscriber.holdings import Lane
from agent.subscriber.listen import Tracker
from buffer.ranges import Ranges
from protocols import envelope, resend
from protocols.key import Key

PATIENCE = 10.0  # seconds a hole is given to close by itself
FIRST, LONGEST = 60.0, 3600.0  # seconds until what was asked for is asked for again: doubling while nothing comes
SPACING = 30.0  # seconds between two commands to one station, which is what it bears for ever
LOOK = 2.0  # seconds between looks


@dataclass(slots=True)
class Hole:
    """What is missing of one lane: how many numbers, and when to ask for them."""

    numbers: int
    at: float
    wait: float = FIRST


class Healer:
    """`due()` whenever convenient: topic and payload of each command to publish now."""

    def __init__(self, tracker: Tracker, now: Callable[[], float] = time.monotonic) -> None:
        self.asked = 0  # commands
        self._tracker, self._now = tracker, now
        self._holes: dict[Lane, Hole] = {}
        self._stations: dict[str, float] = {}  # when each may be asked again
        self._look_at = 0.0

    def due(self) -> Iterator[tuple[str, bytes]]:
        now = self._now()
        if now < self._look_at:
            return
        self._look_at = now + LOOK
        for station, keys in self._wanted(now).items():
            self._stations[station] = now + SPACING
            self.asked += 1
            yield envelope.command(self._tracker.root, station, resend.VERB), resend.encode(keys)

    def _wanted(self, now: float) -> dict[str, list[Key]]:
        missing = dict(self._tracker.missing())
        self._holes = {lane: self._seen(lane, ranges, now) for lane, ranges in missing.items()}
        self._stations = {name: at for name, at in self._stations.items() if at > now}
        wanted: dict[str, list[Key]] = {}
        for lane, hole in self._holes.items():
            keys = wanted.get(lane.station, [])
            if now < hole.at or lane.station in self._stations or len(keys) >= resend.MAX_RANGES:
                continue
            keys += [Key(*lane, first, last) for first, last in missing[lane]]
            wanted[lane.station] = keys[: resend.MAX_RANGES]
            hole.at, hole.wait = now + hole.wait, min(LONGEST, 2 * hole.wait)
        return wanted

    def _seen(self, lane: Lane, ranges: Ranges, now: float) -> Hole:
        hole = self._holes.get(lane)
        if hole is None:
            return Hole(ranges.count, now + PATIENCE)
        if ranges.count < hole.numbers:  # something came: the rest may be asked for as if for the first time
            hole.wait = FIRST
            hole.at = min(hole.at, now + SPACING)
        hole.numbers = ranges.count
        return hole
