"""gpsd's own player of captures (`gps.fake`, of the package gpsd-clients or python3-gps): a receiver behind a pseudo-terminal.

It is gpsd's code that reads the capture, sets up the terminal and paces the sentences; run by the system's Python, where Debian puts it.
"""

import asyncio
import contextlib
import subprocess
from pathlib import Path
from typing import Self

PYTHON = "/usr/bin/python3"
CHILD = """
import sys, time
import gps.fake
load = gps.fake.TestLoad(sys.argv[1])
load.delay = float(sys.argv[2])
player = gps.fake.FakePTY(load)
print(player.byname, flush=True)
while True:
    player.feed()
"""


def installed() -> bool:
    try:
        return subprocess.run([PYTHON, "-c", "import gps.fake"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class GpsFake:
    """`async with GpsFake(capture) as receiver: ... receiver.url`; over and over, one sentence every `delay` seconds."""

    def __init__(self, capture: Path, delay: float = 0.002) -> None:
        self._capture, self._delay = capture, delay

    async def __aenter__(self) -> Self:
        self._child = await asyncio.create_subprocess_exec(
            PYTHON, "-c", CHILD, str(self._capture), str(self._delay), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._child.stdout is not None
        self.path = (await self._child.stdout.readline()).decode().strip()
        return self

    @property
    def url(self) -> str:
        return f"serial://{self.path}?baud=4800"

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        await self._child.wait()
