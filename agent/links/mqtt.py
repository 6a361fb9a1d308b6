"""A link: one MQTT connection kept alive for ever. Says once what changed, waits with jitter, and begins anew.

Holds no message: whoever serves a connection takes back what was in flight when it ends, from the buffer. How one
connection lives is `mqtt_connection`'s.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from paho.mqtt.properties import Properties

from agent.links.mqtt_connection import TICK, Connection
from agent.links.mqtt_words import Flight, Granted, Inbound, LinkDown, Options, Receive, Will, accepting
from agent.links.subscribing import Subscriber
from drivers.api import Report
from drivers.within import within

__all__ = ["Backoff", "Connection", "Flight", "Granted", "Link", "LinkDown", "Options", "Will", "accepting"]

log = logging.getLogger(__name__)

FIRST_WAIT = 1.0  # seconds
LONGEST_WAIT = 28.0  # seconds: with 2 s for connecting, a link that is back is used within 30 s
STABLE = 60.0  # seconds a connection must have lasted to be worth an immediate new try
FAREWELL = 2.0  # seconds for the last word of an orderly end

Serve = Callable[[Connection], Awaitable[None]]
"""Uses one connection until it ends or the task is cancelled."""


class Backoff:
    """Full jitter: anything between nothing and a limit that doubles, so that a thousand stations do not return as one."""

    def __init__(self, random: Callable[[], float], first: float = FIRST_WAIT, most: float = LONGEST_WAIT) -> None:
        self._random = random
        self._first = first
        self._most = most
        self._limit = first

    def after(self, lived: float) -> float:
        """Seconds to wait after a connection that lived so long (0: it never was)."""
        if lived >= STABLE:
            self._limit = self._first
        limit, self._limit = self._limit, min(self._most, self._limit * 2)
        return self._random() * limit


class Link:
    """`run(serve)` for ever. `will` makes the last will for a session id; `receive` gets what `filters` bring, and before
    them those of `first`; `begin` hears of each new connection before anything comes over it.
    """

    def __init__(
        self,
        name: str,
        options: Options,
        *,
        report: Report,
        random: Callable[[], float],
        filters: Sequence[str] = (),
        first: Callable[[], Sequence[str]] = lambda: (),
        receive: Receive | None = None,
        will: Callable[[str], Will] | None = None,
        begin: Callable[[], None] = lambda: None,
        facts: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.session = ""  # drawn for each connection
        self.connection: Connection | None = None
        self.connects = 0
        self.failures: dict[str, int] = {}
        self._options = options
        self._report = report
        self._backoff = Backoff(random)
        self._receive = receive
        self._will = will
        self._begin = begin
        self._facts = {"link": name, **(facts or {})}
        self.subscriber = Subscriber(filters, report, self._facts, first)
        self._said: tuple[str, str] = ("", "")
        self._brief = False
        self._beaten: float | None = None
        self._wake = asyncio.Event()

    @property
    def subscribed(self) -> frozenset[str]:
        return self.subscriber.subscribed

    @property
    def refused(self) -> Mapping[str, int]:
        """Filter → reason code."""
        return self.subscriber.refused

    @property
    def connected(self) -> bool:
        return self.connection is not None and self.connection.alive

    def beat(self) -> float:
        """Seconds since the link last came round. It does so with and without a network."""
        return 0.0 if self._beaten is None else asyncio.get_running_loop().time() - self._beaten

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, properties: Properties | None = None
    ) -> Flight:
        if self.connection is None:
            raise LinkDown("not-connected")
        return self.connection.publish(topic, payload, retain=retain, properties=properties)

    def hurry(self) -> None:
        """Do not sit out the back-off: there is reason to think that the network is back."""
        self._wake.set()

    def _received(self, message: Inbound) -> None:
        self.subscriber.came()
        if self._receive is None:
            message.ack()
        else:
            self._receive(message)

    async def run(self, serve: Serve) -> None:
        ticking = asyncio.ensure_future(self._tick())
        try:
            while True:
                lived = await self._live(serve)
                await self._pause(self._backoff.after(lived))
        finally:
            ticking.cancel()

    async def _live(self, serve: Serve) -> float:
        """One connection from its opening to its end; how long it lasted."""
        loop = asyncio.get_running_loop()
        self.session = secrets.token_hex(8)
        connection = Connection(self._options, will=self._will and self._will(self.session), receive=self._received)
        self.connection = connection
        self._begin()  # before the first byte: what a kept session owes us comes in one segment with CONNACK
        try:
            await connection.open()
        except LinkDown as down:
            self._learn(down)
            self._down(down)
            return 0.0
        started = loop.time()
        self.connects += 1
        # A connection that keeps breaking is news once; it is up again when it has lasted.
        telling = loop.call_later(STABLE if self._brief else 0.0, self._up, connection.granted)
        try:
            why = await self._serve(connection, serve)
        finally:
            telling.cancel()
        lived = loop.time() - started
        self._brief = lived < STABLE
        self._down(why)
        return lived

    async def _serve(self, connection: Connection, serve: Serve) -> LinkDown:
        work = [
            asyncio.ensure_future(self._work(connection, each))
            for each in (self.subscriber.run, self.subscriber.get, serve)
        ]
        try:
            return await asyncio.shield(connection.ended)
        except asyncio.CancelledError:
            await self._farewell(connection)
            raise
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def _work(self, connection: Connection, work: Serve) -> None:
        """A fault in what uses the connection ends the connection, never the link."""
        try:
            await work(connection)
        except LinkDown:
            return
        except Exception as error:
            log.exception("link %s: its user failed", self.name)
            connection.drop("internal", type(error).__name__)

    async def _farewell(self, connection: Connection) -> None:
        """An orderly end makes the server forget the will, so its words are said by hand."""
        if self._will is not None and not connection.ended.done():
            will = self._will(self.session)
            with contextlib.suppress(LinkDown, TimeoutError):
                flight = connection.publish(will.topic, will.payload, retain=True)
                await within(flight.done, FAREWELL)
        await connection.close()

    async def _pause(self, seconds: float) -> None:
        self._wake.clear()
        with contextlib.suppress(TimeoutError):
            await within(self._wake.wait(), seconds)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._beaten = loop.time()
            if self.connection is not None:
                self.connection.tick()
            await asyncio.sleep(TICK)

    def _learn(self, down: LinkDown) -> None:
        """A server that keeps nothing refuses a retained will, and would for ever (MQTT 5 §3.2.2.2, 0x9A)."""
        if down.reason == "refused.retain-not-supported":
            self._options = replace(self._options, retain=False)

    def _up(self, granted: Granted) -> None:
        facts = {**self._facts, "session": granted.session_present, "untimed": granted.untimed}
        self._say(
            "up", "untimed" if granted.untimed else "", "link.up_untimed" if granted.untimed else "link.up", facts
        )
        if granted.maximum_qos < 1:
            self._report("link.no_qos1", self._facts)

    def _down(self, down: LinkDown) -> None:
        self.failures[down.reason] = self.failures.get(down.reason, 0) + 1
        facts = {**self._facts, "reason": down.reason, "detail": down.detail}
        self._say("down", down.reason, "link.down", facts)

    def _say(self, state: str, reason: str, code: str, facts: Mapping[str, object]) -> None:
        """Once per change, not once per try."""
        if self._said != (state, reason):
            self._said = (state, reason)
            log.log(logging.INFO if state == "up" else logging.WARNING, "link %s %s %s", self.name, state, facts)
            self._report(code, facts)
