"""What waits for the broker, and the receipts that wait for it: a station's message is acknowledged when all that it said is there."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from agent.headend.book import Book, Letter
from agent.headend.post import Post

if TYPE_CHECKING:
    from protocols.narrow.receipt import Receipt

Publish = Callable[[str, bytes], Awaitable[None]]
Message = tuple[str, int]  # a station, and the number of what it said


class Outbox:
    """`run` for ever. `disk` is held while the book is written; what the book still has is expected from the start."""

    def __init__(self, book: Book, disk: asyncio.Lock, posts: Mapping[str, Post], publish: Publish) -> None:
        self._book, self._disk, self._posts, self._publish = book, disk, posts, publish
        self._letters: asyncio.Queue[Letter] = asyncio.Queue()
        self._pending: dict[Message, set[int]] = {}  # letters that a message waits for
        self._waiting: dict[Message, tuple[str, Receipt]] = {}  # and the receipt it will get, by its bearer
        for letter in book.outbox(most=1 << 30):
            self.expect(letter)

    def expect(self, letter: Letter) -> None:
        self._pending.setdefault((letter.station, letter.number), set()).add(letter.id)
        self._letters.put_nowait(letter)

    def acknowledge(self, bearer: str, station: str, receipt: "Receipt", number: int) -> None:
        """At once where nothing is to be published; else when the broker has it all."""
        if self._pending.get((station, number)) and receipt.complete:
            self._waiting[station, number] = bearer, receipt
        else:
            self._posts[bearer].give(station, receipt, number)

    async def run(self) -> None:
        """One after the other: events of a station stay in their order."""
        while True:
            letter = await self._letters.get()
            try:
                await self._publish(letter.topic, letter.payload)
            except BaseException:
                self._letters.put_nowait(letter)
                raise
            async with self._disk:
                await asyncio.to_thread(self._book.published, letter)
            self._published(letter)

    def _published(self, letter: Letter) -> None:
        message = letter.station, letter.number
        waiting = self._pending.get(message, set())
        waiting.discard(letter.id)
        if waiting:
            return
        self._pending.pop(message, None)
        bearer, receipt = self._waiting.pop(message, ("", None))
        if receipt is not None:
            self._posts[bearer].give(letter.station, receipt, letter.number)
