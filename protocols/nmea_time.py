"""The time that a GNSS receiver tells, and when it is not to be believed. Pure; boot ms in, Unix ms out.

Believed is a whole date with a time, from a receiver that has a fix at that moment: RMC with status A, or ZDA (four digits
of the year) within seconds of a fix. A receiver without one tells what its own clock made of the last, of 1980, or of the week
counter's roll-over 1024 weeks ago; one that estimates, simulates or was told by hand where it is knows no time either.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

FIX_AGE = 10_000  # ms: a fix that is older says nothing of the time that comes with it
DISAGREE = 2_000  # ms between what RMC and ZDA say of one moment
TIMED = frozenset({"RMC", "ZDA", "GGA"})
_FIXED = frozenset({1, 2, 3, 4, 5})  # of GGA: 6 is dead reckoning, 7 manual, 8 a simulator (gpsd, "NMEA Revealed")
_MODES = frozenset("ADFPR") | {""}  # of RMC, NMEA 2.3: autonomous, differential, RTK float, precise, RTK


class Said(NamedTuple):
    unix_ms: int
    at: int  # boot ms of its arrival


class ReceiverTime:
    """Of one receiver. `take` what it says, decoded; `newest` is None where nothing is to be believed."""

    def __init__(self) -> None:
        self.newest: Said | None = None
        self._fixed_at: int | None = None
        self._said: dict[str, Said] = {}

    def take(self, kind: str, decoded: Mapping[str, Any], at: int) -> None:
        if kind in ("GGA", "RMC") and not self._fix(kind, decoded, at):
            return
        if kind == "GGA" or decoded["utc"] is None or not self._is_fixed(at):
            return
        said = self._said[kind] = Said(unix_ms(decoded["utc"]), at)
        self.newest = said if self._agreed(said) else None

    def _fix(self, kind: str, decoded: Mapping[str, Any], at: int) -> bool:
        fixed = decoded["quality"] in _FIXED if kind == "GGA" else decoded["valid"] and decoded["mode"] in _MODES
        if fixed:
            self._fixed_at = at
        else:
            self._fixed_at = self.newest = None
            self._said.clear()
        return bool(fixed)

    def _is_fixed(self, at: int) -> bool:
        return self._fixed_at is not None and at - self._fixed_at <= FIX_AGE

    def _agreed(self, said: Said) -> bool:
        """Two sentences of one receiver must mean one date: two digits of a year may be of any century."""
        zeros = [one.unix_ms - one.at for one in self._said.values() if said.at - one.at <= FIX_AGE]
        return max(zeros) - min(zeros) <= DISAGREE


def unix_ms(utc: str) -> int:
    """Of `nmea_decode`'s `utc`."""
    return round(datetime.fromisoformat(utc).timestamp() * 1000)
