"""Polygons, circles and code lists as CAP and 12379 write them. Knows no message.

Latitude comes first. Everything is range-checked here, so that no later reader meets NaN, a swapped pair or a place off
the globe.
"""

import re

from protocols.area import MAX_RADIUS_M
from protocols.cap import Circle, Notes, Pair, Point
from protocols.errors import RemoteError
from protocols.quoting import quoted

MAX_POINTS = 5_000  # of one polygon as read; a country's coast in public feeds has about 2,000
MAX_CODES = 2_000  # of one area; a province has about 1,500 townships

KILOMETRE = 1_000.0  # CAP's unit of a circle, in metres
METRE = 1.0  # 12379's

_POINT = re.compile(r"([+-]?\d{1,3}(?:\.\d{0,20})?),([+-]?\d{1,3}(?:\.\d{0,20})?)", re.ASCII)
_RADIUS = re.compile(r"\d{1,8}(?:\.\d{0,20})?", re.ASCII)
_COMMAS = re.compile(r"[,，、;；\s]+")


def points(text: str) -> tuple[Point, ...]:
    """The corners in order, as written."""
    pairs = text.split(maxsplit=MAX_POINTS)
    if len(pairs) > MAX_POINTS:
        raise RemoteError("too-many-points", f"more than {MAX_POINTS}")
    return tuple(_point(pair) for pair in pairs)


def polygon(text: str, notes: Notes) -> tuple[Point, ...]:
    """A closed ring, its first point not repeated. One left open is closed: a CAP polygon can mean nothing else."""
    ring = points(text)
    if ring[0] == ring[-1]:
        ring = ring[:-1]
    else:
        notes.add("polygon-open")
    if len(set(ring)) < 3:
        raise RemoteError("bad-polygon", f"{len(set(ring))} corners")
    return ring


def is_open(line: tuple[Point, ...]) -> bool:
    """12379 writes a line as a polygon that does not come back."""
    return line[0] != line[-1] or len(set(line)) < 3


def circle(text: str, unit_m: float) -> Circle:
    """`lat,lon radius`; a radius of 0 is a point."""
    centre, _, radius = text.partition(" ")
    if not _RADIUS.fullmatch(radius := radius.strip()):
        raise RemoteError("bad-circle", quoted(text))
    metres = float(radius) * unit_m
    if metres > MAX_RADIUS_M:
        raise RemoteError("out-of-range", f"radius {quoted(radius)}")
    return Circle(*_point(centre), metres)


def codes(text: str, name: str) -> tuple[Pair, ...]:
    """A list of codes with commas of either width."""
    found = [code for code in _COMMAS.split(text, maxsplit=MAX_CODES) if code]
    if len(found) > MAX_CODES:
        raise RemoteError("too-many-codes", f"more than {MAX_CODES}")
    return tuple(Pair(name, code) for code in found)


def _point(text: str) -> Point:
    pair = _POINT.fullmatch(text)
    if pair is None:
        raise RemoteError("bad-polygon" if "," not in text else "bad-number", quoted(text))
    lat, lon = float(pair.group(1)), float(pair.group(2))
    if abs(lat) > 90 or abs(lon) > 180:
        raise RemoteError("out-of-range", f"{quoted(text)}: latitude comes first")
    return Point(lat, lon)
