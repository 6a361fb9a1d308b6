import json
import random
import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocols import columns, table
from protocols.bits import FLAT, Head, Reader, still, varint
from protocols.errors import LocalError, RemoteError
from protocols.quality import GOOD, Flag, Reason, quality
from protocols.reading import Reading
from protocols.sheet import MAX_BODY, close, lay_open
from tests.support.scale import count
from tests.support.surfrad import BOOT, SIX, minutes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "packed.json").read_text(encoding="utf-8"))

NAMES = st.sampled_from(["river.stage", "rain.tips", "air.temperature", "x", "a.b_c.d9"])
UNITS = st.sampled_from(["m", "mm", "Cel", "1", "%{RH}", "未知"])
FINITE = st.floats(allow_nan=False, allow_infinity=False)
VALUES = (
    FINITE | st.floats(width=32, allow_nan=False, allow_infinity=False) | st.integers(-9999, 9999).map(lambda n: n / 10)
)
TIMES = st.integers(0, 10**7) | st.integers(-(2**62), 2**62) | st.just(5)
QUALITIES = st.sampled_from([1, 1, 1, 2, 3, 4, 9, 0x13]) | st.integers(0, 2**40)
READINGS = st.builds(Reading, NAMES, TIMES, VALUES, UNITS, QUALITIES)
NUMBERS = st.lists(READINGS, min_size=1, max_size=30)


def exact(readings):
    """With the bits of each value: 0.0 == -0.0 would hide a loss."""
    return [(r.series, r.at, struct.pack("<d", r.value), r.unit, r.quality) for r in readings]


@given(NUMBERS)
@example([Reading("x", 0, -0.0, "m", 1), Reading("x", 0, 0.0, "m", 1)])
def test_nothing_is_lost_and_nothing_reordered(readings):
    boot, numbers = columns.unpack(columns.pack(BOOT, readings))
    assert boot == BOOT
    assert [exact(its) for its in numbers] == [exact(readings)]


@given(st.lists(NUMBERS, min_size=1, max_size=8), st.data())
def test_merging_and_cutting_change_no_number(parts, data):
    bodies = [columns.pack(BOOT, readings) for readings in parts]
    merged = columns.merge(bodies)
    assert [exact(its) for its in columns.unpack(merged).numbers] == [exact(its) for its in parts]
    if len(parts) > 1:
        place = data.draw(st.integers(1, len(parts) - 1))
        left, right = columns.cut(merged, place)
        assert columns.unpack(left).readings + columns.unpack(right).readings == columns.unpack(merged).readings
        assert len(columns.unpack(left).numbers) == place
        assert columns.merge([left, right]) == merged


@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_thinning_ends_and_keeps_what_matters(parts):
    body = columns.merge([columns.pack(BOOT, readings) for readings in parts])
    before = columns.unpack(body)
    steps = 0
    while (thinned := columns.thin(body)) is not None:
        body, steps = thinned, steps + 1
        assert steps <= 12, "each step halves the rows that may go"
    after = columns.unpack(body)
    assert len(after.numbers) == len(before.numbers)
    assert all(set(exact(left)) <= set(exact(its)) for left, its in zip(after.numbers, before.numbers, strict=True))
    for series in {r.series for r in before.readings}:
        was, left = ([r for r in rows.readings if r.series == series] for rows in (before, after))
        assert left[-1:] == was[-1:]
        assert min(r.value for r in left) == min(r.value for r in was)
        assert max(r.value for r in left) == max(r.value for r in was)
        assert [r for r in left if r.quality & 0xF >= 3] == [r for r in was if r.quality & 0xF >= 3]


def test_thinning_halves_real_data():
    rows = minutes()[600:660]
    body = columns.merge([columns.pack(BOOT, row) for row in rows])
    left = columns.unpack(columns.thin(body)).readings
    assert 0.45 < len(left) / sum(map(len, rows)) < 0.6


def test_bodies_that_do_not_belong_together_stay_apart():
    one = columns.pack(BOOT, [Reading("x", 1, 1.0, "m", GOOD)])
    other = columns.pack(BOOT[::-1], [Reading("x", 1, 1.0, "m", GOOD)])
    assert columns.merge([one, other]) is None
    assert columns.merge([]) is None
    assert columns.merge([b"\x02" + one[1:]] * 2) is None
    assert columns.merge([one, one[:-1]]) is None
    many = columns.pack(BOOT, [Reading("x", at, 1.0, "m", GOOD) for at in range(4000)])
    assert columns.merge([many] * 3) is None, "more than one message should hold"


def test_a_later_version_is_left_alone():
    body = b"\x02 whatever a later program writes"
    with pytest.raises(RemoteError, match=r"packed\.version"):
        columns.unpack(body)
    assert columns.thin(body) is None


@pytest.mark.parametrize(
    ("boot", "readings"),
    [
        (BOOT, []),
        (BOOT[:7], [Reading("x", 1, 1.0, "m", 1)]),
        (BOOT, [Reading("x", 1, float("nan"), "m", 1)]),
        (BOOT, [Reading("x", 1, 1.0, "m", 1), Reading("x", 2, float("inf"), "m", 1)]),
        (BOOT, [Reading("x", 2**63, 1.0, "m", 1)]),
        (BOOT, [Reading("", 1, 1.0, "m", 1)]),
        (BOOT, [Reading("x", 1, 1.0, "a b", 1)]),
        (BOOT, [Reading("x\n", 1, 1.0, "m", 1)]),
        (BOOT, [Reading(f"s{n}", 1, 1.0, "m", 1) for n in range(2000)]),
        (BOOT, [Reading("x", at, 1.0, "m", 1) for at in range(5000)]),
    ],
)
def test_what_cannot_be_kept_is_refused(boot, readings):
    with pytest.raises(LocalError, match=r"packed\."):
        columns.pack(boot, readings)


# Size: what the format is for


def test_real_minute_data_in_blocks_of_an_hour():
    """Every series of the day; the bound is what may go over the wire in all, so the body must stay well below it."""
    rows = minutes()
    bodies = [columns.merge([columns.pack(BOOT, row) for row in rows[at : at + 60]]) for at in range(0, len(rows), 60)]
    assert sum(map(len, bodies)) / sum(map(len, rows)) < 0.62


def test_a_day_of_six_series_at_five_minutes():
    day = [[r for r in row if r.series in SIX] for row in minutes()[::5]]
    body = columns.pack(BOOT, [r for row in day for r in row])
    assert len(body) / sum(map(len, day)) < 0.62
    assert len(body) <= 18 * 70


def test_numbers_and_times_of_a_steady_station_cost_nothing():
    rows = [[Reading("x", 1000 * n, 5.0, "m", GOOD), Reading("y", 1000 * n, 7.5, "m", GOOD)] for n in range(60)]
    body = columns.merge([columns.pack(BOOT, row) for row in rows])
    assert len(body) < len(columns.pack(BOOT, rows[0])) + 6


def test_devices_that_answer_in_turn_are_timed_each_by_its_own_clock():
    rows = [
        [Reading(f"d{device}.v", 1000 * n + 137 * device, 1.0, "V", GOOD) for device in range(5)] for n in range(60)
    ]
    body = columns.merge([columns.pack(BOOT, row) for row in rows])
    assert len(body) < 220, "300 readings whose times are five straight lines"


# The format, byte by byte


@pytest.mark.parametrize("vector", VECTORS["bodies"], ids=lambda vector: vector["name"])
def test_vectors(vector):
    body = bytes.fromhex(vector["body"])
    numbers = [[Reading(*reading) for reading in its] for its in vector["numbers"]]
    rows = columns.unpack(body)
    assert rows.boot.hex() == vector["boot"]
    assert [exact(its) for its in rows.numbers] == [exact(its) for its in numbers]
    again = close(columns._Grouping(numbers).sheet(rows.boot))
    assert without_table(again) == without_table(body)


def without_table(body):
    """Deflate may be written in more than one way; all else is exact."""
    reader = Reader(body, 9)
    text = zlib.decompress(reader.take(reader.varint()), -15)
    return body[:9], text, body[reader.at :]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["name"])
def test_refused_vectors(vector):
    with pytest.raises(RemoteError) as caught:
        columns.unpack(bytes.fromhex(vector["body"]))
    assert caught.value.reason == vector["reason"]


# Hostile bodies


def real_body():
    return columns.merge([columns.pack(BOOT, row) for row in minutes()[:6]])


def test_every_cut_is_refused():
    body = real_body()
    for end in range(len(body)):
        with pytest.raises(RemoteError):
            columns.unpack(body[:end])
    with pytest.raises(RemoteError, match=r"packed\.rest"):
        columns.unpack(body + b"\0")


def test_damage_is_refused_or_read_and_nothing_else():
    chance, body = random.Random(5), bytearray(real_body())
    for _ in range(count(20_000)):
        hurt = bytearray(body)
        for _ in range(chance.randrange(1, 4)):
            hurt[chance.randrange(len(hurt))] ^= 1 << chance.randrange(8)
        try:
            columns.unpack(bytes(hurt))
        except RemoteError:
            continue


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_noise_is_refused(noise):
    with pytest.raises(RemoteError):
        columns.unpack(b"\x01" + noise)


def forged(names, numbers, rows, rest):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(names) + packer.flush()
    return b"\x01" + BOOT + varint(len(packed)) + packed + varint(numbers) + varint(rows) + rest


SERIES = b" ".join(b"s%d m" % n for n in range(1000))
FLAT_COLUMN = b"\0" + still(0)
FLAT_LINE = Head(2, FLAT, (0, 2**60)).encode()


@pytest.mark.parametrize(
    "body",
    [
        forged(SERIES, 1, 4096, still(4096) + still(0) + b"\x01" + FLAT_COLUMN * 1000),  # 4 million readings in 5 kB
        forged(b"x m", 2**60, 1, b""),
        forged(b"x m", 1, 2**60, b""),
        forged(b"x m", 4096, 1, still(0) + still(0) + b"\x01" + FLAT_COLUMN),
        forged(b"x m", 2, 1, FLAT_LINE + still(0) + b"\x01" + FLAT_COLUMN),
        forged(b"x m", 1, 1, still(2) + still(0) + b"\x01" + FLAT_COLUMN),
        forged(b"x m", 1, 4096, still(4096) + FLAT_LINE + b"\x01" + FLAT_COLUMN),  # times beyond 64 bits
        forged(b"x m\n" + b" ".join(b"0" for _ in range(9999)), 1, 1, b""),
        forged(b"x m\n\n0", 1, 1, b""),
        forged(b"x m\n1", 1, 1, b""),
        forged(b"x m\n-1", 1, 1, b""),
        forged(b"x m\n" + "²".encode(), 1, 1, b""),
        forged(b"x m x m", 1, 1, b""),
        forged(b"x", 1, 1, b""),
        forged(b"", 1, 1, b""),
        forged(b"x m\xff", 1, 1, b""),
        forged(b"\0" * 50_000_000, 1, 1, b""),  # inflates to 50 MB
        b"\x01" + BOOT + b"\xff" * 40,
        b"\x01" + b"\xff" * MAX_BODY,
        b"\x01" + bytes(MAX_BODY - 1),
    ],
)
def test_lies_cost_little(body):
    tracemalloc.start()
    try:
        with pytest.raises(RemoteError):
            columns.unpack(body)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_what_is_remembered_is_bounded():
    for number in range(3 * table.REMEMBERED):
        columns.unpack(columns.pack(BOOT, [Reading(f"series{number}", 1, 1.0, "m", 1)]))
    assert table.decode.cache_info().currsize <= table.REMEMBERED
    assert table.encode.cache_info().currsize <= table.REMEMBERED


def test_a_sheet_opens_and_closes():
    body = real_body()
    assert close(lay_open(body)) == body


def test_reasons_travel():
    doubtful = quality(Flag.SUSPECT, Reason.RATE | Reason.CLOCK)
    readings = [Reading("x", 1, 1.0, "m", doubtful), Reading("y", 1, 1.0, "m", GOOD)]
    assert columns.unpack(columns.pack(BOOT, readings)).readings == readings


def last_of(bodies):
    """What merging comes to, and in how many pieces."""
    pieces = list(columns.merging(bodies))
    assert all(piece is None for piece in pieces[:-1])
    return (pieces[-1] if pieces else None), len(pieces)


def test_merging_joins_as_many_as_go_together_in_pieces():
    bodies = [columns.pack(BOOT, row) for row in minutes()[:6]]
    done, pieces = last_of(bodies)
    assert done == (columns.merge(bodies), 6)
    assert pieces > 6, "the work must come in pieces"
    other = columns.pack(b"otherone", minutes()[6])
    assert last_of([*bodies[:4], other, bodies[4]])[0] == (columns.merge(bodies[:4]), 4)
    assert last_of([*bodies[:2], bodies[2][:-1]])[0] == (columns.merge(bodies[:2]), 2)
    assert last_of([b"\x02" + bodies[0][1:], bodies[1]])[0] is None
    assert last_of([])[0] is None


def test_merging_stops_where_a_body_would_be_too_long():
    whole = columns.merge([columns.pack(BOOT, row) for row in minutes()[:60]])
    fit = columns.MERGED_MOST // len(columns.unpack(whole).readings)
    assert last_of([whole] * (fit + 3))[0] == (columns.merge([whole] * fit), fit)
    alone = [columns.pack(BOOT, [Reading("a.b", n, 1.0, "m", 1)]) for n in range(5000)]
    body, count = last_of(alone)[0]  # more rows than a body has room for
    assert 0 < count < 5000
    assert len(columns.unpack(body).numbers) == count
