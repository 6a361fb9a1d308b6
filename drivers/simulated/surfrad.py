"""Days of real weather: the daily files of NOAA's SURFRAD stations (columns as in the network's README_surfrad.txt).

Two heading lines, then a line a minute: year, day of the year, month, day, hour, minute, decimal hour, solar zenith
angle, then twenty values with a quality flag behind each (0 good, 1 bad, 2 questionable); -9999.9 is missing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

COLUMNS = (
    "dw_solar",
    "uw_solar",
    "direct_n",
    "diffuse",
    "dw_ir",
    "dw_casetemp",
    "dw_dometemp",
    "uw_ir",
    "uw_casetemp",
    "uw_dometemp",
    "uvb",
    "par",
    "netsolar",
    "netir",
    "totalnet",
    "temp",
    "rh",
    "windspd",
    "winddir",
    "pressure",
)
MISSING = -9999.9
_BEFORE = 8  # fields before the first value
LARGEST_FILE = 8 << 20  # bytes; a day is a third of a megabyte


class Row(NamedTuple):
    """One minute. A missing value is None; `flags` are the network's own judgement."""

    at: datetime
    values: tuple[float | None, ...]
    flags: tuple[int, ...]


def load(path: Path) -> list[Row]:
    """All rows of a file; ValueError names the line that is none."""
    if path.stat().st_size > LARGEST_FILE:
        raise ValueError(f"{path} is larger than a day can be")
    rows = list(parse(path.read_text("ascii").splitlines()))
    if not rows:
        raise ValueError("there is not one minute in it")
    return rows


def parse(lines: list[str]) -> Iterator[Row]:
    for number, line in enumerate(lines[2:], 3):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != _BEFORE + 2 * len(COLUMNS):
            raise ValueError(f"line {number}: {len(fields)} fields")
        yield _row(fields)


def _row(fields: list[str]) -> Row:
    year, _yearday, month, day, hour, minute = (int(text) for text in fields[:6])
    values = tuple(float(text) for text in fields[_BEFORE::2])
    flags = tuple(int(text) for text in fields[_BEFORE + 1 :: 2])
    moment = datetime(year, month, day, hour, minute, tzinfo=UTC)
    return Row(moment, tuple(None if value <= MISSING else value for value in values), flags)
