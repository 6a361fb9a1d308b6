"""What one link subscribes to, and how it gets what the server keeps: on every CONNECT, when asked, and once more after a
crowd.

A server holds only so many messages for one session (Mosquitto: a thousand) and drops what comes after them, the kept ones
that a subscription brings included. So what matters most goes first, in a subscription of its own; and after a crowd all is
subscribed to again. What is known by name is asked for by name.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from agent.links.mqtt_connection import Connection
from drivers.api import Report

RESUBSCRIBE = 60.0  # seconds until a refused subscription is tried again: access lists are repaired by people
ASK_AGAIN = 300.0  # seconds between subscriptions that are only to bring what is kept; each brings all of it
CROWD = 256  # messages after a subscription in which others may have been lost: a province keeps some tens
QUIET = 1.0  # seconds without a message are the end of a crowd
LONGEST_CROWD = 30.0  # seconds; a crowd that has no end is not waited for
ROUNDS = 4  # subscriptions in a row because of a crowd
MOST_NAMED = 64  # topics that are waited for by name; a beacon names 32
NAMED_PAUSE = 1.0  # seconds between two such requests


class Subscriber:
    """`first` gives what goes before `filters`; `came` is to be called for each message. The tasks of a connection are `run`
    and `get`.
    """

    def __init__(
        self, filters: Sequence[str], report: Report, facts: Mapping[str, str], first: Callable[[], Sequence[str]]
    ) -> None:
        self.subscribed: frozenset[str] = frozenset()
        self.refused: dict[str, int] = {}  # filter → reason code
        self._filters, self._report, self._facts, self._first = tuple(filters), report, facts, first
        self._again, self._named = asyncio.Event(), asyncio.Event()
        self._wanted: dict[str, None] = {}
        self._count = 0

    def came(self) -> None:
        self._count += 1

    def ask_again(self) -> None:
        """Something that the server keeps has not come: subscribe once more, which brings it."""
        self._again.set()

    def want(self, topics: Sequence[str]) -> None:
        """These are kept by the server, whatever else it keeps."""
        self._wanted |= dict.fromkeys(topics[: MOST_NAMED - len(self._wanted)])
        self._named.set()

    async def run(self, connection: Connection) -> None:
        """All filters on every CONNECT: a resumed session brings no retained message again, a new one nothing at all."""
        self._again.clear()
        await self._bring(connection)
        while True:
            try:
                async with asyncio.timeout(RESUBSCRIBE if self.refused else None):
                    await self._again.wait()
            except TimeoutError:
                await self._subscribe(connection, tuple(self.refused))
                continue
            self._again.clear()
            await self._bring(connection)
            await asyncio.sleep(ASK_AGAIN)

    async def get(self, connection: Connection) -> None:
        """By name, and no longer than it takes: a session that is kept must not gather subscriptions."""
        while True:
            await self._named.wait()
            self._named.clear()
            topics, self._wanted = list(self._wanted), {}
            if topics:
                await connection.subscribe(topics)
                connection.unsubscribe(topics)
            await asyncio.sleep(NAMED_PAUSE)

    async def _bring(self, connection: Connection) -> None:
        self.subscribed = frozenset()
        for _ in range(ROUNDS):
            self._count = 0
            # Both leave at once: on a slow link an answer takes seconds, and a warning must not wait for two.
            first = [connection.subscribe(names)] if (names := self._first()) else []
            await asyncio.gather(*first, self._subscribe(connection, self._filters))
            if not await self._crowded():
                return

    async def _subscribe(self, connection: Connection, wanted: Sequence[str]) -> None:
        if not wanted:
            return
        answers = await connection.subscribe(wanted)
        refused = {each: code for each, code in answers.items() if code >= 0x80}
        self.subscribed |= frozenset(answers.keys() - refused.keys())
        for each in refused.keys() - self.refused.keys():
            self._report("link.subscription_refused", {**self._facts, "filter": each, "code": refused[each]})
        self.refused = refused

    async def _crowded(self) -> bool:
        """Once it is quiet: did so much come that something may have been dropped?"""
        loop = asyncio.get_running_loop()
        before, gives_up = -1, loop.time() + LONGEST_CROWD
        while before != self._count and loop.time() < gives_up:
            before = self._count
            await asyncio.sleep(QUIET)
        return self._count >= CROWD
