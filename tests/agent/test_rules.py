"""Windows and rules: each sentence of the guide, in a table or a season of virtual readings."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.spot.rules import LONGEST_BLIND, RENEW, Rule, RuleConfig, Turn, tracks_for
from agent.spot.windows import SLOTS, Counter, Window
from drivers.values import Duration
from protocols.rule_truth import UNKNOWN, Interval, point

MINUTE = 60_000
HOUR = 60 * MINUTE


def filled(seconds, readings):
    window = Window(seconds)
    for at, value in readings:
        window.add(at, value)
    return window


# Windows


@pytest.mark.parametrize(
    ("function", "expected"),
    [("sum", 60.0), ("max", 1.0), ("min", 1.0), ("mean", 1.0), ("rate", 0.0), ("rise", 0.0)],
)
def test_a_whole_hour(function, expected):
    window = filled(3600, [(minute * MINUTE, 1.0) for minute in range(120)])
    assert window.look(function, 119 * MINUTE, 2 * MINUTE) == point(expected)


def test_what_is_older_than_the_window_is_forgotten():
    window = filled(3600, [(minute * MINUTE, 1.0) for minute in range(60)])
    assert window.look("sum", 59 * MINUTE, HOUR).low == 60
    assert window.look("sum", 60 * MINUTE, HOUR).low == 59
    assert window.look("sum", 119 * MINUTE, HOUR) == UNKNOWN


def test_a_hole_leaves_at_least_and_at_most():
    readings = [(minute * MINUTE, 3.0) for minute in range(120) if not 70 < minute < 100]
    window = filled(3600, readings)
    now = 119 * MINUTE
    assert window.look("sum", now, 5 * MINUTE) == Interval(93.0, math.inf)
    assert window.look("max", now, 5 * MINUTE) == Interval(3.0, math.inf)
    assert window.look("min", now, 5 * MINUTE) == Interval(-math.inf, 3.0)
    assert window.look("mean", now, 5 * MINUTE) == UNKNOWN
    assert window.look("rate", now, 5 * MINUTE) == UNKNOWN
    assert window.look("sum", now, HOUR) == point(93.0)


def test_a_hole_is_no_least_sum_where_values_may_be_negative():
    window = filled(3600, [(0, 5.0), (MINUTE, -1.0)])
    assert window.look("sum", MINUTE, MINUTE) == UNKNOWN


def test_silence_at_the_end_is_a_hole():
    window = filled(3600, [(minute * MINUTE, 1.0) for minute in range(60)])
    assert window.look("mean", 61 * MINUTE, 5 * MINUTE) == point(1.0)
    assert window.look("mean", 66 * MINUTE, 5 * MINUTE) == UNKNOWN


@pytest.mark.parametrize("uptime", [0, 10 * 365 * 24 * HOUR])
def test_the_slope_is_per_hour_and_steady_after_ten_years(uptime):
    readings = [(uptime + second * 1000, 27.0 + 0.5 * second / 3600) for second in range(0, 3600, 7)]
    window = filled(1800, readings)
    low, high = window.look("rate", readings[-1][0], MINUTE)
    assert low == high == pytest.approx(0.5, rel=1e-6)


@given(st.lists(st.tuples(st.integers(1, 60_000), st.floats(0, 100)), min_size=3, max_size=300))
def test_slots_agree_with_the_plain_sum_to_a_slot(steps):
    at, readings = 0, []
    for step, value in steps:
        at += step
        readings.append((at, value))
    window = filled(600, readings)
    inside = [value for then, value in readings if then > at - 600_000]
    safely = [value for then, value in readings if then > at - 600_000 + 600_000 // SLOTS + 60_000]
    found = window.look("sum", at, 600_000).low
    if found > -math.inf:
        assert sum(safely) - 1e-6 <= found <= sum(inside) + 1e-6
        assert window.look("max", at, 600_000).low <= max(inside)
    assert len(window) <= SLOTS + 2


def test_a_window_stays_small_in_a_flood_of_readings():
    window = Window(3600)
    for at in range(0, 4 * HOUR, 500):
        window.add(at, 1.0)
    assert len(window) <= SLOTS + 2


COUNTED = {
    "steady": ([10, 11, 12, 13], 2),  # the newest is believed when the next agrees
    "a reset": ([98, 99, 0, 1, 2, 3], 2),
    "one wrong value above": ([10, 10, 9000, 10, 10], 0),
    "one wrong value below": ([100, 100, 0, 100, 100], 0),
    "a reset and a wrong value": ([100, 100, 0, 500, 1, 1, 2, 2], 1),
}


@pytest.mark.parametrize("name", COUNTED)
def test_a_counter(name):
    values, gained = COUNTED[name]
    counter = Counter()
    assert sum(counter.gained(value) for value in values) == gained


# Rules


class Bench:
    """One rule and the readings it is shown."""

    def __init__(self, when, **words):
        words = {"event": "flash-flood", "level": "red", **words}
        words |= {name: Duration(words[name]) for name in ("hold", "stale") if name in words}
        self.rule = Rule(RuleConfig(name="r", when=when, **words))
        self.tracks = tracks_for([self.rule])
        self.turns = []

    def show(self, at, flag=1, **values):
        for name, value in values.items():
            series = name.replace("_", ".")
            if flag == 1:
                self.tracks.good[series].add(at, value)
            if flag in (1, 3):
                self.tracks.usable[series].add(at, value)
        return self.look(at)

    def look(self, at):
        turn = self.rule.step(at, self.tracks)
        if turn is not Turn.NOTHING:
            self.turns.append((at, turn))
        return turn


def test_a_threshold_raises_at_once_and_clears_at_once():
    bench = Bench("river.stage > 27.8")
    assert bench.show(0, river_stage=27.8) is Turn.NOTHING
    assert bench.show(1000, river_stage=27.9) is Turn.RAISED
    assert bench.rule.state.found.evidence == (("river.stage", 27.9),)
    assert bench.show(2000, river_stage=27.7) is Turn.CLEARED


def test_a_hold_is_waited_for_and_a_break_begins_it_anew():
    bench = Bench("river.stage > 27.8", hold=300)
    for second in range(0, 290, 10):
        assert bench.show(second * 1000, river_stage=28) is Turn.NOTHING
    bench.show(290_000, river_stage=27)
    for second in range(300, 600, 10):
        assert bench.show(second * 1000, river_stage=28) is Turn.NOTHING
    assert bench.show(600_000, river_stage=28) is Turn.RAISED
    assert bench.show(610_000, river_stage=27) is Turn.NOTHING
    bench.show(800_000, river_stage=28)
    bench.show(810_000, river_stage=27)
    assert bench.show(1_100_000, river_stage=27) is not Turn.CLEARED
    assert bench.show(1_110_000, river_stage=27) is Turn.CLEARED


@pytest.mark.parametrize("clear", ["river.stage < 27.5", 0.3])
def test_hysteresis(clear):
    bench = Bench("river.stage > 27.8", clear=clear)
    bench.show(0, river_stage=28)
    assert bench.show(1000, river_stage=27.6) is Turn.NOTHING
    assert bench.rule.state.active
    assert bench.show(2000, river_stage=27.4) is Turn.CLEARED
    assert bench.show(3000, river_stage=27.6) is Turn.NOTHING


@pytest.mark.parametrize("flag", [2, 4, 9])
def test_what_is_not_good_is_as_if_it_had_not_come(flag):
    bench = Bench("river.stage > 27.8", stale=60)
    bench.show(0, river_stage=27)
    bench.show(1000, flag=flag, river_stage=99)
    assert not bench.rule.state.active
    bench.show(2000, river_stage=28)
    for second in range(3, 60):
        assert bench.show(second * 1000, flag=flag, river_stage=1) is Turn.NOTHING
    assert bench.rule.state.active


def test_silence_is_told_and_ends_nothing():
    bench = Bench("river.stage > 27.8", stale=60)
    bench.show(0, river_stage=28)
    for minute in range(1, 10):
        bench.look(minute * MINUTE + 1)
    assert [turn for _, turn in bench.turns if turn is not Turn.STANDS] == [Turn.RAISED, Turn.BLIND]
    assert bench.rule.state.active
    assert bench.rule.missing(10 * MINUTE, bench.tracks) == ["river.stage"]
    assert bench.show(11 * MINUTE, river_stage=28) is Turn.STANDS
    bench.look(13 * MINUTE)
    bench.look(15 * MINUTE)
    assert bench.look(15 * MINUTE + LONGEST_BLIND) is Turn.GIVEN_UP
    assert not bench.rule.state.active


def test_silence_raises_nothing_and_its_end_is_told():
    bench = Bench("not river.stage > 27.8", stale=60)
    for minute in range(5):
        bench.look(minute * MINUTE)
    assert [turn for _, turn in bench.turns] == [Turn.BLIND]
    assert bench.show(6 * MINUTE, river_stage=30) is Turn.SEEING


def test_suspect_data_need_another_series():
    alone = Bench("river.stage > 27.8")
    alone.show(0, flag=3, river_stage=29)
    assert not alone.rule.state.active
    both = Bench('river.stage > 27.8 and sum(rain.tips, "10m") >= 5')
    for second in range(0, 660, 10):
        both.show(second * 1000, rain_tips=1, river_stage=20)
    assert both.show(660_000, flag=3, river_stage=29) is Turn.RAISED
    assert both.rule.state.found.doubted == ("river.stage",)
    assert both.rule.state.found.evidence == (("rain.tips", 1),)
    neither = Bench("river.stage > 27.8 and lake.stage > 27.8")
    neither.show(0, flag=3, river_stage=29, lake_stage=29)
    assert not neither.rule.state.active


def test_rain_with_a_hole_raises_and_does_not_clear():
    bench = Bench('sum(rain.tips, "1h") >= 60', stale=300)
    for minute in range(10):
        bench.show(minute * MINUTE, rain_tips=7)
    assert bench.rule.state.active  # 70 tips in ten minutes are 60 in an hour, whatever came before
    assert bench.turns == [(5 * MINUTE, Turn.BLIND), (8 * MINUTE, Turn.RAISED)]
    for minute in range(30, 75):
        bench.show(minute * MINUTE, rain_tips=0)
    assert bench.rule.state.active  # it may have rained while nobody looked
    for minute in range(75, 92):
        bench.show(minute * MINUTE, rain_tips=0)
    assert not bench.rule.state.active


def test_a_series_that_joins_is_said_at_once_and_a_standing_alarm_now_and_then():
    bench = Bench("river.stage > 27.8 or lake.stage > 10")
    bench.show(0, river_stage=28, lake_stage=9)
    assert bench.show(1000, river_stage=28) is Turn.NOTHING
    assert bench.show(2000, lake_stage=11) is Turn.STANDS
    assert len(bench.rule.state.found.evidence) == 2
    assert bench.show(3000, lake_stage=11, river_stage=28) is Turn.NOTHING
    assert bench.show(2000 + RENEW, lake_stage=11, river_stage=28) is Turn.STANDS


def test_a_season_of_floods():
    """Ninety days, a reading a minute, three floods, and a sensor that lies, sticks and falls silent in between."""
    chance = random.Random(7)
    bench = Bench(
        'river.stage > 27.8 and (rate(river.stage, "30m") > 0.2 or rise(rain.total, "3h") > 50)',
        hold=180, clear="river.stage < 27.5", stale=900,
    )  # fmt: skip
    floods, total = [20 * 24 * 60, 45 * 24 * 60, 71 * 24 * 60], 0.0
    for minute in range(90 * 24 * 60):
        since = min((minute - one for one in floods if minute >= one), default=10**9)
        rain = 0.6 if since < 240 else 0.0
        stage = 25.0 + 4.0 * min(1.0, since / 240) * math.exp(-max(0, since - 240) / 400) + chance.gauss(0, 0.01)
        total += rain
        if minute == 30 * 24 * 60:
            total = 0.0  # the gauge was serviced
        odd = chance.random()
        if minute % 20_000 < 60:
            continue  # silence for an hour
        if odd < 0.002:
            bench.show(minute * MINUTE, river_stage=chance.choice([0.0, 99.0]), flag=4)
            continue
        shown_total = 6553.5 if 0.002 < odd < 0.003 else total  # one wrong word, in range
        bench.show(minute * MINUTE, river_stage=stage, rain_total=shown_total)
    raised = [at // MINUTE for at, turn in bench.turns if turn is Turn.RAISED]
    assert len(raised) == len(floods)
    assert all(0 < at - flood < 240 for at, flood in zip(raised, floods, strict=True))
    assert [turn for _, turn in bench.turns].count(Turn.CLEARED) == len(floods)
    assert not bench.rule.state.active
