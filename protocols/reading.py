"""The vocabulary's smallest word: one value of one series in time."""

import re
from typing import NamedTuple

from protocols.quality import NOT_EVALUATED

# Names are lower-case words joined by dots, as `river.stage`, `rain.tips`; they travel in SenML's `n` (RFC 8428 §4.5.1).
SERIES_NAME = re.compile(r"[a-z0-9][a-z0-9_]*(?:\.[a-z0-9][a-z0-9_]*)*", re.ASCII)
MAX_SERIES_NAME = 64


class Reading(NamedTuple):
    """`at` is milliseconds of CLOCK_BOOTTIME at the moment of sampling; wall time is made from anchors when it is sent.

    `value` is finite and in `unit` (a UCUM code of `protocols.units`); `quality` as `protocols.quality` packs it.
    """

    series: str
    at: int
    value: float
    unit: str
    quality: int = NOT_EVALUATED


def is_series_name(text: str) -> bool:
    return len(text) <= MAX_SERIES_NAME and SERIES_NAME.fullmatch(text) is not None
