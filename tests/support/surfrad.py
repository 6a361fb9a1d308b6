"""A real day of a real weather station, minute by minute, as readings (NOAA SURFRAD, Alamosa, 2016-01-01; public domain)."""

import gzip
from pathlib import Path

from protocols.quality import GOOD
from protocols.reading import Reading

FILE = Path(__file__).parents[1] / "captures" / "surfrad-slv16001.dat.gz"
MISSING = -9999.9
BOOT = bytes.fromhex("0123456789abcdef")
# In the order of the file, from its ninth column on, a quality flag behind each value (NOAA's README for SURFRAD).
SERIES = (
    ("solar.down", "W/m2"),
    ("solar.up", "W/m2"),
    ("solar.direct", "W/m2"),
    ("solar.diffuse", "W/m2"),
    ("infrared.down", "W/m2"),
    ("infrared.down_case", "Cel"),
    ("infrared.down_dome", "Cel"),
    ("infrared.up", "W/m2"),
    ("infrared.up_case", "Cel"),
    ("infrared.up_dome", "Cel"),
    ("uvb", "mW/m2"),
    ("par", "W/m2"),
    ("solar.net", "W/m2"),
    ("infrared.net", "W/m2"),
    ("radiation.net", "W/m2"),
    ("air.temperature", "Cel"),
    ("air.humidity", "%{RH}"),
    ("wind.speed", "m/s"),
    ("wind.direction", "deg"),
    ("air.pressure", "hPa"),
)
SIX = ("air.temperature", "air.humidity", "wind.speed", "wind.direction", "air.pressure", "solar.down")
MINUTE = 60_000  # ms


def minutes() -> list[list[Reading]]:
    """All 1,440 rows, each a list of the readings that are there."""
    lines = gzip.decompress(FILE.read_bytes()).decode("ascii").splitlines()[2:]
    rows = [[float(value) for value in line.split()[8::2]] for line in lines]
    return [_row(1_000_000 + MINUTE * number, values) for number, values in enumerate(rows)]


def _row(at: int, values: list[float]) -> list[Reading]:
    pairs = zip(SERIES, values, strict=True)
    return [Reading(name, at, value, unit, GOOD) for (name, unit), value in pairs if value != MISSING]
