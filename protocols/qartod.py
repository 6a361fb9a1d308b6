"""Quality tests on one series as its readings come: gross range, spike, rate of change, flat line (IOOS QARTOD manuals,
tests 4, 6, 7 and 8 of the water-level manual). Pure: time is the reading's own.

A reading is judged when it comes, since an alarm cannot wait for the next one: a spike is told from the median of the last
five, which a single wrong value does not move, and which follows a true step at its third.
"""

from collections import deque

from protocols.quality import GOOD, NOT_EVALUATED, Flag, Reason, quality, worse

MEDIAN_OF = 5  # readings
LEAST_FOR_MEDIAN = 3
MOST_EXTREMES = 256  # in a band as narrow as a tolerance lie fewer steps of any instrument


class Checker:
    """The tests one series is put through; limits are in the series' unit and in seconds.

    `span` (outside: fail), `expect` (outside: suspect), `rate` per second (faster: suspect), `flat` as (tolerance,
    seconds): less movement than the tolerance for longer is suspect, and fails after a third number of seconds; `spike`:
    farther than that from the median of the last readings is suspect. A series without any test is "not evaluated".
    """

    def __init__(
        self,
        span: tuple[float, float] | None = None,
        expect: tuple[float, float] | None = None,
        rate: float | None = None,
        flat: tuple[float, ...] | None = None,
        spike: float | None = None,
    ) -> None:
        self.span, self.expect, self.rate, self.flat, self.spike = span, expect, rate, flat, spike
        self._best = GOOD if span or expect or rate or flat or spike else NOT_EVALUATED
        self._recent: deque[float] = deque(maxlen=MEDIAN_OF)
        self._last: tuple[int, float] | None = None  # newest value that was within the span
        self._still = Stillness(flat[0], flat[1]) if flat else None

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
        if self._still is not None and self.flat is not None:
            still = self._still.lasted(at, value)
            for seconds, flag in zip(self.flat[1:], (Flag.SUSPECT, Flag.BAD), strict=False):
                found = worse(found, quality(flag, Reason.FLAT)) if still > seconds * 1000 else found
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


class Stillness:
    """For how long the newest readings of a series lie within a tolerance, as a sliding window of any length would tell.

    Kept is what can still become the highest or lowest of the window, as two queues that fall and rise.
    """

    def __init__(self, tolerance: float, pause: float) -> None:
        self._tolerance, self._pause = tolerance, pause * 1000
        self._falling: deque[tuple[int, float]] = deque()
        self._rising: deque[tuple[int, float]] = deque()
        self._before = 0  # when the last reading was that does not lie in the window, ms
        self._readings = 0
        self._at: int | None = None

    def lasted(self, at: int, value: float) -> int:
        """How long readings up to this one have been still, in ms: each stands for the time since the one before."""
        since, self._at = self._at, at
        if since is None or at - since > self._pause:  # what moved in a pause nobody saw
            self._falling.clear()
            self._rising.clear()
            self._before, self._readings = at, 0
        elif self._readings == 1 and self._before == since:
            self._before = since - (at - since)
        self._readings += 1
        _push(self._falling, at, value, -1)
        _push(self._rising, at, value, 1)
        while self._moves():
            older = min(self._falling, self._rising, key=lambda queue: queue[0][0])
            self._before = older.popleft()[0]
        return at - self._before

    def _moves(self) -> bool:
        rise = self._falling[0][1] - self._rising[0][1]
        return rise > 0 and rise >= self._tolerance


def _push(queue: deque[tuple[int, float]], at: int, value: float, sign: int) -> None:
    while queue and sign * queue[-1][1] >= sign * value:
        queue.pop()
    queue.append((at, value))
    if len(queue) > MOST_EXTREMES:
        del queue[1]


def _median(values: deque[float]) -> float:
    """The lower one of two: `statistics` costs half a megabyte."""
    return sorted(values)[(len(values) - 1) // 2]
