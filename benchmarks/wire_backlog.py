"""What a reading costs on the wire: a real day of minutes, stored as the agent stores it and then sent, bytes counted
between agent and broker by a proxy that sees all of MQTT: CONNECT, topics, acknowledgements, status.
"""

import asyncio
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.report import Figure, Measured, measures
from benchmarks.uplink_scene import BOOT, Store, make, platform, running, until
from buffer.model import Lane, Options, RouteSpec
from buffer.store import Buffer
from protocols import columns
from tests.support.proxy import Proxy
from tests.support.surfrad import minutes

MERGED = 1_200  # of 1,440 numbers; the newest of a log rest a while


class Day(Store):
    """One append a minute, merged by the buffer itself, in a log that is closed when it is sent."""

    def __init__(self, directory: Path) -> None:
        options = Options(commit_interval=0.01, settle_interval=0.1)
        path, routes = directory / "buffer.db", [RouteSpec("p")]
        rows = minutes()
        self.readings = sum(map(len, rows))
        with closing(Buffer.open(path, options=options, routes=routes, merge=columns.merging)) as buffer:
            for row in rows:
                buffer.append(Lane.TELEMETRY, columns.pack(BOOT, row))
            buffer.flush().result(60)
            while buffer.stats().merged < MERGED:
                time.sleep(0.1)
        self.buffer = Buffer.open(path, options=options, routes=routes)
        self.in_block = 1


async def _sent(day: Day, port: int, form: str) -> None:
    with running(make(day, "127.0.0.1", port, form), asyncio.get_running_loop()):
        await until(lambda: not day.pending())


def _bytes(form: str) -> tuple[float, float]:
    """Up and down, per reading."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        day = Day(directory)
        with platform(directory) as (broker, _ears), Proxy(broker.host, broker.port) as proxy:
            asyncio.run(_sent(day, proxy.port, form))
            up, down = proxy.bytes_up / day.readings, proxy.bytes_down / day.readings
        day.buffer.close()
        return up, down


@measures(
    3,
    Figure("bytes sent per reading, a backlog of real minutes, packed", "bytes", "≤ 1.0", "JSON of one: 60 to 100"),
    Figure("bytes received per reading meanwhile, packed", "bytes"),
    Figure("bytes sent per reading, a backlog of real minutes, SenML JSON", "bytes"),
)
def wire() -> Measured:
    packed, answers = _bytes("packed")
    json, _ = _bytes("json")
    return {
        "bytes sent per reading, a backlog of real minutes, packed": packed,
        "bytes received per reading meanwhile, packed": answers,
        "bytes sent per reading, a backlog of real minutes, SenML JSON": json,
    }
