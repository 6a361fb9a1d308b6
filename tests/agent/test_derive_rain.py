"""Rain over restarts, silences and clocks that were wrong: nothing lost, nothing twice, and nothing that is not so called good."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.derive.model import PARTIAL, Moment
from agent.derive.rain import Rain, RainConfig
from protocols.quality import GOOD, Flag, flag_of
from protocols.reading import Reading
from tests.agent.test_derive import BOOT, ZONE, Gauge, moment, wall

MINUTE, HOUR = 60_000, 3_600_000


def restarted(gauge, when, *, wall_says=None, trusted=True, counts="total"):
    """The same gauge after a power cut, saved at `when`; its boot begins `now` with a clock that says `wall_says`."""
    gauge.rain._changed = True
    saved = json.loads(json.dumps(gauge.rain.save(moment(when))))
    after = Gauge(counts=counts)
    after.rain.load(saved, Moment(20_000, when if wall_says is None else wall_says, trusted))
    return after.rain


def rained(start, minutes, *, every=10, **keys):
    """A millimetre each `every` minutes, read each minute."""
    gauge = Gauge(**keys)
    for minute in range(minutes + 1):
        gauge.at(start + minute * MINUTE, 100.0 + minute // every)
    return gauge


def say(rain, at, value, now):
    said = [*rain.tick(now), *rain.take(Reading("rain.total", at, value, "mm", GOOD), now)]
    return {(one.series, one.at): one for one in said}


def test_a_start_without_the_time_loses_nothing_and_dates_it_when_it_knows():
    """No battery for the clock: it says last week at first, and the truth a minute later."""
    begin = wall("2026-07-20T07:00:00")
    rain = restarted(rained(begin, 55), begin + 55 * MINUTE, wall_says=begin - 7 * 86_400_000, trusted=False)
    said = say(rain, 30_000, 106.0, Moment(30_000, begin - 7 * 86_400_000 + 10_000, False))
    assert said["rain.accumulated", 30_000].value == 6.0  # five before, one while away
    assert flag_of(said["rain.1h", 30_000].quality) is Flag.SUSPECT
    true = Moment(90_000, wall("2026-07-20T08:01:30"), True)  # the power was out for five minutes
    said = say(rain, 90_000, 107.0, true)
    assert said["rain.accumulated", 90_000].value == 7.0
    assert said["rain.today", 90_000].value == 2.0  # the boot, and its first reading, began after eight
    assert said["rain.1h", 90_000].value == 7.0
    assert said["rain.1h", 90_000].quality == GOOD
    day = next(one for (series, _), one in said.items() if series == "rain.day")
    assert true.wall + day.at - true.at == wall("2026-07-20T08:00:00")
    assert day.value == 5.0  # told late, and once
    assert not any(
        series == "rain.day" for series, _ in say(rain, 150_000, 107.0, Moment(150_000, true.wall + MINUTE, True))
    )


def test_the_day_that_ended_while_the_station_was_down_is_told_when_it_is_up():
    begin = wall("2026-07-20T05:00:00")
    up = wall("2026-07-20T08:03:00")
    rain = restarted(rained(begin, 175), wall("2026-07-20T07:55:00"), wall_says=up)
    said = say(rain, 20_000, 117.0, Moment(20_000, up, True))
    assert {series: one.value for (series, _), one in said.items() if series in ("rain.hour", "rain.day")} == {
        "rain.hour": 5.0,
        "rain.day": 17.0,
    }


def test_what_fell_in_a_long_silence_is_in_no_hour_and_makes_its_sums_doubtful():
    begin = wall("2026-07-20T05:00:00")
    gauge = rained(begin, 40)
    back = begin + 150 * MINUTE  # nothing from 05:40 to 07:30
    gauge.at(back, 140.0)
    for minute in range(1, 300):
        gauge.at(back + minute * MINUTE, 140.0)
    hours = gauge.said["rain.hour"]
    assert wall("2026-07-20T06:00:00") not in hours
    assert wall("2026-07-20T07:00:00") not in hours
    assert hours[wall("2026-07-20T08:00:00")].quality == PARTIAL  # forty millimetres, of which some fell before seven
    assert hours[wall("2026-07-20T09:00:00")].quality == GOOD
    assert gauge.said["rain.1h"][back].quality == PARTIAL
    assert gauge.said["rain.3h"][back].quality == PARTIAL  # watched since five only
    assert gauge.said["rain.3h"][back + 60 * MINUTE].quality == GOOD  # all of the silence is in it
    assert gauge.said["rain.3h"][back + 60 * MINUTE].value == 37.0
    assert gauge.said["rain.3h"][back + 150 * MINUTE].quality == PARTIAL  # half of it
    assert gauge.said["rain.3h"][back + 181 * MINUTE].quality == GOOD


def test_a_counter_that_stands_still_says_that_nothing_fell_in_a_silence():
    begin = wall("2026-07-20T05:00:00")
    gauge = rained(begin, 40)
    gauge.at(begin + 250 * MINUTE, 104.0)
    hours = {when: (one.value, one.quality) for when, one in gauge.said["rain.hour"].items()}
    wanted = {5: (0.0, PARTIAL), 6: (4.0, GOOD), 7: (0.0, GOOD), 8: (0.0, GOOD), 9: (0.0, GOOD)}
    assert hours == {wall(f"2026-07-20T0{n}:00:00"): one for n, one in wanted.items()}


def test_an_amount_that_was_not_heard_is_missing_and_not_nought():
    gauge, begin = Gauge(counts="amount"), wall("2026-07-20T05:00:00")
    for minute in (*range(120), *range(200, 500)):
        gauge.at(begin + minute * MINUTE, 0.1)
    one_hour = gauge.said["rain.1h"]
    assert one_hour[begin + 119 * MINUTE].quality == GOOD
    assert one_hour[begin + 200 * MINUTE].quality == PARTIAL
    assert one_hour[begin + 259 * MINUTE].quality == PARTIAL
    assert one_hour[begin + 261 * MINUTE].quality == GOOD
    rain = restarted(gauge, begin + 499 * MINUTE, wall_says=begin + 560 * MINUTE, counts="amount")
    said = say(rain, 20_000, 0.1, Moment(20_000, begin + 560 * MINUTE, True))
    assert said["rain.1h", 20_000].quality == PARTIAL


def test_a_clock_that_is_set_back_loses_nothing():
    begin = wall("2026-07-20T09:00:00")
    rain = restarted(rained(begin, 60), begin + 60 * MINUTE, wall_says=begin - 5 * HOUR)
    said = say(rain, 20_000, 106.0, Moment(20_000, begin - 5 * HOUR, True))
    assert said["rain.accumulated", 20_000].value == 6.0


def test_the_year_begins_with_its_first_rain_day():
    gauge = Gauge()
    for hours in range(60):
        gauge.at(wall("2026-12-31T00:00:00") + hours * HOUR // 2, 100.0 + hours)
    year = gauge.said["rain.year"]
    assert year[wall("2026-12-31T23:00:00")].value == 46.0
    assert flag_of(year[wall("2026-12-31T23:00:00")].quality) is Flag.SUSPECT  # the gauge is of yesterday
    assert year[wall("2027-01-01T00:00:00")].value == 48.0  # the old year's until eight o'clock
    gauge = Gauge()
    for hours in range(60):
        gauge.at(wall("2027-01-01T00:00:00") + hours * HOUR // 2, 100.0 + hours)
    year = gauge.said["rain.year"]
    assert year[wall("2027-01-01T08:00:00")].value == 16.0
    assert year[wall("2027-01-01T09:00:00")].value == 2.0
    assert year[wall("2027-01-01T20:00:00")].value == 24.0


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5), st.booleans(), st.booleans()), min_size=1, max_size=30),
)
def test_no_restart_and_no_clock_loses_or_doubles_a_millimetre(steps):
    """Minutes that pass, mm that fall in them, whether the power was cut meanwhile, whether the clock is known then."""
    now, boot, fell, said = BOOT, BOOT, 0, {}
    rain = Rain(RainConfig(of="rain.total"), ZONE)
    rain.take(Reading("rain.total", 0, 1000.0, "mm", GOOD), Moment(0, now, True))
    saved = json.dumps(rain.save(Moment(0, now, True)))
    for minutes, amount, cut, known in steps:
        now, fell = now + minutes * MINUTE, fell + amount
        if cut:
            boot = now - MINUTE
            rain = Rain(RainConfig(of="rain.total"), ZONE)
            rain.load(json.loads(saved), Moment(MINUTE, now if known else BOOT, known))
        at = now - boot
        here = Moment(at, now, known) if known else Moment(at, BOOT + at, False)
        said = {
            one.series: one for one in rain.take(Reading("rain.total", at, 1000.0 + fell, "mm", GOOD), here)
        } or said
        state = rain.save(here)
        saved = json.dumps(state) if state is not None else saved
    last = rain.take(
        Reading("rain.total", now - boot + MINUTE, 1000.0 + fell, "mm", GOOD),
        Moment(now - boot + MINUTE, now + MINUTE, True),
    )
    assert {one.series: one.value for one in last}["rain.accumulated"] == pytest.approx(fell)
