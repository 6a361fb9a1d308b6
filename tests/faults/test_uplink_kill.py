"""`kill -9` at random moments, with and without a network: what was on disk arrives, once in effect."""

import random
from collections import defaultdict

import pytest

from buffer.ranges import Ranges
from tests.support.broker import Broker
from tests.support.listener import Listener
from tests.support.lives import Worker, everything_is_there
from tests.support.proxy import Proxy
from tests.support.scale import count

pytestmark = pytest.mark.broker


@pytest.mark.timeout(1200)
def test_killed_at_random_while_the_network_comes_and_goes(tmp_path):
    rng = random.Random(20)
    committed = defaultdict(Ranges)
    with (
        Broker(tmp_path / "broker") as broker,
        Proxy("127.0.0.1", broker.port) as proxy,
        Listener(broker.port) as platform,
    ):
        for _ in range(count(200)):
            proxy.black_hole = rng.random() < 0.3
            proxy.refuse = rng.random() < 0.2
            worker = Worker(tmp_path, proxy.url, committed)
            worker.work(rng)
            if rng.random() < 0.3:
                proxy.reset()
            worker.kill()
        proxy.black_hole = proxy.refuse = False
        Worker(tmp_path, proxy.url, committed, "drain").finish()
        platform.wait(lambda p: everything_is_there(p, committed))
        assert sum(held.count for held in committed.values()) > 0


def test_started_with_no_network_and_killed_before_it_came(tmp_path):
    committed = defaultdict(Ranges)
    with Broker(tmp_path / "broker") as broker:
        worker = Worker(tmp_path, "mqtt://127.0.0.1:1", committed)
        worker.work(random.Random(1))
        worker.kill()
        with Listener(broker.port) as platform:
            Worker(tmp_path, broker.url, committed, "drain").finish()
            platform.wait(lambda p: everything_is_there(p, committed))
