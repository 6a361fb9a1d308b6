"""When a subscriber asks again: with patience, less and less often, and never more than a station bears."""

import json
from itertools import pairwise

from agent.subscriber.heal import FIRST, LONGEST, PATIENCE, SPACING, Healer
from agent.subscriber.holdings import Lane
from agent.subscriber.listen import Tracker
from buffer.ranges import Ranges
from protocols.resend import MAX_RANGES

LOG = "00112233445566ff"


class World:
    def __init__(self):
        self.now = 1000.0
        self.tracker = Tracker(whole=True)
        self.healer = Healer(self.tracker, lambda: self.now)

    def lane(self, *held, station="s1", name="telemetry", floor=101):
        lane = self.tracker.holdings.at(Lane(station, LOG, name), floor, fresh=True)
        lane.numbers.update(held)
        return lane

    def later(self, seconds):
        """What is asked for in that time, as (seconds, station, ranges)."""
        asked, end = [], self.now + seconds
        while self.now < end:
            for topic, payload in self.healer.due():
                asked.append((self.now - 1000.0, topic.split("/")[2], json.loads(payload)["ranges"]))
            self.now += 1.0
        return asked


def test_a_hole_that_closes_by_itself_is_never_asked_for():
    world = World()
    lane = world.lane((1, 50))
    assert world.later(PATIENCE - 1) == []
    lane.numbers.add(51, 100)
    assert world.later(1000) == []


def test_what_does_not_come_is_asked_for_less_and_less_often():
    world = World()
    world.lane((1, 50), (61, 100))
    asked = world.later(4 * 86_400)
    assert all(ranges == [f"{LOG}/telemetry/51-60"] for _, _, ranges in asked)
    times = [at for at, _, _ in asked]
    gaps = [after - before for before, after in pairwise(times)]
    assert times[0] >= PATIENCE
    assert gaps[0] >= FIRST
    assert all(after >= before - 2 for before, after in pairwise(gaps))
    assert gaps[-1] <= LONGEST + 2


def test_when_something_comes_the_rest_is_asked_for_soon():
    world = World()
    lane = world.lane((1, 50))
    world.later(2 * 86_400)
    lane.numbers.add(51, 60)
    [(_, _, ranges), *_] = world.later(SPACING + 5)
    assert ranges == [f"{LOG}/telemetry/61-100"]


def test_a_station_is_asked_once_in_a_while_whatever_is_missing():
    world = World()
    for station in ("s1", "s2"):
        for name in ("alarm", "event", "telemetry"):
            world.lane(*((n, n) for n in range(1, 1000, 2)), station=station, name=name, floor=1001)
    asked = world.later(600)
    assert all(len(ranges) <= MAX_RANGES for _, _, ranges in asked)
    for station in ("s1", "s2"):
        times = [at for at, name, _ in asked if name == station]
        assert all(after - before >= SPACING for before, after in pairwise(times))
        assert len(times) > 3


def test_what_the_station_has_lost_is_not_asked_for():
    world = World()
    world.lane((1, 50)).gone.update(Ranges([(51, 100)]))
    assert world.later(600) == []
