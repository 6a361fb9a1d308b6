"""Network time as modems tell it (+CCLK, +QLTS, +CTZE, *PSUTTZ): text → Unix seconds. Pure.

All write `time±zone`, and differ in whether that time is the local one or already UTC with the zone beside it; so what a
modem means is said by its profile, never guessed from the text.
"""

import re
from typing import NamedTuple

from protocols.sms_fields import unix_of

_STAMP = re.compile(r"(\d{2}|\d{4})/(\d{1,2})/(\d{1,2}),(\d{2}):(\d{2}):(\d{2})(?:([+-])(\d{1,2}))?")
_ZONE = re.compile(r'"?([+-])(\d{1,2})"?\s*,')
_COMMAS = re.compile(r'(\d{4}),\s*(\d{1,2}),\s*(\d{1,2}),\s*(\d{1,2}),\s*(\d{1,2}),\s*(\d{1,2}),\s*"?([+-]\d{1,2})')
MOST_QUARTERS = 56  # UTC+14


class NetworkTime(NamedTuple):
    """`zone`: minutes east, summer time in it; None where none was told."""

    unix: int
    zone: int | None


def stamp(text: str, *, utc: bool) -> NetworkTime | None:
    """`"26/11/02,08:30:15+32"` of +CCLK, `"2026/11/02,00:30:15+32,0"` of +QLTS. `utc`: the time is UTC as it stands.

    None where there is no such moment; a local time without its zone says nothing.
    """
    match = _STAMP.search(text)
    if match is None:
        return None
    zone = _minutes(match[7], match[8]) if match[7] else None
    if match[7] and zone is None:
        return None
    return _moment(match.groups()[:6], zone, utc=utc)


def reported(text: str) -> NetworkTime | None:
    """`"+32",0,"2026/11/02,08:30:15"` of +CTZE: the local time behind its zone (27.007 §8.40)."""
    zone, match = _ZONE.match(text.strip()), _STAMP.search(text)
    if zone is None or match is None:
        return None
    minutes = _minutes(zone[1], zone[2])
    return None if minutes is None else _moment(match.groups()[:6], minutes, utc=False)


def spelled(text: str) -> NetworkTime | None:
    """`2026,11,2,0,30,15,"+32",0` of *PSUTTZ: UTC, with the zone behind it (SIMCom)."""
    match = _COMMAS.search(text)
    if match is None:
        return None
    return _moment(match.groups()[:6], _minutes(match[7][0], match[7][1:]), utc=True)


def _moment(fields: tuple[str | None, ...], zone: int | None, *, utc: bool) -> NetworkTime | None:
    year, month, day, hour, minute, second = (int(field or 0) for field in fields)
    if not utc and zone is None:
        return None
    year += 2000 if year < 70 else 1900 if year < 100 else 0  # an unset clock says 70/01/01, 80/01/06 or 04/01/01
    unix = unix_of(year, month, day, hour, minute, second, zone=0 if utc else zone or 0)
    return None if unix is None else NetworkTime(unix, zone)


def _minutes(sign: str, quarters: str) -> int | None:
    if int(quarters) > MOST_QUARTERS:
        return None
    return 15 * int(quarters) * (-1 if sign == "-" else 1)
