"""The one loop where bytes meet a clock: a machine without I/O on one side, a stream on the other."""

import asyncio
import time
from collections.abc import Callable, Sequence

from drivers.stream import Stream
from protocols.framing import Event, Machine, Send

Clock = Callable[[], float]
EARLY = 0.001  # seconds; a clock may resolve no more


def on_time(now: float, deadline: float | None) -> float:
    """A loop calls its timers up to its clock's resolution early: for a machine its time has come all the same."""
    return deadline if deadline is not None and 0 < deadline - now < EARLY else now


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
        return machine.tick(on_time(clock(), deadline))
    return machine.receive(data, clock())
