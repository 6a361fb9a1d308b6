"""Range, rate, spike and flat-line tests (QARTOD flags)."""

import csv
import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.qartod import Checker
from protocols.quality import Flag, Reason, flag_of, quality, reasons_of, worse
from tests.support.tree import ROOT

VECTORS = json.loads((ROOT / "tests" / "vectors" / "derived.json").read_text())["qartod"]


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


# Published cases, and a year of a real gauge


def test_gross_range_as_published():
    wanted = VECTORS["gross_range"]
    checker = Checker(span=tuple(wanted["fail_span"]), expect=tuple(wanted["suspect_span"]))
    found = [flag_of(checker.check(n * 1000, value)) for n, value in enumerate(wanted["in"])]
    assert found == wanted["flags"]


def test_rate_of_change_as_published():
    wanted = VECTORS["rate_of_change"]
    checker = Checker(rate=wanted["threshold_per_s"])
    step = wanted["interval_s"] * 1000
    found = [9 if value is None else flag_of(checker.check(n * step, value)) for n, value in enumerate(wanted["in"])]
    assert found == wanted["flags"]


def test_the_spike_as_published_without_its_innocent_neighbours():
    """The published test waits for the next value and flags both neighbours of a spike; ours does neither."""
    wanted = VECTORS["spike_average"]
    checker = Checker(spike=wanted["suspect"])
    found = [flag_of(checker.check(n * 1000, value)) for n, value in enumerate([11, 12, 11, *wanted["in"]])][3:]
    assert found[2] is Flag.SUSPECT
    assert [n for n, flag in enumerate(found) if flag is not Flag.GOOD] == [2, 5]  # 999.99, and 40 among 9 to 15
    assert wanted["flags"][5] == 3


FLAT = [VECTORS["flat_line"], *VECTORS["flat_line_short"], VECTORS["flat_line_spike"]]


@pytest.mark.parametrize("wanted", FLAT, ids=str)
def test_flat_lines_as_published(wanted):
    checker = Checker(flat=(wanted["tolerance"], wanted["suspect_s"], wanted["fail_s"]))
    step = wanted.get("interval_s", 1)
    times = wanted.get("t", [n * step for n in range(len(wanted["in"]))])
    found = [flag_of(checker.check(at * 1000, value)) for at, value in zip(times, wanted["in"], strict=True)]
    assert found == wanted["flags"]


def test_a_tolerance_of_nought_means_the_same_value_again_and_again():
    checker = Checker(flat=(0.0, 50))
    found = [flag_of(checker.check(n * 10_000, 7.0 if n < 10 else n)) for n in range(20)]
    assert found == [Flag.GOOD] * 5 + [Flag.SUSPECT] * 5 + [Flag.GOOD] * 10


def test_the_same_value_after_a_long_pause_is_not_still():
    checker = Checker(flat=(0.1, 60))
    found = [flag_of(checker.check(at * 1000, 5.0)) for at in (0, 10, 500, 510, 560, 570)]
    assert found == [Flag.GOOD] * 4 + [Flag.SUSPECT] * 2


@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 6), st.integers(1, 9))
def test_stillness_is_that_of_a_window_that_slides(values, tolerance, seconds):
    checker = Checker(flat=(tolerance, seconds))
    for n, value in enumerate(values):
        window = values[max(0, n - seconds) : n + 1]
        still = n >= seconds and max(window) - min(window) < tolerance
        assert (flag_of(checker.check(n * 1000, value)) is Flag.SUSPECT) is still


def test_a_step_is_believed_at_its_fourth_value():
    checker = Checker(spike=1.0)
    found = [flag_of(checker.check(n * 1000, 5.0 if n < 10 else 9.0)) for n in range(20)]
    assert found == [Flag.GOOD] * 10 + [Flag.SUSPECT] * 3 + [Flag.GOOD] * 7


def test_the_wrong_values_of_a_real_gauge_are_found_and_the_tide_is_not():
    """NOAA's hourly sea level with its spikes: 1912 and 6531 stand alone, the rest come in runs about 4 m."""
    with gzip.open(ROOT / "tests" / "captures" / "water_level_example.csv.gz", "rt") as lines:
        rows = [(int(one["timestamp"]), one["sea_surface_height_above_sea_level"]) for one in csv.DictReader(lines)]
    readings = [(at, float(value)) for at, value in rows if value]
    checker = Checker(span=(-2.5, 3.5), expect=(-1.5, 2.0), spike=1.6)
    flags = [checker.check(at * 1000, value) for at, value in readings]
    wrong = {n for n, (_, value) in enumerate(readings) if value > 3.5 or value < -2.5}
    assert {1912, 6531} <= wrong
    assert all(flag_of(flags[n]) is Flag.BAD for n in wrong)
    doubted = [n for n, flag in enumerate(flags) if flag_of(flag) is Flag.SUSPECT]
    assert len(doubted) < len(readings) / 500
    spikes = Checker(spike=1.6)
    alone = [n for n, (at, value) in enumerate(readings) if reasons_of(spikes.check(at * 1000, value)) & Reason.SPIKE]
    assert {1861, 1912, 6531} <= set(alone)
    assert len(alone) < 60
