"""Quality tests on one series as its readings come: gross range, spike, rate of change, flat line (IOOS QARTOD manuals,
tests 4, 6, 7 and 8 of the water-level manual). Pure: time is the reading's own.

A reading is judged when it comes, since an alarm cannot wait for the next one: a spike is told from the median of the last
five, which a single wrong value does not move, and which follows a true step at its third.
"""

from collections import deque

from protocols.quality import GOOD, NOT_EVALUATED, Flag, Reason, quality, worse

MEDIAN_OF = 5  # readings
LEAST_FOR_MEDIAN = 3


class Checker:
    """The tests one series is put through; limits are in the series' unit and in seconds.

    `span` (outside: fail), `expect` (outside: suspect), `rate` per second (faster: suspect), `flat` as (tolerance,
    seconds): less movement than the tolerance for that long is suspect; `spike`: farther than that from the median of the
    last readings is suspect. A series without any test is "not evaluated".
    """

    def __init__(
        self,
        span: tuple[float, float] | None = None,
        expect: tuple[float, float] | None = None,
        rate: float | None = None,
        flat: tuple[float, float] | None = None,
        spike: float | None = None,
    ) -> None:
        self.span, self.expect, self.rate, self.flat, self.spike = span, expect, rate, flat, spike
        self._best = GOOD if span or expect or rate or flat or spike else NOT_EVALUATED
        self._recent: deque[float] = deque(maxlen=MEDIAN_OF)
        self._last: tuple[int, float] | None = None  # newest value that was within the span
        self._still: tuple[int, float, float] | None = None  # since when, lowest, highest

    def check(self, at: int, value: float) -> int:
        """The packed quality of `value` sampled at `at` (ms)."""
        if self.span and not self.span[0] <= value <= self.span[1]:
            return quality(Flag.BAD, Reason.RANGE)
        found = self._best
        if self.expect and not self.expect[0] <= value <= self.expect[1]:
            found = worse(found, quality(Flag.SUSPECT, Reason.RANGE))
        if self._too_fast(at, value):
            found = worse(found, quality(Flag.SUSPECT, Reason.RATE))
        if self._sticks_out(value):
            found = worse(found, quality(Flag.SUSPECT, Reason.SPIKE))
        if self._stands_still(at, value):
            found = worse(found, quality(Flag.SUSPECT, Reason.FLAT))
        self._last = at, value
        return found

    def _too_fast(self, at: int, value: float) -> bool:
        if self.rate is None or self._last is None:
            return False
        elapsed = (at - self._last[0]) / 1000
        return elapsed > 0 and abs(value - self._last[1]) > self.rate * elapsed

    def _sticks_out(self, value: float) -> bool:
        if self.spike is None:
            return False
        out = len(self._recent) >= LEAST_FOR_MEDIAN and abs(value - _median(self._recent)) > self.spike
        self._recent.append(value)
        return out

    def _stands_still(self, at: int, value: float) -> bool:
        """A stretch of stillness ends with the first value that leaves its band, and the next begins there."""
        if self.flat is None:
            return False
        tolerance, seconds = self.flat
        since, low, high = self._still or (at, value, value)
        low, high = min(low, value), max(high, value)
        if high - low >= tolerance:
            since, low, high = at, value, value
        self._still = since, low, high
        return at - since >= seconds * 1000


def _median(values: deque[float]) -> float:
    """The lower one of two: `statistics` costs half a megabyte."""
    return sorted(values)[(len(values) - 1) // 2]
