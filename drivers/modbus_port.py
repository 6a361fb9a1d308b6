"""One open Modbus port: a request out, its reply back, what went over the wire remembered. Nothing here waits its turn.

pymodbus opens the port, builds the frames and moves the bytes. What it may believe is decided here, in its packet hook,
because it drops a good reply that arrives behind noise, behind another unit's frame or behind a late answer
(pymodbus 3.16, `FramerBase.handleFrame`).
"""

import asyncio
import errno
import os
import time
from contextlib import suppress
from pathlib import Path

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU

from drivers.address import Address
from drivers.bus_log import BusLog
from protocols.errors import RemoteError
from protocols.modbus_match import MOST_BYTES, Exchange, find, verdict
from protocols.modbus_pdu import Refusal, Refused, Reply, Request, decode_reply, encode

OPEN_TIMEOUT = 3.0  # seconds for a TCP connection; a port on the machine opens at once


class _Sent(ModbusPDU):
    """A request in pymodbus' terms; its bytes are ours, since boards give function 5 values that pymodbus cannot say."""

    def __init__(self, unit: int, request: Request) -> None:
        super().__init__(dev_id=unit)
        self.function_code = request.function
        self._data = encode(request)[1:]

    def encode(self) -> bytes:
        return self._data


class Port:
    """`heard_at` is when the line last carried a byte, either way (time.monotonic seconds)."""

    def __init__(self, address: Address, log: BusLog, *, echo: bool = False) -> None:
        self.heard_at = 0.0
        self._address = address
        self._log = log
        self._echo = echo
        self._tcp = address.scheme == "tcp"
        self._client = self._make()
        self._exchange: Exchange | None = None
        self._data = b""
        self._answer = b""
        self._asking: asyncio.Task[None] | None = None
        self._lost = False

    def _make(self) -> AsyncModbusSerialClient | AsyncModbusTcpClient:
        """`reconnect_delay=0`: the bus opens ports anew itself, pymodbus would double its patience to five minutes."""
        address = self._address
        if address.scheme == "serial":
            return AsyncModbusSerialClient(
                address.path,
                baudrate=address.baud,
                bytesize=address.bits,
                parity=address.parity,
                stopbits=address.stop,
                reconnect_delay=0,
                retries=0,
                timeout=OPEN_TIMEOUT,
                trace_packet=self._packet,
                trace_connect=self._connected,
            )
        return AsyncModbusTcpClient(
            address.host,
            port=address.port,
            framer=FramerType.SOCKET if self._tcp else FramerType.RTU,
            reconnect_delay=0,
            retries=0,
            timeout=OPEN_TIMEOUT,
            trace_packet=self._packet,
            trace_connect=self._connected,
        )

    async def open(self) -> None:
        """OSError says why not."""
        if self._address.scheme == "serial":
            _look_at(Path(self._address.path))
        if not await self._client.connect():
            code = errno.EBUSY if self._address.scheme == "serial" else errno.ECONNREFUSED
            raise OSError(code, os.strerror(code), self._address.label)
        # pymodbus forgets what exceeds one frame, and with it the reply behind longer noise.
        self._client.ctx.max_buffer_size = MOST_BYTES

    @property
    def is_open(self) -> bool:
        return not self._lost and self._client.connected

    def close(self) -> None:
        self._client.close()

    async def ask(self, unit: int, request: Request, silence: float, answering: float) -> Reply:
        """The reply to one request, which must begin within `silence` seconds and be over `answering` seconds later.
        RemoteError when it is not what was asked for, OSError when the port is gone.
        """
        self._data = self._answer = b""
        self._asking = asyncio.create_task(self._execute(_Sent(unit, request)))
        try:
            await asyncio.wait({self._asking}, timeout=silence)
            if self._data and not self._asking.done():
                await asyncio.wait({self._asking}, timeout=answering)
        finally:
            self._asking.cancel()
            exchange, self._exchange, self._asking = self._exchange, None, None
        if self._answer:
            return _believed(self._answer[7:] if self._tcp else self._answer[1:-2])
        if exchange is None or not (self.is_open or self._data):
            raise OSError(errno.ENOTCONN, "the port is gone", self._address.label)
        raise RemoteError(verdict(exchange, self._data), f"unit {unit}, {len(self._data)} bytes")

    async def _execute(self, request: ModbusPDU) -> None:
        """What came of it is seen by `_packet`; what pymodbus says of it is not needed."""
        with suppress(ModbusException):
            await self._client.execute(False, request)

    def _packet(self, sending: bool, data: bytes) -> bytes:
        """What pymodbus sends or has received, before it looks at it. What is received grows until a frame is found."""
        self.heard_at = time.monotonic()
        if sending:
            self._exchange = Exchange.of(data, tcp=self._tcp, echo=self._echo)
            self._log.record(">", data)
            return data
        self._log.record("<", data.removeprefix(self._data))
        self._data = data
        if self._exchange is None:
            return b""
        self._answer = self._found(self._exchange, data)
        return self._answer

    def _found(self, exchange: Exchange, data: bytes) -> bytes:
        try:
            return find(exchange, data)
        except RemoteError:  # the TCP stream has lost its step and will not find it again
            self._connected(False)
            return b""

    def _connected(self, connected: bool) -> None:
        if connected:
            return
        self._lost = True
        if self._asking is not None:
            self._asking.cancel()


def _look_at(path: Path) -> None:
    """Say why a port cannot be opened; pymodbus only says that it could not."""
    path.stat()
    if not os.access(path, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _believed(pdu: bytes) -> Reply:
    reply = decode_reply(pdu)
    if isinstance(reply, Refusal):
        raise Refused(reply.code)
    return reply
