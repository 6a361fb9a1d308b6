"""Who is next on a port that one at a time may use: the most urgent, then the first come."""

import asyncio
import heapq
from enum import IntEnum
from itertools import count
from types import TracebackType


class Priority(IntEnum):
    """A siren's write goes before a technician's question, and that before polling."""

    ACTUATOR = 0
    TECHNICIAN = 1
    POLL = 2


class Slot:
    """`async with slot.at(priority):` - like a lock whose waiters have a rank. What runs is never interrupted."""

    def __init__(self) -> None:
        self._busy = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    def at(self, priority: int) -> "_Turn":
        return _Turn(self, priority)

    async def acquire(self, priority: int) -> None:
        if not self._busy:
            self._busy = True
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # handed to us in the same breath: pass it on
                self.release()
            raise

    def release(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._busy = False


class _Turn:
    def __init__(self, slot: Slot, priority: int) -> None:
        self._slot = slot
        self._priority = priority

    async def __aenter__(self) -> None:
        await self._slot.acquire(self._priority)

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slot.release()
