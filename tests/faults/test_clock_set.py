"""The wall clock set to 1970 and to 2059, before a start and in the middle of it: nothing is lost, reordered or told twice,
and no reading leaves with such a time.
"""

import asyncio
import signal
import time
from datetime import datetime

import pytest

from agent.clock import BUILD_TIME, LAST_TIME
from tests.support.broker import Broker
from tests.support.station import WITHIN, station
from tests.support.tree import ROOT
from tests.support.until import until

pytestmark = pytest.mark.broker
YEAR = 31_557_600  # s
TIMES = {"1970": -time.time(), "2059": 89 * YEAR - time.time(), "now": 0.0}


@pytest.fixture
def clock(tmp_path, monkeypatch):
    file = tmp_path / "offset"
    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'tests' / 'support' / 'clockwork'}")
    monkeypatch.setenv("FENGSUI_TEST_CLOCK", str(file))
    return lambda when: file.write_text(str(int(TIMES[when])))


@pytest.mark.parametrize("start", ["now", "1970", "2059"])
def test_a_clock_that_is_set_costs_nothing_but_its_own_word(tmp_path, clock, start):
    async def story():
        with Broker(tmp_path / "broker") as broker:
            async with station(tmp_path / "site", broker.port) as site:
                for when in (start, "1970", "2059", "now"):
                    clock(when)
                    if not site.agent.running:
                        await site.up()
                    await site.delivers(15)
                    if when == "2059":
                        await site.agent.end(signal.SIGTERM)
                await finished(site)
                told(site)

    asyncio.run(story())


async def finished(site):
    """No more sensors, and one more life, until the platform has everything that is on disk."""
    await site.agent.end(signal.SIGTERM)
    for name in [name for name in site.tables if name.startswith("sensor")]:
        del site.tables[name]
    site.write()
    await site.up()
    await until(site.caught_up, WITHIN)
    await site.agent.end(signal.SIGTERM)


def told(site):
    stored, tracker = site.stored(), site.platform.tracker
    assert site.delivered == len(stored) == len({(log, number) for log, number, *_ in stored})
    assert tracker.duplicates_in_effect == 0
    assert tracker.complete(site.id)
    heights = [value for *_, value in stored]
    assert heights == sorted(heights), "in the order of measuring, whatever the clock said"
    times = [datetime.fromisoformat(reading["time"]).timestamp() for reading in site.platform.readings]
    assert all(BUILD_TIME <= when <= LAST_TIME for when in times)
