"""Three values: what is not known is neither true nor false, and never becomes either by being negated or joined."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.rule_parser import parse
from protocols.rule_truth import UNKNOWN, Interval, normal, point, truth
from protocols.rules import Not, comparisons

CASES = [
    ("a > 5", point(6), True), ("a > 5", point(5), False), ("a >= 5", point(5), True), ("a < 5", point(5), False),
    ("a <= 5", point(5), True), ("5 < a", point(6), True), ("5 >= a", point(6), False), ("a > 5", UNKNOWN, None),
    # At least so much rain: enough to raise, never enough to say that it is over.
    ("a >= 60", Interval(61, UNKNOWN.high), True), ("a >= 60", Interval(59, UNKNOWN.high), None),
    ("a < 60", Interval(61, UNKNOWN.high), False), ("a < 60", Interval(10, UNKNOWN.high), None),
    ("a < 2", Interval(UNKNOWN.low, 1), True), ("a > 2", Interval(UNKNOWN.low, 1), False),
    ("not a > 5", UNKNOWN, None), ("not a > 5", point(5), True), ("a > a", point(5), False), ("a > a", UNKNOWN, None),
]  # fmt: skip


@pytest.mark.parametrize(("written", "known", "expected"), CASES)
def test_one_series(written, known, expected):
    assert truth(parse(written), lambda _one: known) is expected
    assert truth(normal(parse(written)), lambda _one: known) is expected


VALUES = {True: point(1), False: point(-1), None: UNKNOWN}


@pytest.mark.parametrize(("left", "right"), list(product(VALUES, VALUES)))
def test_kleenes_tables(left, right):
    known = {"a": VALUES[left], "b": VALUES[right]}

    def told(written):
        return truth(parse(written), lambda one: known[one.series])

    both = False if False in (left, right) else None if None in (left, right) else True
    one = True if True in (left, right) else None if None in (left, right) else False
    assert told("a > 0 and b > 0") is both
    assert told("a > 0 or b > 0") is one
    assert told("not (a > 0 and b > 0)") is (None if both is None else not both)


points = st.dictionaries(st.sampled_from("abc"), st.integers(-2, 2).map(point) | st.just(UNKNOWN), min_size=3)
conditions = st.recursive(
    st.sampled_from(["a > 0", "b >= 1", "c < 0", "a <= b", "2 > c"]),
    lambda inner: st.builds("({} and {})".format, inner, inner) | st.builds("({} or {})".format, inner, inner)
    | st.builds("(not {})".format, inner),
    max_leaves=6,
)  # fmt: skip


@given(conditions, points)
def test_without_not_it_means_the_same(written, known):
    condition = parse(written)
    plain = normal(condition)
    assert not any(isinstance(one, Not) for one in comparisons(plain))
    assert truth(plain, lambda one: known[one.series]) is truth(condition, lambda one: known[one.series])
