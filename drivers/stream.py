"""Byte streams: a serial port, a TCP connection, a capture played back. Bytes only; no protocol. Opened by `drivers.opening`.

A stream that ends or vanishes raises OSError. Its owner opens it anew, with back-off.
"""

import asyncio
import errno
import os
import termios
from pathlib import Path
from typing import Protocol

from drivers.address import Address

CHUNK = 4096  # bytes of one read; 100 ms of the fastest serial port in use
REPLAY_CHUNK = 512


class Stream(Protocol):
    async def read(self) -> bytes:
        """Some bytes, at least one; may be cancelled without losing any. OSError at the end."""
        ...

    async def write(self, data: bytes) -> None: ...
    def close(self) -> None: ...


def refused(wrong: Exception, label: str) -> OSError:
    """Why a port did not open, in the system's words: pyserial's own are English. EBUSY: another program holds its lock."""
    code = getattr(wrong, "errno", None) or errno.ENOTTY
    code = errno.EBUSY if code == errno.EAGAIN else code
    return OSError(code, os.strerror(code), label)


def gone(label: str) -> OSError:
    return OSError(errno.ENODEV, os.strerror(errno.ENODEV), label)


class SerialStream:
    """A serial port by pyserial, for us alone, read when the kernel says so."""

    def __init__(self, address: Address) -> None:
        import serial  # noqa: PLC0415 - a station without serial ports does not need it

        self._label = address.label
        try:
            self._port: serial.Serial = serial.Serial(
                address.path, address.baud, address.bits, address.parity, address.stop, timeout=0, exclusive=True
            )
        except (serial.SerialException, ValueError, termios.error) as wrong:
            raise refused(wrong, address.label) from None
        self._fd = self._port.fileno()

    async def read(self) -> bytes:
        await self._ready(reading=True)
        data = os.read(self._fd, CHUNK)
        if not data:  # readable and empty: the adapter was pulled
            raise gone(self._label)
        return data

    async def write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                await self._ready(reading=False)

    async def _ready(self, *, reading: bool) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        start, stop = (loop.add_reader, loop.remove_reader) if reading else (loop.add_writer, loop.remove_writer)
        start(self._fd, _resolve, ready)
        try:
            await ready
        finally:
            stop(self._fd)

    def close(self) -> None:
        self._port.close()


def _resolve(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


class TcpStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        data = await self._reader.read(CHUNK)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
        return data

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


class ReplayStream:
    """A capture, at `rate` bytes a second or as fast as it is read; what is written to it goes nowhere."""

    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._file = path.open("rb")

    async def read(self) -> bytes:
        await asyncio.sleep(REPLAY_CHUNK / self._rate if self._rate else 0)
        data = self._file.read(REPLAY_CHUNK)
        if not data:
            raise OSError(errno.ENODATA, "the capture has ended", str(self._path))
        return data

    async def write(self, data: bytes) -> None:
        """A recording does not listen."""

    def close(self) -> None:
        self._file.close()
