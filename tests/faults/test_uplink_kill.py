"""`kill -9` at random moments, with and without a network: what was on disk arrives, once in effect."""

import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest

from buffer.ranges import Ranges
from tests.support.broker import Broker
from tests.support.listener import Listener
from tests.support.proxy import Proxy
from tests.support.scale import count

pytestmark = pytest.mark.broker
ROOT = Path(__file__).parents[2]


class Worker:
    """One life of the small agent; `committed` collects what it said was on disk."""

    def __init__(self, directory, url, committed, *more):
        command = [sys.executable, "-m", "tests.faults.uplink_worker", str(directory), url, *more]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.lines = 0
        self._committed = committed
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            if line.endswith("\n"):  # the last line of a killed process may be half of one
                log, lane, number = line.split()
                self._committed[log, lane].add(int(number), int(number))
                self.lines += 1

    def work(self, rng):
        """Until something was committed, and then a random moment longer."""
        deadline = time.monotonic() + 60
        while not self.lines:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.4))

    def kill(self):
        self.process.kill()
        self.process.wait(30)
        self._reader.join(30)

    def finish(self):
        assert self.process.wait(120) == 0
        self._reader.join(30)


def everything_is_there(platform, committed):
    return all(
        not list(platform.numbers.get(key, Ranges()).holes(1, list(held)[-1][1])) for key, held in committed.items()
    )


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
