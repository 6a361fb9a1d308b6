"""Areas as they were imported → the items an alert can carry: codes, circles, polygons in whole steps. Pure.

An alert has room for few items and few corners. Codes cost three bytes and decide without a position, so they come
first; a polygon with too many corners is thinned, and by how many metres it moved is told. Nothing is left out without a
note.
"""

import math
from collections.abc import Iterable, Iterator

from protocols import area as ours
from protocols.area import MAX_ITEMS, SCALE, Item, Polygon, Position, distance_m, parse_code
from protocols.cap import Area, Circle, Notes, Pair, Point
from protocols.errors import LocalError, RemoteError
from protocols.quoting import quoted

MAX_CORNERS = 100  # of all polygons of an alert together: 100 corners are 800 of the payload's 1,024 bytes
FEWEST_CORNERS = 8  # of each
METRES_A_DEGREE = 111_195.0  # of latitude, on the mean sphere

# Lists of codes that are China's; the same six digits mean other places in other countries' lists (FIPS, SAME).
CHINESE_LISTS = ("gb/t2260", "gbt2260", "gb2260", "gb/t10114", "gbt10114")

_Corner = tuple[int, int]


def items_of(areas: Iterable[Area], notes: Notes) -> tuple[Item, ...]:
    """The union of all areas; RemoteError where it does not fit."""
    areas = list(areas)
    codes = dict.fromkeys(code for area in areas for code in _codes(area.geocodes, notes))
    circles = [_circle(circle) for area in areas for circle in area.circles if not _is_point(circle, notes)]
    polygons = [_steps(polygon) for area in areas for polygon in area.polygons]
    if any(area.lines for area in areas):
        notes.add("line-dropped", "a line has no inside")
    items: list[Item] = [*codes, *circles, *_thinned(polygons, notes)]
    if len(items) > MAX_ITEMS:
        raise RemoteError("too-many-areas", f"{len(items)}, at most {MAX_ITEMS}: name larger ones, or split the alert")
    return tuple(items)


def _codes(geocodes: tuple[Pair, ...], notes: Notes) -> Iterator[int]:
    for name, value in geocodes:
        if not "".join(name.split()).casefold().startswith(CHINESE_LISTS):
            notes.add("foreign-code", quoted(f"{name} {value}"))
            continue
        try:
            yield _whole(value)
        except LocalError:
            notes.add("code-dropped", quoted(value))


def _whole(value: str) -> int:
    """Codes are 6, 9, 12 or 14 digits on the wire; a bare 0 would be everywhere, which nobody imports."""
    if len(value) < 2 or value == "all":
        raise LocalError("bad-area", quoted(value))
    return parse_code(value)


def _is_point(circle: Circle, notes: Notes) -> bool:
    if circle.radius_m < 1:
        notes.add("point-dropped", f"{circle.lat:.5f},{circle.lon:.5f}")
    return circle.radius_m < 1


def _circle(circle: Circle) -> ours.Circle:
    """Rounded outwards: a metre too many warns nobody who should not be."""
    return ours.Circle(round(circle.lat * SCALE), round(circle.lon * SCALE), math.ceil(circle.radius_m))


def _steps(polygon: tuple[Point, ...]) -> list[_Corner]:
    """Longitudes run on through the antimeridian, so that no edge is longer than half the globe."""
    corners = [(round(polygon[0].lat * SCALE), round(polygon[0].lon * SCALE))]
    for point in polygon[1:]:
        lon = round(point.lon * SCALE)
        turns = round((corners[-1][1] - lon) / (360 * SCALE))
        corners.append((round(point.lat * SCALE), lon + turns * 360 * SCALE))
    if abs(corners[0][1] - corners[-1][1]) > 180 * SCALE:
        raise RemoteError("around-pole", "a polygon that goes round a pole has no inside")
    return corners


def _thinned(polygons: list[list[_Corner]], notes: Notes) -> Iterator[Polygon]:
    """Each gets its share of the corners, by how many it has. The note tells the worst of them."""
    total = sum(map(len, polygons))
    thinned = [thin(polygon, _share(len(polygon), total)) for polygon in polygons]
    left = sum(len(corners) for corners, _ in thinned)
    if left < total:
        worst = max(moved for _, moved in thinned)
        notes.add("polygon-thinned", f"{total} corners to {left}, off by at most {worst:.0f} m")
    for corners, _ in thinned:
        if crosses(corners):
            notes.add("polygon-crossing", f"{len(corners)} corners")
        yield Polygon(tuple(corners))


def _share(corners: int, total: int) -> int:
    return corners if total <= MAX_CORNERS else max(FEWEST_CORNERS, MAX_CORNERS * corners // total)


def thin(ring: list[_Corner], most: int) -> tuple[list[_Corner], float]:
    """At most so many corners, and by how many metres an edge moved: those kept that lie farthest off, one after the
    other (Douglas and Peucker's rule, asked for a number instead of a distance).
    """
    if len(ring) <= most:
        return ring, 0.0
    kept = [0, max(range(len(ring)), key=lambda at: _apart(ring[0], ring[at]))]
    gaps = {gap: _farthest(ring, gap) for gap in ((kept[0], kept[1]), (kept[1], len(ring)))}
    while len(kept) < most:
        (first, last), (off, at) = max(gaps.items(), key=lambda gap: gap[1][0])
        if off == 0:
            break
        del gaps[first, last]
        kept.append(at)
        gaps |= {gap: _farthest(ring, gap) for gap in ((first, at), (at, last))}
    return [ring[at] for at in sorted(kept)], max(off for off, _ in gaps.values())


def crosses(ring: list[_Corner]) -> bool:
    """Do two edges cross? Rings are short here, so each is tried with each."""
    edges = list(zip(ring, ring[1:] + ring[:1], strict=True))
    return any(_cross(*edges[i], *edges[j]) for i in range(len(edges)) for j in range(i + 1, len(edges)))


def _farthest(ring: list[_Corner], gap: tuple[int, int]) -> tuple[float, int]:
    """The corner between these two that is farthest from the straight line, and how far, in metres."""
    first, last = gap
    start, end = ring[first], ring[last % len(ring)]
    return max(((_off(ring[at], start, end), at) for at in range(first + 1, last)), default=(0.0, first))


def _apart(a: _Corner, b: _Corner) -> float:
    return distance_m(Position(a[0] / SCALE, a[1] / SCALE), Position(b[0] / SCALE, b[1] / SCALE))


def _off(corner: _Corner, start: _Corner, end: _Corner) -> float:
    """Distance from the segment, on a plane that touches the globe at the corner."""
    narrow = math.cos(math.radians(corner[0] / SCALE))
    ax, ay = (start[1] - corner[1]) * narrow, float(start[0] - corner[0])
    dx, dy = (end[1] - start[1]) * narrow, float(end[0] - start[0])
    length = dx * dx + dy * dy
    along = max(0.0, min(1.0, -(ax * dx + ay * dy) / length)) if length else 0.0
    return math.hypot(ax + along * dx, ay + along * dy) / SCALE * METRES_A_DEGREE


def _cross(a: _Corner, b: _Corner, c: _Corner, d: _Corner) -> bool:
    """Edges that share a corner do not cross."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: _Corner, b: _Corner, c: _Corner) -> int:
    turn = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (turn > 0) - (turn < 0)
