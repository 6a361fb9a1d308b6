"""Fed while every part makes progress, and not one look longer."""

import asyncio
import os
import threading

import pytest

from agent.notify import Notifier
from agent.watchdog import LOOKS, Watchdog
from tests.support import virtual


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Spy(Notifier):
    """Says to a list what it would say to systemd."""

    def __init__(self, environ=None):
        super().__init__(environ or {})
        self.said = []

    def _send(self, **assignments):
        self.said.append(assignments)

    @property
    def fed(self):
        return sum("WATCHDOG" in said for said in self.said)


@pytest.fixture
def clock():
    return Clock()


def test_progress_feeds_and_describes(clock):
    spy = Spy()
    watchdog = Watchdog(spy, describe=lambda: "offline, 1,200 numbers kept", now=clock)
    sampling = watchdog.part("sampling", 5.0)
    for _ in range(100):
        clock.now += 4.0
        sampling.beat()
        assert watchdog.look()
    assert spy.said[-1] == {"WATCHDOG": "1", "STATUS": "offline, 1,200 numbers kept"}
    assert spy.fed == 100


def test_one_stalled_part_stops_the_feeding_and_is_named(clock):
    spy = Spy()
    watchdog = Watchdog(spy, now=clock)
    watchdog.part("buffer", 60.0)
    sampling = watchdog.part("sampling", 5.0)
    clock.now = 12.0
    assert not watchdog.look()
    assert spy.said == [{"STATUS": "stalled: sampling for 12 s"}]
    assert watchdog.stalled() == {"sampling": 12.0}
    sampling.beat()
    assert watchdog.look()


def test_each_part_has_its_own_patience(clock):
    watchdog = Watchdog(Spy(), now=clock)
    watchdog.part("slow bearer", 900.0)
    assert watchdog.look()
    clock.now = 900.0
    assert watchdog.look()
    clock.now = 900.1
    assert not watchdog.look()


def test_a_part_that_never_beats_is_given_its_patience_from_registration(clock):
    clock.now = 1_000.0
    watchdog = Watchdog(Spy(), now=clock)
    watchdog.part("uplink", 10.0)
    assert watchdog.look()
    clock.now = 1_011.0
    assert not watchdog.look()


def test_a_stall_is_reported_once_and_so_is_its_end(clock):
    heard = []
    watchdog = Watchdog(Spy(), report=lambda kind, fields: heard.append((kind, dict(fields))), now=clock)
    uplink = watchdog.part("uplink", 10.0)
    for clock.now in (11.0, 12.0, 13.0):
        watchdog.look()
    uplink.beat()
    watchdog.look()
    watchdog.look()
    assert heard == [("part.stalled", {"part": "uplink", "seconds": 11}), ("part.moving", {"part": "uplink"})]


def test_beats_may_come_from_another_thread(clock):
    watchdog = Watchdog(Spy(), now=clock)
    worker = watchdog.part("buffer", 5.0)
    clock.now = 100.0
    thread = threading.Thread(target=worker.beat)
    thread.start()
    thread.join()
    assert watchdog.look()


def test_it_looks_several_times_in_a_period_and_stops_with_the_stall():
    async def main():
        loop = asyncio.get_running_loop()
        spy = Spy({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())})
        watchdog = Watchdog(spy, now=loop.time)
        part = watchdog.part("sampling", 20.0)
        task = asyncio.create_task(watchdog.run())
        for _ in range(60):
            await asyncio.sleep(1)
            part.beat()
        fed = spy.fed
        await asyncio.sleep(300)  # no beat any more
        task.cancel()
        return fed, spy.fed - fed

    fed, after = virtual.run(main())
    assert fed in {60 * LOOKS // 30, 60 * LOOKS // 30 + 1}
    assert after <= 20 * LOOKS // 30


def test_without_systemd_it_still_watches():
    async def main():
        heard = []
        loop = asyncio.get_running_loop()
        watchdog = Watchdog(Notifier({}), report=lambda kind, _fields: heard.append(kind), now=loop.time)
        watchdog.part("sampling", 20.0)
        task = asyncio.create_task(watchdog.run())
        await asyncio.sleep(60)
        task.cancel()
        return heard

    assert virtual.run(main()) == ["part.stalled"]


def test_status_shows_each_part(clock):
    watchdog = Watchdog(Spy(), now=clock)
    watchdog.part("sampling", 5.0)
    clock.now = 2.0
    assert watchdog.status() == {"sampling": {"silence": 2.0, "patience": 5.0}}


def test_a_name_is_taken_once(clock):
    watchdog = Watchdog(Spy(), now=clock)
    watchdog.part("uplink", 5.0)
    with pytest.raises(ValueError, match="uplink"):
        watchdog.part("uplink", 5.0)
