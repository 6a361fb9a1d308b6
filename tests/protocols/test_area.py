"""Codes by whole units, circles and polygons against an independent reckoning."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from protocols.area import (
    EVERYWHERE,
    SCALE,
    Circle,
    Polygon,
    Position,
    code_text,
    contains,
    covers,
    distance_m,
    is_code,
    is_local,
    parse_code,
)
from protocols.errors import LocalError


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("33", 33),
        ("330000", 33),
        ("331000", 3310),  # Taizhou, not "331"
        ("330205004001", 330205004001),
        ("330205004000", 330205004),
        ("62102300000000", 621023),  # 14 digits as 12379 writes them
        ("all", EVERYWHERE),
        ("0", EVERYWHERE),
    ],
)
def test_padding_is_stripped_by_whole_units(text, code):
    assert parse_code(text) == code


@pytest.mark.parametrize("text", ["", "3", "330", "33020", "3302050", "03", "033", "3x", "³³", "330205004001001", "00"])
def test_what_is_no_code(text):
    with pytest.raises(LocalError):
        parse_code(text)


@pytest.mark.parametrize("code", [331000, 330000, 3300, 330205000, 330205004000, 5, 123, 12345, -33])
def test_a_code_has_one_form_only(code):
    assert not is_code(code)


def test_a_code_applies_to_itself_and_what_is_below_it():
    assert contains(33, 330205004001)
    assert contains(330205, 330205)
    assert not contains(330205004001, 330205)
    assert not contains(3310, 331102)  # Taizhou does not contain Lishui
    assert contains(EVERYWHERE, 65)
    assert not contains(65, EVERYWHERE)


def test_a_station_is_reached_by_any_of_its_codes_and_by_their_ancestors_only():
    codes = (330205004001, 330205007)
    assert covers(330205, codes, None) is True
    assert covers(330205007, codes, None) is True
    assert covers(330205007002, codes, None) is False  # a village of the township: not said to be ours
    assert covers(330206, codes, None) is False
    assert code_text(330206) == "330206"


def test_a_shape_without_a_position_cannot_say():
    assert covers(Circle(0, 0, 5), (), None) is None


def test_poles_and_antimeridian():
    fiji = Polygon(((-1800000, 17900000), (-1800000, 18100000), (-1700000, 18100000), (-1700000, 17900000)))
    assert covers(fiji, (), Position(-17.5, -179.5))
    assert covers(fiji, (), Position(-17.5, 179.5))
    assert not covers(fiji, (), Position(-17.5, 178.5))
    west = Polygon(tuple((lat, lon - 360 * SCALE) for lat, lon in fiji.points))
    assert covers(west, (), Position(-17.5, 179.5))
    pole = Circle(90 * SCALE, 0, 200_000)
    assert covers(pole, (), Position(89.0, 120.0))
    assert not covers(pole, (), Position(87.0, 0.0))
    line = Circle(0, 180 * SCALE, 20_000)
    assert covers(line, (), Position(0.0, -179.9))


def test_what_is_of_township_size():
    assert is_local(330205004001)
    assert is_local(330205004)
    assert not is_local(330205)
    assert not is_local(EVERYWHERE)
    assert is_local(Circle(0, 0, 10_000))
    assert not is_local(Circle(0, 0, 10_001))
    assert is_local(Polygon(((0, 0), (0, 5000), (5000, 0))))
    assert not is_local(Polygon(((0, 0), (0, 50000), (50000, 0))))


lats = st.floats(-89, 89, allow_nan=False)
lons = st.floats(-180, 180, allow_nan=False)


@given(lats, lons, lats, lons)
def test_distance_against_the_law_of_cosines(lat_a, lon_a, lat_b, lon_b):
    a, b = Position(lat_a, lon_a), Position(lat_b, lon_b)
    cosine = math.sin(math.radians(lat_a)) * math.sin(math.radians(lat_b))
    cosine += math.cos(math.radians(lat_a)) * math.cos(math.radians(lat_b)) * math.cos(math.radians(lon_b - lon_a))
    expected = 6_371_008.8 * math.acos(max(-1.0, min(1.0, cosine)))
    assume(expected > 1000)  # the law of cosines loses its digits close by
    assert distance_m(a, b) == pytest.approx(expected, rel=1e-5)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=8), st.data())
def test_even_odd_against_the_winding_of_angles(corners, data):
    """Inside by counting crossings of a ray to the east, against a ray to the north."""
    lat, lon = (data.draw(st.integers(-60, 60)) + 0.5 for _ in range(2))
    edges = zip(corners, corners[1:] + corners[:1], strict=True)
    crossings = 0
    for (lat_a, lon_a), (lat_b, lon_b) in edges:
        if (lon_a > lon) != (lon_b > lon):
            crossing = (lat_b - lat_a) * (lon - lon_a) / (lon_b - lon_a) + lat_a
            assume(abs(crossing - lat) > 1e-6)
            crossings += lat < crossing
    polygon = Polygon(tuple((a * SCALE, b * SCALE) for a, b in corners))
    assert covers(polygon, (), Position(lat, lon)) is bool(crossings % 2)
