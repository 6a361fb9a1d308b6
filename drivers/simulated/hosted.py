"""Where a simulated device lives that is a machine itself: behind a stream, for `sim:` addresses, or a pseudo-terminal.

A device as a machine needs no loop and no clock, so a test may also talk to it directly, a month in a second. What it
says with one `Send` is read in one piece, so that it decides itself where its lines are torn.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

from drivers.pump import on_time
from drivers.simulated.line import PtyLine
from protocols.framing import Event, Machine, Send

PIECES_MOST = 4096  # said and not read: a wire does not wait


def _now() -> float:
    return asyncio.get_running_loop().time()


def _tell(device: Machine, wake: Callable[[], None]) -> None:
    """A device that is also reached by another way than its line (a radio) has `reached` and calls `wake` then."""
    reached = getattr(device, "reached", None)
    if reached is not None:
        reached(wake)


class MachineStream:
    """See `drivers.stream.Stream`: the device at its other end."""

    def __init__(self, device: Machine) -> None:
        self._device = device
        self._said: deque[bytes] = deque(maxlen=PIECES_MOST)
        self._changed = asyncio.Event()
        _tell(device, self._changed.set)

    async def read(self) -> bytes:
        while not self._said:
            self._changed.clear()
            deadline = self._device.deadline
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                self._hear(self._device.tick(on_time(_now(), deadline)))
        return self._said.popleft()

    async def write(self, data: bytes) -> None:
        self._hear(self._device.receive(data, _now()))

    def close(self) -> None:
        """The device stays as it is: it has a battery of its own."""

    def _hear(self, events: Sequence[Event]) -> None:
        self._said.extend(event.data for event in events if isinstance(event, Send))
        self._changed.set()


class MachineLine:
    """`async with MachineLine(device) as line: ... line.url`: the device behind a pseudo-terminal."""

    def __init__(self, device: Machine, baud: int = 9600) -> None:
        self._device = device
        self._line = PtyLine(self._receive, baud)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def path(self) -> str:
        return self._line.path

    @property
    def url(self) -> str:
        return self._line.url

    async def __aenter__(self) -> Self:
        await self._line.__aenter__()
        _tell(self._device, self.wake)
        self._carry_out([])
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        """The adapter is pulled; the device lives on."""
        if self._timer is not None:
            self._timer.cancel()
        self._line.unplug()

    def wake(self) -> None:
        """Something happened to the device that no byte brought: look at its deadline again."""
        self._carry_out([])

    def _receive(self, data: bytes) -> None:
        self._carry_out(self._device.receive(data, _now()))

    def _tick(self) -> None:
        self._carry_out(self._device.tick(on_time(_now(), self._device.deadline)))

    def _carry_out(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Send):
                self._line.write(event.data)
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._device.deadline
        self._timer = None if deadline is None else asyncio.get_running_loop().call_at(deadline, self._tick)
