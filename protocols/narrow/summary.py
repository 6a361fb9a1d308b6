"""What has happened to each series since the last digest that was delivered: newest value, extremes, count.

Gathered in spans, one for each digest made. A digest that is acknowledged takes its span and all before it away; one
that is lost leaves its extremes to the next. Boot time in milliseconds is an argument; nothing here knows bits.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from protocols.narrow.digest import Digest, Extreme, Newest, usable
from protocols.narrow.schema import Schema
from protocols.reading import Reading

MOST_SPANS = 16  # digests whose fate is unknown; older ones are joined, and their extremes told once more


@dataclass(slots=True)
class _Range:
    """Of the usable values of one series in one span."""

    low: Reading
    high: Reading
    count: int = 0

    def add(self, reading: Reading) -> None:
        self.count += 1
        if reading.value < self.low.value:
            self.low = reading
        if reading.value > self.high.value:
            self.high = reading

    def join(self, later: "_Range") -> "_Range":
        low = min(self.low, later.low, key=lambda reading: reading.value)
        high = max(self.high, later.high, key=lambda reading: reading.value)
        return _Range(low, high, self.count + later.count)


@dataclass(slots=True)
class _Span:
    """From `since` to the digest `mark`, or to now."""

    since: int
    mark: int = 0
    ranges: dict[int, _Range] = field(default_factory=dict)
    rejected: dict[int, int] = field(default_factory=dict)  # readings that were not usable

    def join(self, later: "_Span") -> "_Span":
        ranges = dict(self.ranges)
        for place, its in later.ranges.items():
            ranges[place] = ranges[place].join(its) if place in ranges else its
        rejected = dict(self.rejected)
        for place, count in later.rejected.items():
            rejected[place] = rejected.get(place, 0) + count
        return _Span(self.since, later.mark, ranges, rejected)


class Summary:
    """Of the series of one schema; others pass unnoticed. One thread."""

    def __init__(self, schema: Schema, now: int) -> None:
        self.schema = schema
        self._newest: dict[int, Reading] = {}
        self._closed: deque[_Span] = deque()
        self._open = _Span(now)
        self._marks = 0

    def add(self, readings: Iterable[Reading]) -> None:
        for reading in readings:
            place = self.schema.places.get((reading.series, reading.unit))
            if place is not None:
                self._add(place, reading)

    def take(self, now: int, at: int, *, trusted: bool) -> tuple[int, Digest]:
        """A digest of everything since the last one delivered, and the mark by which its delivery is told. `at`: Unix
        seconds, or seconds since boot where no clock is trusted.
        """
        self._marks += 1
        self._open.mark = self._marks
        self._closed.append(self._open)
        self._open = _Span(now)
        if len(self._closed) > MOST_SPANS:
            self._closed.appendleft(self._closed.popleft().join(self._closed.popleft()))
        return self._marks, self._digest(now, at, trusted)

    def delivered(self, mark: int) -> None:
        while self._closed and self._closed[0].mark <= mark:
            self._closed.popleft()

    def urgent(self, names: Iterable[str]) -> list[int]:
        """Places of the series that a standing alarm speaks of."""
        wanted = set(names)
        return [place for place, series in enumerate(self.schema.series) if series.name in wanted]

    def _add(self, place: int, reading: Reading) -> None:
        good = usable(reading.quality)
        known = self._newest.get(place)
        if known is None or (reading.at >= known.at and (good or not usable(known.quality))):
            self._newest[place] = reading
        if not good:
            self._open.rejected[place] = self._open.rejected.get(place, 0) + 1
            return
        self._open.ranges.setdefault(place, _Range(reading, reading)).add(reading)

    def _digest(self, now: int, at: int, trusted: bool) -> Digest:
        whole = _joined(self._closed)
        series = {place: self._told(place, reading, whole, now) for place, reading in self._newest.items()}
        return Digest(self.schema.id, at, trusted, _seconds(whole.since, now), series)

    def _told(self, place: int, newest: Reading, whole: _Span, now: int) -> Newest:
        its = whole.ranges.get(place)
        count = whole.rejected.get(place, 0) + (its.count if its else 0)
        age = _seconds(newest.at, now)
        if its is None:
            return Newest(newest.value, age, newest.quality, seen=count)
        ends: Mapping[str, Extreme] = {
            "low": Extreme(its.low.value, _seconds(its.low.at, now)),
            "high": Extreme(its.high.value, _seconds(its.high.at, now)),
        }
        return Newest(newest.value, age, newest.quality, seen=count, **ends)


def _joined(spans: Sequence[_Span] | deque[_Span]) -> _Span:
    whole, *later = spans
    for span in later:
        whole = whole.join(span)
    return whole


def _seconds(then: int, now: int) -> int:
    return max(0, now - then) // 1000
