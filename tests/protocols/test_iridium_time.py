"""Iridium time: three eras, and which one a count is believed in."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import LocalError
from protocols.iridium_time import ERAS, NEWEST, TICK, TICKS, decode, in_era, ticks_at

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "sbd.json").read_text())["time"]
DAY = 86_400
NOW = datetime(2026, 11, 22, 4, tzinfo=UTC).timestamp()


def unix(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["hex"])
def test_every_era(vector):
    ticks = int(vector["hex"], 16)
    for era in ERAS:
        if era.name in vector:
            assert in_era(ticks, era) == pytest.approx(unix(vector[era.name]), abs=1e-3)
    believed = vector["believed"]
    assert decode(ticks) == (None if believed is None else in_era(ticks, NEWEST))


def test_the_old_era_is_ten_years_off_and_not_believed():
    assert decode(ticks_at(NOW)) == pytest.approx(NOW, abs=TICK)
    assert decode(ticks_at(NOW, ERAS[1])) != pytest.approx(NOW, abs=DAY)


@given(st.floats(NEWEST.since + 1, NEWEST.epoch + TICKS * TICK - 1))
def test_any_moment_of_the_newest_era(moment):
    found = decode(ticks_at(moment))
    assert found is not None
    assert moment - TICK - 1e-3 <= found <= moment + 1e-3


@given(st.floats(ERAS[1].since + 1, ERAS[2].since - 1))
def test_a_capture_of_the_era_before_by_a_guess_of_its_day(moment):
    assert decode(ticks_at(moment, ERAS[1]), least=0, near=moment + 30 * DAY) == pytest.approx(moment, abs=2 * TICK)


@given(st.integers(0, TICKS - 1), st.floats(0, 4e9), st.one_of(st.none(), st.floats(0, 4e9)))
def test_never_earlier_than_the_program_nor_far_from_a_good_guess(ticks, least, near):
    found = decode(ticks, least, near)
    if found is not None:
        assert found >= least
        assert near is None or abs(found - near) <= 366 * DAY


def test_an_era_that_nobody_knows_yet():
    """After the newest has wrapped, a small count is no day of 2025."""
    assert decode(12_345) is None
    assert decode(ticks_at(NOW), near=NOW + 400 * DAY) is None


@pytest.mark.parametrize("ticks", [-1, TICKS])
def test_no_count(ticks):
    with pytest.raises(LocalError):
        in_era(ticks, NEWEST)
