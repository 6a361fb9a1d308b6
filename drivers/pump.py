"""The one loop where bytes meet a clock: a machine without I/O on one side, a stream on the other."""

import asyncio
import time
from collections.abc import Callable, Sequence

from drivers.stream import Stream
from protocols.framing import Event, Machine, Send

Clock = Callable[[], float]


async def pump(stream: Stream, machine: Machine, take: Callable[[Event], None], clock: Clock = time.monotonic) -> None:
    """Run until the stream ends (OSError) or we are cancelled. What the machine wants sent is sent, the rest is taken."""
    while True:
        for event in await _events(stream, machine, clock):
            if isinstance(event, Send):
                await stream.write(event.data)
            else:
                take(event)


async def _events(stream: Stream, machine: Machine, clock: Clock) -> Sequence[Event]:
    deadline = machine.deadline
    wait = None if deadline is None else max(deadline - clock(), 0.0)
    try:
        async with asyncio.timeout(wait):
            data = await stream.read()
    except TimeoutError:
        return machine.tick(clock())
    return machine.receive(data, clock())
