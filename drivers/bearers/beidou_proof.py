"""A message of a BeiDou terminal to itself and back: proves module, card, antenna and sky, and what the firmware takes.

Some firmware takes any hexadecimal digit as "code", some decimal ones only; which is found by a message of all bytes. What
is not known is taken as decimal, which arrives with either.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable

from drivers.api import Accepted, Declined, Sent, Unknown
from protocols.rdss_card import Card
from protocols.rdss_content import Coding

ECHO = 60.0  # seconds that it may take; fifteen times the average
MISSES = 3  # at 4.5 % loss three in a row are chance once in eleven thousand
FRESH = 4  # bytes that make each one another
_BLAMED = frozenset({"refused", "checksum", "permission"})  # refusals by which a module may mean the content

Ask = Callable[[bytes, str, Coding | None], Awaitable[Sent]]
"""Sends so many bytes to a card, in a coding other than the one in use where one is given."""


class Proof:
    """`hear` takes what came from the own card. `learn` is told what the firmware takes, once that is known."""

    def __init__(self, ask: Ask, learn: Callable[[Card, Coding], None]) -> None:
        self._ask, self._learn = ask, learn
        self._turn = asyncio.Lock()
        self._data = b""  # what is out
        self._heard = asyncio.Event()
        self._whole = False
        self._misses = 0  # probes in a row of which nothing came back

    def hear(self, data: bytes) -> None:
        """What is much shorter than what is out belongs to an earlier one."""
        if self._data and (data == self._data or len(data) >= len(self._data) // 2):
            self._whole |= data == self._data
            self._heard.set()

    async def run(self, card: Card, room: int, coding: Coding | None) -> Sent:
        """Accepted: it came back whole. `coding`, if given, is what the firmware is not known to take; `room` in bytes."""
        async with self._turn:
            fresh = secrets.token_bytes(FRESH)
            self._data, self._whole = (fresh + bytes(range(256)))[:room] if coding else fresh, False
            self._heard.clear()
            try:
                sent = await self._round_trip(card, coding)
            finally:
                self._data = b""
            if coding is not None:
                self._judge(card, sent)
            return sent

    async def _round_trip(self, card: Card, coding: Coding | None) -> Sent:
        """A send that nobody is sure of is waited for as well: the echo is better proof than any feedback."""
        sent = await self._ask(self._data, card.number, coding)
        if isinstance(sent, Declined):
            return sent
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ECHO):
                await self._heard.wait()
        if self._whole:
            return Accepted("echo")
        return Unknown("garbled" if self._heard.is_set() else "no-echo")

    def _judge(self, card: Card, sent: Sent) -> None:
        """Three of which nothing came back say as much as a garbled one; one that could not go out says nothing."""
        if isinstance(sent, Declined) and sent.reason not in _BLAMED and not sent.reason.startswith("code-"):
            return
        self._misses = 0 if self._heard.is_set() else self._misses + 1
        if self._whole:
            self._learn(card, Coding.HEX)
        elif self._heard.is_set() or self._misses >= MISSES:
            self._learn(card, Coding.DECIMAL)
