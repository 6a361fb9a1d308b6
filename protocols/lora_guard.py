"""What the law lets a radio do: one transmission no longer than so, all of an hour no more than so, so much power. Pure.

The rules are data (`drivers/bearers/lora_regions.toml`); here they are only held. Nothing that would break one is ever
permitted: there is no priority that goes before it. Time is in seconds of any clock that does not step, airtime in ms.
"""

from collections import deque
from collections.abc import Sequence
from math import inf, log10
from typing import NamedTuple

HOUR, SLICE = 3600.0, 60.0  # seconds; what was sent is remembered by slices, so that memory is bounded
ROUNDING = 0.001  # seconds added to a wait, so that it is over when it is
DIPOLE = 2.15  # dB of a half-wave dipole over an isotropic radiator: ERP counts from the one, dBi from the other


class Power(NamedTuple):
    """Effective radiated power for signals up to `bandwidth` kHz: `milliwatts` in any `per` kHz."""

    bandwidth: float
    milliwatts: float
    per: float


class Region(NamedTuple):
    """`longest` and `hour` in seconds, `band` in MHz; `powers` ascending by bandwidth."""

    name: str
    band: tuple[float, float]
    longest: float
    hour: float
    powers: Sequence[Power]
    listen: bool  # before talking
    source: str


def erp_limit(region: Region, bandwidth: float) -> float:
    """The dBm that a signal of so many kHz may radiate; -inf where none of that width may."""
    for width, milliwatts, per in region.powers:
        if bandwidth <= width:
            return 10 * log10(milliwatts * max(bandwidth / per, 1))
    return -inf


def erp(conducted: float, gain: float) -> float:
    """The dBm radiated: what the module puts out, with an antenna of `gain` dBi."""
    return conducted + gain - DIPOLE


class Breach(NamedTuple):
    """A rule that a setting would break: a stable word, what is asked and what is allowed."""

    rule: str  # "band" | "power" | "listen"
    asked: float
    allowed: str


def breaches(region: Region, megahertz: float, bandwidth: float, radiated: float, *, listens: bool) -> list[Breach]:
    """Everything about a setting of the radio that the region does not allow; `bandwidth` in kHz, `radiated` in dBm ERP."""
    low, high = region.band
    half = bandwidth / 2000
    found = []
    if not low <= megahertz - half or not megahertz + half <= high:
        found.append(Breach("band", megahertz, f"{low}-{high} MHz"))
    limit = erp_limit(region, bandwidth)
    if radiated > limit + 0.05:  # dB; tables are rounded: 17 dBm is 50.1 mW
        found.append(Breach("power", round(radiated, 1), f"{limit:.1f} dBm"))
    if region.listen and not listens:
        found.append(Breach("listen", 0, "true"))
    return found


class Guard:
    """Says of each transmission whether it may begin, and remembers those that did."""

    def __init__(self, longest: float, hour: float) -> None:
        self.longest = longest * 1000  # ms
        self.hour = hour * 1000  # ms
        self._spent: deque[list[float]] = deque()  # [slice number, ms]; at most one more than the slices of an hour

    def wait(self, now: float, airtime: float) -> float | None:
        """Seconds until a transmission of so many ms may begin; None: never."""
        if airtime > min(self.longest, self.hour):
            return None
        self._forget(now)
        excess = sum(ms for _, ms in self._spent) + airtime - self.hour
        free = None
        for index, ms in self._spent:
            if excess <= 0:
                break
            excess, free = excess - ms, _end(index)
        return 0.0 if free is None else free - now + ROUNDING

    def spend(self, now: float, airtime: float) -> None:
        """It is on the air."""
        self._forget(now)
        index = now // SLICE
        if self._spent and self._spent[-1][0] >= index:
            self._spent[-1][1] += airtime
        else:
            self._spent.append([index, airtime])

    def left(self, now: float) -> float:
        """Seconds of airtime that the last hour has left over."""
        self._forget(now)
        return max(self.hour - sum(ms for _, ms in self._spent), 0.0) / 1000

    def _forget(self, now: float) -> None:
        while self._spent and _end(self._spent[0][0]) <= now:
            self._spent.popleft()


def _end(index: float) -> float:
    """When the whole of a slice is more than an hour ago."""
    return (index + 1) * SLICE + HOUR
