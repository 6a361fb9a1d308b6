"""From readings to numbers: one body a window, the first at once, every reading checked, and nobody's fault another's loss."""

import asyncio
import json
import math

import pytest

from agent.clock import Clock
from agent.record import MOST_IN_ONE_BODY, Recorder
from buffer.model import Lane
from buffer.reader import Reader
from buffer.store import Buffer
from drivers.api import SeriesSpec
from protocols import columns
from protocols.quality import Flag, Reason, flag_of, quality, reasons_of
from protocols.reading import Reading
from tests.support.until import until


@pytest.fixture
def buffer(tmp_path):
    opened = Buffer.open(tmp_path / "buffer.db")
    yield opened
    opened.close()


def run(buffer, work, window=0.05):
    async def story():
        recorder = Recorder(buffer, Clock("system"), window)
        await work(recorder)
        recorder.flush()
        buffer.flush().result(10)
        return recorder

    return asyncio.run(story())


def bodies(buffer, lane=Lane.TELEMETRY):
    with Reader(buffer._engine.path) as reader:
        return [block.body for block in reader.blocks(lane)]


def level(value, at=1000, series="river.stage", **more):
    return Reading(series, at, value, "m", **more)


def test_the_first_is_written_at_once_and_the_rest_of_a_window_together(buffer):
    async def work(recorder):
        recorder.readings([level(1.0)])
        await until(lambda: recorder.committed == 1)
        for at in range(5):
            recorder.readings([level(2.0 + at, at=2000 + at)])
        await until(lambda: recorder.committed == 6)

    assert run(buffer, work).taken == 6
    assert [len(columns.unpack(body).readings) for body in bodies(buffer)] == [1, 5]


def test_after_a_quiet_spell_the_next_reading_is_written_at_once_again(buffer):
    async def work(recorder):
        for value in (1.0, 2.0):
            recorder.readings([level(value)])
            await until(lambda value=value: recorder.committed == value)
            await until(lambda: recorder._timer is None)

    run(buffer, work)
    assert len(bodies(buffer)) == 2


def test_a_babbling_source_is_cut_into_bodies_and_never_held(buffer):
    async def work(recorder):
        recorder.readings([level(0.0)])
        for at in range(2 * MOST_IN_ONE_BODY):
            recorder.readings([level(1.0, at=at)])
            assert len(recorder._waiting) < MOST_IN_ONE_BODY

    run(buffer, work, window=60)
    sizes = [len(columns.unpack(body).readings) for body in bodies(buffer)]
    assert sum(sizes) == 2 * MOST_IN_ONE_BODY + 1


@pytest.mark.parametrize(
    "bad",
    [
        level(math.nan, at=2000, series="rain"),
        level(math.inf, at=2000, series="rain"),
        level(1.0, at=2000, series="two words"),
        level(1.0, at=1 << 70, series="rain"),
    ],
    ids=["nan", "infinite", "name", "time"],
)
def test_what_cannot_be_kept_costs_itself_and_not_the_readings_beside_it(buffer, bad):
    """A driver's bug, if there is one, must not cost its neighbours' data."""

    async def work(recorder):
        recorder.readings([level(1.0)])
        recorder.readings([level(2.0, at=2000), bad, level(3.0, at=2000, series="soil")])
        recorder.readings([level(4.0, at=3000)])

    recorder = run(buffer, work)
    assert recorder.refused == 1
    values = [reading.value for body in bodies(buffer) for reading in columns.unpack(body).readings]
    assert values == [1.0, 2.0, 3.0, 4.0]


def test_a_watcher_that_fails_costs_no_reading(buffer):
    """Rules and views look on; what they do is not the record's business."""

    async def work(recorder):
        recorder.watch(lambda _readings: 1 / 0)
        seen = []
        recorder.watch(seen.extend)
        recorder.readings([level(1.0)])
        assert len(seen) == 1

    run(buffer, work)
    assert len(bodies(buffer)) == 1


def test_what_is_announced_is_judged_and_what_the_driver_says_stays(buffer):
    async def work(recorder):
        recorder.expect({"river.stage": SeriesSpec("m", span=(0.0, 10.0), expect=(0.0, 5.0))})
        recorder.readings([level(1.0), level(7.0, at=2000), level(11.0, at=3000)])
        recorder.readings([level(1.0, at=4000, quality=quality(Flag.NOT_EVALUATED, Reason.SIMULATED))])
        recorder.readings([level(1.0, series="unknown")])

    recorder = run(buffer, work)
    stored = [reading for body in bodies(buffer) for reading in columns.unpack(body).readings]
    assert [flag_of(reading.quality) for reading in stored[:3]] == [Flag.GOOD, Flag.SUSPECT, Flag.BAD]
    assert Reason.SIMULATED in reasons_of(stored[3].quality)
    assert recorder.newest["river.stage"].at == 4000


def test_events_are_numbered_at_once_whatever_a_driver_puts_into_them(buffer):
    async def work(recorder):
        recorder.event("device.down", {"device": "gauge"})
        recorder.event("device.down", {"device": object(), "huge": "x" * 100_000})
        recorder.event("warning.started", {"alert": "00"}, Lane.ALARM)

    run(buffer, work)
    events = [json.loads(body) for body in bodies(buffer, Lane.EVENT)]
    assert [event["type"] for event in events] == ["device.down", "device.down"]
    assert len(bodies(buffer, Lane.EVENT)[1]) < 10_000
    assert json.loads(bodies(buffer, Lane.ALARM)[0])["alert"] == "00"


def test_nothing_to_write_writes_nothing(buffer):
    async def work(recorder):
        recorder.readings([])
        recorder.flush()

    run(buffer, work)
    assert bodies(buffer) == []
