"""What is said to a headend, as bodies of messages: events under their numbers, digests, packed detail, receipts.

Knows the buffer's bodies and the codecs; not how a body is sealed, cut or sent.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from agent.bearers.pact import Pact
from agent.bearers.parcels import Span
from agent.bearers.stock import Held, Key, Store
from buffer.model import Block, Lane, Pending
from protocols import columns
from protocols import event as events
from protocols import key as keys
from protocols.errors import LocalError, ProtocolError
from protocols.narrow import detail, digest, event
from protocols.narrow.context import Context
from protocols.narrow.numbered import Numbered
from protocols.narrow.schema import Schema
from protocols.narrow.summary import Summary
from protocols.reading import Reading

FIRST_RUN = 32  # numbers of telemetry tried in the first packed detail; how many fit is learnt from each
MOST_RUN = 2048
MOST_READ = 256 * 1024  # bytes of bodies read for one detail: some hundred thousand readings, well packed


class Clock(Protocol):
    """The part of `agent.clock.Clock` that is asked."""

    boot: bytes
    now: Callable[[], int]

    def zero(self, boot: bytes) -> tuple[int, bool]: ...


class Letter(NamedTuple):
    """A body, the numbers it settles, the names it makes known, and the mark of a digest."""

    body: bytes
    spans: tuple[Span, ...] = ()
    told: tuple[bytes, ...] = ()
    mark: int = 0


class Letters:
    """Of one platform. `standing`: series that a standing alarm speaks of."""

    def __init__(
        self,
        station: str,
        route: str,
        *,
        buffer: Store,
        clock: Clock,
        pact: Pact,
        schema: Schema,
        standing: Callable[[], Iterable[str]],
    ) -> None:
        self.summary = Summary(schema, clock.now())
        self.schema = schema
        self._station, self._route, self._buffer, self._clock, self._pact = station, route, buffer, clock, pact
        self._standing = standing
        self._run = FIRST_RUN
        self.known = False  # is there anything to tell of?

    def add(self, readings: Sequence[Reading]) -> None:
        """For `Recorder.watch`."""
        self.known = self.known or bool(readings)
        self.summary.add(readings)

    def present(self) -> Context:
        """What everything said now counts from."""
        return self.context(self._buffer.log, self._clock.boot)

    def event(self, held: Held) -> Letter:
        """An alarm or event; RemoteError for a body that is none."""
        lane, log, number = held.key
        boot = bytes.fromhex(str(events.decode(held.body).get("boot", "")))
        context = self.context(log, boot)
        full = not self._pact.knows(context.name)
        floor = self._buffer.floor(self._route, log, lane)
        key = keys.Key(self._station, log, lane.name.lower(), number, number)
        kind = "live" if log == self._buffer.log else "backlog"
        body = event.encode(Numbered(key, kind, floor, context), held.body, full=full)
        return Letter(body, (Span(held.key, number),), (context.name,) if full else ())

    def digest(self, size: int) -> Letter | None:
        """Of everything since the last one delivered, in at most `size` bytes; None where nothing is known or fits."""
        now = self._clock.now()
        zero, trusted = self._clock.zero(self._clock.boot)
        mark, told = self.summary.take(now, (zero + now if trusted else now) // 1000, trusted=trusted)
        try:
            body = digest.encode(self.schema, told, size, self.summary.urgent(self._standing())) if told.series else b""
        except LocalError:
            return None
        return Letter(body, mark=mark) if body else None

    async def detail(self, size: int, besides: Sequence[Span]) -> Letter | None:
        """The newest numbers that nobody has and that are not on their way (`besides`), as many as `size` bytes hold."""
        run = await self._newest(besides)
        if not run:
            return None
        letter = await asyncio.to_thread(self._packed, run, size)
        if letter is not None:
            span = letter.spans[0]
            self._run = min(MOST_RUN, max(FIRST_RUN, (span.last - span.key.number + 1) * 5 // 4))
        return letter

    def context(self, log: str, boot: bytes) -> Context:
        start, trusted = self._clock.zero(boot)
        return Context(log, boot, start, trusted)

    async def _newest(self, besides: Sequence[Span]) -> list[Block]:
        """The last neighbours without a gap among some newest pending blocks, of the newest log that has any."""
        rows = [row for row in self._buffer.backlog(self._route) if row.lane is Lane.TELEMETRY]
        for row in reversed(rows):
            after, until = self._window(row, [span for span in besides if span.key.log == row.log])
            read = self._buffer.read(
                self._route,
                Lane.TELEMETRY,
                log=row.log,
                after=max(after, until - self._run),
                until=until,
                max_bytes=MOST_READ,
                max_blocks=MOST_RUN,
            )
            found = await asyncio.wrap_future(read)
            if found:
                return _last_run(found)
        return []

    def _window(self, row: Pending, taken: Sequence[Span]) -> tuple[int, int]:
        """Above what is on its way where that is worth a message; else below it."""
        mine = row.log == self._buffer.log
        newest = self._buffer.committed(Lane.TELEMETRY) if mine else row.first + row.numbers - 1
        top = max((span.last for span in taken), default=row.first - 1)
        if not taken or newest - top >= FIRST_RUN:
            return top, newest
        return row.first - 1, min(span.key.number for span in taken) - 1

    def _packed(self, blocks: Sequence[Block], size: int) -> Letter | None:
        """In a thread: the longest run that ends with the last number and fits."""
        boot, first, numbers = _numbers(blocks)
        if not numbers:
            return None
        context = self.context(blocks[-1].log, boot)
        full = not self._pact.knows(context.name)
        best, low, high = b"", 0, len(numbers)
        while low < high:
            count = (low + high + 1) // 2
            body = self._attempt(context, first + len(numbers) - count, numbers[-count:], full=full)
            if body and len(body) <= size:
                best, low = body, count
            else:
                high = count - 1
        if not best:
            return None
        last = first + len(numbers) - 1
        span = Span(Key(Lane.TELEMETRY, blocks[-1].log, last - low + 1), last)
        return Letter(best, (span,), (context.name,) if full else ())

    def _attempt(self, context: Context, first: int, numbers: Sequence[Sequence[Reading]], *, full: bool) -> bytes:
        try:
            return detail.pack(self.schema, context, first, numbers, full=full)
        except LocalError:
            return b""


def _last_run(blocks: Sequence[Block]) -> list[Block]:
    """Neighbours without a gap, of one boot, up to the last."""
    run = [blocks[-1]]
    for block in reversed(blocks[:-1]):
        if block.last + 1 != run[0].first or block.body[:9] != run[0].body[:9]:
            break
        run.insert(0, block)
    return run


def _numbers(blocks: Sequence[Block]) -> tuple[bytes, int, list[list[Reading]]]:
    """Boot, first number, and the readings of each; nothing where a body is not one of readings."""
    numbers: list[list[Reading]] = []
    boot = b""
    try:
        for block in blocks:
            boot, its = columns.unpack(block.body)
            numbers += its
    except ProtocolError:
        return b"", 0, []
    return boot, blocks[0].first, numbers
