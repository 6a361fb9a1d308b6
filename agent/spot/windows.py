"""The recent past of a series in bounded memory: sums, extremes, slope and rise over sliding windows. Pure; boot time in ms.

A window is kept in at most SLOTS + 2 slots. A slot leaves the window when its first reading does, so that a window never
counts what is older than it says; where readings come thicker than slots it may leave out the last slot's length.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from protocols.rule_truth import UNKNOWN, Interval, point
from protocols.rules import Newest, Over

SLOTS = 120  # of an hour: half a minute each
HOUR = 3600.0
LEAST_FOR_RATE = 3  # readings; two make a line of any two mistakes


@dataclass(slots=True)
class Moments:
    """Means and co-moments of (time, value), stable however long the machine has been running (Chan, Golub, LeVeque 1979).

    Times in seconds.
    """

    count: int = 0
    time: float = 0.0
    value: float = 0.0
    time_time: float = 0.0
    time_value: float = 0.0

    def add(self, time: float, value: float) -> None:
        self.join(Moments(1, time, value))

    def join(self, other: "Moments") -> None:
        count = self.count + other.count
        apart, rise, weight = other.time - self.time, other.value - self.value, other.count / count
        self.time_time += other.time_time + apart * apart * self.count * weight
        self.time_value += other.time_value + apart * rise * self.count * weight
        self.time += apart * weight
        self.value += rise * weight
        self.count = count

    @property
    def slope(self) -> float:
        """Per second, by least squares."""
        return self.time_value / self.time_time


@dataclass(slots=True)
class Slot:
    first: int
    last: int
    gap: int  # the longest pause before a reading of the slot, ms
    total: float
    low: float
    high: float
    moments: Moments
    rise: float = 0.0


class Counter:
    """How much a counter gained, through resets and single wrong values: only what two readings in a row agree on counts."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._level: float | None = None  # what is believed

    def gained(self, value: float) -> float:
        last, self._last = self._last, value
        if last is None:
            return 0.0
        low, high = min(last, value), max(last, value)
        if self._level is None or high < self._level:  # begun, or begun again
            self._level = low
            return 0.0
        gain = max(0.0, low - self._level)
        self._level += gain
        return gain


class Window:
    """The last `seconds` of one series; a slope wants `least` readings."""

    def __init__(self, seconds: int, least: int = LEAST_FOR_RATE) -> None:
        self._least = least
        self.span = seconds * 1000
        self._width = max(1, self.span // SLOTS)
        self._slots: deque[Slot] = deque()
        self._counter = Counter()

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, at: int, value: float) -> None:
        newest = self._slots[-1] if self._slots else None
        gap = at - newest.last if newest else 0
        if newest is None or at - newest.first >= self._width:
            newest = Slot(at, at, gap, 0.0, value, value, Moments())
            self._slots.append(newest)
            self._forget(at)
        newest.last, newest.gap = at, max(newest.gap, gap)
        newest.total += value
        newest.low, newest.high = min(newest.low, value), max(newest.high, value)
        newest.moments.add(at / 1000, value)
        newest.rise += self._counter.gained(value)

    def look(self, function: str, now: int, patience: int) -> Interval:
        """What is known. `patience` (ms): a longer pause between readings is a hole."""
        self._forget(now)
        if not self._slots:
            return UNKNOWN
        whole = self._whole(now, min(patience, self.span))
        if function in ("mean", "rate"):
            return self._fitted(function) if whole else UNKNOWN
        slots = self._slots
        match function:
            case "sum":
                found, least = sum(slot.total for slot in slots), all(slot.low >= 0 for slot in slots)
                return point(found) if whole else Interval(found, UNKNOWN.high) if least else UNKNOWN
            case "rise":
                found = sum(slot.rise for slot in slots)
            case "max":
                found = max(slot.high for slot in slots)
            case _:
                found = min(slot.low for slot in slots)
                return point(found) if whole else Interval(UNKNOWN.low, found)
        return point(found) if whole else Interval(found, UNKNOWN.high)

    def _fitted(self, function: str) -> Interval:
        joined = Moments()
        for slot in self._slots:
            joined.join(slot.moments)
        if function == "mean":
            return point(joined.value)
        usable = joined.count >= self._least and joined.time_time > 0
        return point(joined.slope * HOUR) if usable else UNKNOWN

    def _whole(self, now: int, patience: int) -> bool:
        """No hole from the window's beginning to now."""
        begin, end = self._slots[0].first - (now - self.span), now - self._slots[-1].last
        return begin <= patience and end <= patience and all(slot.gap <= patience for slot in self._slots)

    def _forget(self, now: int) -> None:
        while self._slots and self._slots[0].first <= now - self.span:
            self._slots.popleft()


class Track:
    """One series as rules look at it: its newest value, and the windows that are asked of it."""

    def __init__(self, windows: Iterable[int] = ()) -> None:
        self.newest: tuple[int, float] | None = None
        self._windows = {seconds: Window(seconds) for seconds in windows}

    def add(self, at: int, value: float) -> None:
        """A reading; one that is older than the newest comes from a clock that stepped, and is left out."""
        if self.newest is not None and at < self.newest[0]:
            return
        self.newest = at, value
        for window in self._windows.values():
            window.add(at, value)

    def look(self, operand: Newest | Over, now: int, patience: int) -> Interval:
        if isinstance(operand, Over):
            return self._windows[operand.seconds].look(operand.function, now, patience)
        fresh = self.newest is not None and now - self.newest[0] <= patience
        return point(self.newest[1]) if fresh and self.newest else UNKNOWN
