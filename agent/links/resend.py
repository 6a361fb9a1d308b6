"""Answers `resend`: numbers a platform misses go out again from history under their own keys, in steps so small that live
data never waits for them; for every number that cannot go, the answer says why.

What may be sent is bounded: by bytes under way, by a bucket of bytes for the data plan, and by time for one command.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.bucket import Bucket
from agent.links.choose import joined
from agent.links.mqtt import LinkDown, accepting
from agent.links.mqtt_words import Flight
from agent.links.uplink_encode import EVENTS, Encode
from agent.links.uplink_send import HEAD, Scale
from buffer.model import Block, Lane, LogInfo, Stats
from buffer.ranges import Ranges
from protocols import resend
from protocols.key import Key

# Bytes at once and bytes a second after that. A stranger who may publish commands costs a metered plan 4 MB a day at most.
PLAIN, METERED = (64 << 20, 64 << 10), (4 << 20, (4 << 20) / 86_400)
UNDER_WAY = 12_000  # bytes: the floor of a connection's window, 0.1 s of a link of 1 Mbit/s
MESSAGE = 8_000  # bytes a message is aimed at; a block is never cut
STEP_BYTES = 64 << 10  # bodies read from history at a time: the bound of what is held
MOST_TIME = 600.0  # seconds for one command; what is left is named "later", and the platform asks again
LINK_LOOK = 1.0  # seconds between looks whether the link is back
MOST_NAMED = 256  # ranges in one answer, 26 kB of its event; the rest are counted

UNKNOWN = "unknown"  # no such number is or will be known here
NOT_ISSUED = "not-issued"  # not yet
DELETED = "deleted"  # every platform had it, and the space was needed
UNAVAILABLE = "unavailable"  # the file is being mended or refuses: ask again
LATER = "later"  # time or the data plan did not allow it: ask again
LINK = "link"
REFUSED = "refused"  # the broker would not take it
BROKEN = "unencodable"


class Store(Protocol):
    """The part of `buffer.store.Buffer` that is used here."""

    log: str

    def history(self, log: str, lane: Lane, first: int, last: int, *, max_bytes: int) -> Future[list[Block]]: ...
    def settle(self, route: str, log: str, lane: Lane, first: int, last: int) -> None: ...
    def floor(self, route: str, log: str, lane: Lane) -> int: ...
    def committed(self, lane: Lane) -> int: ...
    def shed(self, log: str, lane: Lane) -> dict[str, tuple[tuple[int, int], ...]]: ...
    def logs(self) -> list[LogInfo]: ...
    def stats(self) -> Stats: ...


class Way(Protocol):
    """The links of a route."""

    def connected(self, lane: Lane) -> bool: ...
    def send(self, lane: Lane, payload: bytes, content_type: str) -> Flight:
        """LinkDown when there is no connection; ValueError when the server would not take so much at once."""
        ...


@dataclass(slots=True)
class Answer:
    """What became of each number asked for."""

    sent: int = 0  # numbers that the broker took
    missing: list[tuple[Key, str]] = field(default_factory=list)
    more: int = 0  # ranges that are missing too and not named

    def lack(self, station: str, log: str, lane: Lane, ranges: Iterable[tuple[int, int]], reason: str) -> None:
        for first, last in ranges:
            if len(self.missing) < MOST_NAMED:
                self.missing.append((Key(station, log, lane.name.lower(), first, last), reason))
            else:
                self.more += 1

    def facts(self) -> dict[str, Any]:
        named = [{"range": key.text, "reason": reason} for key, reason in self.missing]
        return {"sent": self.sent, "missing": named, "more": self.more}


class Resend:
    """`obey` is the verb."""

    def __init__(
        self,
        route: str,
        *,
        station: str,
        buffer: Store,
        encode: Encode,
        way: Way,
        metered: bool = False,
        no_subscribers_ok: bool = False,
    ) -> None:
        self.route, self.station, self.buffer = route, station, buffer
        self.encode, self.way = encode, way
        self.no_subscribers_ok = no_subscribers_ok
        burst, rate = METERED if metered else PLAIN
        self.plan = Bucket(burst, rate, asyncio.get_running_loop().time())
        self.scales = {lane: Scale() for lane in Lane}

    async def obey(self, payload: bytes) -> Mapping[str, Any]:
        wanted = _joined(resend.decode(self.station, payload))
        answer = Answer()
        logs = {info.log: info for info in self.buffer.logs()}
        deadline = asyncio.get_running_loop().time() + MOST_TIME
        for (log, lane), ranges in wanted.items():
            possible = self._possible(logs.get(log), log, lane, ranges, answer)
            if possible:
                await Work(self, log, lane, answer, deadline).do(possible)
        return answer.facts()

    def _possible(self, info: LogInfo | None, log: str, lane: Lane, ranges: Ranges, answer: Answer) -> Ranges:
        """What is asked for without what is known not to be here. Costs by ranges, however many numbers they span."""
        issued = self.buffer.committed(lane) if log == self.buffer.log else _last(info, lane)
        beyond = NOT_ISSUED if log == self.buffer.log else self._absent(UNKNOWN)
        answer.lack(self.station, log, lane, _above(ranges, issued), beyond)
        left = Ranges(ranges.within(1, issued))
        for reason, gone in self.buffer.shed(log, lane).items():
            lost = left.intersection(Ranges(gone))
            answer.lack(self.station, log, lane, lost, reason)
            left = left.difference(lost)
        return left

    def _absent(self, reason: str) -> str:
        """While a file is being mended, or refuses, nothing can be said to be gone."""
        stats = self.buffer.stats()
        return UNAVAILABLE if stats.salvaging or stats.degraded else reason

    def why_absent(self, log: str, lane: Lane, ranges: Ranges, answer: Answer) -> None:
        """Numbers that history did not give: what reading has just found unreadable, and what was deleted."""
        for reason, gone in self.buffer.shed(log, lane).items():
            lost = ranges.intersection(Ranges(gone))
            answer.lack(self.station, log, lane, lost, reason)
            ranges = ranges.difference(lost)
        if ranges:
            answer.lack(self.station, log, lane, ranges, self._absent(DELETED))


class Stop(Exception):
    """No more of this command now; the reason is a word of the answer."""


@dataclass(slots=True)
class Work:
    """One lane of one log."""

    by: Resend
    log: str
    lane: Lane
    answer: Answer
    deadline: float
    flying: deque[tuple[Flight, int, int]] = field(default_factory=deque)
    tried: Ranges = field(default_factory=Ranges)

    async def do(self, ranges: Ranges) -> None:
        try:
            for first, last in list(ranges):
                await self._range(first, last)
            self.by.why_absent(self.log, self.lane, ranges.difference(self.tried), self.answer)
        except Stop as why:
            self._lack(ranges.difference(self.tried), str(why))
        finally:
            while self.flying:
                await self._land()

    async def _range(self, first: int, last: int) -> None:
        while first <= last:
            read = self.by.buffer.history(self.log, self.lane, first, last, max_bytes=STEP_BYTES)
            blocks = await asyncio.wrap_future(read)
            if not blocks:
                return
            for group in self._groups(blocks):
                await self._send(group)
            first = blocks[-1].last + 1

    def _groups(self, blocks: list[Block]) -> Iterator[list[Block]]:
        """Messages of about the wished size."""
        while blocks:
            size = self.by.scales[self.lane].body_bytes(MESSAGE)
            count = joined(blocks, size, one_by_one=self.lane in EVENTS)
            yield blocks[:count]
            blocks = blocks[count:]

    async def _send(self, blocks: Sequence[Block]) -> None:
        first, last = blocks[0].first, blocks[-1].last
        made = self._encode(blocks)
        if made is None:
            self._fail(first, last, BROKEN)
            return
        await self._room(len(made[0]) + HEAD)
        try:
            flight = self.by.way.send(self.lane, *made)
        except LinkDown as down:
            raise Stop(LINK) from down
        except ValueError:
            self._fail(first, last, REFUSED)
            return
        self.by.plan.take(flight.size + HEAD, self._now())
        self.tried.add(first, last)
        self.flying.append((flight, first, last))
        await asyncio.sleep(0)  # everybody else on the loop has a turn after each message

    def _encode(self, blocks: Sequence[Block]) -> tuple[bytes, str] | None:
        by, began = self.by, self._now()
        floor = by.buffer.floor(by.route, self.log, self.lane)
        try:
            payload, content_type = by.encode(self.lane, blocks, floor, "resend")
        except Exception:  # noqa: BLE001 - one damaged body must not keep the rest from going
            return None
        by.scales[self.lane].learn(sum(len(block.body) for block in blocks), len(payload), self._now() - began)
        return payload, content_type

    async def _room(self, size: int) -> None:
        """Until the plan, the link and what is under way allow `size` more bytes."""
        while self.flying and sum(flight.size for flight, _, _ in self.flying) + size > UNDER_WAY:
            await self._land()
        while not self.by.way.connected(self.lane):
            await self._pause(LINK_LOOK, LINK)
        while wait := self.by.plan.wait(size, self._now()):
            await self._pause(wait, LATER)

    async def _pause(self, seconds: float, reason: str) -> None:
        if self._now() + seconds > self.deadline:
            raise Stop(reason)
        await asyncio.sleep(seconds)

    async def _land(self) -> None:
        """The oldest under way; the connection's own patience bounds the wait."""
        flight, first, last = self.flying.popleft()
        by = self.by
        try:
            code = await flight.done
        except LinkDown:
            self._lack([(first, last)], LINK)
            return
        if accepting(code, no_subscribers_ok=by.no_subscribers_ok):
            by.buffer.settle(by.route, self.log, self.lane, first, last)
            self.answer.sent += last - first + 1
        else:
            self._lack([(first, last)], REFUSED)

    def _fail(self, first: int, last: int, reason: str) -> None:
        self.tried.add(first, last)
        self._lack([(first, last)], reason)

    def _lack(self, ranges: Iterable[tuple[int, int]], reason: str) -> None:
        self.answer.lack(self.by.station, self.log, self.lane, ranges, reason)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _joined(keys: Sequence[Key]) -> dict[tuple[str, Lane], Ranges]:
    """What is asked for twice in one command goes once. Most urgent lane first."""
    found: dict[tuple[str, Lane], Ranges] = defaultdict(Ranges)
    for key in sorted(keys, key=lambda key: Lane[key.lane.upper()]):
        found[key.log, Lane[key.lane.upper()]].add(key.first, key.last)
    return found


def _last(info: LogInfo | None, lane: Lane) -> int:
    return info.lanes[lane].last if info and lane in info.lanes else 0


def _above(ranges: Ranges, number: int) -> Iterator[tuple[int, int]]:
    return ((max(first, number + 1), last) for first, last in ranges if last > number)
