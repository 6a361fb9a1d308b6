"""A whole station whose wall clock is set to 1970 and to 2059, while it runs and at its start: nothing is reordered, nothing
comes twice, nothing expires, nothing relative to a boot leaves as if it were a time.
"""

import asyncio
import functools
import json
import time
from datetime import datetime

import pytest

from agent import station as station_module
from agent import timekeeping
from agent.clock import BUILD_TIME, LAST_TIME, Clock
from protocols.quality import Reason, reasons_of
from tests.support.broker import Broker
from tests.support.living import living
from tests.support.station import WITHIN, station
from tests.support.until import until

pytestmark = pytest.mark.broker

TODAY = max(BUILD_TIME + 30 * 86_400, int(time.time()))  # Unix s; not before the key-set that the site makes
WRONG = {"1970": 0.0, "2059": 2_840_000_000.0}  # Unix s


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


class Hands:
    """A wall clock that a test sets; it runs by itself like any other."""

    def __init__(self, unix):
        self._before = self._offset = 0.0
        self.set(unix)

    def set(self, unix):
        self._before, self._offset = self._offset, unix - time.monotonic()

    def set_back(self):
        """As if it had never been set."""
        self._offset = self._before

    def __call__(self):
        return round((time.monotonic() + self._offset) * 1000)


@pytest.fixture
def hands(monkeypatch):
    hands = Hands(TODAY)
    monkeypatch.setattr(station_module, "Clock", functools.partial(Clock, wall_ms=hands))
    monkeypatch.setattr(timekeeping, "LOOKS", 0.05)
    return hands


async def delivered_whole(site):
    """One more life without sensors, in which whatever was still waiting arrives."""
    site.tables.pop("sensor gauge", None)
    async with living(site):
        await until(site.caught_up, WITHIN)
    tracker = site.platform.tracker
    assert tracker.duplicates_in_effect == 0
    assert site.platform.problems == []
    assert site.delivered == len(site.stored()), "nothing expired, nothing was dropped"
    values = [reading["value"] for reading in site.platform.readings]
    assert len(set(values)) == len(values)


def in_order(site):
    """(Unix s, whether the clock is doubted) of every reading, in the order in which they were taken: the level only rises."""
    rows = sorted(site.platform.readings, key=lambda row: row["value"])
    return [
        (datetime.fromisoformat(row["time"]).timestamp(), Reason.CLOCK in reasons_of(row["quality"])) for row in rows
    ]


def no_time_counts_from_a_boot(site):
    """Every `t` in every message is an absolute time that is possible."""
    for topic, payload in site.platform.raw:
        if topic.endswith("/readings"):
            for record in json.loads(payload):
                assert BUILD_TIME <= record.get("bt", 0) + record["t"] <= LAST_TIME


@pytest.mark.parametrize("wrong", WRONG)
def test_set_while_it_runs(tmp_path, broker, hands, wrong):
    async def story():
        async with station(tmp_path, broker.port) as site:
            async with living(site) as agent:
                await site.delivers(20)
                hands.set(WRONG[wrong])
                await until(lambda: agent.clock.suspect, WITHIN)
                await site.delivers(20)
                hands.set_back()
                await until(lambda: not agent.clock.suspect, WITHIN)
                await site.delivers(20)
            await delivered_whole(site)
            times = in_order(site)
            assert times == sorted(times), "nothing is reordered"
            assert not any(doubted for _, doubted in times), "boot time carried the trusted anchor on"
            assert times[-1][0] - times[0][0] < 600
            assert times[0][0] >= TODAY - 5
            no_time_counts_from_a_boot(site)

    asyncio.run(story())


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_at_the_start_and_set_right_later(tmp_path, broker, hands, wrong):
    async def story():
        hands.set(WRONG[wrong])
        async with station(tmp_path, broker.port) as site:
            async with living(site) as agent:
                await site.delivers(20)
                assert not agent.clock.trusted
                await until(lambda: not any(agent.buffer.stats().pending.values()), WITHIN)  # the first ones come last
                marked = len(site.platform.readings)
                hands.set(TODAY)
                await until(lambda: agent.clock.trusted, WITHIN)
                await site.delivers(20)
            await delivered_whole(site)
            times = in_order(site)
            doubts = [doubted for _, doubted in times]
            assert all(doubts[:marked]), "what was taken with an impossible clock is marked, not dropped"
            assert doubts == sorted(doubts, reverse=True), "and nothing after the clock was set"
            assert not doubts[-1]
            assert [at for at, _ in times] == sorted(at for at, _ in times)
            anchors = [event for event in site.platform.events if event["type"] == "anchor"]
            assert any(anchor["synced"] and abs(anchor["wall_ms"] / 1000 - TODAY) < 600 for anchor in anchors)
            no_time_counts_from_a_boot(site)

    asyncio.run(story())


@pytest.mark.parametrize("wrong", WRONG)
def test_an_outage_in_which_the_clock_was_wrong_ends_with_right_times(tmp_path, broker, hands, wrong):
    """Taken with no clock and no link; sent when both are back: dated by the anchor that came later."""

    async def story():
        hands.set(WRONG[wrong])
        async with station(tmp_path, broker.port) as site:
            home, site.route["url"] = site.route["url"], "mqtt://127.0.0.1:1"
            async with living(site) as agent:
                await until(lambda: agent.recorder.committed >= 20, WITHIN)
                hands.set(TODAY)
                await until(lambda: agent.clock.trusted, WITHIN)
            site.route["url"] = home
            await delivered_whole(site)
            assert site.delivered >= 20
            times = in_order(site)
            assert times == sorted(times)
            assert all(TODAY - 600 < at < TODAY + 600 for at, _ in times)
            assert not any(doubted for _, doubted in times)
            no_time_counts_from_a_boot(site)

    asyncio.run(story())
