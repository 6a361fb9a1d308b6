import json
import random
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.narrow import digest as digests
from protocols.narrow.digest import Digest, Extreme, Newest
from protocols.narrow.digest_json import as_json
from protocols.narrow.schema import announce, learn, parse, schema, series
from protocols.narrow.summary import MOST_SPANS, Summary
from protocols.reading import Reading
from tests.contract.documents import errors
from tests.support.narrow_series import ALL_SCHEMA, SIX_SCHEMA
from tests.support.scale import count
from tests.support.surfrad import minutes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "digest.json").read_text(encoding="utf-8"))
MINUTE = 60_000


def real(until=10, taken=ALL_SCHEMA):
    """The summary of the first minutes of the real day."""
    rows = minutes()[:until]
    summary = Summary(taken, rows[0][0].at)
    for row in rows:
        summary.add(row)
    return summary, rows[-1][0].at


def close(told, meant, known, window):
    """Every part that was told is what was meant, to the step and to the second (extremes' ages to their unit)."""
    unit = window // 128 + 1
    for place, newest in told.items():
        half = 0.5 / 10 ** known.series[place].decimals
        whole = meant[place]
        assert abs(newest.value - whole.value) <= half * 1.000001
        assert (newest.age, newest.quality) == (whole.age, whole.quality)
        assert newest.seen in {None, whole.seen or 0}
        for end, true in ((newest.low, whole.low), (newest.high, whole.high)):
            if end is not None and true is not None:
                assert abs(end.value - true.value) <= half * 1.000001
                if end.value != newest.value:
                    assert 0 <= min(true.age, window) - end.age < unit


@pytest.mark.parametrize("size", [16, 30, 66, 140, 329, 1739])
def test_the_most_valuable_bits_for_each_size(size):
    summary, now = real()
    _, whole = summary.take(now, 1_800_000_000, trusted=True)
    body = digests.encode(ALL_SCHEMA, whole, size)
    told = digests.decode(body, ALL_SCHEMA)
    assert len(body) <= size
    close(told.series, whole.series, ALL_SCHEMA, whole.window)
    shown = list(told.series)
    assert shown == list(whole.series)[: len(shown)], "in the schema's order, none left out"
    extremes = [place for place in shown if told.series[place].low is not None]
    counts = [place for place in shown if told.series[place].seen is not None]
    assert extremes == shown[: len(extremes)]
    assert counts == shown[: len(counts)]
    if extremes:
        assert len(shown) == len(whole.series), "newest values first, then extremes"


def test_a_small_datagram_is_used_to_the_last_bits():
    summary, now = real(120)
    _, whole = summary.take(now, 1_800_000_000, trusted=True)
    before = (0, 0, 0)
    for size in range(14, 200):
        told = digests.decode(digests.encode(ALL_SCHEMA, whole, size), ALL_SCHEMA).series.values()
        after = len(told), sum(one.low is not None for one in told), sum(one.seen is not None for one in told)
        assert after >= before
        before = after
    assert before == (len(whole.series),) * 3


def test_what_one_beidou_message_tells():
    summary, now = real(120)
    _, whole = summary.take(now, 1_800_000_000, trusted=True)
    told = digests.decode(digests.encode(ALL_SCHEMA, whole, 66), ALL_SCHEMA)
    assert len(told.series) == len(whole.series) == 18, "all that the station has on that day"
    six, now = real(120, SIX_SCHEMA)
    _, whole = six.take(now, 1_800_000_000, trusted=True)
    told = digests.decode(digests.encode(SIX_SCHEMA, whole, 66), SIX_SCHEMA)
    assert all(None not in one for one in told.series.values()), "six series with everything about them"


def test_urgent_series_go_first():
    summary, now = real()
    _, whole = summary.take(now, 1_800_000_000, trusted=True)
    urgent = summary.urgent(["air.temperature", "radiation.net"])
    told = digests.decode(digests.encode(ALL_SCHEMA, whole, 20, urgent), ALL_SCHEMA)
    assert list(told.series)[:2] == urgent == [14, 15]


def test_too_small_is_said():
    summary, now = real()
    _, whole = summary.take(now, 0, trusted=False)
    with pytest.raises(LocalError, match=r"digest\.size"):
        digests.encode(ALL_SCHEMA, whole, 6)


SERIES = st.builds(
    lambda nth, decimals, low, width: series(f"s{nth}", "m", step=10.0**-decimals, span=(low, low + width)),
    st.integers(0, 1 << 40),
    st.integers(0, 4),
    st.integers(-1000, 1000),
    st.integers(1, 100_000),
)
SCHEMAS = st.lists(SERIES, min_size=1, max_size=12, unique_by=lambda one: one.name).map(schema)


@st.composite
def any_digest(draw):
    known, window = draw(SCHEMAS), draw(st.integers(0, 200_000))
    values = st.floats(-1e6, 1e6) | st.floats(allow_nan=False, allow_infinity=False)
    found = {}
    for place in draw(st.sets(st.integers(0, len(known.series) - 1), min_size=1)):
        value, age = draw(values), draw(st.integers(0, 300_000))
        quality = draw(st.sampled_from([1, 1, 3, 4, 9, 0x23]))
        newest = Newest(value, age, quality, seen=draw(st.integers(0, 10_000)))
        if age <= window and digests.usable(quality):
            reach, ages = st.floats(0, 1000), st.integers(0, window)
            low = Extreme(value - draw(reach), draw(ages))
            newest = newest._replace(low=low, high=Extreme(value + draw(reach), draw(ages)))
        found[place] = newest
    at = draw(st.integers(0, (1 << 32) - 1))
    urgent = draw(st.lists(st.integers(0, len(known.series) - 1), max_size=3))
    return known, Digest(known.id, at, draw(st.booleans()), window, found), urgent


@given(any_digest(), st.integers(12, 400))
def test_any_digest_of_any_schema_to_the_step(drawn, size):
    known, whole, urgent = drawn
    try:
        body = digests.encode(known, whole, size, urgent)
    except LocalError:
        return
    told = digests.decode(body, known)
    assert len(body) <= size
    assert told[:4] == whole[:4]
    assert digests.schema_of(body) == known.id
    close(told.series, whole.series, known, whole.window)


# Summary: since the last digest that was delivered


def feed(summary, *values, start=0, name="x"):
    summary.add(Reading(name, start + MINUTE * nth, value, "m", 1) for nth, value in enumerate(values))


def one(summary, now):
    mark, digest = summary.take(now, now // 1000, trusted=False)
    return mark, digest.window, digest.series[0]


def test_extremes_stay_until_a_digest_with_them_is_delivered():
    summary = Summary(schema([series("x", "m", step=0.1)]), 0)
    feed(summary, 5.0, 9.0, 4.0)
    first, window, newest = one(summary, 2 * MINUTE)
    assert (window, newest) == (120, Newest(4.0, 0, 1, Extreme(4.0, 0), Extreme(9.0, 60), 3))
    feed(summary, 6.0, start=3 * MINUTE)
    second, window, newest = one(summary, 3 * MINUTE)
    assert (window, newest.high, newest.seen) == (180, Extreme(9.0, 120), 4), "the first was never acknowledged"
    summary.delivered(first)
    feed(summary, 5.0, start=4 * MINUTE)
    _, window, newest = one(summary, 4 * MINUTE)
    assert (window, newest.low, newest.high, newest.seen) == (120, Extreme(5.0, 0), Extreme(6.0, 60), 2)
    summary.delivered(second)
    feed(summary, 7.0, start=5 * MINUTE)
    _, window, newest = one(summary, 5 * MINUTE)
    assert (window, newest.low.value, newest.high.value) == (120, 5.0, 7.0)


def test_a_thousand_lost_digests_take_no_more_room_and_lose_no_extreme():
    summary = Summary(schema([series("x", "m", step=0.1)]), 0)
    feed(summary, 50.0)
    for nth in range(1, 1000):
        feed(summary, 1.0, start=nth * MINUTE)
        mark, window, newest = one(summary, nth * MINUTE)
    assert (newest.high.value, newest.seen, window) == (50.0, 1000, 999 * 60)
    assert len(summary._closed) == MOST_SPANS
    summary.delivered(mark)
    feed(summary, 2.0, start=1000 * MINUTE)
    assert one(summary, 1000 * MINUTE)[2].high.value == 2.0


def test_what_is_bad_is_neither_newest_nor_extreme_but_counted():
    summary = Summary(schema([series("x", "m", step=0.1)]), 0)
    summary.add([Reading("x", 0, 5.0, "m", 1), Reading("x", MINUTE, 999.0, "m", 4), Reading("other", 0, 1.0, "m", 1)])
    _, _, newest = one(summary, MINUTE)
    assert newest == Newest(5.0, 60, 1, Extreme(5.0, 60), Extreme(5.0, 60), 2)
    only_bad = Summary(schema([series("x", "m", step=0.1)]), 0)
    only_bad.add([Reading("x", 0, 5.0, "m", 4)])
    assert one(only_bad, MINUTE)[2] == Newest(5.0, 60, 4, seen=1)


def test_a_series_that_fell_silent_grows_old():
    summary = Summary(schema([series("x", "m", step=0.1)]), 0)
    feed(summary, 5.0)
    mark, _, _ = one(summary, MINUTE)
    summary.delivered(mark)
    _, window, newest = one(summary, 10 * MINUTE)
    assert (window, newest) == (540, Newest(5.0, 600, 1, seen=0))
    told = digests.decode(
        digests.encode(summary.schema, summary.take(10 * MINUTE, 0, trusted=False)[1], 66), summary.schema
    )
    assert told.series[0] == Newest(5.0, 600, 1, seen=0)


# JSON


def test_json_is_of_the_published_schema():
    summary, now = real()
    for trusted, size in ((True, 66), (False, 500)):
        _, whole = summary.take(now, 1_800_000_000, trusted=trusted)
        told = digests.decode(digests.encode(ALL_SCHEMA, whole, size), ALL_SCHEMA)
        said = as_json(told, ALL_SCHEMA, station="demo-1", bearer="beidou", received=1_800_000_006.25)
        assert errors("digest.json", json.loads(json.dumps(said))) == []
        at = datetime.fromisoformat(said["at"]).timestamp()
        assert at == (1_800_000_000 if trusted else 1_800_000_006.25)
        assert ("boot_seconds" in said) == (not trusted)
    humidity = next(one for one in said["series"] if one["n"] == "air.humidity")
    assert humidity["u"] == "%RH"


# Schema


def test_a_schema_is_told_and_learnt():
    assert learn(announce(ALL_SCHEMA)) == ALL_SCHEMA
    assert parse(ALL_SCHEMA.text).id == ALL_SCHEMA.id
    assert len(announce(SIX_SCHEMA)) < 140


def test_what_a_series_is_made_of():
    assert series("x", "m", step=0.25)[2:] == (2, 0, 10)
    assert series("x", "m", step=5.0, span=(0, 360))[2:] == (0, 180, 9)
    assert series("x", "m")[2:] == (2, 0, 10)
    assert series("x", "m", step=1e-12)[2] == 9
    with pytest.raises(LocalError, match=r"schema\."):
        schema([series("x y", "m")])
    with pytest.raises(LocalError, match=r"schema\.twice"):
        schema([series("x", "m"), series("x", "m")])


@pytest.mark.parametrize(
    "text",
    ["", "x m 1 0", "x m 1 0 64", "x m 10 0 1", "x m 01 0 1", "x m 1 0 1\n", "x m ² 0 1", "x m 1 0 1\nx m 1 0 1", "x  m 1 0 1",
     "x m 1 99999999999999999999 1", "\n".join(f"s{n} m 1 0 1" for n in range(257))],
)  # fmt: skip
def test_what_is_no_schema(text):
    with pytest.raises(RemoteError, match=r"schema\."):
        parse(text)


def test_announcements_that_are_none():
    for body in (b"", b"\xff", announce(SIX_SCHEMA)[:-1], announce(SIX_SCHEMA) + b"\0"):
        with pytest.raises(RemoteError, match=r"schema\."):
            learn(body)
    from zlib import compressobj

    packer = compressobj(9, 8, -15)
    bomb = packer.compress(b"\0" * 50_000_000) + packer.flush()
    with pytest.raises(RemoteError, match=r"schema\."):
        learn(bomb)


# The format, byte by byte


def as_digest(vector, part):
    """`known`: what the station had to tell; `series`: what there was room for."""
    found = {
        int(place): Newest(value, age, quality, low and Extreme(*low), high and Extreme(*high), seen)
        for place, (value, age, quality, low, high, seen) in vector[part].items()
    }
    return Digest(parse(vector["schema"]).id, vector["at"], vector["trusted"], vector["window"], found)


@pytest.mark.parametrize("vector", VECTORS["digests"], ids=lambda vector: vector["name"])
def test_vectors(vector):
    known, body = parse(vector["schema"]), bytes.fromhex(vector["body"])
    assert digests.decode(body, known) == as_digest(vector, "series")
    assert digests.encode(known, as_digest(vector, "known"), vector["size"], vector["urgent"]) == body


@pytest.mark.parametrize("vector", VECTORS["refused_digests"], ids=lambda vector: vector["name"])
def test_refused_vectors(vector):
    with pytest.raises(RemoteError) as caught:
        digests.decode(bytes.fromhex(vector["body"]), parse(vector["schema"]))
    assert caught.value.reason == vector["reason"]


# Hostile bodies


def body_of_a_real_hour():
    summary, now = real(60)
    return digests.encode(ALL_SCHEMA, summary.take(now, 1_800_000_000, trusted=True)[1], 150)


def test_every_cut_is_refused():
    body = body_of_a_real_hour()
    for end in range(len(body)):
        with pytest.raises(RemoteError):
            digests.decode(body[:end], ALL_SCHEMA)
    with pytest.raises(RemoteError, match=r"narrow\.rest"):
        digests.decode(body + b"\0", ALL_SCHEMA)


def test_damage_is_refused_or_read_and_nothing_else():
    chance, body = random.Random(5), body_of_a_real_hour()
    for _ in range(count(10_000)):
        hurt = bytearray(body)
        for _ in range(chance.randrange(1, 4)):
            hurt[chance.randrange(len(hurt))] ^= 1 << chance.randrange(8)
        try:
            as_json(digests.decode(bytes(hurt), ALL_SCHEMA), ALL_SCHEMA, station="s", bearer="b", received=0.0)
        except RemoteError:
            continue


@given(st.binary(max_size=100))
@settings(max_examples=300)
def test_noise_behind_a_true_head(noise):
    head = (0b001 << 16 | int.from_bytes(SIX_SCHEMA.id)) << 5
    try:
        told = digests.decode(head.to_bytes(3) + noise, SIX_SCHEMA)
    except RemoteError:
        return
    as_json(told, SIX_SCHEMA, station="s", bearer="b", received=0.0)
