"""A tipping bucket at a pin, with a chip that is not there; and its total, which no power cut may take."""

import asyncio
import itertools
import os
import random
import time
from datetime import timedelta
from pathlib import Path

import pytest

from drivers.api import Context
from drivers.collect import collect
from drivers.edges import WAITING, Edge, gpiod_edges
from drivers.sensors import pulse
from drivers.sensors.pulse import FACTORY, PulseConfig, PulseSource, Tips
from drivers.tally import Tally
from tests.drivers.modbus_world import Reports, run, until

MS = 1_000_000  # ns


class Bucket:
    """Edges as a kernel gives them: a descriptor that is readable, a queue, numbers."""

    def __init__(self):
        self.waiting, self.number, self.opened, self.gone = [], 0, 0, False
        self._read, self._write = os.pipe()

    def __call__(self, chip, line, debounce):
        self.asked = chip, line, debounce
        if self.gone:
            raise OSError(19, "No such device")
        self.opened += 1
        return self

    def tip(self, at=None):
        self.number += 1
        self.waiting.append(Edge(time.monotonic_ns() if at is None else at, self.number))
        os.write(self._write, b"x")

    def pull(self):
        self.gone = True
        os.write(self._write, b"x")

    def fileno(self):
        return self._read

    def read(self):
        os.read(self._read, 1000)
        if self.gone:
            raise OSError(19, "No such device")
        found, self.waiting = self.waiting, []
        return found

    def close(self):
        pass


def made(tmp_path, bucket, reports=None, **keys):
    config, problems = collect(PulseConfig, {"name": "gauge", "line": 4, "interval": "1h"} | keys)
    assert problems == []
    context = Context(tmp_path, Reports() if reports is None else reports, state=tmp_path)
    return PulseSource(config, context, bucket)


async def counted(source, bucket, tips):
    """Run it until it has counted so many tips."""
    got = []
    task = asyncio.create_task(source.run(got.extend))
    await until(lambda: bucket.opened)
    now = time.monotonic_ns()
    for n in range(tips):
        bucket.tip(now + n * 500 * MS)
    goal = source.total + tips
    await until(lambda: source.total == goal)
    return got, task


async def ended(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_each_tip_is_a_reading_at_its_own_time_and_a_restart_goes_on(tmp_path):
    async def main():
        bucket = Bucket()
        source = made(tmp_path, bucket)
        got, task = await counted(source, bucket, 5)
        assert bucket.asked == ("/dev/gpiochip0", 4, 0.1)
        assert [one.value for one in got if one.value] == [1, 2, 3, 4, 5]
        assert {one.series for one in got} == {"rain.tips"}
        assert (await source.read_once())[0].value == 5
        await ended(task)
        again = made(tmp_path, Bucket())
        assert again.total == 5
        assert (await again.read_once())[0].value == 5
        assert again.status()["total"] == 5

    run(main())


def test_a_tip_that_waited_keeps_the_time_at_which_it_fell(tmp_path):
    async def main():
        bucket = Bucket()
        source, got = made(tmp_path, bucket), []
        task = asyncio.create_task(source.run(got.extend))
        await until(lambda: bucket.opened)
        bucket.tip(time.monotonic_ns() - 5000 * MS)
        await until(lambda: source.total)
        age = source._now() - next(one.at for one in got if one.value)
        assert 4900 <= age <= 60_000
        await ended(task)

    run(main())


def test_no_rain_is_said_too_and_a_dead_line_says_nothing(tmp_path):
    async def main():
        bucket = Bucket()
        source, got = made(tmp_path, bucket, interval="50ms"), []
        task = asyncio.create_task(source.run(got.extend))
        await until(lambda: len(got) > 3)
        assert {one.value for one in got} == {0}
        await ended(task)
        bucket.gone, got[:] = True, []
        reports = Reports()
        source = made(tmp_path, bucket, reports, interval="50ms")
        task = asyncio.create_task(source.run(got.extend))
        await until(lambda: reports.of("device.down"))
        assert reports.of("device.down")[0]["frames"] == ["No such device"]
        await asyncio.sleep(0.2)
        assert got == []
        await ended(task)

    run(main())


def test_a_chip_that_goes_and_comes_back(tmp_path):
    async def main():
        bucket, reports = Bucket(), Reports()
        source = made(tmp_path, bucket, reports)
        _, task = await counted(source, bucket, 2)
        bucket.pull()
        await until(lambda: reports.of("device.down"))
        bucket.gone, bucket.number = False, 0  # a new request counts from one
        await until(lambda: reports.of("device.up"))
        bucket.tip()
        await until(lambda: source.total == 3)
        await ended(task)

    run(main())


@pytest.mark.parametrize(
    ("edges", "tips", "lost"),
    [
        ([(0, 1), (500, 2), (1000, 3)], 3, 0),
        ([(0, 1), (3, 2), (11, 3), (40, 4), (99, 5), (500, 6)], 2, 0),  # a reed bounces
        ([(0, 1), (101, 2)], 2, 0),
        ([(0, 1), (500, 5)], 5, 3),  # the kernel's queue was full
        ([(0, 1), (50, 2), (500, 4)], 3, 1),
        ([(0, 900), (500, 1)], 2, 0),  # requested anew
        ([(0, 1), (500, 1_000_000)], 2, 0),
    ],
)
def test_which_edges_are_tips(edges, tips, lost):
    made = Tips(0.1)
    found = [made.take(Edge(at * MS, number)) for at, number in edges]
    assert (sum(one for one, _ in found), sum(one for _, one in found)) == (tips, lost)


def test_the_total_is_written_per_tip_and_synced_once_a_second(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(pulse, "SYNC", 0.3)
    monkeypatch.setattr("drivers.tally.os.fsync", lambda _file: synced.append(time.monotonic()))

    async def main():
        bucket = Bucket()
        source = made(tmp_path, bucket)
        task = asyncio.create_task(source.run(lambda _readings: None))
        await until(lambda: bucket.opened)
        for n in range(20):
            bucket.tip(n * 500 * MS)
            await until(
                lambda n=n: Tally(tmp_path / "pulse-gauge").total == n + 1
            )  # before any sync, for who dies of itself
        await until(lambda: synced and time.monotonic() - synced[-1] > 0.4)
        assert all(later - earlier >= 0.29 for earlier, later in itertools.pairwise(synced))
        await ended(task)

    run(main())


def test_a_power_cut_at_any_byte_costs_one_slot_at_most(tmp_path):
    random_ = random.Random(7)
    for _ in range(200):
        for file in tmp_path.iterdir():
            file.unlink()
        tally, safe = Tally(tmp_path / "t"), 0
        for total in range(1, random_.randint(2, 12)):
            tally.write(total)
            if random_.random() < 0.6:
                tally.sync()
                safe = total
        torn = tmp_path / f"t.{tally._current}"
        if torn.exists():  # what has not been synced may be anything
            data = torn.read_bytes()
            torn.write_bytes(random_.choice([b"", data[: random_.randrange(len(data))], random_.randbytes(len(data))]))
        assert Tally(tmp_path / "t").total >= safe


def test_a_total_never_wraps_and_a_strangers_file_is_none(tmp_path):
    tally = Tally(tmp_path / "t")
    tally.write((1 << 40) + 1)
    tally.sync()
    assert Tally(tmp_path / "t").total == (1 << 40) + 1
    for slot in tmp_path.iterdir():
        slot.write_bytes(b"99999999999999999999 00000000\n")
    assert Tally(tmp_path / "t").total == 0


def test_a_disk_that_refuses_is_said_once_and_costs_no_tip(tmp_path, monkeypatch):
    monkeypatch.setattr(pulse, "SYNC", 0.02)
    full = [True]
    write = Tally.write

    def refusing(self, total):
        if full[0]:
            raise OSError(28, "No space left on device")
        write(self, total)

    monkeypatch.setattr(Tally, "write", refusing)

    async def main():
        bucket, reports = Bucket(), Reports()
        source = made(tmp_path, bucket, reports)
        _, task = await counted(source, bucket, 3)
        await until(lambda: reports.of("pulse.unkept"))
        full[0] = False
        await until(lambda: reports.of("pulse.kept"))
        await until(lambda: Tally(tmp_path / "pulse-gauge").total == 3)
        assert len(reports.of("pulse.unkept")) == 1
        await ended(task)

    run(main())


class FakeGpiod:
    def request_lines(self, path, config, consumer=None, event_buffer_size=None):
        self.asked, self.fd = (path, consumer, config, event_buffer_size), 5
        return self

    @staticmethod
    def LineSettings(**settings):  # noqa: N802 - the binding's own name
        return settings

    def read_edge_events(self):
        return [type("Event", (), {"timestamp_ns": 7, "line_seqno": 3})()]

    def release(self):
        self.released = True


class FakeWords:
    class Direction:
        INPUT = "input"

    class Bias:
        PULL_UP = "pull-up"

    class Edge:
        RISING = "rising"

    class Clock:
        MONOTONIC = "monotonic"


def test_the_library_is_asked_for_debounced_closings(monkeypatch):
    fake = FakeGpiod()
    monkeypatch.setitem(__import__("sys").modules, "gpiod", fake)
    monkeypatch.setitem(__import__("sys").modules, "gpiod.line", FakeWords)
    edges = gpiod_edges("/dev/gpiochip0", 4, 0.1)
    settings = {
        "direction": "input", "active_low": True, "bias": "pull-up", "edge_detection": "rising",
        "debounce_period": timedelta(milliseconds=100), "event_clock": "monotonic",
    }  # fmt: skip
    assert fake.asked == ("/dev/gpiochip0", "fengsui", {4: settings}, WAITING)
    assert (edges.fileno(), edges.read()) == (5, [Edge(7, 3)])
    edges.close()
    assert fake.released


def test_the_real_library_knows_these_names():
    gpiod = pytest.importorskip("gpiod", reason="the extra gpio is not installed")
    from gpiod.line import Bias, Clock, Direction, Edge

    gpiod.LineSettings(
        direction=Direction.INPUT, active_low=True, bias=Bias.PULL_UP, edge_detection=Edge.RISING,
        debounce_period=timedelta(milliseconds=100), event_clock=Clock.MONOTONIC,
    )  # fmt: skip
    with pytest.raises(OSError):  # noqa: PT011 - any: there is no such chip here
        gpiod_edges("/dev/no-such-chip", 4, 0.1)


def test_without_the_library_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gpiod", None)
    with pytest.raises(OSError, match="extra gpio"):
        gpiod_edges("/dev/gpiochip0", 4, 0.1)


def test_what_check_says():
    config = PulseConfig(name="x", line=900, chip="/dev/no-such-chip", debounce=0.01, series="Rain", interval=0.0)
    codes = [problem.code for problem in FACTORY.check(config, Context(Path(), None))]
    assert codes == ["port.missing", "gpio.line", "pulse.debounce", "series.name", "value.range"]
