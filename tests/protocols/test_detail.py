import json
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.narrow import detail
from protocols.narrow.context import Context, Contexts
from protocols.narrow.schema import parse, schema, series
from protocols.reading import Reading
from tests.support.narrow_series import ALL_SCHEMA, CONTEXT, SIX_SCHEMA, six_at_five_minutes
from tests.support.scale import count
from tests.support.surfrad import minutes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "digest.json").read_text(encoding="utf-8"))

NAMES = ("river.stage", "rain.tips", "air.temperature", "x")
UNITS = ("m", "mm")
SOME = schema(series(name, unit, step=0.01, span=(0, 10)) for name in NAMES for unit in UNITS)
VALUES = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(width=32, allow_nan=False, allow_infinity=False)
    | st.integers(-9999, 9999).map(lambda n: n / 100)
)
TIMES = st.integers(0, 10**7) | st.integers(-(2**62), 2**62) | st.just(5)
QUALITIES = st.sampled_from([1, 1, 1, 2, 3, 4, 9, 0x13]) | st.integers(0, 2**40)
READINGS = st.builds(Reading, st.sampled_from(NAMES), TIMES, VALUES, st.sampled_from(UNITS), QUALITIES)
NUMBERS = st.lists(st.lists(READINGS, max_size=8), min_size=1, max_size=8).filter(any)


def read(body, known=SOME, contexts=None):
    return detail.unpack(body, contexts or Contexts(), {known.id: known}.get)


def exact(readings):
    return [(r.series, r.at, struct.pack("<d", r.value), r.unit, r.quality) for r in readings]


def told(numbers, known):
    """As they come back: the readings of a row in the schema's order."""
    return [exact(rows) for rows in (sorted_rows(readings, known) for readings in numbers)]


def sorted_rows(readings, known):
    rows, seen, instant = [], set(), None
    for reading in readings:
        place = known.places[reading.series, reading.unit]
        if reading.at != instant or place in seen:
            rows.append([])
            seen, instant = set(), reading.at
        rows[-1].append((place, reading))
        seen.add(place)
    return [reading for row in rows for _, reading in sorted(row, key=lambda pair: pair[0])]


@given(NUMBERS, st.integers(1, 2**62))
def test_nothing_is_lost(numbers, first):
    found = read(detail.pack(SOME, CONTEXT, first, numbers))
    assert (found.context, found.first) == (CONTEXT, first)
    assert [exact(its) for its in found.numbers] == told(numbers, SOME)


def test_a_day_of_six_series_at_five_minutes():
    """Lossless at 0.70 bytes a reading or less, in 18 BeiDou-2 messages or 4 of SBD, headers and one tag included."""
    day = six_at_five_minutes()
    readings = sum(map(len, day))
    body = detail.pack(SIX_SCHEMA, CONTEXT, 1, day)
    assert [exact(its) for its in read(body, SIX_SCHEMA).numbers] == told(day, SIX_SCHEMA)
    assert readings == 1728
    assert len(body) <= 0.56 * readings
    assert -(-(len(body) + 8) // (77 - 5)) <= 14
    assert -(-(len(body) + 8) // (340 - 5)) <= 3


@pytest.mark.parametrize("size", [66, 329, 1739])
def test_what_fits_is_whole_numbers_in_order(size):
    day, at, bodies = six_at_five_minutes(), 0, []
    contexts = Contexts()
    contexts.learn([CONTEXT])
    while at < len(day):
        body, taken = detail.fit(SIX_SCHEMA, CONTEXT, at + 1, day[at : at + 400], size, full=False)
        assert len(body) <= size
        bodies.append((at, body))
        at += taken
    for at, body in bodies:
        found = read(body, SIX_SCHEMA, contexts)
        assert found.first == at + 1
        assert [exact(its) for its in found.numbers] == told(day[at : at + len(found.numbers)], SIX_SCHEMA)
    assert len(bodies) <= {66: 24, 329: 3, 1739: 1}[size]


def test_what_does_not_fit_is_none():
    day = six_at_five_minutes()
    assert detail.fit(SIX_SCHEMA, CONTEXT, 1, day, 20) is None
    assert detail.fit(SIX_SCHEMA, CONTEXT, 1, [], 1000) is None
    stranger = [[Reading("other.series", 1, 1.0, "m", 1)]]
    assert detail.fit(SIX_SCHEMA, CONTEXT, 1, day[:2] + stranger, 1000)[1] == 2, "a number is whole or not told"


def test_every_series_of_a_station_with_gaps():
    rows = minutes()[:120]
    gaps = [[reading for nth, reading in enumerate(row) if (nth + place) % 7] for place, row in enumerate(rows)]
    body = detail.pack(ALL_SCHEMA, CONTEXT, 5, gaps)
    assert [exact(its) for its in read(body, ALL_SCHEMA).numbers] == told(gaps, ALL_SCHEMA)


@pytest.mark.parametrize(
    ("numbers", "first"),
    [
        ([], 1),
        ([[]], 1),
        ([[Reading("x", 1, 1.0, "m", 1)]], 0),
        ([[Reading("y", 1, 1.0, "m", 1)]], 1),
        ([[Reading("x", 1, 1.0, "km", 1)]], 1),
        ([[Reading("x", 1, float("nan"), "m", 1)]], 1),
        ([[Reading("x", 2**63, 1.0, "m", 1)]], 1),
        ([[Reading("x", at, 1.0, "m", 1) for at in range(5000)]], 1),
    ],
)
def test_what_cannot_be_told_is_refused(numbers, first):
    with pytest.raises(LocalError):
        detail.pack(SOME, CONTEXT, first, numbers)


def test_of_an_unknown_context_or_schema():
    row = [[Reading("x", 1, 1.0, "m", 1)]]
    contexts = Contexts()
    by_name = detail.pack(SOME, CONTEXT, 1, row, full=False)
    with pytest.raises(RemoteError, match=r"context\.unknown"):
        read(by_name, contexts=contexts)
    read(detail.pack(SOME, CONTEXT, 1, row), contexts=contexts)
    assert read(by_name, contexts=contexts).context == CONTEXT
    with pytest.raises(RemoteError, match=r"schema\.unknown"):
        read(by_name, SIX_SCHEMA, contexts)


# The format, byte by byte


@pytest.mark.parametrize("vector", VECTORS["details"], ids=lambda vector: vector["name"])
def test_vectors(vector):
    known, context = (
        parse(vector["schema"]),
        Context(**vector["context"] | {"boot": bytes.fromhex(vector["context"]["boot"])}),
    )
    numbers = [[Reading(*reading) for reading in its] for its in vector["numbers"]]
    body = bytes.fromhex(vector["body"])
    contexts = Contexts()
    contexts.learn([context])
    found = read(body, known, contexts)
    assert (found.context, found.first) == (context, vector["first"])
    assert [exact(its) for its in found.numbers] == [exact(its) for its in numbers]
    assert detail.pack(known, context, vector["first"], numbers, full=vector["full"]) == body


@pytest.mark.parametrize("vector", VECTORS["refused_details"], ids=lambda vector: vector["name"])
def test_refused_vectors(vector):
    known = parse(vector["schema"])
    with pytest.raises(RemoteError) as caught:
        read(bytes.fromhex(vector["body"]), known)
    assert caught.value.reason == vector["reason"]


# Hostile bodies


def test_every_cut_is_refused():
    body = detail.pack(SIX_SCHEMA, CONTEXT, 1, six_at_five_minutes()[:20])
    for end in range(len(body)):
        with pytest.raises(RemoteError):
            read(body[:end], SIX_SCHEMA)
    with pytest.raises(RemoteError, match=r"narrow\.rest"):
        read(body + b"\0", SIX_SCHEMA)


def test_damage_is_refused_or_read_and_nothing_else():
    chance, body = random.Random(5), detail.pack(SIX_SCHEMA, CONTEXT, 1, six_at_five_minutes()[:20])
    for _ in range(count(10_000)):
        hurt = bytearray(body)
        for _ in range(chance.randrange(1, 4)):
            hurt[chance.randrange(len(hurt))] ^= 1 << chance.randrange(8)
        try:
            read(bytes(hurt), SIX_SCHEMA)
        except RemoteError:
            continue


@given(st.binary(max_size=120))
@settings(max_examples=300)
def test_noise_behind_a_true_head_is_bounded(noise):
    head = b"\x03" + CONTEXT.encode() + SOME.id
    try:
        found = read(head + noise)
    except RemoteError:
        return
    assert sum(map(len, found.numbers)) <= detail.MAX_READINGS
