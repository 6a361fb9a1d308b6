"""Lives of a small agent in processes of their own (`tests.faults.uplink_worker`), and what they said was on disk."""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from buffer.ranges import Ranges
from tests.support.listener import Listener
from tests.support.tree import ROOT

Told = MutableMapping[tuple[str, str], Ranges]
"""Numbers by log and lane; a defaultdict."""


class Worker:
    """One life of the small agent; `committed` collects what it said was on disk."""

    def __init__(self, directory: Path, url: str, committed: Told, *more: str) -> None:
        command = [sys.executable, "-m", "tests.faults.uplink_worker", str(directory), url, *more]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.lines = 0
        self._committed = committed
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("\n"):  # the last line of a killed process may be half of one
                log, lane, number = line.split()
                self._committed[log, lane].add(int(number), int(number))
                self.lines += 1

    def work(self, rng: random.Random) -> None:
        """Until something was committed, and then a random moment longer."""
        deadline = time.monotonic() + 60
        while not self.lines:
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.4))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)
        self._reader.join(30)

    def finish(self) -> None:
        assert self.process.wait(120) == 0
        self._reader.join(30)


def everything_is_there(platform: Listener, committed: Mapping[tuple[str, str], Ranges]) -> bool:
    return all(
        not list(platform.numbers.get(key, Ranges()).holes(1, list(held)[-1][1])) for key, held in committed.items()
    )
