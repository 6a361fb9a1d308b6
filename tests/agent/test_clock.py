"""Anchors: wall time from boot time, whatever the wall does."""

import pytest

from agent.clock import BUILD_TIME, LAST_TIME, Clock

TODAY = (BUILD_TIME + 30 * 86400) * 1000
BOOT = bytes(range(8))


class Hands:
    """A boot clock and a wall clock that a test moves."""

    def __init__(self, wall=TODAY, boot=5_000):
        self.wall, self.boot = wall, boot

    def pass_ms(self, ms):
        self.wall += ms
        self.boot += ms

    def clock(self, source="system", **kw):
        return Clock(source, boot=BOOT, now=lambda: self.boot, wall_ms=lambda: self.wall, **kw)


def test_trusted_at_once_when_the_system_is_trusted():
    hands = Hands()
    clock = hands.clock()
    assert clock.trusted
    assert clock.wall(BOOT, hands.boot - 1000) == (TODAY - 1000, True)
    assert clock.read().trusted
    assert clock.read().best == TODAY // 1000


def test_a_step_of_seconds_makes_a_new_anchor_and_drift_does_not():
    hands = Hands()
    clock = hands.clock()
    hands.pass_ms(60_000)
    hands.wall += 40
    assert clock.tick() is None
    hands.wall += 5_000
    anchor = clock.tick()
    assert anchor is not None
    assert anchor.trusted
    assert clock.wall(BOOT, hands.boot) == (hands.wall, True)


@pytest.mark.parametrize("wall", [0, 1_000_000, (LAST_TIME + 1) * 1000, 2_808_000_000_000])
def test_a_trusted_clock_set_to_1970_or_2059_is_not_followed(wall):
    hands = Hands()
    clock = hands.clock()
    hands.pass_ms(10_000)
    hands.wall = wall
    assert clock.tick() is None
    assert clock.suspect
    assert clock.wall(BOOT, hands.boot) == (TODAY + 10_000, True)
    assert clock.floor <= TODAY + 10_000


@pytest.mark.parametrize("wall", [0, 2_808_000_000_000])
def test_a_boot_with_an_impossible_wall_is_untrusted_and_starts_at_the_floor(wall):
    hands = Hands(wall)
    clock = hands.clock()
    assert not clock.trusted
    unix, trusted = clock.wall(BOOT, hands.boot)
    assert not trusted
    assert unix == BUILD_TIME * 1000
    hands.pass_ms(1000)
    hands.wall = TODAY
    assert clock.tick() is not None
    assert clock.wall(BOOT, hands.boot) == (TODAY, True)


def test_readings_taken_before_the_clock_was_set_get_the_right_time_afterwards():
    hands = Hands(wall=0)
    clock = hands.clock()
    taken = hands.boot
    hands.pass_ms(3_600_000)
    hands.wall = TODAY
    clock.tick()
    assert clock.wall(BOOT, taken) == (TODAY - 3_600_000, True)


def test_the_floor_and_old_boots_survive_a_restart():
    hands = Hands()
    saved = hands.clock().save()
    later = Hands(wall=0, boot=100)
    clock = Clock("system", boot=b"another!", now=lambda: later.boot, wall_ms=lambda: later.wall, saved=saved)
    assert clock.wall(BOOT, 5_000) == (TODAY, True)
    assert clock.floor == TODAY
    assert clock.read().best >= TODAY // 1000
    assert not clock.read().trusted


@pytest.mark.parametrize("saved", [b"", b"{", b"null", b'{"floor":"x"}', b'{"floor":1,"anchors":[[1]]}', b"[]"])
def test_lost_anchors_never_stop_a_start(saved):
    assert Hands().clock(saved=saved or None).trusted


def test_a_boot_nobody_knows_is_dated_by_the_floor_and_marked():
    unix, trusted = Hands().clock().wall(b"unknown!", 123)
    assert not trusted
    assert unix >= BUILD_TIME * 1000
