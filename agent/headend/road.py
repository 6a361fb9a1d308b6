"""The way down by one bearer: what waits for it, most urgent first, and the loop that sends it.

Nothing waits for ever and nothing without bound: what is oldest and least urgent goes first, and is counted. Knows bearers
and datagrams, not what they mean.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple

from drivers.api import Bearer, Declined
from protocols.narrow.fragments import Sending

log = logging.getLogger(__name__)

MOST_WAITING = 1000  # datagrams and messages; a commander's card sends one a second at best
LEAST_PAUSE = 1.0  # seconds after a refusal that names no time
REFUSED_FOR = 3600.0  # seconds after which what a bearer still refuses is given up


class Load(IntEnum):
    """In the order in which they go."""

    ALERT = 0
    ANSWER = 1  # hello, receipts: a station waits for them with everything it has
    COMMAND = 2
    BEACON = 3


class Item(NamedTuple):
    """Either one datagram, or a message that is sent until it is received."""

    load: Load
    to: str
    data: bytes
    sending: Sending | None
    born: float


class Road:
    """`run` for ever."""

    def __init__(self, bearer: Bearer) -> None:
        self.bearer, self.counts = bearer, Counter[str]()
        self._items: list[Item] = []
        self._some = asyncio.Event()

    @property
    def name(self) -> str:
        return self.bearer.name

    def put(self, load: Load, to: str, datagrams: Iterable[bytes]) -> None:
        """Each once."""
        for data in datagrams:
            self._put(Item(load, to, data, None, self._now()))

    def begin(self, load: Load, to: str, sending: Sending) -> None:
        """Until `hear` on the sending says that it is over."""
        self._put(Item(load, to, b"", sending, self._now()))

    def status(self) -> dict[str, Any]:
        return {**self.bearer.status(), "waiting": len(self._items), "down": dict(self.counts)}

    async def run(self) -> None:
        while True:
            item = self._next()
            if item is None:
                await self._wait()
            else:
                await self._send(item)

    def _put(self, item: Item) -> None:
        if len(self._items) >= MOST_WAITING:
            least = max(self._items, key=lambda one: (one.load, -one.born))
            self._items.remove(least)
            self.counts["dropped"] += 1
        self._items.append(item)
        self._some.set()

    def _next(self) -> Item | None:
        now = self._now()
        for item in self._items:
            if item.sending is not None:
                item.sending.tick(now)
        over = [one for one in self._items if one.sending and (one.sending.done or one.sending.failed)]
        for item in over:
            self._items.remove(item)
            self.counts["delivered" if item.sending and item.sending.done else "unheard"] += 1
        ready = (one for one in self._items if one.sending is None or one.sending.next() is not None)
        return min(ready, key=lambda one: (one.load, one.born), default=None)

    async def _wait(self) -> None:
        """For something new, or for the patience of something sent."""
        self._some.clear()
        deadlines = [one.sending.deadline for one in self._items if one.sending and one.sending.deadline is not None]
        pause = max(min(deadlines) - self._now(), 0.0) if deadlines else None
        try:
            async with asyncio.timeout(pause):
                await self._some.wait()
        except TimeoutError:
            return

    async def _send(self, item: Item) -> None:
        outgoing = item.sending.next() if item.sending is not None else None
        data = outgoing.data if outgoing is not None else item.data
        sent = await self.bearer.send(data, item.to)
        now = self._now()
        if not isinstance(sent, Declined):
            self.counts["sent"] += 1
            if item.sending is not None and outgoing is not None:
                item.sending.sent(outgoing.place, now)
            elif item in self._items:
                self._items.remove(item)
            return
        self.counts[f"declined.{sent.reason}"] += 1
        if (sent.retry_after is None or now - item.born > REFUSED_FOR) and item in self._items:
            self._items.remove(item)
            return
        await asyncio.sleep(max(sent.retry_after or 0.0, LEAST_PAUSE))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
