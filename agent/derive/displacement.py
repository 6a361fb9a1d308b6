"""How far a GNSS antenna has moved: east, north and up of a reference, in metres. Pure.

Only fixes that are good for centimetres count: RTK fixed, and RTK float where the receiver states so small an error
itself (GST); corrections not too old. What is told is the median of a window, which a wrong ambiguity of a minute does not
move. The reference is configured, or the median of the first while; it is kept, since a slope that began to move must not become
its own reference at the next restart.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from agent.derive.geodesy import Offset, Place, offset
from agent.derive.model import PARTIAL, Moment, together, usable
from drivers.api import Problem, SeriesSpec
from drivers.values import Duration
from protocols.quality import GOOD, worse
from protocols.reading import Reading

FIXED, FLOAT = 4, 5  # of GGA's quality
APART = 10_000  # ms: the receiver's own word on its error may be so much older than the fix
MOST_SAMPLES = 3600  # of a window or of the reference: an hour at 1 Hz; of more the newest
PARTS = ("east", "north", "up")
LEAST_WINDOW, MOST_WINDOW = 10.0, 86_400.0  # seconds
FARTHEST = (-1000.0, 1000.0)  # m: what is farther away has been carried there


class DisplacementConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`of`: how the receiver's series begin, where its sensor has a `prefix`. `reference`: latitude, longitude (degrees) and
    height (m) above the ellipsoid; without it the median of the first `average`, begun anew when `era` changes. `sigma` and
    `age`: the largest error (m) and the oldest correction (s) that are believed, 0 where the receiver does not say them;
    `least` fixes make a window.
    """

    of: str = ""
    prefix: str = "gnss"
    reference: tuple[float, float, float] | None = None
    average: Duration = Duration(3600.0)
    era: str = ""
    window: Duration = Duration(600.0)
    every: Duration = Duration(60.0)
    sigma: float = 0.05
    age: Duration = Duration(10.0)
    least: int = 5
    expect: tuple[float, float] | None = None

    def check(self) -> Iterator[Problem]:
        if self.reference is not None and not (abs(self.reference[0]) <= 90 and abs(self.reference[1]) <= 180):
            yield Problem("reference", "displacement.reference", {"lat": self.reference[0], "lon": self.reference[1]})
        for key, value in (("average", self.average), ("every", self.every)):
            if not LEAST_WINDOW <= value <= MOST_WINDOW:
                yield Problem(key, "value.range", {"value": value, "least": "10s", "most": "1d"})
        if not 0 <= self.sigma <= 10:
            yield Problem("sigma", "value.range", {"value": self.sigma, "least": 0, "most": 10})
        if not 1 <= self.least <= MOST_SAMPLES:
            yield Problem("least", "value.range", {"value": self.least, "least": 1, "most": MOST_SAMPLES})


class Displacement:
    """See `agent.derive.model.Derived`."""

    def __init__(self, config: DisplacementConfig) -> None:
        self.config = config
        lead = f"{config.of}." if config.of else ""
        self._lat, self._lon, self._height = (f"{lead}position.{one}" for one in ("lat", "lon", "height"))
        self._quality, self._age = f"{lead}gnss.quality", f"{lead}gnss.correction.age"
        self._sigmas = tuple(f"{lead}gnss.sigma.{one}" for one in ("lat", "lon", "height")) if config.sigma else ()
        said = (*([self._age] if config.age else ()), *self._sigmas)
        self.inputs = (self._lat, self._lon, self._height, self._quality, *said)
        self.reference = Place(*config.reference) if config.reference is not None else None
        self.rejected = 0
        self._newest: dict[str, Reading] = {}
        self._judged = -1  # the moment of the last fix that was looked at
        self._places: deque[tuple[int, Place, int]] = deque(maxlen=MOST_SAMPLES)  # for the reference
        self._offsets: deque[tuple[int, Offset, int]] = deque(maxlen=MOST_SAMPLES)
        self._began: int | None = None
        self._told = 0
        self._changed = False

    @property
    def outputs(self) -> Mapping[str, SeriesSpec]:
        expect = self.config.expect
        spec = SeriesSpec("m", span=FARTHEST, expect=expect, step=0.0001)
        far = SeriesSpec("m", span=(0.0, FARTHEST[1]), expect=expect and (0.0, max(map(abs, expect))), step=0.0001)
        return {self._name(part): spec for part in PARTS} | {self._name("displacement"): far}

    def take(self, reading: Reading, _moment: Moment) -> Sequence[Reading]:
        """A receiver's readings of one moment come together, in any order: the fix before is whole when the next begins."""
        said = self._settle(reading.at) if reading.at > self._newest_at else ()
        if usable(reading):
            self._newest[reading.series] = reading
        else:
            self._newest.pop(reading.series, None)
        return said

    def tick(self, moment: Moment) -> Sequence[Reading]:
        return self._settle(moment.at)

    def save(self, _moment: Moment) -> Any:
        """Of an averaged reference: a configured one is where everybody can read it."""
        if not self._changed or self.reference is None:
            return None
        self._changed = False
        return {"era": self.config.era, "reference": list(self.reference)}

    def load(self, saved: Any, _moment: Moment) -> None:
        if self.config.reference is None and saved["era"] == self.config.era:
            lat, lon, height = (float(one) for one in saved["reference"])
            self.reference = Place(lat, lon, height)

    @property
    def _newest_at(self) -> int:
        lat = self._newest.get(self._lat)
        return lat.at if lat is not None else -1

    def _settle(self, now: int) -> Sequence[Reading]:
        """Judge the newest fix, once, when nothing more of it can come."""
        at = self._newest_at
        if at <= self._judged or now <= at:
            return ()
        self._judged = at
        fix = [self._newest.get(name) for name in (self._lat, self._lon, self._height)]
        whole = [one for one in fix if one is not None and one.at == at]
        if len(whole) < len(fix) or not self._believed(at):
            self.rejected += 1
            return ()
        place = Place(*(one.value for one in whole))
        return self._add(at, place, together(one.quality for one in whole))

    def _believed(self, at: int) -> bool:
        quality, age = self._at(self._quality, at, 0), self._at(self._age, at, 0)
        sigmas = [self._at(name, at, APART) for name in self._sigmas]
        stated = [one for one in sigmas if one is not None]
        if quality not in (FIXED, FLOAT) or (self.config.age and age is not None and age > self.config.age):
            return False
        if quality == FLOAT and not (sigmas and len(stated) == len(sigmas)):
            return False
        return all(one <= self.config.sigma for one in stated)

    def _at(self, series: str, at: int, apart: int) -> float | None:
        reading = self._newest.get(series)
        return reading.value if reading is not None and abs(at - reading.at) <= apart else None

    def _add(self, at: int, place: Place, found: int) -> Sequence[Reading]:
        if self.reference is None:
            self._places.append((at, place, found))
            if at - self._places[0][0] < self.config.average * 1000 or len(self._places) < self.config.least:
                return ()
            self.reference, self._changed = Place(*_medians([one for _, one, _ in self._places])), True
            self._places.clear()
        self._began = at if self._began is None else self._began
        self._offsets.append((at, offset(place, self.reference), found))
        return self._tell(at)

    def _tell(self, at: int) -> Sequence[Reading]:
        span = round(self.config.window * 1000)
        while self._offsets[0][0] <= at - span:
            self._offsets.popleft()
        early = self._told and at - self._told < self.config.every * 1000
        if early or len(self._offsets) < self.config.least:
            return ()
        self._told = at
        partial = self._began is None or at - self._began < span - self.config.every * 1000
        found = worse(together(one for *_, one in self._offsets), PARTIAL if partial else GOOD)
        middle = Offset(*_medians([one for _, one, _ in self._offsets]))
        values = [*zip(PARTS, middle, strict=True), ("displacement", middle.length)]
        return [Reading(self._name(part), at, round(value, 4), "m", found) for part, value in values]

    def _name(self, part: str) -> str:
        return f"{self.config.prefix}.{part}"


def _medians(rows: Sequence[Sequence[float]]) -> list[float]:
    """Of each column; of an even number the mean of the middle two."""
    return [_median(sorted(column)) for column in zip(*rows, strict=True)]


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
