import json
import struct
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError, RemoteError
from protocols.modbus_map import ORDERS, WIDTHS, Register, ordered, overlapping, shortest

VECTORS = json.loads((Path(__file__).parent.parent / "vectors/modbus.json").read_text())["byte_orders"]


def words(hexadecimal):
    data = bytes.fromhex(hexadecimal)
    return [int.from_bytes(data[n : n + 2], "big") for n in range(0, len(data), 2)]


@pytest.mark.parametrize("order", ORDERS)
def test_orders_of_thirty_two_bits(order):
    assert Register("x", 0, type="float32", order=order).decode(words(VECTORS["float32_3.14"][order])) == 3.14
    assert Register("x", 0, type="int32", order=order).decode(words(VECTORS["int32_-123456"][order])) == -123456


def test_orders_of_sixty_four_bits():
    rows = VECTORS["float64_1234.5678"]
    assert Register("x", 0, type="float64").decode(words(rows["ABCDEFGH"])) == 1234.5678
    assert Register("x", 0, type="float64", order="CDAB").decode(words(rows["GHEFCDAB"])) == 1234.5678


@pytest.mark.parametrize(
    ("register", "raw", "value"),
    [
        (Register("t", 0, scale=0.1), [231], 23.1),
        (Register("t", 0, type="int16", scale=0.1), [0xFF9B], -10.1),
        (Register("t", 0, scale=0.01), [29], 0.29),
        (Register("t", 0, type="int16", scale=0.1, offset=-40), [1005], 60.5),
        (Register("t", 0, type="bit", bit=3), [0b1000], 1.0),
        (Register("t", 0, 2, type="bit"), [0], 0.0),
        (Register("t", 0, type="bcd16", scale=0.1), [0x1234], 123.4),
        (Register("t", 0, type="uint32"), [0xFFFF, 0xFFFF], 4294967295.0),
        (Register("t", 0, type="int64", order="DCBA"), words("FEFFFFFFFFFFFFFF"), -2.0),
    ],
)
def test_numbers_are_what_the_datasheet_says(register, raw, value):
    assert register.decode(raw) == value


@pytest.mark.parametrize(
    ("register", "raw", "reason"),
    [
        (Register("t", 0, type="float32"), words("7FC00000"), "nan"),
        (Register("t", 0, type="float32"), words("7F800000"), "overflow"),
        (Register("t", 0, type="float32"), words("FF800000"), "overflow"),
        (Register("t", 0, type="float64"), words("7FF8000000000000"), "nan"),
        (Register("t", 0, type="float64", scale=10.0), words("7FEFFFFFFFFFFFFF"), "overflow"),
        (Register("t", 0, type="uint64"), words("FFFFFFFFFFFFFFFF"), "overflow"),
        (Register("t", 0, type="bcd16"), [0x12A4], "bcd"),
        (Register("t", 0, type="int16", missing=(-32768,)), [0x8000], "missing"),
    ],
)
def test_what_is_no_number_is_refused(register, raw, reason):
    with pytest.raises(RemoteError) as wrong:
        register.decode(raw)
    assert wrong.value.reason == reason


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "int24"},
        {"order": "ACBD"},
        {"function": 5},
        {"scale": 0.0},
        {"scale": float("nan")},
        {"bit": 16},
        {"address": 65536},
    ],
)
def test_a_map_that_cannot_be_is_ours_to_mend(wrong):
    with pytest.raises(LocalError):
        Register(**{"name": "x", "address": 0} | wrong)


@given(
    st.integers(-32768, 32767), st.sampled_from([0.1, 0.01, 0.001, 0.5, 10.0, 1.0]), st.sampled_from([0.0, -40.0, 0.05])
)
def test_scaling_rounds_once(raw, scale, offset):
    exact = raw * Fraction(repr(scale)) + Fraction(repr(offset))
    assert Register("x", 0, type="int16", scale=scale, offset=offset).decode([raw & 0xFFFF]) == float(exact)


def digits(value):
    return len(Decimal(repr(value)).normalize().as_tuple().digits)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_shortest_decimal_is_the_same_float(value):
    assert struct.pack(">f", shortest(value)) == struct.pack(">f", value)
    assert digits(shortest(value)) <= digits(value)


@given(st.sampled_from(sorted(WIDTHS)), st.sampled_from(ORDERS), st.data())
def test_any_words_are_a_finite_number_or_refused(kind, order, draw):
    raw = draw.draw(st.lists(st.integers(0, 0xFFFF), min_size=WIDTHS[kind], max_size=WIDTHS[kind]))
    try:
        value = Register("x", 0, type=kind, order=order, scale=0.1).decode(raw)
    except RemoteError:
        return
    assert abs(value) < float("inf")


@given(st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=4))
def test_orders_undo_each_other(raw):
    little = ordered(raw, "DCBA")
    assert little == ordered(raw, "ABCD")[::-1]
    assert sorted(ordered(raw, "CDAB")) == sorted(ordered(raw, "BADC"))


def test_registers_that_share_a_word_are_seen():
    pair = [Register("a", 0, type="uint32"), Register("b", 1)]
    assert overlapping(pair) == [("a", "b")]
    bits = [Register("a", 0, type="bit", bit=0), Register("b", 0, type="bit", bit=1)]
    assert overlapping(bits) == []
