"""The buffer of a configuration: opened, and watched. Knows sizes and files; not what is in it."""

import asyncio
from collections.abc import Callable

from agent.config import Config
from agent.links import bodies
from buffer.model import Lane, Options, RouteSpec
from buffer.store import Buffer
from drivers.api import Report
from protocols import columns

LOOKS = 5.0  # seconds between looks at the buffer's thread


def open_buffer(config: Config, report: Report) -> Buffer:
    """Blocks; for the start. `report` is called by the buffer's own thread."""
    buffer = config.buffer
    return Buffer.open(
        config.state / buffer.file,
        options=Options(
            max_bytes=int(buffer.max_size),
            alarm_quota=int(buffer.alarm_quota),
            commit_interval=float(buffer.commit_interval),
            settle_interval=float(buffer.settle_interval),
        ),
        routes=[RouteSpec(route.name, route.required) for route in config.routes],
        merge=columns.merging,
        thin=bodies.thin,
        report=report,
    )


async def watch(buffer: Buffer, beat: Callable[[], None]) -> None:
    """The buffer's thread must come round; its end is the end of the station."""
    while True:
        await asyncio.wrap_future(buffer.history(buffer.log, Lane.ALARM, 1, 0))
        beat()
        await asyncio.sleep(LOOKS)
