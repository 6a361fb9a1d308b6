"""A river that rises is read every minute, and every ten minutes again when it has been calm for a while."""

from types import SimpleNamespace

from agent.hasten import Hastening, check_fast
from drivers.api import SeriesSpec
from drivers.collect import collect
from drivers.pace import Fast, Pace
from protocols.quality import GOOD, NOT_EVALUATED, Flag, quality
from protocols.reading import Reading

WHEN = 'river.stage > 24.5 or rate(river.stage, "30min") > 0.3'
MINUTE = 60_000  # ms


class River:
    def __init__(self, **keys):
        fast, problems = collect(Fast, {"when": WHEN, "interval": "1min", "hold": "10min"} | keys)
        assert problems == []
        self.pace, self.now = Pace(600.0), 0
        self.other = Pace(600.0)
        sensors = [
            (fast, SimpleNamespace(pace=self.pace, interval=600.0)),
            (None, SimpleNamespace(pace=self.other, interval=600.0)),
        ]
        self.hastening = Hastening(sensors, lambda: self.now)

    def at(self, minute, stage, found=GOOD):
        self.now = minute * MINUTE
        self.hastening.take([Reading("river.stage", self.now, stage, "m", found)])
        return self.pace.interval

    def quiet(self, minute):
        self.now = minute * MINUTE
        for urge in self.hastening.urges:
            urge.look(self.now)
        return self.pace.interval


def test_a_threshold_hastens_and_the_hold_slows_down():
    river = River(when="river.stage > 24.5")
    assert river.at(0, 24.0) == 600
    assert river.at(10, 24.6) == 60
    assert river.at(11, 24.4) == 60  # trembles about it
    assert river.at(15, 24.4) == 60
    assert river.at(19, 24.4) == 60
    assert river.at(20, 24.4) == 600
    assert river.other.interval == 600


def test_a_rise_below_the_threshold_hastens_too():
    river = River()
    assert [river.at(10 * n, 20 + 0.1 * n) for n in range(6)][-1] == 60  # 0.6 m/h


def test_only_good_data_counts():
    river = River()
    for found in (NOT_EVALUATED, quality(Flag.SUSPECT), quality(Flag.BAD)):
        assert river.at(1, 30.0, found) == 600
    assert river.at(2, 30.0) == 60


def test_a_sensor_that_falls_silent_slows_down():
    river = River()
    assert river.at(0, 25.0) == 60
    assert river.quiet(9) == 60  # the last value is still one
    assert river.quiet(29) == 60
    assert river.quiet(31) == 60  # none any more: held
    assert river.quiet(45) == 600


def test_what_check_says():
    specs = {"river.stage": SeriesSpec("m", expect=(10, 40)), "raw": SeriesSpec("m")}

    def codes(when):
        return [
            (table, one.key, one.code) for table, one in check_fast([("gauge", Fast(when=when, interval=60.0))], specs)
        ]

    assert codes(WHEN) == []
    assert codes("lake > 1") == [("sensor gauge", "fast.when", "rule.series")]
    assert codes("raw > 1") == [("sensor gauge", "fast.when", "rule.untested")]
    assert codes("river.stage >") == [("sensor gauge", "fast.when", "rule.expected_operand")]
    assert list(check_fast([("gauge", None)], specs)) == []
