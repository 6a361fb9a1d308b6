"""Time from modems: only for want of a better one, and only from one that keeps pace."""

from types import SimpleNamespace

import pytest

from agent.bearers.hints import Hints
from agent.clock import BUILD_TIME, Clock
from drivers.api import Told

NOW = (BUILD_TIME + 1_000_000) * 1000  # Unix ms at boot time 0


class World:
    def __init__(self, source="none"):
        self.at, self.told = 1000, None
        self.clock = Clock(source, boot=b"bootboot", now=lambda: self.at, wall_ms=lambda: self.at)
        self.hints = Hints(self.clock)

    def look(self, after, error=0):
        self.at += after
        modem = SimpleNamespace(name="beidou", time=lambda: Told(NOW + self.at + error, self.at))
        self.hints.look([modem, SimpleNamespace(name="mute"), SimpleNamespace(name="new", time=lambda: None)])


def test_time_that_keeps_pace_is_borrowed():
    world = World()
    world.look(0)
    assert not world.clock.trusted
    world.look(60_000)
    assert not world.clock.trusted
    world.look(61_000)
    assert (world.clock.trusted, world.clock.borrowed) == (True, True)
    assert abs(world.clock.wall(world.clock.boot, world.at)[0] - (NOW + world.at)) <= 1000


@pytest.mark.parametrize("error", [-86_400_000, -10_000, 10_000, 86_400_000])
def test_time_that_jumps_is_not(error):
    world = World()
    for turn in range(20):
        world.look(121_000, error=error * turn)
    assert not world.clock.trusted


def test_a_clock_with_a_source_of_its_own_asks_nobody():
    world = World()
    world.clock = Clock("system", boot=b"bootboot", now=lambda: world.at, wall_ms=lambda: NOW + world.at)
    world.hints = Hints(world.clock)
    world.look(0)
    world.look(200_000, error=5_000_000)
    assert not world.clock.borrowed
    assert world.hints._offers == {}
