"""Ports for simulated devices: an RTU line behind a real pseudo-terminal, and a TCP server. Units misbehave as they say."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple, Self

from drivers.simulated.line import PtyLine
from drivers.simulated.unit import Unit
from protocols import modbus_tcp
from protocols.errors import RemoteError
from protocols.modbus_pdu import request_length
from protocols.modbus_rtu import MOST_BYTES, intact, seal

BROADCAST = 0
BITS_PER_CHARACTER = 10  # 8N1


class Passed(NamedTuple):
    """A request as it came, in seconds of the loop's clock: the line had been quiet for `quiet`, its answer (if there is one)
    is over at `until`.
    """

    at: float
    frame: bytes
    quiet: float
    until: float


Told = Callable[[Passed], None]


class _Line:
    """The receiving side of a serial line: finds requests for its units, hands out replies one after the other, and in
    pieces of `fifo` bytes (0: whole) as a UART gives them to its reader, each when its last bit has passed.
    """

    def __init__(
        self,
        units: Iterable[Unit],
        write: Callable[[bytes], None],
        baud: int | None,
        fifo: int = 0,
        told: Told = lambda _passed: None,
    ) -> None:
        self.units = {unit.unit: unit for unit in units}
        self._write = write
        self._byte = BITS_PER_CHARACTER / baud if baud else 0.0
        self._fifo = fifo
        self._told = told
        self._busy_until = 0.0
        self._data = b""

    def receive(self, data: bytes) -> None:
        self._data = (self._data + data)[-MOST_BYTES:]
        while (found := _request(self._data)) is not None:
            start, end = found
            frame, self._data = self._data[start:end], self._data[end:]
            self._answer(frame)

    def _answer(self, frame: bytes) -> None:
        at = asyncio.get_running_loop().time()
        quiet, self._busy_until = at - self._busy_until, at + len(frame) * self._byte
        for unit in self.units.values():
            if frame[0] == BROADCAST:
                unit.answer(frame[1:-2])
            elif unit.unit == frame[0]:
                for delay, wire in unit.deliver(seal, frame[1:-2]):
                    self._send(at + delay + len(frame) * self._byte, wire)
        self._told(Passed(at, frame, quiet, self._busy_until))

    def _send(self, at: float, wire: bytes) -> None:
        """The first bit of it goes at that time."""
        loop = asyncio.get_running_loop()
        self._busy_until = at + len(wire) * self._byte
        size = self._fifo or len(wire)
        for end in range(size, len(wire) + size, size):
            over = at + min(end, len(wire)) * self._byte
            if over > loop.time():
                loop.call_at(over, self._write, wire[end - size : end])
            else:
                self._write(wire[end - size : end])


def _request(data: bytes) -> tuple[int, int] | None:
    """Where the first intact request lies."""
    for start in range(len(data) - 7):
        length = request_length(data[start + 1 : start + 8])
        end = start + (length or 0) + 3
        if length and end <= len(data) and intact(data[start:end]):
            return start, end
    return None


class PtyBus(PtyLine):
    """Units on an RTU line behind a pseudo-terminal. `baud` makes replies take the time that the wire would, `fifo` gives
    them in pieces of so many bytes; with `exact`, who speaks at another speed is not understood. `told` hears of each request.

    `async with PtyBus([Unit(1, ...)]) as bus: ... bus.url`
    """

    def __init__(
        self,
        units: Iterable[Unit],
        baud: int | None = None,
        echo: bool = False,
        exact: bool = False,
        fifo: int = 0,
        told: Told = lambda _passed: None,
    ) -> None:
        super().__init__(self._hears, baud or 9600)
        self._speed = (baud or 9600) if exact else None
        self._line = _Line(units, self.write, baud, fifo, told)
        self._echo = echo

    def _hears(self, data: bytes) -> None:
        if self._echo:
            self.write(data)
        if self._speed in (None, self.client_baud):
            self._line.receive(data)


class TcpBus:
    """Units behind a Modbus TCP port, or with `rtu=True` behind a transparent serial server (RTU frames over TCP)."""

    def __init__(self, units: Iterable[Unit], host: str = "127.0.0.1", port: int = 0, rtu: bool = False) -> None:
        self.units = {unit.unit: unit for unit in units}
        self._rtu = rtu
        self._host = host
        self.port = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{'rtu+' if self._rtu else ''}tcp://{self._host}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.disconnect()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    def disconnect(self) -> None:
        """Every client's connection is cut; the server goes on listening."""
        for writer in list(self._writers):
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A task of our own: asyncio's would complain of being cancelled at the end of a loop (Python 3.11)."""
        serving = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await (self._serve_rtu if self._rtu else self._serve_mbap)(reader, writer)
        except (OSError, asyncio.IncompleteReadError, RemoteError):
            pass  # the client went away, or sent what no server would answer
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _serve_rtu(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line(self.units.values(), writer.write, None)
        while data := await reader.read(4096):
            line.receive(data)

    async def _serve_mbap(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            head = await reader.readexactly(modbus_tcp.HEAD)
            tid, length, number = modbus_tcp.parse_head(head)
            pdu = await reader.readexactly(length - 1)
            unit = self.units.get(number)
            sealed = partial(modbus_tcp.wrap, tid)
            for delay, wire in unit.deliver(sealed, pdu) if unit else ():
                loop.call_later(delay, writer.write, wire) if delay else writer.write(wire)
