"""What a rain gauge has counted, over restarts, silences and clocks that were wrong, and how far that is to be believed. Pure.

Boot ms; kept in wall time, since a boot's own ends with it. A boot that begins with a clock nobody vouches for takes what was
kept as just past and doubts it, and puts it in its place as soon as somebody does.
"""

from bisect import bisect_right
from collections import deque
from typing import Any, Literal, NamedTuple

from agent.derive.counting import Gains, Total
from agent.derive.model import PARTIAL, Moment
from protocols.quality import GOOD, Flag, Reason, quality, worse

HOUR, DAY = 3_600_000, 86_400_000  # ms
KEPT = DAY + HOUR  # a day's sum is still asked for when the day has just ended
MOST_MOMENTS = 10_000  # of rain in that time: one every nine seconds
MOST_SILENCES = 64
KEPT_EVERY = 5 * 60_000  # ms: what is written at each tip is some kilobytes, and exact at every whole five minutes
DOUBTFUL = quality(Flag.SUSPECT, Reason.RATE)

Counts = Literal["total", "amount"]


class Silence(NamedTuple):
    """From the last reading before it to the first after it, with what that one brought: when in between it fell, nobody knows."""

    start: int
    end: int


class Fallen:
    """`most` mm that a minute can bring; a pause longer than `stale` ms is a silence."""

    def __init__(self, counts: Counts, wrap: float, most: float, stale: int) -> None:
        self._counts, self._most, self._stale = counts, most, stale
        self._gains = Gains(wrap, most)
        self.total: Total | None = None
        self.heard: int | None = None
        self._silences: deque[Silence] = deque(maxlen=MOST_SILENCES)
        self._doubt: int | None = None  # sums that reach back to here are doubtful
        self._undated: tuple[Any, Moment] | None = (
            None  # what was kept, and when it was loaded, by a clock nobody vouched for
        )
        self._resumed: tuple[int, float] | None = None  # the first reading since then, and what it brought

    def take(self, at: int, value: float) -> bool:
        """A reading in mm; whether it says something new."""
        if self.total is None:
            self.total = Total(at)
        gain, doubtful = self._gain(at, value)
        self._break(at, gain)
        if self._undated is not None and self._resumed is None:
            self._resumed = at, gain
        self.heard = at
        if doubtful:
            self._doubt = at
        if gain > 0:
            self.total.add(at, gain)
            self.total.forget(at - KEPT, MOST_MOMENTS)
        return gain > 0 or doubtful

    def _gain(self, at: int, value: float) -> tuple[float, bool]:
        if self._counts == "total":
            return self._gains.gained(at, value)
        since = at if self.heard is None else self.heard
        return (value, False) if 0 <= value <= self._most * max((at - since) / 60_000, 1.0) else (0.0, True)

    def _break(self, at: int, gain: float) -> None:
        """A counter that stands where it stood before a silence says that nothing fell in it."""
        if self.heard is not None and at - self.heard > self._stale and (gain > 0 or self._counts == "amount"):
            self._silences.append(Silence(self.heard, at))

    def silent_at(self, moment: int) -> bool:
        """Is what fell until then not to be told from what fell after it?"""
        return any(one.start < moment < one.end for one in self._silences)

    def between(self, start: int, end: int) -> float:
        return self.total.between(start, end) if self.total is not None else 0.0

    def quality(self, start: int, end: int) -> int:
        """Of what fell in (start, end]."""
        found = GOOD
        if self.total is None or self.total.since > start or any(self._cuts(one, start, end) for one in self._silences):
            found = PARTIAL
        if self._doubt is not None and start <= self._doubt <= end:
            found = worse(found, DOUBTFUL)
        return found

    def _cuts(self, one: Silence, start: int, end: int) -> bool:
        """What a counter brings after a silence is whole in a window that holds all of it; an amount is lost."""
        if one.start >= end or one.end <= start:
            return False
        return self._counts == "amount" or one.start < start or one.end > end

    def keep(self, moment: Moment) -> dict[str, Any]:
        """What must survive a power cut."""
        shift, total = moment.wall - moment.at, self.total or Total(moment.at)
        return {
            "last": self._gains.last and [self._gains.last[0] + shift, self._gains.last[1]],
            "heard": None if self.heard is None else self.heard + shift,
            "since": total.since + shift,
            "base": total.base,
            "tips": total.thinned(KEPT_EVERY, shift),
            "silences": [[one.start + shift, one.end + shift] for one in self._silences],
            "doubt": None if self._doubt is None else self._doubt + shift,
            "trusted": moment.trusted,
        }

    def load(self, kept: Any, moment: Moment) -> None:
        """KeyError, TypeError or ValueError for what was not kept by us."""
        moment = Moment(moment.at - 1, moment.wall - 1, moment.trusted)  # older than whatever is read now
        self._place(kept, moment)
        if not (kept["trusted"] and moment.trusted):
            self._doubt = moment.at
        if kept["trusted"] and not moment.trusted:
            self._undated = kept, moment
        if not moment.trusted and self._gains.last is not None:
            self._gains.last = moment.at - DAY, self._gains.last[1]  # who knows how long we were away

    def date(self, moment: Moment) -> None:
        """Once a clock is vouched for: what was kept goes where it belongs, and what has fallen since stays where it is."""
        if self._undated is None or not moment.trusted or self.total is None:
            return
        (kept, loaded), self._undated = self._undated, None
        newer = self._gains.last, self.heard, self._doubt
        place = bisect_right(self.total.times, loaded.at)
        fresh = list(zip(self.total.times[place:], self.total.totals[place:], strict=True))
        self._place(kept, Moment(loaded.at, moment.wall - (moment.at - loaded.at), True))
        if self._resumed is not None:
            self._break(*self._resumed)
            self._gains.last, self.heard = newer[:2]
        if newer[2] is not None and newer[2] > loaded.at:
            self._doubt = newer[2]
        self.total.times += [at for at, _ in fresh]
        self.total.totals += [total for _, total in fresh]

    def _place(self, kept: Any, moment: Moment) -> None:
        """Nothing of it in the future: a clock that was set back moves what fell later to now."""
        shift = moment.at - moment.wall
        tips = {min(int(at) + shift, moment.at): float(total) for at, total in kept["tips"][-MOST_MOMENTS:]}
        self.total = Total(min(int(kept["since"]) + shift, moment.at), float(kept["base"]), [*tips], [*tips.values()])
        if kept["last"]:
            self._gains.last = min(int(kept["last"][0]) + shift, moment.at), float(kept["last"][1])
        self.heard = None if kept["heard"] is None else min(int(kept["heard"]) + shift, moment.at)
        self._doubt = None if kept["doubt"] is None else min(int(kept["doubt"]) + shift, moment.at)
        self._silences.clear()
        for start, end in kept["silences"]:
            self._silences.append(Silence(int(start) + shift, min(int(end) + shift, moment.at)))
