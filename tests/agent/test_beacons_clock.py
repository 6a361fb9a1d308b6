"""What a clock takes from beacons: a time that has passed, and where nobody better vouches for one, the present."""

import pytest

from agent.clock import BUILD_TIME, LAST_TIME, Clock
from tests.agent.test_clock import BOOT, TODAY, Hands

NOW = TODAY // 1000


@pytest.fixture
def dead():
    """A station whose clock says 1970, and that no source vouches for."""
    return Hands(wall=5_000)


def test_a_beacon_is_a_time_that_has_passed_and_goes_on(dead):
    clock = dead.clock("none")
    clock.hear(NOW, proven=False)
    assert clock.read() == (NOW, NOW, False)
    dead.pass_ms(60_000)
    assert clock.read() == (NOW + 60, NOW + 60, False)
    clock.hear(NOW + 10, proven=False)
    assert clock.read().floor == NOW + 60, "an older one says nothing new"


def test_a_proven_one_is_the_present(dead):
    clock = dead.clock("none")
    clock.hear(NOW, proven=True)
    dead.pass_ms(7_000)
    clock.tick()
    assert clock.read() == (NOW + 7, NOW + 7, True)
    assert clock.anchor().error == 120_000
    assert not clock.suspect


def test_a_borrowed_time_is_not_told_anew_with_every_beacon(dead):
    clock = dead.clock("none")
    clock.hear(NOW, proven=True)
    first = clock.anchor()
    dead.pass_ms(3_600_000)
    clock.hear(NOW + 3600, proven=True)
    assert clock.anchor() == first
    clock.hear(NOW + 3700, proven=True)
    assert clock.read().best == NOW + 3700, "one that had less delay is nearer to the truth"


@pytest.mark.parametrize("wrong", [BUILD_TIME - 1, LAST_TIME + 1, NOW - 86_400 * 31])
def test_absurd_times_are_passed_over(dead, wrong):
    clock = dead.clock("none")
    clock.hear(wrong, proven=True)
    assert not clock.trusted


def test_nothing_of_it_survives_in_the_floor_so_that_a_wrong_issuer_can_be_outlived(dead):
    clock = dead.clock("none")
    clock.hear(NOW + 300 * 86_400, proven=True)
    dead.pass_ms(60_000)
    clock.tick()
    after = Clock("none", boot=bytes(8), now=lambda: 1, wall_ms=lambda: 5, saved=clock.save())
    assert after.read().floor == BUILD_TIME


def test_the_configured_source_takes_its_place_whatever_it_says():
    hands, vouched = Hands(), []
    clock = Clock("none", boot=BOOT, now=lambda: hands.boot, wall_ms=lambda: hands.wall)
    clock._says = lambda: bool(vouched)
    clock.hear(NOW + 86_400 * 30, proven=True)
    assert clock.read().best == NOW + 86_400 * 30
    vouched.append(1)
    assert clock.tick() is not None
    assert clock.read() == (NOW, NOW, True)


def test_a_trusted_clock_takes_nothing():
    clock = Hands().clock()
    before = clock.read()
    clock.hear(NOW + 500, proven=True)
    assert clock.read() == before
