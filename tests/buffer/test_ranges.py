from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buffer.ranges import Ranges

pairs = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda p: (p[0], p[0] + p[1])), max_size=25)


def numbers(held):
    return {n for a, b in held for n in range(a, b + 1)}


@given(pairs, st.integers(1, 70), st.integers(0, 20))
def test_ranges_answer_as_a_set_would(added, first, length):
    ranges, model, last = Ranges(added), numbers(added), first + length
    asked = set(range(first, last + 1))
    assert numbers(ranges) == model
    assert ranges.count == len(model)
    assert numbers(ranges.holes(first, last)) == asked - model
    assert numbers(ranges.within(first, last)) == asked & model
    assert ranges.covers(first, last) == (asked <= model)
    assert (first in ranges) == (first in model)
    assert ranges.first_missing(first) == min(n for n in range(first, 200) if n not in model)
    edges = list(ranges)
    assert all(b + 1 < c for (_, b), (c, _) in pairwise(edges))


@given(pairs, pairs)
def test_intersection_and_difference(one, two):
    left, right = Ranges(one), Ranges(two)
    assert numbers(left.intersection(right)) == numbers(one) & numbers(two)
    assert numbers(left.difference(right)) == numbers(one) - numbers(two)


@given(pairs)
def test_decode_undoes_encode(added):
    assert Ranges.decode(Ranges(added).encode()) == Ranges(added)


@given(st.binary(max_size=40) | st.text("0123456789-,", max_size=30).map(str.encode))
def test_decode_refuses_or_agrees(data):
    try:
        ranges = Ranges.decode(data)
    except ValueError:
        return
    assert Ranges.decode(ranges.encode()) == ranges


@pytest.mark.parametrize(
    "bad", [b"5-1", b"-1", b"1,1", b"3,1", b"1,2", b"1-9223372036854775808", b"1" * 5000, b"1,,2", b" 1"]
)
def test_absurd_ranges_are_refused(bad):
    with pytest.raises(ValueError, match="range"):
        Ranges.decode(bad)


def test_a_million_ranges_cost_nothing():
    with pytest.raises(ValueError, match="more than"):
        Ranges.decode(b",".join(b"%d" % n for n in range(0, 2_000_000, 2)))


def test_a_reversed_range_is_refused():
    with pytest.raises(ValueError, match="reversed"):
        Ranges().add(2, 1)
