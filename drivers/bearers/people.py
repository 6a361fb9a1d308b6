"""Texts between a modem and people: what they wrote and nobody fetched yet, and how many messages a day may cost."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from typing import NamedTuple

from drivers.bearers.common import INBOX_MOST

DAY = 86_400.0  # seconds


class Text(NamedTuple):
    """What a person wrote, by the number as it stands in a list; `at` in boot milliseconds."""

    sender: str
    text: str
    at: int


class Texts:
    """Texts that nobody fetched yet; of too many, the oldest goes and is counted."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._waiting: deque[Text] = deque(maxlen=INBOX_MOST)
        self._arrived = asyncio.Event()

    def put(self, text: Text) -> None:
        self._counters["texts_dropped"] += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(text)
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[Text]:
        return self

    async def __anext__(self) -> Text:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()


class Quota:
    """So many messages in any 24 hours: an answer to an answer must not become expensive. Time is an argument."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._sent: deque[float] = deque(maxlen=max(most, 1))

    def wait(self, now: float) -> float:
        """Seconds until another may go; 0 where it may now."""
        if not self._most or len(self._sent) < self._most:
            return 0.0
        return max(self._sent[0] + DAY - now, 0.0)

    def spend(self, now: float, messages: int = 1) -> None:
        if self._most:
            self._sent.extend([now] * messages)

    def left(self, now: float) -> int | None:
        """None: without limit."""
        return self._most - sum(at > now - DAY for at in self._sent) if self._most else None
