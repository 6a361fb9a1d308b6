"""Which numbers a message carries: the key that makes delivery idempotent."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError

STATION = re.compile(r"[A-Za-z0-9._-]{1,32}", re.ASCII)
LANES = ("alarm", "event", "telemetry", "bulk")
KINDS = ("live", "backlog", "resend")
MAX_NUMBER = (1 << 63) - 1  # what SQLite keeps in a column
_TEXT = re.compile(r"([0-9a-f]{16})/(alarm|event|telemetry|bulk)/([1-9][0-9]{0,18})-([1-9][0-9]{0,18})", re.ASCII)


class Key(NamedTuple):
    """Numbers `first`..`last` of one lane of one log of one station."""

    station: str
    log: str
    lane: str
    first: int
    last: int

    @property
    def text(self) -> str:
        """The key as it stands in a body, whose station stands beside it."""
        return f"{self.log}/{self.lane}/{self.first}-{self.last}"

    @property
    def numbers(self) -> int:
        return self.last - self.first + 1


def parse_key(station: str, text: str) -> Key:
    """The key of `text` as `Key.text` writes it; RemoteError for anything else."""
    match = _TEXT.fullmatch(text)
    if match is None or not STATION.fullmatch(station):
        raise RemoteError("key.malformed", f"{station[:40]} {text[:80]}")
    key = Key(station, match[1], match[2], int(match[3]), int(match[4]))
    if not key.first <= key.last <= MAX_NUMBER:
        raise RemoteError("key.range", text)
    return key


def joined(keys: Sequence[Key]) -> Key:
    """One key for several that follow each other without a gap in one lane of one log."""
    for left, right in pairwise(keys):
        if left[:3] != right[:3] or left.last + 1 != right.first:
            raise LocalError("key.gap", f"{left.text} {right.text}")
    return keys[0]._replace(last=keys[-1].last)
