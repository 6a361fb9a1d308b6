"""Where an alert applies: administrative codes, circles and polygons. Knows no alert, no bytes and no configuration.

Codes are GB/T 2260 and GB/T 10114: province, prefecture, county, township, village in units of 2+2+2+3+3 digits. They
are integers here: no Chinese code begins with a zero, so the number of digits says the level. Padding zeros are
stripped by whole units only (331000 is prefecture 3310, never "331", which would be 331100 as well).
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

from protocols.errors import LocalError

EVERYWHERE = 0
UNITS = (2, 4, 6, 9, 12)  # digits of a code at each level
TOWNSHIP_DIGITS = 9
MAX_ITEMS = 16
MAX_POINTS = 128
SCALE = 100_000  # steps in a degree; one is about 1.1 m
MAX_RADIUS_M = 2_500_000  # CAMF's largest half axis
TOWNSHIP_RADIUS_M = 10_000  # a Chinese township is about 100 to 300 km² in the hills
EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG


class Position(NamedTuple):
    """Degrees, WGS 84."""

    lat: float
    lon: float


class Circle(NamedTuple):
    """Centre in steps of 1/100,000 degree, radius in metres."""

    lat: int
    lon: int
    radius: int


class Polygon(NamedTuple):
    """Corners in steps of 1/100,000 degree, in order, the first not repeated. Longitudes run on through the
    antimeridian (179.9° then 180.2°), so no edge is longer than half the globe.
    """

    points: tuple[tuple[int, int], ...]


Item = int | Circle | Polygon


def is_code(code: int) -> bool:
    """A code in its shortest form: right number of digits, and no unit of zeros at its end."""
    return code == EVERYWHERE or (code > 0 and len(str(code)) in UNITS and not _padded(str(code)))


def parse_code(text: str) -> int:
    """A code as people and 12379 write it: `all`, or 2 to 14 digits, zero units at the end allowed."""
    if text in {"all", "0"}:
        return EVERYWHERE
    digits = text[:12] if len(text) == 14 and text.endswith("00") else text  # 12379 also writes 14 digits
    if not (digits.isascii() and digits.isdigit() and len(digits) in UNITS):
        raise LocalError("bad-area", f"{text!r}: an area code has 2, 4, 6, 9 or 12 digits")
    while len(digits) > 2 and _padded(digits):
        digits = digits[: _parent(len(digits))]
    if not is_code(int(digits)) or digits.startswith("0"):
        raise LocalError("bad-area", f"{text!r}: no such province")
    return int(digits)


def code_text(code: int) -> str:
    return "all" if code == EVERYWHERE else str(code)


def contains(outer: int, inner: int) -> bool:
    """Is `inner` the same area as `outer` or a part of it?"""
    return outer == EVERYWHERE or (inner != EVERYWHERE and str(inner).startswith(str(outer)))


def covers(item: Item, codes: Iterable[int], position: Position | None) -> bool | None:
    """Does the item take in a place with these codes at this position? None: it would need a position to say."""
    if isinstance(item, int):
        return any(contains(item, code) for code in codes)
    if position is None:
        return None
    return _in_circle(item, position) if isinstance(item, Circle) else _in_polygon(item, position)


def is_local(item: Item) -> bool:
    """Is the item of township size or smaller?"""
    if isinstance(item, int):
        return len(str(item)) >= TOWNSHIP_DIGITS
    if isinstance(item, Circle):
        return item.radius <= TOWNSHIP_RADIUS_M
    first = Position(*_degrees(item.points[0]))
    return all(distance_m(first, Position(*_degrees(point))) <= TOWNSHIP_RADIUS_M for point in item.points)


def distance_m(a: Position, b: Position) -> float:
    """Great-circle distance (haversine)."""
    lat_a, lat_b = math.radians(a.lat), math.radians(b.lat)
    half = math.sin((lat_b - lat_a) / 2) ** 2
    half += math.cos(lat_a) * math.cos(lat_b) * math.sin(math.radians(b.lon - a.lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, half)))


def _padded(digits: str) -> bool:
    return len(digits) > 2 and int(digits[_parent(len(digits)) :]) == 0


def _parent(length: int) -> int:
    return UNITS[UNITS.index(length) - 1]


def _degrees(point: tuple[int, int]) -> tuple[float, float]:
    return point[0] / SCALE, point[1] / SCALE


def _in_circle(circle: Circle, position: Position) -> bool:
    return distance_m(Position(*_degrees((circle.lat, circle.lon))), position) <= circle.radius


def _in_polygon(polygon: Polygon, position: Position) -> bool:
    """Even-odd rule in the plane of latitude and longitude; the place is tried on both sides of the antimeridian."""
    lat, lon = position.lat * SCALE, position.lon * SCALE
    return any(_crossings(polygon.points, lat, lon + turn * 360 * SCALE) % 2 for turn in (-1, 0, 1))


def _crossings(points: tuple[tuple[int, int], ...], lat: float, lon: float) -> int:
    edges = zip(points, points[1:] + points[:1], strict=True)
    return sum(
        (a[0] > lat) != (b[0] > lat) and lon < (b[1] - a[1]) * (lat - a[0]) / (b[0] - a[0]) + a[1] for a, b in edges
    )
