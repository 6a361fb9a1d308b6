"""A faulty network between an MQTT client and its broker, without any right to the machine's own.

It runs in a thread with a loop of its own, so that it serves synchronous and asynchronous tests alike; every fault is an
attribute that may be changed while traffic flows. "up" is client → broker, "down" is broker → client.

    with Proxy("127.0.0.1", broker.port) as proxy:
        proxy.black_hole = True      # nothing passes, nothing is closed; what was under way is kept as TCP would keep it
        proxy.reset()                # RST on every connection
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

CHUNK = 16_384
POLL = 0.005  # seconds between looks at a fault that holds traffic back
PUBACK = 4


class Proxy:
    def __init__(self, host: str, port: int, *, listen: int = 0) -> None:
        self.target = (host, port)
        self.port = listen
        self.delay = 0.0  # seconds each way
        self.rate_up: float | None = None  # bytes per second over all connections, first come first served
        self.rate_down: float | None = None
        self.black_hole = False
        self.swallow_pubacks = False
        self.refuse = False  # a connection is accepted and reset at once
        self.silent = False  # a connection is accepted and nothing is ever said
        self.cut_up_after: int | None = None  # so many more bytes up, then RST: a packet cut in half
        self.accepted = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self._free = {"up": 0.0, "down": 0.0}
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        return len(self._writers) // 2

    def reset(self) -> None:
        self._loop.call_soon_threadsafe(self._reset_all)

    def close(self) -> None:
        """FIN on every connection."""
        self._loop.call_soon_threadsafe(self._close_all)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=CHUNK))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._reset_all()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    def _close_all(self) -> None:
        for writer in list(self._writers):
            writer.close()

    def _reset_all(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refuse:
            _reset(writer)
            return
        self._writers.add(writer)
        try:
            await self._hold(lambda: self.silent or self.black_hole)
            await self._join(reader, writer)
        except OSError:
            _reset(writer)
        except asyncio.CancelledError:
            return  # the proxy is being closed; the stream protocol would print a cancelled handler
        finally:
            self._writers.discard(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self.target, limit=CHUNK)
        self._writers.add(far_writer)
        for each in (writer, far_writer):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        up = asyncio.ensure_future(self._pass("up", reader, far_writer))
        down = asyncio.ensure_future(self._pass("down", far_reader, writer))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._writers.discard(far_writer)
            for each in (writer, far_writer):
                each.close()

    async def _pass(self, direction: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)  # what is on its way while `delay` lasts
        deliver = asyncio.ensure_future(self._deliver(direction, late, writer))
        packets = _Packets()
        try:
            while data := await reader.read(CHUNK):
                await self._hold()
                if direction == "down" and self.swallow_pubacks:
                    data = packets.without(PUBACK, data)
                await self._pace(direction, len(data))
                await late.put((self._loop.time() + self.delay, data))
            await late.join()
        finally:
            deliver.cancel()

    async def _deliver(
        self, direction: str, late: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        while True:
            due, data = await late.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            await self._hold()
            with contextlib.suppress(OSError):
                writer.write(self._counted(direction, data))
                await writer.drain()
            late.task_done()

    def _counted(self, direction: str, data: bytes) -> bytes:
        if direction == "down":
            self.bytes_down += len(data)
            return data
        if self.cut_up_after is not None:
            data = data[: self.cut_up_after]
            self.cut_up_after -= len(data)
            if self.cut_up_after == 0:
                self._loop.call_later(0.05, self._reset_all)  # after the half has left
        self.bytes_up += len(data)
        return data

    async def _hold(self, held: Callable[[], bool] | None = None) -> None:
        while held() if held else self.black_hole:  # noqa: ASYNC110 - faults are plain attributes, set from another thread
            await asyncio.sleep(POLL)

    async def _pace(self, direction: str, size: int) -> None:
        rate = self.rate_up if direction == "up" else self.rate_down
        if rate:
            start = max(self._free[direction], self._loop.time())
            self._free[direction] = start + size / rate
            await asyncio.sleep(self._free[direction] - self._loop.time())


class _Packets:
    """Finds MQTT packets in a stream, so that one kind can be taken out of it (MQTT 5 §2.1)."""

    def __init__(self) -> None:
        self._held = b""

    def without(self, kind: int, data: bytes) -> bytes:
        held, out = self._held + data, b""
        while (end := _packet_end(held)) is not None and end <= len(held):
            if held[0] >> 4 != kind:
                out += held[:end]
            held = held[end:]
        self._held = held
        return out


def _packet_end(data: bytes) -> int | None:
    length = shift = 0
    for index, byte in enumerate(data[1:5], start=2):
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return index + length
        shift += 7
    return None


def _reset(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
