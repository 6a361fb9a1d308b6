"""What a subscriber holds of each station: ranges of numbers per log and lane, and so what it misses. Pure.

Live data overtakes the backlog, so the highest number says nothing. A number below the `floor` that a station names, and
not held, is a hole; one above is on its way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from buffer.ranges import Ranges
from protocols.errors import RemoteError
from protocols.key import Key, parse_key

MOST_LANES = 65_536  # lanes of logs of stations, kept apart: 60 MB; beyond it the oldest complete ones are forgotten


class Lane(NamedTuple):
    station: str
    log: str
    lane: str


@dataclass(slots=True)
class Held:
    """`start` is where this subscriber's duty begins: what was settled before its time is not its hole."""

    start: int
    floor: int
    numbers: Ranges = field(default_factory=Ranges)
    gone: Ranges = field(default_factory=Ranges)  # the station itself said that it has them no more

    def holes(self) -> Ranges:
        missing = Ranges(self.numbers.holes(self.start, self.floor - 1))
        return missing.difference(self.gone) if list(self.gone) else missing

    def raise_floor(self, floor: int) -> None:
        self.floor = max(self.floor, floor)


class Holdings:
    """`whole`: every log is wanted from its first number on, also one first heard of in the middle."""

    def __init__(self, *, whole: bool = False) -> None:
        self.whole = whole
        self._lanes: dict[Lane, Held] = {}
        self._stations: dict[str, str] = {}  # the log in which each was first met

    def __iter__(self) -> Iterator[tuple[Lane, Held]]:
        return iter(self._lanes.items())

    def at(self, lane: Lane, floor: int, *, fresh: bool) -> Held:
        """What is held of a lane. `fresh`: it is the station's present log, so that a subscriber that already knew the
        station in another log was there when it began.
        """
        held = self._lanes.get(lane)
        if held is None:
            known = fresh and self._stations.get(lane.station, lane.log) != lane.log
            start = 1 if self.whole or known else max(floor, 1)
            held = self._lanes[lane] = Held(start, start)
            self._forget()
        self._stations.setdefault(lane.station, lane.log)
        held.raise_floor(floor)
        return held

    def holes(self, station: str | None = None) -> Iterator[tuple[Lane, Ranges]]:
        for lane, held in self._lanes.items():
            if station in (None, lane.station):
                missing = held.holes()
                if missing.count:
                    yield lane, missing

    def save(self) -> list[dict[str, Any]]:
        return [
            lane._asdict()
            | {"start": held.start, "floor": held.floor}
            | {"numbers": held.numbers.encode().decode(), "gone": held.gone.encode().decode()}
            for lane, held in self._lanes.items()
        ]

    def load(self, rows: list[Mapping[str, Any]]) -> None:
        """What `save` wrote; ValueError for anything else."""
        for row in rows[:MOST_LANES]:
            lane = checked(str(row["station"]), str(row["log"]), str(row["lane"]))
            numbers, gone = (Ranges.decode(str(row[name]).encode()) for name in ("numbers", "gone"))
            self._lanes[lane] = Held(int(row["start"]), int(row["floor"]), numbers, gone)
            self._stations.setdefault(lane.station, lane.log)

    def _forget(self) -> None:
        if len(self._lanes) <= MOST_LANES:
            return
        done = (lane for lane, held in self._lanes.items() if not held.holes().count)
        del self._lanes[next(done, next(iter(self._lanes)))]


def checked(station: str, log: str, lane: str) -> Lane:
    """These three as a lane; ValueError where they cannot be one."""
    try:
        key = parse_key(station, f"{log}/{lane}/1-1")
    except RemoteError as error:
        raise ValueError(str(error)) from error
    return Lane(key.station, key.log, key.lane)


def lane_of(key: Key) -> Lane:
    return Lane(key.station, key.log, key.lane)
