"""Iridium system time: a 32-bit count of 90 ms since an epoch that has changed twice. Pure.

A count says nothing of its era, and old decoders go on with theirs: what -MSSTM said on 2026-11-22, read in the era
before, is a day in February 2016. So a count is believed only in an era that was in force at the moment it gives.
The operator warns against using it as a clock: it is the last resort.
Sources: Iridium ISU AT Command Reference, -MSSTM; Ground Control, "Iridium time"; epoch and day of the third era as
published by makers of its modems' libraries in January 2026.
"""

from datetime import UTC, datetime
from math import floor
from typing import NamedTuple

from protocols.errors import LocalError

TICK = 0.09  # seconds
TICKS = 1 << 32
ERROR = 0.36  # seconds at most, mostly 0.09 (Ground Control, "Iridium time")


class Era(NamedTuple):
    """`epoch` in Unix seconds; in force `since` that moment, until the next era is."""

    name: str
    epoch: int
    since: int


def _unix(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


ERAS = (
    Era("ERA1", _unix("2007-03-08T03:50:21"), _unix("2007-03-08T03:50:21")),
    Era("ERA2", _unix("2014-05-11T14:23:55"), _unix("2015-03-03T18:00:00")),
    Era("ERA3", _unix("2025-02-14T18:14:17"), _unix("2026-01-14T00:00:00")),
)
NEWEST = ERAS[-1]
NEAR_MOST = 366 * 86_400.0  # seconds between a good guess of the time and what is believed: half an era would do


def in_era(ticks: int, era: Era) -> float:
    """Unix seconds."""
    if not 0 <= ticks < TICKS:
        raise LocalError("ticks", f"{ticks} is no 32-bit count")
    return era.epoch + ticks * 9 / 100


def ticks_at(unix: float, era: Era = NEWEST) -> int:
    """The count at a moment, wrapped as the network wraps it."""
    return floor((unix - era.epoch) * 100 / 9) % TICKS


def decode(ticks: int, least: float = float(NEWEST.since), near: float | None = None) -> float | None:
    """Unix seconds, or None in an era that nobody here knows.

    `least`: it is later than this (the date of the program, a time once trusted). `near`: a guess, where there is one.
    """
    ends = [later.since for later in ERAS[1:]] + [NEWEST.epoch + TICKS * TICK]
    times = [(in_era(ticks, era), era.since, end) for era, end in zip(ERAS, ends, strict=True)]
    believed = [time for time, since, end in times if max(least, since) <= time < end]
    if near is not None:
        believed = [time for time in believed if abs(time - near) <= NEAR_MOST]
    return believed[-1] if believed else None
