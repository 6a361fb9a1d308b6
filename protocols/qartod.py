"""Quality tests on one series as its readings come: gross range, rate of change, flat line (IOOS QARTOD manuals, tests 4,
7 and 8 of the water-level manual). Pure: time is the reading's own.
"""

from protocols.quality import GOOD, NOT_EVALUATED, Flag, Reason, quality, worse


class Checker:
    """The tests one series is put through; limits are in the series' unit and in seconds.

    `span` (outside: fail), `expect` (outside: suspect), `rate` per second (faster: suspect), `flat` as (tolerance,
    seconds): less movement than the tolerance for that long is suspect. A series without any test is "not evaluated".
    """

    def __init__(
        self,
        span: tuple[float, float] | None = None,
        expect: tuple[float, float] | None = None,
        rate: float | None = None,
        flat: tuple[float, float] | None = None,
    ) -> None:
        self.span, self.expect, self.rate, self.flat = span, expect, rate, flat
        self._best = GOOD if span or expect or rate or flat else NOT_EVALUATED
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
        if self._stands_still(at, value):
            found = worse(found, quality(Flag.SUSPECT, Reason.FLAT))
        self._last = at, value
        return found

    def _too_fast(self, at: int, value: float) -> bool:
        if self.rate is None or self._last is None:
            return False
        elapsed = (at - self._last[0]) / 1000
        return elapsed > 0 and abs(value - self._last[1]) > self.rate * elapsed

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
