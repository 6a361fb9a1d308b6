"""Sends what is pending over one connection, until that ends. What was in flight then is simply still pending.

Decides nothing about order (`choose`) or amount (`window`), and nothing about bytes (`encode`). A number is settled by an
accepting PUBACK and by nothing else. Every step is short: a warning shares this event loop.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.links.bearable import Bearable
from agent.links.choose import Kind, Stream, choose, joined, look_again, streams
from agent.links.mqtt import Connection, LinkDown, accepting
from agent.links.mqtt_words import Flight, blank
from agent.links.uplink_encode import EVENTS, Encode
from agent.links.window import Mark, Window
from buffer.model import Block, Lane, Pending
from drivers.api import Report

log = logging.getLogger(__name__)

LOOK = 2.0  # seconds between looks for numbers that were passed over
READ_BYTES = 128 * 1024  # bodies read at a time: some messages' worth, and the bound of what is held unsent
READ_BLOCKS = 256
HEAD = 64  # bytes of an MQTT PUBLISH beside topic and payload, properties included
STEP = 0.002  # seconds one encoding may hold the loop; the next message is made smaller when it took longer
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 600.0  # seconds after a refusal; access lists are repaired by people
REFUSED_IN_A_ROW = 3  # so many refusals with no acceptance between them: it is the lane, not the message
UNENCODABLE = -1  # reason for a body that could not be made into a message
TOO_LARGE = -2  # and for one that the server would not take


Cut = Callable[[Block], tuple[Block, Block] | None]


class Store(Protocol):
    """The part of `buffer.store.Buffer` that is used here."""

    log: str

    def read(
        self, route: str, lane: Lane, *, log: str | None, after: int, until: int | None, max_bytes: int, max_blocks: int
    ) -> Future[list[Block]]: ...
    def settle(self, route: str, log: str, lane: Lane, first: int, last: int) -> None: ...
    def floor(self, route: str, log: str, lane: Lane) -> int: ...
    def next(self, lane: Lane) -> int: ...
    def committed(self, lane: Lane) -> int: ...
    def backlog(self, route: str) -> list[Pending]: ...
    def subscribe(self, callback: Callable[[Lane, int], None]) -> None: ...


@dataclass(slots=True)
class Counts:
    """Since the start; over all connections of a route."""

    messages: int = 0
    numbers: int = 0
    payload_bytes: int = 0
    settled: int = 0  # messages accepted
    refused: dict[int, int] = field(default_factory=dict)  # by reason code
    last_settled: float | None = None  # loop time
    latest_round_trip: float = 0.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What does not change while the route lives."""

    route: str
    lanes: tuple[Lane, ...]
    topics: Mapping[Lane, str]
    buffer: Store
    encode: Encode
    report: Report
    counts: Counts
    five: bool = True
    linger: float = 10.0
    no_subscribers_ok: bool = False
    max_inflight: int = 100
    max_window: int = 4 << 20
    max_message: int = 64 << 10
    stand_aside: Callable[[float], float] = lambda _now: 0.0  # seconds to leave the loop to a warning
    cut: Cut = lambda _block: None  # two blocks of one that is too large; None where it cannot be cut
    bearable: Bearable = field(default_factory=Bearable)


@dataclass(slots=True)
class Pause:
    """Grows while refusals go on, and is forgotten with the first acceptance."""

    seconds: float = 0.0
    until: float = 0.0
    in_a_row: int = 0

    def refused(self, now: float) -> None:
        self.in_a_row += 1
        if now >= self.until:
            self.seconds = min(LONGEST_PAUSE, self.seconds * 2 or FIRST_PAUSE)
            self.until = now + self.seconds

    def accepted(self) -> None:
        self.in_a_row = 0


class Scale:
    """How many body bytes make a message of a wished size, and what encoding them costs. Learnt from each message."""

    def __init__(self) -> None:
        self._growth = 8.0  # payload bytes per body byte
        self._cost = 0.0  # seconds per body byte

    def body_bytes(self, message_size: int) -> int:
        wished = message_size / self._growth
        return int(min(wished, STEP / self._cost) if self._cost else wished)

    def learn(self, body: int, payload: int, took: float) -> None:
        self._growth += (payload / max(1, body) - self._growth) / 8
        self._cost += (took / max(1, body) - self._cost) / 8


class Sender:
    """One connection's sending: `await run()`; LinkDown ends it."""

    def __init__(self, terms: Terms, connection: Connection, pauses: dict[Lane, Pause]) -> None:
        self._terms = terms
        self._connection = connection
        self._pauses = pauses  # kept by the route: a new connection does not make a refusal good
        granted = connection.granted
        self.window = Window(
            ceiling=terms.max_window,
            messages=min(terms.max_inflight, granted.receive_maximum),
            largest=min(terms.max_message, granted.maximum_packet, terms.bearable.limit),
        )
        self._largest = min(granted.maximum_packet, terms.bearable.limit) - HEAD
        self._weights: dict[tuple[str, Lane, int], int] = {}  # payload bytes of what is in flight
        self._scales = {lane: Scale() for lane in terms.lanes}
        self._flying: dict[tuple[str, Lane], dict[int, int]] = {}  # first → last of what is in flight
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        buffer = terms.buffer
        self._streams = streams(
            buffer.backlog(terms.route), buffer.log, {lane: buffer.next(lane) for lane in terms.lanes}
        )
        self._look_at = self._loop.time() + LOOK

    def wake(self) -> None:
        """There is something new to send."""
        self._wake.set()

    def hand_over(self) -> None:
        """Wait for no company any more."""
        for stream in self._streams:
            if stream.kind is Kind.LIVE:
                stream.ready = 0.0
        self._wake.set()

    async def run(self) -> None:
        with suppress(LinkDown):
            while True:
                await self._turn()

    async def _turn(self) -> None:
        now = self._loop.time()
        aside = self._terms.stand_aside(now)
        if aside:
            await asyncio.sleep(aside)
            return
        self._see_commits(now)
        if now >= self._look_at:
            self._look_at = now + LOOK
            self._look_back(now)
        stream = choose(self._streams, now)
        if stream is None:
            self.window.idle()
            again = look_again(self._streams, now)
            await self._sleep(self._look_at if again is None else min(again, self._look_at))
        elif not self._may_send(stream):
            await self._sleep(self._look_at)
        else:
            await self._send_some(stream)

    async def _sleep(self, until: float) -> None:
        """Until something landed, was committed, or time has come."""
        self._wake.clear()
        timer = self._loop.call_at(until, self._wake.set)
        await self._wake.wait()
        timer.cancel()

    def _see_commits(self, now: float) -> None:
        for stream in self._streams:
            if stream.kind is not Kind.LIVE:
                continue
            committed = self._terms.buffer.committed(stream.lane)
            if committed > stream.until:
                if not stream.waiting and stream.lane not in EVENTS:
                    stream.ready = max(stream.ready, now + self._terms.linger)
                stream.until = committed

    def _may_send(self, stream: Stream) -> bool:
        """A live alarm waits for no window; the server's own limit holds for it too."""
        if stream.lane is Lane.ALARM and stream.kind is Kind.LIVE:
            return self.window.count < self.window.messages
        return self.window.count == 0 or self.window.room() >= self.window.message_size()

    async def _send_some(self, stream: Stream) -> None:
        blocks = await self._blocks(stream)
        if blocks:
            self._send(stream, blocks)
            await asyncio.sleep(0)  # everybody else on the loop has a turn after each message

    async def _blocks(self, stream: Stream) -> list[Block]:
        """The next neighbours of a stream; read some messages' worth at a time."""
        if not stream.ahead:
            await self._read(stream)
        if not stream.ahead:
            return []
        size = self._scales[stream.lane].body_bytes(self.window.message_size())
        count = joined(stream.ahead, size, one_by_one=stream.lane in EVENTS)
        taken = stream.ahead[:count]
        del stream.ahead[:count]
        return taken

    async def _read(self, stream: Stream) -> None:
        terms = self._terms
        found = await asyncio.wrap_future(
            terms.buffer.read(
                terms.route,
                stream.lane,
                log=stream.log,
                after=stream.after,
                until=stream.until,
                max_bytes=READ_BYTES,
                max_blocks=READ_BLOCKS,
            )
        )
        stream.after = found[-1].last if found else stream.until
        flying = self._flying.get((stream.log, stream.lane), {})
        stream.ahead = [block for block in found if not _overlaps(block, flying)]

    def _send(self, stream: Stream, blocks: Sequence[Block]) -> None:
        terms, lane, log_ = self._terms, stream.lane, stream.log
        encoded = self._encode(stream, blocks)
        if encoded is None:
            return
        payload, content_type = encoded
        if len(payload) + len(terms.topics[lane]) > self._largest:
            self._too_large(stream, blocks)
            return
        flight = self._connection.publish(
            terms.topics[lane], payload, properties=_properties(content_type) if terms.five else None
        )
        mark = self.window.sent(flight.size + HEAD, flight.sent)
        first, last = blocks[0].first, blocks[-1].last
        self._flying.setdefault((log_, lane), {})[first] = last
        self._weights[log_, lane, first] = len(payload)
        terms.counts.messages += 1
        terms.counts.numbers += last - first + 1
        terms.counts.payload_bytes += len(payload)
        flight.done.add_done_callback(lambda done: self._landed(flight, mark, (log_, lane, first, last), done))

    def _encode(self, stream: Stream, blocks: Sequence[Block]) -> tuple[bytes, str] | None:
        terms, began = self._terms, self._loop.time()
        floor = terms.buffer.floor(terms.route, stream.log, stream.lane)
        try:
            payload, content_type = terms.encode(stream.lane, blocks, floor, stream.kind.word)
        except Exception:
            if UNENCODABLE not in terms.counts.refused:  # once: a damaged store has thousands
                log.exception("%s/%s/%d cannot be encoded", stream.log, stream.lane.name, blocks[0].first)
            self._refuse(stream.lane, UNENCODABLE)
            return None
        body = sum(len(block.body) for block in blocks)
        self._scales[stream.lane].learn(body, len(payload), self._loop.time() - began)
        return payload, content_type

    def _too_large(self, stream: Stream, blocks: Sequence[Block]) -> None:
        """In halves, down to one number; one that is too large by itself stays pending and is told of."""
        if len(blocks) > 1:
            middle = len(blocks) // 2
            halves = [blocks[:middle], blocks[middle:]]
        else:
            halves = [[half] for half in self._terms.cut(blocks[0]) or ()]
            if not halves:
                self._refuse(stream.lane, TOO_LARGE)
        for half in halves:
            self._send(stream, half)

    @property
    def heaviest(self) -> int:
        """Bytes of the largest payload that no PUBACK has come for."""
        return max(self._weights.values(), default=0)

    def _landed(
        self, flight: Flight, mark: Mark, numbers: tuple[str, Lane, int, int], done: "asyncio.Future[int]"
    ) -> None:
        if done.cancelled() or done.exception() is not None:
            return  # the connection is over, and its numbers are pending as they were
        terms, now = self._terms, self._loop.time()
        log_, lane, first, last = numbers
        self.window.acked(mark, now)
        self._flying[log_, lane].pop(first, None)
        terms.bearable.accepted(self._weights.pop((log_, lane, first), 0))
        terms.counts.latest_round_trip = now - flight.sent
        if accepting(done.result(), no_subscribers_ok=terms.no_subscribers_ok):
            terms.buffer.settle(terms.route, log_, lane, first, last)
            terms.counts.settled += 1
            terms.counts.last_settled = now
            self._accept(lane)
        else:
            self._refuse(lane, done.result())
        self._wake.set()

    def _accept(self, lane: Lane) -> None:
        pause = self._pauses.get(lane)
        if pause is not None:
            pause.accepted()

    def _refuse(self, lane: Lane, reason: int) -> None:
        """Counted, told once per reason, and the lane slowed when nothing of it is taken any more."""
        terms, now = self._terms, self._loop.time()
        count = terms.counts.refused[reason] = terms.counts.refused.get(reason, 0) + 1
        if count == 1:
            facts = {"route": terms.route, "lane": lane.name.lower(), "code": reason, "topic": terms.topics[lane]}
            terms.report("uplink.refused", facts)
        pause = self._pauses.setdefault(lane, Pause())
        pause.refused(now)
        if pause.in_a_row >= REFUSED_IN_A_ROW:
            for stream in self._streams:
                if stream.lane is lane:
                    stream.ready = max(stream.ready, pause.until)

    def _look_back(self, now: float) -> None:
        """Numbers still pending that every stream has passed (refused, or a log that salvage brought back) go again."""
        terms = self._terms
        for pending in terms.buffer.backlog(terms.route):
            if pending.lane in terms.topics and not self._is_coming(pending):
                self._again(pending, now)

    def _is_coming(self, pending: Pending) -> bool:
        """Is its lowest number in flight, or will a stream still come to it?"""
        number, key = pending.first, (pending.log, pending.lane)
        if any(first <= number <= last for first, last in self._flying.get(key, {}).items()):
            return True
        mine = (each for each in self._streams if (each.log, each.lane) == key)
        return any(each.coming_to(number) for each in mine)

    def _again(self, pending: Pending, now: float) -> None:
        """From there up to where live data begins: that never ends where something is always waiting."""
        mine = [each for each in self._streams if (each.log, each.lane) == (pending.log, pending.lane)]
        live = next((each for each in mine if each.kind is Kind.LIVE), None)
        until = max((each.until for each in mine), default=pending.first + pending.numbers)
        until = until if live is None else min(until, live.begins - 1)
        if pending.first > until:
            return
        pause = self._pauses.get(pending.lane)
        ready = now if pause is None else max(now, pause.until)
        again = Stream(Kind.BACKLOG, pending.lane, pending.log, 0, pending.first - 1, until, ready)
        self._streams = [each for each in self._streams if each not in mine or each.kind is Kind.LIVE]
        self._streams.append(again)


def _overlaps(block: Block, flying: Mapping[int, int]) -> bool:
    return any(first <= block.last and block.first <= last for first, last in flying.items())


@cache
def _properties(content_type: str) -> Properties:
    properties: Any = blank(PacketTypes.PUBLISH)
    properties.ContentType = content_type
    made: Properties = properties
    return made
