"""A counter's gains, and a total that can be asked for any moment of the last day. Pure; amounts in the counter's unit.

Wrap and reset: a smaller value than before is a wrap where the counter stood within 1 % of its end, else a reset, whose
new value is the gain (and doubtful). More than a cloud can give is not believed before a second value agrees.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

NEAR_END = 0.99  # of the range: below it a smaller value is a reset
MINUTE = 60_000  # ms


@dataclass(slots=True)
class Gains:
    """`wrap`: the first value that the counter cannot show (65536 × its step), 0 where it never wraps. `cap`: the most that
    a minute can bring.
    """

    wrap: float = 0.0
    cap: float = float("inf")
    last: tuple[int, float] | None = None
    doubted: tuple[int, float] | None = None

    def gained(self, at: int, value: float) -> tuple[float, bool]:
        """The gain since the last reading, and whether it is doubtful."""
        if self.last is None:
            self.last = at, value
            return 0.0, False
        gain, doubtful = self._difference(value)
        if gain <= self._most(at, self.last[0]):
            self.last, self.doubted = (at, value), None
            return gain, doubtful
        return self._doubt(at, value)

    def _difference(self, value: float) -> tuple[float, bool]:
        before = self.last[1] if self.last else value
        if value >= before:
            return value - before, False
        if self.wrap and before >= NEAR_END * self.wrap:
            return value + self.wrap - before, False
        return value, True

    def _most(self, at: int, since: int) -> float:
        return self.cap * max((at - since) / MINUTE, 1.0)

    def _doubt(self, at: int, value: float) -> tuple[float, bool]:
        """An impossible gain counts for nothing; where the next value goes on from it, the counter is another one now."""
        before, self.doubted = self.doubted, (at, value)
        if before is None or not 0 <= value - before[1] <= self._most(at, before[0]):
            return 0.0, True
        self.last, self.doubted = (at, value), None
        return value - before[1], True


@dataclass(slots=True)
class Total:
    """What has been gained up to and including any moment since `since`, in boot ms; a gain at the very end of a period
    belongs to it (SL651-2014 §6.6.2.8 c: the label is the end of the period).
    """

    since: int
    base: float = 0.0  # gained before the first moment that is kept
    times: list[int] = field(default_factory=list)
    totals: list[float] = field(default_factory=list)

    @property
    def now(self) -> float:
        return self.totals[-1] if self.totals else self.base

    def add(self, at: int, gain: float) -> None:
        """A gain; one at the same moment joins the last."""
        total = self.now + gain
        if self.times and at <= self.times[-1]:
            self.totals[-1] = total
        else:
            self.times.append(at)
            self.totals.append(total)

    def up_to(self, at: int) -> float:
        place = bisect_right(self.times, at)
        return self.totals[place - 1] if place else self.base

    def between(self, start: int, end: int) -> float:
        """Gained in (start, end]."""
        return self.up_to(end) - self.up_to(start)

    def forget(self, before: int, most: int) -> None:
        """Keep what a question may still reach, and never more than `most` moments."""
        cut = max(bisect_right(self.times, before), len(self.times) - most)
        if cut > 0:
            self.base = self.totals[cut - 1]
            del self.times[:cut], self.totals[:cut]

    def thinned(self, width: int, shift: int = 0) -> list[tuple[int, float]]:
        """The last moment of each `width` ms, so that every total at the end of one is still exact; all moved by `shift`."""
        last = {
            -(-(at + shift) // width): (at + shift, total) for at, total in zip(self.times, self.totals, strict=True)
        }
        return list(last.values())
