"""Telemetry stands aside for a warning, and lives through a flood of them."""

import pytest

from agent.alerts.right_of_way import STRETCH, RightOfWay


def test_free_until_claimed_and_free_again_after_a_stretch():
    way = RightOfWay()
    assert way.wait(100.0) == 0
    way.claim(100.0)
    assert way.wait(100.0) == pytest.approx(STRETCH)
    assert way.wait(100.0 + STRETCH) == 0


def test_a_flood_takes_at_most_half_of_the_time():
    way, aside, step = RightOfWay(), 0, 0.001
    for tick in range(10_000):
        now = 100 + tick * step
        way.claim(now)
        aside += way.wait(now) > 0
    assert 0.4 < aside / 10_000 <= 0.51


def test_a_claim_within_a_stretch_does_not_prolong_it():
    way = RightOfWay()
    way.claim(10.0)
    way.claim(10.0 + STRETCH / 2)
    assert way.wait(10.0 + STRETCH) == 0


def test_what_acts_has_its_stretch_whatever_noise_has_claimed():
    way, begin = RightOfWay(), 100.0
    way.claim(begin)
    later = begin + STRETCH + 0.01
    way.claim(later)  # noise: the way stays free for telemetry
    assert way.wait(later) == 0.0
    way.take(later)
    assert way.wait(later) == pytest.approx(STRETCH)
