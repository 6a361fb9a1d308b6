"""A link that goes silent without a word, and then `kill -9`: the fault that cost the measured peer 110 of 124 readings.

On a path of our own, with the kernel's TCP, where the test has the right; through a proxy everywhere.
"""

import asyncio
import random
import time
from collections import defaultdict

import pytest

from buffer.ranges import Ranges
from tests.support import netns
from tests.support.broker import Broker
from tests.support.listener import Listener
from tests.support.lives import Worker, everything_is_there
from tests.support.proxy import Proxy
from tests.support.scale import count
from tests.support.station import WITHIN, station
from tests.support.until import until

pytestmark = pytest.mark.broker
SILENCE = count(250) / 10  # seconds: 25 in full


def test_a_silent_link_and_then_a_kill_cost_the_station_nothing(tmp_path):
    async def story(broker, proxy):
        async with station(tmp_path / "site", broker.port, through=proxy.port) as site:
            await site.up()
            await site.delivers(5)
            proxy.black_hole = True
            taken = site.committed
            await asyncio.sleep(SILENCE)
            await until(lambda: site.committed > taken + 20, WITHIN)
            promised = site.committed
            await site.kill()
            assert len(site.stored()) >= promised
            proxy.black_hole = False
            for name in [name for name in site.tables if name.startswith("sensor")]:
                del site.tables[name]
            site.write()
            await site.up()
            await until(site.caught_up, WITHIN)
            assert site.delivered == len(site.stored())
            assert site.platform.tracker.duplicates_in_effect == 0

    with Broker(tmp_path / "broker") as broker, Proxy("127.0.0.1", broker.port) as proxy:
        asyncio.run(story(broker, proxy))


def test_the_same_on_a_real_path(tmp_path):
    """The kernel goes on sending into the hole, and says that all is well."""
    netns.require()
    committed = defaultdict(Ranges)
    with (
        netns.Path(delay=0.02) as path,
        Broker(tmp_path / "broker", host=path.far, prefix=path.prefix) as broker,
        Listener(broker.port, path.far) as platform,
    ):
        url = f"mqtt://{path.far}:{broker.port}"
        worker = Worker(tmp_path, url, committed)
        platform.wait(lambda p: p.count("telemetry") > 20)
        path.set(black_hole=True)
        time.sleep(SILENCE)
        worker.work(random.Random(1))
        worker.kill()
        path.set(black_hole=False)
        Worker(tmp_path, url, committed, "drain").finish()
        platform.wait(lambda p: everything_is_there(p, committed))
        assert sum(held.count for held in committed.values()) > 50
