"""Reading back from the buffer what a restart has made us forget: the readings of some series, newest blocks first, so
that a patience that ends early costs the oldest. Knows blocks and boots; not what the readings are for.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from operator import attrgetter
from typing import NamedTuple

from agent.clock import Clock
from buffer.model import Block, Lane
from buffer.store import Buffer
from protocols import columns
from protocols.errors import ProtocolError
from protocols.reading import Reading

STEP = 60  # numbers asked for at a time: a merged block
MOST_BYTES = 1 << 18  # of one answer
PATIENCE = 20.0  # seconds: three days of a busy station; then rules go on with what has been read
MOST_READINGS = 200_000  # kept while they are sorted, some 30 MB for a moment on the busiest station there is


class Recalled(NamedTuple):
    """In order of time, in this boot's milliseconds. `untimed`: an older boot could not be placed yet."""

    readings: list[Reading]
    untimed: bool


async def recall(buffer: Buffer, clock: Clock, series: Collection[str], since: int, until: int) -> Recalled:
    """Readings of `series` not older than `since`, up to number `until` of the current log."""
    found: list[Reading] = []
    deadline = asyncio.get_running_loop().time() + PATIENCE
    untimed = False
    async for block in _backwards(buffer, until):
        readings = _timed(block, clock)
        untimed = readings is None
        if readings is None or asyncio.get_running_loop().time() > deadline or len(found) > MOST_READINGS:
            break
        found += [one for one in readings if one.series in series and one.at >= since]
        if readings and readings[-1].at < since:
            break
    return Recalled(sorted(found, key=attrgetter("at")), untimed)


async def _backwards(buffer: Buffer, until: int) -> AsyncIterator[Block]:
    """Every block of telemetry, newest first; everybody else on the loop has a turn between two."""
    for log, newest in _logs(buffer, until):
        last = newest
        while last > 0:
            first = max(1, last - STEP + 1)
            blocks = await _blocks(buffer, log, first, last)
            for block in reversed(blocks):
                yield block
                await asyncio.sleep(0)
            last = min([first, *(block.first for block in blocks)]) - 1


def _logs(buffer: Buffer, until: int) -> Iterator[tuple[str, int]]:
    """Each log and its last number, newest log first."""
    for info in reversed(buffer.logs()):
        lane = info.lanes.get(Lane.TELEMETRY)
        if info.log == buffer.log:
            yield info.log, until
        elif lane is not None:
            yield info.log, lane.last


async def _blocks(buffer: Buffer, log: str, first: int, last: int) -> list[Block]:
    blocks: list[Block] = []
    while first <= last:
        more = await asyncio.wrap_future(buffer.history(log, Lane.TELEMETRY, first, last, max_bytes=MOST_BYTES))
        if not more:
            break
        blocks += more
        first = more[-1].last + 1
    return blocks


def _timed(block: Block, clock: Clock) -> list[Reading] | None:
    """Its readings in this boot's time; None where nobody knows when they were."""
    try:
        boot, numbers = columns.unpack(block.body)
    except ProtocolError:  # of another version, or damaged: a hole like any other
        return []
    readings = [reading for each in numbers for reading in each]
    if boot == clock.boot or not readings:
        return readings
    (then, known), (now, trusted) = clock.wall(boot, readings[-1].at), clock.wall(clock.boot, clock.now())
    if not (known and trusted):
        return None
    shift = clock.now() - (now - then) - readings[-1].at
    return [reading._replace(at=reading.at + shift) for reading in readings]
