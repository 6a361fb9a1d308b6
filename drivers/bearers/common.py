"""What drivers of bearers have in common: a machine kept on its line, one send at a time, an inbox that cannot overflow.

`LineBearer` is all of a bearer but its language; a bearer without a line takes `Turn` and `Inbox` alone. Knows streams,
the running loop's clock and the interfaces of `drivers.api`; knows no protocol and never looks into a datagram.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from drivers.address import Address
from drivers.api import Context, Datagram, Declined, Sent, Unknown
from drivers.condition import Condition
from drivers.opening import open_stream
from drivers.pump import on_time
from drivers.stream import Stream
from protocols.framing import Event, Machine, Send

INBOX_MOST = 64  # datagrams: more than a headend sends in an hour by the fastest narrow bearer
REOPEN_FIRST, REOPEN_MOST = 0.25, 30.0  # seconds between attempts to open the line, doubling
WRITE_MOST = 30.0  # seconds: 2,000 bytes at 1200 baud take half of it; longer is a line held by flow control

Command = Callable[[float], Sequence[Event]]
"""Something to say to a machine: takes the time, gives events, as `tick` does."""


class Modem(Machine, Protocol):
    """A machine whose line may end and begin anew."""

    def start(self, now: float) -> Sequence[Event]:
        """The line has just been opened: what was half heard is nothing, and the device may have lost its settings."""
        ...


class Inbox:
    """What came in and was not fetched yet; of too much, the oldest goes and is counted (`inbox`)."""

    def __init__(self, counters: Counter[str], most: int = INBOX_MOST) -> None:
        self._counters = counters
        self._waiting: deque[Datagram] = deque(maxlen=most)
        self._arrived = asyncio.Event()

    def put(self, datagram: Datagram) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            self._counters["inbox"] += 1
        self._waiting.append(datagram)
        self._arrived.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def __aiter__(self) -> AsyncIterator[Datagram]:
        return self

    async def __anext__(self) -> Datagram:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()


class Turn:
    """One send at a time. Who is cancelled gives up the outcome, not the sending: the next one waits for its end."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._outcome: asyncio.Future[Sent] | None = None

    @property
    def busy(self) -> bool:
        return self._outcome is not None

    async def take(self, begin: Callable[[], None]) -> Sent:
        """`begin` starts what a call of `settle` must end."""
        async with self._lock:
            if self._outcome is not None:
                await asyncio.shield(self._outcome)
            self._outcome = outcome = asyncio.get_running_loop().create_future()
            begin()
            return await asyncio.shield(outcome)

    def settle(self, sent: Sent) -> None:
        """What became of the send under way; nothing where there is none."""
        outcome, self._outcome = self._outcome, None
        if outcome is not None:
            outcome.set_result(sent)


class LineBearer:
    """A modem on a line: see `drivers.api.Bearer`, whose `traits` and `send` are left to the driver.

    The driver's `send` ends in `ask`, its `_take` calls `_turn.settle`, `_inbox.put` and `condition.succeeded`. The
    outcome comes from the machine, which bounds every wait of its own; here only the loss of the line ends one.
    """

    def __init__(self, name: str, address: Address, machine: Modem, context: Context) -> None:
        self.name = name
        self.counters: Counter[str] = Counter()
        self.condition = Condition(name, context.report, context.now, {"port": address.label})
        self._inbox = Inbox(self.counters)
        self._turn = Turn()
        self._address, self._context, self._machine = address, context, machine
        self._commands: deque[Command] = deque()  # one send at a time, and what the driver tells by its own timers
        self._reading: asyncio.Timeout | None = None
        self._opened = False

    async def run(self) -> None:
        """Keep the line open; one that vanishes is tried again, ever less often."""
        wait = REOPEN_FIRST
        while True:
            try:
                await self._attend()
            except OSError as wrong:
                wait = REOPEN_FIRST if self.condition.state == "up" else min(2 * wait, REOPEN_MOST)
                self._fail_port(wrong.strerror or type(wrong).__name__)
            await asyncio.sleep(wait)

    def tell(self, command: Command) -> None:
        """Say something to the machine, between two pieces of what it hears; to a closed line nothing is said."""
        if not self._opened:
            return
        self._commands.append(command)
        if self._reading is not None and not self._reading.expired():
            self._reading.reschedule(0)

    async def ask(self, command: Command) -> Sent:
        """Say something that ends with an outcome."""

        def begin() -> None:
            if self._opened:
                self.tell(command)
            else:
                self._turn.settle(Declined("port", REOPEN_MOST))

        return await self._turn.take(begin)

    def incoming(self) -> AsyncIterator[Datagram]:
        return self._inbox

    def status(self) -> Mapping[str, Any]:
        shown = {"busy": self._turn.busy, "inbox": len(self._inbox), **self._show(asyncio.get_running_loop().time())}
        return {"signal": None, "ready_in": 0.0, **self.condition.status(), **shown, "counters": dict(self.counters)}

    def _show(self, _now: float) -> Mapping[str, Any]:
        """What the driver adds to the status: `signal`, `ready_in`, what else there is to know."""
        return {}

    def _take(self, event: Event) -> None:
        """What the machine has to say, but for `Send`."""
        raise NotImplementedError

    def _lost(self) -> Sent:
        """What became of the send during which the line was lost: who knows how far it came says more than this."""
        return Unknown("port")

    def _fail_port(self, why: str) -> None:
        self.counters["port"] += 1
        self.condition.failed("port", lambda: [why], at_once=True)

    async def _attend(self) -> None:
        stream = await open_stream(self._address, self._context.base)
        self._opened = True
        self.tell(self._machine.start)
        try:
            while True:
                await self._carry_out(stream, await self._events(stream))
        finally:
            self._opened = False
            self._commands.clear()
            stream.close()
            self._turn.settle(self._lost())

    async def _events(self, stream: Stream) -> Sequence[Event]:
        """What the machine makes of what came first: a command, some bytes, or its deadline."""
        now, deadline = asyncio.get_running_loop().time, self._machine.deadline
        if not self._commands and (data := await self._read(stream)):
            return self._machine.receive(data, now())
        if self._commands:
            return self._commands.popleft()(now())
        return self._machine.tick(on_time(now(), deadline))

    async def _read(self, stream: Stream) -> bytes:
        """Some bytes, or none when the machine's time has come or a command waits."""
        limit = asyncio.timeout_at(self._machine.deadline)
        try:
            async with limit:
                self._reading = limit
                return await stream.read()
        except TimeoutError:
            if not limit.expired():
                raise  # the stream's own: the network gave up
            return b""
        finally:
            self._reading = None

    async def _carry_out(self, stream: Stream, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Send):
                async with asyncio.timeout(WRITE_MOST):
                    await stream.write(event.data)
            else:
                self._take(event)
