"""Derived series against published and computed cases; and what no case shows: gaps, resets, restarts, clocks."""

import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.derive.air import DewPoint, DewPointConfig, dew_point
from agent.derive.counting import Gains, Total
from agent.derive.level import Level, LevelConfig, Rate, RateConfig, Rating, RatingConfig, Segment, flow
from agent.derive.model import PARTIAL, Moment
from agent.derive.rain import Rain, RainConfig
from agent.derive.wind import Wind, WindConfig, mean_direction, mean_speed
from protocols.quality import GOOD, Flag, Reason, flag_of, quality
from protocols.reading import Reading
from tests.support.tree import ROOT

VECTORS = json.loads((ROOT / "tests" / "vectors" / "derived.json").read_text())
CHINA = timezone(timedelta(hours=8))
ZONE = ZoneInfo("Asia/Shanghai")


def wall(text):
    """Unix ms of a local time of the vectors."""
    return round(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp() * 1000)


BOOT = wall("2026-07-19T06:00:00")  # when the machine of these tests began


def moment(at, *, trusted=True):
    """At a wall time."""
    return Moment(at - BOOT, at, trusted)


def reading(name, at, value, unit="mm", found=GOOD):
    return Reading(name, at - BOOT, value, unit, found)


class Gauge:
    """A rain series fed with tips, each at its time, and asked in between as an agent would."""

    def __init__(self, **keys):
        self.rain = Rain(RainConfig(of="rain.total", **keys), ZONE)
        self.said = {}
        self.total = 0.0

    def at(self, when, value, **kw):
        now = moment(when, **kw)
        self._note([*self.rain.tick(now), *self.rain.take(reading("rain.total", when, value), now)])

    def tick(self, when, **kw):
        self._note(self.rain.tick(moment(when, **kw)))

    def _note(self, readings):
        for one in readings:
            self.said.setdefault(one.series, {})[one.at + BOOT] = one

    def value(self, series, when):
        return self.said[series][wall(when)].value


def a_night_of_rain():
    """The vectors' tips, from a counter that is read every ten seconds from noon of the day before."""
    gauge = Gauge()
    tips = [(wall(when), amount) for when, amount in VECTORS["rain"]["tips"]]
    total, now = 100.0, wall("2026-07-19T07:00:00")
    while now <= wall("2026-07-20T10:00:05"):
        for when, amount in list(tips):
            if when <= now:
                total = round(total + amount, 3)
                tips.remove((when, amount))
                gauge.at(when, total)
        gauge.at(now, total)
        now += 60_000
    gauge.tick(wall("2026-07-20T10:00:06"))
    return gauge


@pytest.fixture(scope="module")
def night():
    return a_night_of_rain()


def test_sliding_sums(night):
    wanted = VECTORS["rain"]["sliding_at_2026-07-20T09:30:00"]
    found = {name: night.value(f"rain.{name}", "2026-07-20T09:30:00") for name in ("1h", "3h", "6h")}
    day = night.said["rain.24h"][wall("2026-07-20T09:30:00")]
    assert found | {"24h": day.value} == wanted
    assert day.quality == GOOD


def test_clock_hours_and_the_rain_day(night):
    for end, amount in VECTORS["rain"]["clock_hours_P1"].items():
        assert night.value("rain.hour", end) == amount
    day = VECTORS["rain"]["hydrological_day"]
    assert night.value("rain.day", "2026-07-20T08:00:00") == day["ending_2026-07-20T08:00 (PD)"]
    assert night.value("rain.today", "2026-07-20T09:30:00") == day["since_2026-07-20T08:00 (PJ at 09:30)"]
    assert len(night.said["rain.day"]) == 1 + 1  # 08:00 of both mornings


def test_a_sum_whose_window_was_not_watched_is_suspect(night):
    first = night.said["rain.24h"][wall("2026-07-19T08:00:00")]
    assert first.quality == PARTIAL
    assert night.said["rain.1h"][wall("2026-07-19T08:30:00")].quality == GOOD


def test_a_restart_keeps_what_fell():
    before = Gauge()
    begin = wall("2026-07-20T08:02:00")
    for minute in range(120):
        before.at(begin + minute * 60_000, 100.0 + minute // 10)
    now = begin + 119 * 60_000
    saved = json.loads(json.dumps(before.rain.save(moment(now)) or before.rain.save(moment(now))))
    after = Gauge().rain
    rebooted = Moment(30_000, now + 60_000, True)
    after.load(saved, rebooted)
    said = {one.series: one for one in after.take(Reading("rain.total", 30_000, 114.0, "mm", GOOD), rebooted)}
    assert said["rain.today"].value == 14.0  # eleven before, three while the agent was away
    assert said["rain.accumulated"].value == 14.0
    assert said["rain.1h"].value == 8.0  # 09:10 … 10:00 and what is new
    assert said["rain.1h"].quality == GOOD
    assert after.save(rebooted) is not None
    assert after.save(rebooted) is None  # nothing has changed since


def test_a_silent_gauge_has_no_hour_of_nought():
    gauge = Gauge()
    gauge.at(wall("2026-07-20T05:10:00"), 1.0)
    gauge.at(wall("2026-07-20T06:10:00"), 2.0)
    gauge.tick(wall("2026-07-20T09:00:01"))
    assert "rain.hour" not in gauge.said


def test_hours_wait_for_a_trusted_clock():
    gauge = Gauge()
    gauge.at(wall("2026-07-20T05:10:00"), 1.0, trusted=False)
    gauge.at(wall("2026-07-20T06:10:00"), 2.0, trusted=False)
    assert "rain.hour" not in gauge.said
    assert gauge.said["rain.today"][wall("2026-07-20T06:10:00")].quality != GOOD
    assert flag_of(gauge.said["rain.1h"][wall("2026-07-20T06:10:00")].quality) is Flag.GOOD


@pytest.mark.parametrize("hour", [0, 8, 20])
def test_the_day_begins_when_it_is_told(hour):
    gauge = Gauge(day_start=hour)
    start = wall("2026-07-18T00:00:00") + hour * 3_600_000
    for minute in range(0, 26 * 60, 5):
        gauge.at(start + minute * 60_000, float(minute // 60))
    assert list(gauge.said["rain.day"]) == [start, start + 86_400_000]
    assert flag_of(gauge.said["rain.day"][start].quality) is Flag.SUSPECT  # begun in that moment
    assert gauge.said["rain.day"][start + 86_400_000].value == 24.0


# Counters


def test_a_wrap_a_reset_and_what_no_cloud_can_give():
    case = VECTORS["rain"]["counter_wrap"]
    gains = Gains(wrap=65536, cap=1000)
    gains.gained(0, case["prev"])
    assert gains.gained(60_000, case["now"]) == (case["delta_tips"], False)
    assert gains.gained(120_000, 2) == (2, True)  # far from the end: begun again, and said
    assert gains.gained(180_000, 60_000) == (0.0, True)  # a wrong value
    assert gains.gained(240_000, 5) == (3, False)  # and the right one after it
    assert gains.gained(300_000, 50_000)[0] == 0.0
    assert gains.gained(360_000, 50_007) == (7, True)  # another counter hangs here now
    assert gains.gained(420_000, 50_008) == (1, False)


@given(st.lists(st.tuples(st.integers(1, 600_000), st.floats(0, 20)), max_size=60), st.integers(1, 3_600_000))
def test_parts_make_the_whole(steps, span):
    total, now, amounts = Total(0), 0, []
    for pause, amount in steps:
        now += pause
        total.add(now, amount)
        amounts.append((now, amount))
    assert total.between(0, now) == pytest.approx(sum(amount for _, amount in amounts))
    wanted = sum(amount for at, amount in amounts if now - span < at <= now)
    assert total.between(now - span, now) == pytest.approx(wanted, abs=1e-6)
    thin = Total(0)
    thin.times, thin.totals = map(list, zip(*total.thinned(300_000), strict=True)) if amounts else ([], [])
    for end in range(0, now + 300_000, 300_000):
        assert thin.up_to(end) == pytest.approx(total.up_to(end))


def test_what_is_kept_is_bounded():
    total = Total(0)
    for second in range(50_000):
        total.add(second * 1000, 0.1)
        total.forget(second * 1000 - 10**9, 1000)
    assert len(total.times) <= 1000
    assert total.now == pytest.approx(5000)
    assert len(json.dumps(total.thinned(300_000))) < 16_000


# Level, rate, flow


def test_level_from_a_pressure_sensor_and_from_a_radar():
    level = Level(LevelConfig(of="probe", relative="river.depth", base=100.0, correction=0.02))
    said = level.take(reading("probe", BOOT, 1.2, "m"), moment(BOOT))
    assert [(one.series, one.value, one.unit) for one in said] == [
        ("river.stage", 101.22, "m"),
        ("river.depth", 1.22, "m"),
    ]
    radar = Level(LevelConfig(of="distance", above=112.5, scale=0.001))
    assert [one.value for one in radar.take(reading("distance", BOOT, 8430, "mm"), moment(BOOT))] == [104.07]
    assert radar.take(reading("distance", BOOT, 999.0, "mm"), moment(BOOT)) == ()
    assert level.take(reading("probe", BOOT, 1.2, "m", quality(Flag.BAD)), moment(BOOT)) == ()


def test_least_squares_of_four_points():
    rate = Rate(RateConfig(of="river.stage", series="river.rate", window=1801))
    for when, level in VECTORS["level"]["samples"][:4]:
        said = rate.take(reading("river.stage", wall(when), level, "m"), moment(wall(when)))
        assert bool(said) == when.endswith("08:30:00")  # three points are no slope
    assert said[0].value == pytest.approx(VECTORS["level"]["lsq_slope_first4_m_per_h"], abs=0.001)
    assert said[0].unit == "m/h"


def test_flow_by_the_rating():
    case = VECTORS["rating"]
    segments = [Segment(case["a"], case["h0"], case["b"])]
    for level, wanted in case["points"]:
        assert flow(segments, level) == pytest.approx(wanted, abs=0.001)
    rating = Rating(RatingConfig(of="river.stage", segments=segments, highest=102.0))
    assert [flag_of(one.quality) for one in rating.take(reading("river.stage", BOOT, 102.1, "m"), moment(BOOT))] == [
        Flag.SUSPECT
    ]
    assert [flag_of(one.quality) for one in rating.take(reading("river.stage", BOOT, 101.9, "m"), moment(BOOT))] == [
        Flag.GOOD
    ]
    two = [Segment(10, 99, 2, upto=100), Segment(20, 99.5, 1.5)]
    assert flow(two, 100) == pytest.approx(10)
    assert flow(two, 100.5) == pytest.approx(20)


# Wind, air


@pytest.mark.parametrize("case", VECTORS["wind"])
def test_mean_wind(case):
    pairs = list(zip(case["speed"], case["dir"], strict=True))
    for weighted, key in ((True, "vector_dir"), (False, "unit_vector_dir")):
        found, wanted = mean_direction(pairs, weighted=weighted), case[key]
        assert (found is None) == (wanted is None)
        if wanted is not None:
            assert (found - wanted + 180) % 360 - 180 == pytest.approx(0, abs=0.01)
            assert 0 < found <= 360
    assert mean_speed(pairs) == pytest.approx(case["vector_speed"], abs=0.001)
    assert sum(case["speed"]) / len(case["speed"]) == pytest.approx(case["scalar_mean"])


def blown(samples, **keys):
    wind = Wind(WindConfig(every=60, **keys))
    said = []
    for at, speed, direction in samples:
        said += wind.take(reading("wind.direction", at, direction, "deg"), moment(at))
        said += wind.take(reading("wind.speed", at, speed, "m/s"), moment(at))
    return {(one.series, one.at + BOOT): one for one in said}


def test_a_gust_is_three_seconds_and_north_is_360():
    begin = BOOT + 1000
    samples = [
        (begin + n * 250, 20.0 if n in range(1000, 1006) else 5.0, 350.0 if n % 2 else 10.0) for n in range(4 * 700)
    ]
    said = blown(samples)
    last = max(at for _, at in said)
    value = {series.removeprefix("wind."): one.value for (series, at), one in said.items() if at == last}
    assert value["10min.direction"] == 360.0
    assert value["10min.gust"] == pytest.approx((6 * 20 + 6 * 5) / 12)
    assert value["2min.gust"] == 5.0
    assert said["wind.10min.speed", last].quality == GOOD
    assert flag_of(said["wind.10min.speed", begin].quality) is Flag.SUSPECT


def test_calm_has_direction_nought_and_cancelling_winds_have_none():
    calm = blown([(BOOT + n * 1000, 0.1, 77.0) for n in range(200)])
    assert {one.value for (series, _), one in calm.items() if series.endswith("direction")} == {0.0}
    opposed = blown([(BOOT + 1000, 5.0, 0.0), (BOOT + 62_000, 5.0, 180.0)])
    assert ("wind.2min.direction", BOOT + 62_000) not in opposed


@pytest.mark.parametrize("case", VECTORS["dew_point"])
def test_dew_point(case):
    assert dew_point(case["t_c"], case["rh"]) == pytest.approx(case["td_c"], abs=0.01)


def test_dew_point_of_nothing():
    assert dew_point(20, 0) is None
    assert dew_point(-300, 50) is None
    made = DewPoint(DewPointConfig())
    now = moment(BOOT)
    assert made.take(reading("air.temperature", BOOT, 20.0, "Cel"), now) == ()
    said = made.take(reading("air.humidity", BOOT, 50.0, "%{RH}", quality(Flag.SUSPECT)), now)
    assert [(one.value, flag_of(one.quality)) for one in said] == [(9.25, Flag.SUSPECT)]
    assert (
        made.take(reading("air.humidity", BOOT + 3_600_000, 60.0, "%{RH}"), now) == ()
    )  # the warmth is of an hour ago


def test_a_dew_point_is_of_values_of_one_moment():
    """An instrument says both at once, minute by minute: not the new warmth with the damp of a minute ago."""
    made, said = DewPoint(DewPointConfig()), []
    for minute, warm, damp in ((0, 20.0, 50.0), (1, 30.0, 80.0), (2, 10.0, 30.0)):
        at = BOOT + minute * 60_000
        said += made.take(reading("air.temperature", at, warm, "Cel"), moment(at))
        said += made.take(reading("air.humidity", at, damp, "%{RH}"), moment(at))
    assert [one.value for one in said] == [
        round(dew_point(warm, damp), 2) for warm, damp in ((20, 50), (30, 80), (10, 30))
    ]


def test_a_slope_through_a_doubtful_point_is_doubtful_as_long_as_it_goes_through_it():
    rate = Rate(RateConfig(of="river.stage", series="river.rate", window=600))
    flags = {}
    for minute in range(20):
        at = BOOT + minute * 60_000
        found = quality(Flag.SUSPECT, Reason.SPIKE) if minute == 5 else GOOD
        for one in rate.take(reading("river.stage", at, minute / 100, "m", found), moment(at)):
            flags[minute] = one.quality
    assert {minute for minute, one in flags.items() if flag_of(one) is Flag.SUSPECT} == set(range(5, 15)) & set(flags)
    assert flags[10] == quality(Flag.SUSPECT, Reason.SPIKE)
    assert flags[19] == GOOD


def test_flow_above_the_end_of_the_last_segment_is_extrapolated_and_said():
    rating = Rating(
        RatingConfig(of="river.stage", segments=[Segment(10, 99, 2, upto=100), Segment(20, 99.5, 1.5, 102)])
    )
    flags = [
        flag_of(one.quality)
        for level in (99.9, 102.0, 102.1)
        for one in rating.take(reading("river.stage", BOOT, level, "m"), moment(BOOT))
    ]
    assert flags == [Flag.GOOD, Flag.GOOD, Flag.SUSPECT]


def test_a_gust_is_three_seconds_at_the_edge_of_a_window_too():
    """A quarter of a second of 30 m/s is none, wherever in the window it lies."""
    begin = BOOT + 1000
    samples = [(begin + n * 250, 30.0 if n == 1200 else 5.0, 90.0) for n in range(4 * 900)]
    gusts = [one.value for (series, _), one in blown(samples).items() if series.endswith("gust")]
    assert max(gusts) == pytest.approx((30 + 11 * 5) / 12, abs=0.001)
    slow = blown([(begin + n * 5000, 9.0 if n == 30 else 4.0, 90.0) for n in range(100)])
    assert max(one.value for (series, _), one in slow.items() if series.endswith("gust")) == 9.0


def test_wind_after_a_pause_is_not_that_of_ten_minutes():
    calm = [(BOOT + n * 1000, 5.0, 90.0) for n in range(900)]
    after = [(BOOT + 900_000 + 300_000 + n * 1000, 5.0, 90.0) for n in range(700)]
    said = blown(calm + after)
    first, last = after[0][0], max(at for _, at in said)
    assert said["wind.10min.speed", BOOT + 841_000].quality == GOOD
    assert said["wind.10min.speed", first].quality == PARTIAL
    assert said["wind.10min.speed", last].quality == GOOD
    thick = blown([(BOOT + n * 100, 5.0, 90.0) for n in range(7000)])  # 10 Hz: four minutes are all that is kept
    assert thick["wind.2min.speed", max(at for _, at in thick)].quality == GOOD
    assert thick["wind.10min.speed", max(at for _, at in thick)].quality == PARTIAL
