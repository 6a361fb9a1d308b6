"""One SDI-12 line: its port, the recorder's machine upon it, and how a break is made. Knows no probe.

Through a transparent adapter the adapter breaks. On a bare line (RS-232 or TTL with an inverting level shifter) it is ours: by
the port's own break, or by a NUL at a lower speed where a driver has none.
"""

import asyncio
import errno
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import TypeVar

from drivers.address import Address
from drivers.opening import open_stream
from drivers.stream import SerialStream, Stream
from protocols.errors import RemoteError
from protocols.framing import Send
from protocols.sdi12 import Reply, with_parity, without_parity
from protocols.sdi12_command import Command
from protocols.sdi12_dialogue import Ask, Rest
from protocols.sdi12_recorder import (
    ADAPTER,
    BREAK,
    DIRECT,
    MARKING,
    Answered,
    Break,
    Event,
    Failed,
    Noise,
    Recorder,
    Requested,
    Retried,
)

WAKES = ("adapter", "break", "baud")
"""Who makes the break: the adapter; the port; a NUL at half the speed: start and eight bits of spacing are 15 ms."""

SLOW_BAUD = 600
RECORDED = 20  # of what was no answer, kept for the next report
MOST_SHOWN = 64  # characters of one of them
_NO_SUCH = (errno.ENOTTY, errno.EINVAL, errno.ENOSYS)  # what a port answers that has no break or no DTR

T = TypeVar("T")
FreeLine = Callable[[float], Awaitable[None]]


class WirePort(SerialStream):
    """A serial port whose break and DTR are ours, too."""

    def set_dtr(self, *, on: bool) -> None:
        _where_there_is_one(lambda: setattr(self._port, "dtr", on))

    async def break_by_port(self) -> None:
        _where_there_is_one(lambda: setattr(self._port, "break_condition", True))
        await asyncio.sleep(BREAK)
        _where_there_is_one(lambda: setattr(self._port, "break_condition", False))

    async def break_by_speed(self) -> None:
        usual = self._port.baudrate
        self._port.baudrate = SLOW_BAUD
        await self.write(b"\0")
        await asyncio.sleep(10 / SLOW_BAUD)  # until it has gone: it is in the port, not yet on the wire
        self._port.baudrate = usual


def _where_there_is_one(change: Callable[[], None]) -> None:
    try:
        change()
    except OSError as wrong:
        if wrong.errno not in _NO_SUCH:
            raise


class Sdi12Port:
    """`ask` and `carry_out` are for whoever has the line; they are never called twice at once."""

    def __init__(self, address: Address, base: Path, wake: str = "adapter", *, dtr: bool = True) -> None:
        self._address, self._base, self._wake, self._dtr = address, base, wake, dtr
        self._direct = wake != "adapter"
        self._recorder = Recorder(DIRECT if self._direct else ADAPTER)
        self._stream: Stream | None = None
        self._said: deque[str] = deque(maxlen=RECORDED)
        self.counters: Counter[str] = Counter()

    async def ask(self, command: Command, *, crc: bool | None = None) -> Reply:
        """The answer to one command, with all retries. RemoteError says why there is none, OSError that the port is gone."""
        try:
            stream = await self._opened()
            events = self._recorder.ask(command, _now(), crc=crc)
            while True:
                for event in events:
                    if isinstance(event, Answered):
                        self.counters["ok"] += 1
                        return event.reply
                    await self._heed(event, stream)
                events = list(await self._next(stream))
        except OSError:
            self.counters["port"] += 1
            self.close()
            raise
        finally:
            self._recorder.forget()

    async def rest(self, seconds: float, address: str) -> None:
        """Until the sensor at this address requests service, or the time is over."""
        stream = await self._opened()
        try:
            async with asyncio.timeout(seconds):
                while True:
                    for event in self._received(await stream.read()):
                        if event == Requested(address):
                            return
                        await self._heed(event, stream)
        except TimeoutError:
            return
        except OSError:
            self.counters["port"] += 1
            self.close()
            raise

    async def carry_out(self, dialogue: Generator[Ask | Rest, Reply | None, T], free: FreeLine) -> T:
        """A dialogue from beginning to end; `free` is how the line is given to others while it rests without it."""
        reply: Reply | None = None
        while True:
            try:
                step = dialogue.send(reply)
            except StopIteration as done:
                result: T = done.value
                return result
            reply = None
            if isinstance(step, Ask):
                reply = await self._told(dialogue, step)
            elif step.address:
                await self.rest(step.seconds, step.address)
            else:
                await free(step.seconds)

    async def _told(self, dialogue: Generator[Ask | Rest, Reply | None, T], step: Ask) -> Reply:
        try:
            return await self.ask(step.command, crc=step.crc)
        except (OSError, RemoteError):
            dialogue.close()
            raise

    def frames(self) -> list[str]:
        """What was no answer, for a report; the next one starts afresh."""
        frames = list(self._said)
        self._said.clear()
        return frames

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    async def _opened(self) -> Stream:
        if self._stream is None:
            if self._address.scheme == "serial":
                port = WirePort(self._address)
                self._stream = port
                port.set_dtr(on=self._dtr)
            else:
                self._stream = await open_stream(self._address, self._base)
        return self._stream

    async def _next(self, stream: Stream) -> list[Event]:
        deadline = self._recorder.deadline
        wait = None if deadline is None else max(deadline - _now(), 0.0)
        try:
            async with asyncio.timeout(wait):
                data = await stream.read()
        except TimeoutError:
            return list(self._recorder.tick(_now()))
        return self._received(data)

    def _received(self, data: bytes) -> list[Event]:
        if self._direct:
            try:
                data = without_parity(data)
            except RemoteError as wrong:
                self._count(wrong.reason, wrong.detail)
                data = b"\x7f" * len(data)  # never part of an answer: the recorder asks again
        return list(self._recorder.receive(data, _now()))

    async def _heed(self, event: Event, stream: Stream) -> None:
        if isinstance(event, Send):
            await stream.write(with_parity(event.data) if self._direct else event.data)
        elif isinstance(event, Break) and isinstance(stream, WirePort):
            await (stream.break_by_speed() if self._wake == "baud" else stream.break_by_port())
            await asyncio.sleep(MARKING)
        elif isinstance(event, Retried):
            self._count(event.reason, event.detail)
        elif isinstance(event, Noise):
            self._count("garbage", event.data.decode("ascii", "backslashreplace"))
        elif isinstance(event, Failed):
            self._count(event.reason, event.detail)
            raise RemoteError(event.reason, event.detail or event.command.text)

    def _count(self, reason: str, shown: str) -> None:
        self.counters[reason] += 1
        self._said.append(f"{reason} {shown}"[:MOST_SHOWN].rstrip())


def _now() -> float:
    return time.monotonic()
