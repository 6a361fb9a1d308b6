"""What a station and one headend know of each other: the keys of their epoch, what was said and what was understood.

Seals and opens; announces a new epoch until the headend says that it knows it. Knows nothing of bearers, nor of what a
message is about.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from agent.bearers.keeper import Keeper
from protocols.errors import LocalError, ProtocolError, RemoteError
from protocols.narrow import header, hello, keys, receipt
from protocols.narrow.context import Context
from protocols.narrow.counter import BLOCK, Counter, Window, decode_window
from protocols.narrow.header import Frame, Kind
from protocols.narrow.hello import Answer, Hello, Welcome
from protocols.narrow.session import Message, Opened, Session, open_session

log = logging.getLogger(__name__)

MOST_TOLD = 64  # contexts and origins remembered to be known on the other side, as many as it holds
MOST_GREETINGS = 4  # hellos whose answer may still come: one a bearer, as a rule
ASKED = 3600.0  # seconds: at most so often because somebody asks who we are, which anybody can repeat


class Answered(NamedTuple):
    """`after`: seconds since our hello; None where nobody said hello."""

    answer: Answer
    after: float | None


class _Greeting(NamedTuple):
    """A hello of this epoch, when it was made, and the names of the contexts it told."""

    epoch: int
    at: float
    told: tuple[bytes, ...]


class Pact:
    """A `protocols.narrow.link.Voices`. Blocks when made: reads and writes files. `now` is the loop's time, `unix` the best known."""

    def __init__(
        self,
        station: str,
        private: bytes,
        headend: bytes,
        keeper: Keeper,
        *,
        now: Callable[[], float],
        unix: Callable[[], int],
    ) -> None:
        secret = keys.agree(private, headend)
        self._station, self._secret, self._keeper = station, secret, keeper
        self._now, self._unix = now, unix
        self._hello_key = keys.hello_key(secret, station)
        self.address_up, self.address_down = (header.address(station, up=up) for up in (True, False))
        self._greetings: dict[bytes, _Greeting] = {}  # by their nonces
        self._told: dict[bytes, None] = {}
        self._asked_at = float("-inf")
        self.round = 0  # rises whenever every bearer should say hello anew
        self.session = self._open()

    @property
    def known(self) -> bool:
        """Has the headend acknowledged this epoch?"""
        return self._keeper.memory.known

    def greet(self, contexts: tuple[Context, ...] = ()) -> Frame:
        """A hello, to be sent now. Every bearer's is one of its own."""
        nonce = os.urandom(hello.NONCE_BYTES)
        self._greetings[nonce] = _Greeting(self.session.epoch.number, self._now(), tuple(one.name for one in contexts))
        while len(self._greetings) > MOST_GREETINGS:
            del self._greetings[next(iter(self._greetings))]
        counter = self.session.counter.peek
        return hello.say(self._hello_key, Hello(self.session.epoch, counter, contexts), nonce)

    def answered(self, frame: Frame) -> "Answered | None":
        """What the headend said to a hello of ours, or unasked; None for anything else, which is counted by the caller."""
        for nonce in (*self._greetings, hello.UNASKED):
            try:
                answer = hello.understand(self._hello_key, frame, nonce)
            except RemoteError:
                continue
            greeting = self._greetings.pop(nonce, None)
            self._take(answer, greeting)
            return Answered(answer, None if greeting is None else self._now() - greeting.at)
        return None

    def seal(self, kind: Kind, body: bytes) -> Message | None:
        """None while no number is reserved: better late than a number twice."""
        try:
            return self.session.seal(kind, body)
        except LocalError as wrong:
            if wrong.reason != "frame.counter":
                raise
            return None

    @property
    def current(self) -> Session | None:
        return self.session

    def open(self, head: Frame, data: bytes) -> tuple[Session, Opened]:
        """RemoteError for what is none of our headend's. What came before comes as not fresh."""
        opened = self.session.open(head, data)
        if opened.fresh:
            self._keeper.hear(str(opened.speaker), self.session.windows[opened.speaker].encode())
            self._keeper.acknowledged()  # who speaks in an epoch knows it
        return self.session, opened

    async def written(self) -> bool:
        """What was heard is on disk: a restart will not obey it again."""
        return await asyncio.to_thread(self._keeper.write)

    def proves(self, row: receipt.Addressed) -> int | None:
        """The whole number of the message that this receipt of a broadcast is for, if it is for us and genuine."""
        counter = self.session.counter_of(row.receipt.id)
        if counter < 0 or not receipt.settles(row, self.address_down, self.session.keys.ack, counter):
            return None
        return counter

    def knows(self, name: bytes) -> bool:
        """Was a message acknowledged that said this context in full?"""
        return name in self._told

    def told(self, names: Iterable[bytes]) -> None:
        for name in names:
            self._told.pop(name, None)
            self._told[name] = None
        while len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]

    def forget(self) -> None:
        """The headend does not know a context: every one is said in full again."""
        self._told.clear()

    def knows_schema(self, schema: bytes) -> bool:
        return self._keeper.memory.schema == schema.hex()

    def told_schema(self, schema: bytes) -> None:
        """Kept over restarts: it takes several messages. Empty where the headend turned out not to know it."""
        if not self.knows_schema(schema):
            self._keeper.memory.schema = schema.hex()
            self._keeper.save()

    def status(self) -> dict[str, Any]:
        return {"epoch": self.session.epoch.number, "known": self.known, "counter": self.session.counter.peek}

    def _take(self, answer: Answer, greeting: "_Greeting | None") -> None:
        if greeting is None:
            self._asked(answer)
        elif greeting.epoch == self.session.epoch.number and answer.welcome is Welcome.WELCOME:
            self.told(greeting.told)
            self._keeper.acknowledged()
        elif greeting.epoch == self.session.epoch.number and answer.welcome is Welcome.BEHIND:
            self._renew(answer.highest)

    def _asked(self, answer: Answer) -> None:
        now = self._now()
        if answer.welcome is Welcome.WHO and self.known and now - self._asked_at >= ASKED:
            self._asked_at = now
            self.round += 1
            self._keeper.memory.known = False
            self.forget()

    def _renew(self, above: int) -> None:
        self._keeper.renew(max(self._unix(), above + 1))
        self._told.clear()
        self.session = self._open()
        self.round += 1

    def _open(self) -> Session:
        keeper = self._keeper
        counter = Counter(keeper.memory.until, lambda until: keeper.reserve(until, counter.reserved))
        counter.reserved(keeper.reserve_now(keeper.memory.until + BLOCK))
        return open_session(self._secret, self._station, keeper.epoch, counter, windows=_windows(keeper.memory.heard))


def _windows(heard: dict[str, str]) -> dict[int, Window]:
    found = {}
    for speaker, kept in heard.items():
        try:
            found[int(speaker)] = decode_window(bytes.fromhex(kept))
        except (ValueError, ProtocolError):
            log.warning("what was heard of headend %s cannot be read and begins anew", speaker)
    return found
