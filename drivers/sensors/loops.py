"""4-20 mA: what a current means on this site, and when it means nothing.

A sensor signals between 3.8 and 20.5 mA, and its own faults at 3.6 and 21 (NAMUR NE 43): below and above no sensor speaks, the wire is
broken or the sensor without power, or there is a short. Such a value is bad, never a low water.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from drivers.api import Problem, Report, SeriesSpec
from drivers.profile import Series
from protocols import units

BROKEN, OVERDRIVEN = 3.6, 21.0  # mA, NAMUR NE 43
DIGITS = 6  # decimals of a value: finer than 16 bits of any range below ten thousand

Scaled = tuple[float, float, float, float, str]
"""`[4, 20, 0.0, 10.0, "m"]`: these currents (mA) are these values, in this unit."""


class Loop(NamedTuple):
    """`live`: outside of these currents the loop is not whole."""

    live: tuple[float, float]
    scaled: Scaled | None

    def value(self, current: float) -> float:
        if self.scaled is None:
            return current
        low, high, at_low, at_high, _ = self.scaled
        return round(at_low + (current - low) * (at_high - at_low) / (high - low), DIGITS)

    def spec(self, spec: SeriesSpec) -> SeriesSpec:
        """In the unit of the value; outside of what the loop carries it is bad."""
        ends = sorted(self.value(one) for one in self.live)
        span = (ends[0], ends[1])
        if self.scaled is None:
            return replace(spec, span=span)
        low, high, at_low, at_high, unit = self.scaled
        return replace(spec, unit=unit, span=span, step=abs(spec.step * (at_high - at_low) / (high - low)))


class Loops:
    """Of one device. What it says of a loop is said once when it changes."""

    def __init__(self, device: str, loops: Mapping[str, Loop], called: Mapping[str, str], report: Report) -> None:
        self._device, self._loops, self._called, self._report = device, loops, called, report
        self._state: dict[str, str] = {}

    def taken(self, values: Mapping[str, float]) -> dict[str, float]:
        """The same values, scaled where they are currents; by the profile's names."""
        return {name: self._take(name, value) for name, value in values.items()}

    def _take(self, name: str, current: float) -> float:
        loop = self._loops.get(name)
        if loop is None:
            return current
        low, high = loop.live
        state = "broken" if current < low else "overdriven" if current > high else "whole"
        if state != self._state.get(name, "whole"):
            facts = {} if state == "whole" else {"milliamperes": round(current, 3)}
            self._report(f"loop.{state}", {"device": self._device, "series": self._called[name], **facts})
        self._state[name] = state
        return loop.value(current)


def loops_of(series: Sequence[Series], scale: Mapping[str, Scaled]) -> dict[str, Loop]:
    """The loops of a profile: series that say between which currents they live, and those that a site scales. A range that begins below
    a loop's (0-20 mA) knows no broken wire.
    """
    found = {}
    for one in series:
        scaled = scale.get(one.name)
        if one.loop is not None or scaled is not None:
            low, high = one.loop or (BROKEN, OVERDRIVEN)
            found[one.name] = Loop((min(low, scaled[0]) if scaled else low, high), scaled)
    return found


def check_loops(series: Sequence[Series], scale: Mapping[str, Scaled]) -> Iterator[Problem]:
    known = {one.name: one for one in series}
    for name, (low, high, at_low, at_high, unit) in scale.items():
        key = f"scale.{name}"
        if name not in known:
            yield Problem("scale", "sensor.no_series", {"series": name, "known": ", ".join(known)})
        elif known[name].unit != "mA":
            yield Problem(key, "loop.series", {"series": name})
        if not units.known(unit):
            yield Problem(key, "loop.unit", {"unit": unit})
        if not (low < high and at_low != at_high):
            yield Problem(key, "loop.range", {"low": at_low, "high": at_high})
