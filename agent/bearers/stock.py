"""What a platform still waits for, as the narrow bearers see it: single alarms and events, each with its own age.

Reads the buffer by route, as the uplink does: what either of them settles is gone for both. Holds a short line of the
oldest; the rest waits where it is.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from buffer.model import Block, Lane, Pending

MOST = {Lane.ALARM: 64, Lane.EVENT: 32}  # in the line at once: an hour of the slowest bearer
MOST_BYTES = 64 * 1024  # of a lane's bodies


class Store(Protocol):
    """The part of `buffer.store.Buffer` that is used here."""

    log: str

    def read(
        self, route: str, lane: Lane, *, log: str | None, after: int, until: int | None, max_bytes: int, max_blocks: int
    ) -> Future[list[Block]]: ...
    def settle(self, route: str, log: str, lane: Lane, first: int, last: int) -> None: ...
    def floor(self, route: str, log: str, lane: Lane) -> int: ...
    def committed(self, lane: Lane) -> int: ...
    def backlog(self, route: str) -> list[Pending]: ...
    def subscribe(self, callback: Callable[[Lane, int], None]) -> None: ...


class Key(NamedTuple):
    """Of one number."""

    lane: Lane
    log: str
    number: int


class Held(NamedTuple):
    """An alarm or event that the platform has not acknowledged. `since`: loop seconds when it was first seen here."""

    key: Key
    body: bytes
    since: float


class Stock:
    """`held` is what a look found: alarms first, each lane oldest first."""

    def __init__(self, buffer: Store, route: str) -> None:
        self.held: Mapping[Key, Held] = {}
        self._buffer, self._route = buffer, route
        self._gone: set[Key] = set()  # settled while a look was under way, which may have seen them still

    async def look(self, now: float) -> None:
        """What is new is held from now on; what was settled, by whomever, is not held any more."""
        self._gone.clear()
        found: dict[Key, Held] = {}
        for lane in MOST:
            for block in await self._read(lane):
                key = Key(lane, block.log, block.first)
                found[key] = self.held.get(key) or Held(key, block.body, now)
        self.held = {key: held for key, held in found.items() if key not in self._gone}

    def waiting(self, lane: Lane) -> int:
        """Numbers, held here or not."""
        return sum(row.numbers for row in self._buffer.backlog(self._route) if row.lane is lane)

    def settle(self, key: Key, last: int) -> None:
        """The platform has these, from `key` on."""
        self._buffer.settle(self._route, key.log, key.lane, key.number, last)
        self._gone.add(key)
        self.held = {other: held for other, held in self.held.items() if other != key}

    async def _read(self, lane: Lane) -> list[Block]:
        blocks: list[Block] = []
        room = MOST_BYTES
        for row in self._buffer.backlog(self._route):
            if row.lane is lane and len(blocks) < MOST[lane] and room > 0:
                most = MOST[lane] - len(blocks)
                found = await self._some(row, room, most)
                blocks += found[:most]
                room -= sum(len(block.body) for block in found)
        return blocks

    def _some(self, row: Pending, room: int, most: int) -> "asyncio.Future[list[Block]]":
        read = self._buffer.read(
            self._route, row.lane, log=row.log, after=0, until=None, max_bytes=room, max_blocks=most
        )
        return asyncio.wrap_future(read)
