"""Range, rate and flat-line tests (QARTOD flags)."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.qartod import Checker
from protocols.quality import Flag, Reason, flag_of, quality, reasons_of, worse


def test_without_a_test_a_reading_is_not_evaluated():
    assert flag_of(Checker().check(0, 1e9)) is Flag.NOT_EVALUATED


def test_outside_the_span_is_bad_and_outside_what_is_expected_is_suspect():
    checker = Checker(span=(-40, 60), expect=(-20, 45))
    assert checker.check(0, 20.0) == Flag.GOOD
    assert checker.check(1000, 50.0) == quality(Flag.SUSPECT, Reason.RANGE)
    assert checker.check(2000, 61.0) == quality(Flag.BAD, Reason.RANGE)
    assert checker.check(3000, -40.0) == quality(Flag.SUSPECT, Reason.RANGE)


def test_too_fast_a_change_is_suspect_per_second_that_passed():
    checker = Checker(rate=0.05)
    assert checker.check(0, 10.0) == Flag.GOOD
    assert checker.check(10_000, 10.5) == Flag.GOOD
    assert checker.check(20_000, 11.01) == quality(Flag.SUSPECT, Reason.RATE)


def test_a_bad_value_does_not_make_its_neighbour_suspect():
    checker = Checker(span=(0, 100), rate=1.0)
    checker.check(0, 10.0)
    checker.check(1000, 65535.0)
    assert checker.check(2000, 10.5) == Flag.GOOD


def test_a_flat_line_is_suspect_until_it_moves():
    checker = Checker(flat=(0.1, 60))
    flags = [checker.check(t * 1000, 5.0 + 0.01 * (t % 2)) for t in range(0, 120, 10)]
    assert [flag_of(f) for f in flags] == [Flag.GOOD] * 6 + [Flag.SUSPECT] * 6
    assert reasons_of(flags[-1]) == Reason.FLAT
    assert checker.check(121_000, 5.5) == Flag.GOOD


packed = st.builds(quality, st.sampled_from(list(Flag)), st.integers(0, 127))


@given(packed, packed)
def test_worse_keeps_every_reason_and_is_symmetric(a, b):
    assert worse(a, b) == worse(b, a)
    assert reasons_of(worse(a, b)) == reasons_of(a) | reasons_of(b)
