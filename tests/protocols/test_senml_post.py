import json
import struct
from pathlib import Path

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import RemoteError
from protocols.senml_post import CBOR, JSON, MOST_BYTES, OLDEST, Value, decode, matched

RFC_LIKE = (Path(__file__).parent.parent / "vectors" / "senml-rfc8428-like.cbor").read_bytes()
NAMES = {"bn": -2, "bt": -3, "bu": -4, "bv": -5, "bver": -1, "n": 0, "u": 1, "v": 2, "vs": 3, "vb": 4, "t": 6}


def both(pack):
    """A pack in both forms."""
    numbered = [{NAMES.get(key, key): value for key, value in record.items()} for record in pack]
    return [(json.dumps(pack).encode(), JSON), (cbor2.dumps(numbered), CBOR)]


def read(pack, wall=None):
    (one, other) = (decode(body, form, wall) for body, form in both(pack))
    assert one == other
    return one


def test_a_pack_like_that_of_the_rfc():
    """RFC 8428 §5.1.2: base time, base unit, times relative to it; the node's own clock."""
    values = decode(RFC_LIKE, CBOR)
    name = "urn:dev:ow:10e2073a01080063:"
    assert values == [
        Value(f"{name}voltage", "voltage", 120.1, "V", 0.0),
        Value(f"{name}current", "current", 1.2, "A", 5.0),
        Value(f"{name}current", "current", 1.3, "A", 4.0),
    ]
    assert [one.age for one in decode(RFC_LIKE, CBOR, 1320067464.0 + 60)] == [60.0, 65.0, 64.0]


@pytest.mark.parametrize(
    ("pack", "found"),
    [
        ([{"n": "a", "v": 1}], [("a", 1.0, "", 0.0)]),
        ([{"n": "a", "u": "Cel", "v": 1.5, "t": -60}], [("a", 1.5, "Cel", 60.0)]),
        (
            [{"bn": "x/", "bu": "m", "bv": 10, "n": "a", "v": 1}, {"n": "b"}],
            [("x/a", 11.0, "m", 0.0), ("x/b", 10.0, "m", 0.0)],
        ),
        ([{"n": "a", "vb": True}, {"n": "b", "vb": False}], [("a", 1.0, "", 0.0), ("b", 0.0, "", 0.0)]),
        ([{"n": "a", "vs": "text"}, {"n": "b", "v": 2}], [("b", 2.0, "", 0.0)]),
        ([{"bn": "x/"}, {"n": "a", "v": 1}], None),
        (
            [{"bn": "x/", "n": "a", "bt": -100, "v": 1}, {"n": "a", "v": 2, "t": 100}],
            [("x/a", 1.0, "", 100.0), ("x/a", 2.0, "", 0.0)],
        ),
        ([{"n": "a", "v": 1, "t": 3}], [("a", 1.0, "", 0.0)]),
        ([{"n": "a", "v": 1, "extra": [1, 2]}], [("a", 1.0, "", 0.0)]),
        ([{"n": "a", "v": 1, "bver": 5}], [("a", 1.0, "", 0.0)]),
    ],
)
def test_packs(pack, found):
    values = read(pack)
    if found is None:
        assert [one.name for one in values] == ["x/a"]
        return
    assert [(one.name, one.value, one.unit, one.age) for one in values] == found


@pytest.mark.parametrize(
    ("pack", "reason"),
    [
        ({}, "senml.pack"),
        ([], "senml.pack"),
        ([1], "senml.record"),
        ([{"n": "a", "v": "1"}], "senml.number"),
        ([{"n": "a", "v": True}], "senml.number"),
        ([{"n": "a", "v": [1]}], "senml.number"),
        ([{"n": "a", "vb": 1}], "senml.value"),
        ([{"v": 1}], "senml.name"),
        ([{"n": "x" * 129, "v": 1}], "senml.text"),
        ([{"n": "a\u202eb", "v": 1}], "senml.text"),
        ([{"n": 5, "v": 1}], "senml.text"),
        ([{"n": "a", "v": 1, "t": 10}], "senml.time"),
        ([{"n": "a", "v": 1, "t": -OLDEST - 1}], "senml.time"),
        ([{"n": "a", "v": 1, "must_": 1}], "senml.label"),
        ([{"n": "a", "v": 1, "bver": 11}], "senml.version"),
        ([{"n": "a", "v": 10**400}], "senml.number"),
        ([{"n": "a", "v": 1, "t": 1.8e9}, {"n": "a", "v": 2, "t": 1.8e9 - 2 * OLDEST}], "senml.time"),
    ],
)
def test_what_is_refused_whole(pack, reason):
    for body, form in [(json.dumps(pack).encode(), JSON)] if isinstance(pack, dict) else both_of(pack):
        with pytest.raises(RemoteError) as wrong:
            decode(body, form)
        assert wrong.value.reason == reason


def both_of(pack):
    if not all(isinstance(record, dict) for record in pack):
        return [(json.dumps(pack).encode(), JSON)]
    return both(pack)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[" * 4000,
        b'[{"n":"a","v":NaN}]',
        b'[{"n":"a","v":1e999}]',
        b'[{"n":"a","v":' + b"9" * 4000 + b"}]",
        '[{"n":"a","v":1}]'.encode("utf-16"),
        b'[{"n":"\\ud800","v":1}]',
    ],
)
def test_json_that_is_none(body):
    with pytest.raises(RemoteError):
        decode(body, JSON)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "81" * 400,
        "81a1",
        "9b7fffffffffffffff",
        "c482",
        "81a20061610260",
        "d81c81d81d00",
        "81a100d823612a",
        "a0",
        "81a10081",
    ],
)
def test_cbor_that_is_none(body):
    with pytest.raises(RemoteError):
        decode(bytes.fromhex(body), CBOR)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none(value):
    body = bytes.fromhex("81a200616102fb") + struct.pack(">d", value)
    with pytest.raises(RemoteError):
        decode(body, CBOR)


def test_a_decimal_fraction_is_a_number():
    assert decode(bytes.fromhex("81a200616102c48221196ab3"), CBOR)[0].value == 273.15


def test_size_is_bounded():
    with pytest.raises(RemoteError):
        decode(b" " * (MOST_BYTES + 1), JSON)
    with pytest.raises(RemoteError):
        read([{"n": "a", "v": 1}] * 257)
    with pytest.raises(RemoteError):
        decode(b"[]", 0)


def test_units():
    assert matched(Value("a", "a", 2310.0, "Pa", 0), "kPa") == 2.31
    assert matched(Value("a", "a", 23.1, "", 0), "Cel") == 23.1
    with pytest.raises(RemoteError):
        matched(Value("a", "a", 23.1, "m", 0), "Cel")


@given(st.binary(max_size=80), st.sampled_from([JSON, CBOR]))
def test_any_bytes_are_values_or_refused(body, form):
    try:
        values = decode(body, form)
    except RemoteError:
        return
    assert all(0 <= one.age <= OLDEST for one in values)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
labels = st.sampled_from([*NAMES, *NAMES.values(), "x_", 99])


@given(st.lists(st.dictionaries(labels, anything, max_size=5), max_size=4))
def test_any_pack_is_values_or_refused(pack):
    try:
        decode(cbor2.dumps(pack), CBOR, 1.8e9)
    except RemoteError:
        return
