"""On the beats of the station's clock; faster while something is going on; a slow one delays nobody."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from drivers.collect import collect
from drivers.pace import Fast, Pace, check_pace
from tests.drivers.modbus_world import run, until

TEN = 600.0


def station(offset=0.0):
    """A station's clock that runs with the monotonic one, so many seconds ahead of it."""
    return lambda: time.monotonic() + offset


def beat_of(pace, started, ahead):
    """Station time at which the next sample is due."""
    return pace.due(started - ahead) + ahead


@given(st.floats(0, 1e9), st.floats(1, 1e9))
def test_ten_minutes_are_whole_ten_minutes_of_station_time(started, offset):
    ahead = station(offset)() - time.monotonic()
    due = beat_of(Pace(TEN, station(offset)), started, ahead)
    assert abs(due / TEN - round(due / TEN)) < 1e-4
    assert 0 <= due - started <= TEN + 1.01


def test_a_start_between_two_beats_skips_neither():
    offset = 1_000_000.0
    ahead = station(offset)() - time.monotonic()
    pace = Pace(TEN, station(offset))
    for minute, next_minute in ((1, 10), (6, 10), (9.9, 10), (10, 20), (9.999, 20), (10.02, 20)):
        base = 1200 * 1000.0
        assert round((beat_of(pace, base + minute * 60, ahead) - base) / 60, 2) == next_minute


def test_without_a_clock_beats_are_monotonic_and_a_clock_that_comes_moves_them():
    known = []
    pace = Pace(TEN, lambda: known[0]() if known else None)
    assert pace.due(1234.0) == 1800.0
    known.append(station(123.0))
    due = pace.due(1234.0) + 123.0
    assert abs(due / TEN - round(due / TEN)) < 1e-4


def test_failures_back_off_on_the_clocks_beats():
    pace = Pace(10.0, station(3.0))
    pauses = [round(pace.due(107.0, failures) - 107) for failures in range(7)]
    assert pauses == [10, 10, 20, 40, 60, 60, 60]


def test_who_is_hastened_is_woken_and_slows_down_again():
    async def main():
        pace, beats = Pace(3600.0), []

        async def sample():
            while True:
                started = time.monotonic()
                beats.append(started)
                await pace.beat(started)

        task = asyncio.create_task(sample())
        await until(lambda: beats)
        await asyncio.sleep(0.05)
        assert len(beats) == 1
        pace.hasten(0.02)
        await until(lambda: len(beats) >= 4)
        pace.hasten(None)
        assert pace.interval == 3600.0
        await asyncio.sleep(0.05)
        count = len(beats)
        await asyncio.sleep(0.1)
        assert len(beats) == count
        task.cancel()

    run(main())


def test_nobody_is_slowed_by_haste():
    pace = Pace(1.0)
    pace.hasten(60.0)
    assert pace.interval == 1.0


def test_what_check_says():
    def keys(interval=None, **fast):
        made, problems = collect(Fast, {"when": "a > 1", "interval": "1min"} | fast)
        assert problems == []
        return [one.key for one in check_pace(interval, made)]

    assert keys() == []
    assert keys(0.001) == ["interval", "fast.interval"]
    assert keys(10.0) == ["fast.interval"]
    assert keys(interval=600.0, hold=0) == ["fast.hold"]
    assert [one.key for one in check_pace(0, None)] == ["interval"]
