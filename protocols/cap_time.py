"""Times as the families write them ↔ Unix seconds. Knows no clock.

CAP: `2021-08-30T13:00:23+08:00`. 12379: a space for the T. EBM: a space and no offset. `Z`, fractions and the other
family's separator say clearly what they mean and are noted; a time without offset is read only where the family has one
by agreement.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from protocols.cap import Notes
from protocols.errors import RemoteError
from protocols.quoting import quoted

CHINA = 480  # minutes east of Greenwich; 12379 and EBM know no other
EARLIEST, LATEST = 1990, 2199  # years; outside them a clock or a writer is broken
MAX_OFFSET = 14 * 60  # minutes; Kiribati

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)([T ])((?:[01]\d|2[0-3]):\d\d:\d\d)(\.\d{1,9})?(?:(Z)|([+-])(\d\d):(\d\d))?", re.ASCII
)


def unix(text: str, notes: Notes, *, separator: str = "T", zone: int | None = None) -> int:
    """`zone`: minutes east of Greenwich of a time that says no offset; None refuses it."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise RemoteError("bad-time", quoted(text))
    day, between, clock, fraction, zulu, sign, hours, minutes = form.groups()
    if between != separator or fraction or zulu:
        notes.add("time-form", quoted(text))
    offset = 0 if zulu else _offset(sign, hours, minutes, zone, text)
    return _seconds(f"{day}T{clock}", offset, text)


def maybe_unix(text: str, notes: Notes, *, separator: str = "T", zone: int | None = None) -> int | None:
    return unix(text, notes, separator=separator, zone=zone) if text else None


def written(seconds: int, *, separator: str = "T", zone: int = CHINA) -> str:
    """As CAP and 12379 write it."""
    local = datetime.fromtimestamp(seconds, timezone(timedelta(minutes=zone)))
    return local.isoformat(sep=separator, timespec="seconds")


def _offset(sign: str | None, hours: str, minutes: str, zone: int | None, text: str) -> int:
    if sign is None:
        if zone is None:
            raise RemoteError("time-no-offset", quoted(text))
        return zone
    offset = int(hours) * 60 + int(minutes)
    if offset > MAX_OFFSET or int(minutes) > 59:
        raise RemoteError("bad-time", quoted(text))
    return -offset if sign == "-" else offset


def _seconds(local: str, offset: int, text: str) -> int:
    try:
        at = datetime.fromisoformat(local).replace(tzinfo=UTC)
    except ValueError:
        raise RemoteError("bad-time", quoted(text)) from None
    if not EARLIEST <= at.year <= LATEST:
        raise RemoteError("bad-time", quoted(text))
    return int(at.timestamp()) - offset * 60
