"""A bus: one owner of one Modbus port, who is next on it, the pause between requests, and what each unit is counted for.

The caller's `patience` is the time a device may take to begin its answer, counted from its turn; the time that the
bytes take on the wire is added. Units are never asked by broadcast.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from drivers import address as addresses
from drivers.address import Address
from drivers.api import Context, Problem, Report
from drivers.bus_log import BusLog
from drivers.slot import Priority, Slot
from drivers.values import Duration
from protocols.errors import LocalError, RemoteError
from protocols.modbus_pdu import (
    READ_COILS,
    READS,
    READS_BITS,
    WRITE_COIL,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    Refused,
    Reply,
    Request,
    encode,
)

if TYPE_CHECKING:
    from drivers.modbus_port import Port

SCHEMES = ("serial", "tcp", "rtu+tcp")
SERIAL_GAP = 0.010  # seconds; cheap probes need 5-20 ms between requests whatever t3.5 says
PATIENCE = 0.3  # seconds; makers state 5-200 ms until a slave answers
SILENCE = 0.030  # seconds of quiet after a failed exchange: an adapter's latency timer (16 ms) and then some
LATE = 1.0  # seconds after giving up in which an answer may still come: five times what makers state
LONGEST_FRAME = 256  # characters; who talks longer is not finishing a frame
REOPEN_FIRST, REOPEN_MOST = 0.25, 30.0  # seconds between attempts to open the port, doubling

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # what goes wrong is counted and reported here


class BusConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[bus]]`: a serial port, a Modbus TCP host, or a serial server that passes RTU frames over TCP."""

    name: str
    url: str
    gap: Duration | None = None
    timeout: Duration = Duration(PATIENCE)
    echo: bool = False


def check_bus(config: BusConfig, _context: Context) -> Iterator[Problem]:
    """What is wrong with a bus before it is opened."""
    address, problems = addresses.parse(config.url, "url", SCHEMES)
    yield from problems
    if address is not None:
        yield from addresses.missing(address)
    if not 0 < config.timeout <= 60:
        yield Problem("timeout", "value.range", {"value": config.timeout, "least": "1ms", "most": "60s"})
    if config.gap is not None and config.gap > 5:
        yield Problem("gap", "value.range", {"value": config.gap, "least": "0s", "most": "5s"})


class Bus:
    """`await bus.read(unit, 3, 0, 4)`. `log` has the counters and the flight recorder. OSError: the port is not there. RemoteError: the device did not answer as asked."""

    def __init__(self, config: BusConfig, report: Report = lambda _kind, _fields: None) -> None:
        address, problems = addresses.parse(config.url, "url", SCHEMES)
        if address is None:
            raise LocalError("url", str(problems))
        self.name = config.name
        self.address: Address = address
        self.patience = float(config.timeout)
        self.log = BusLog()
        self._echo = config.echo
        least = SERIAL_GAP if address.scheme == "serial" else 0.0
        self.gap = max(silent_interval(address), least if config.gap is None else config.gap)
        self._report = report
        self._slot = Slot()
        self._port: Port | None = None
        self._down = ""  # why the port cannot be opened
        self._retry_at = 0.0
        self._retry_in = REOPEN_FIRST
        self.openings = 0  # of the port: another adapter may hang there since
        self._failed = False  # the last exchange ended without an answer
        self._late: dict[int, float] = {}  # unit -> until when a late answer of it may still come

    async def read(
        self,
        unit: int,
        function: int,
        address: int,
        count: int,
        patience: float | None = None,
        *,
        priority: Priority = Priority.POLL,
    ) -> list[int]:
        """Registers, or bits as 0 and 1."""
        if function not in READS:
            raise LocalError("function", f"{function} reads nothing")
        reply = await self._ask(unit, Request(function, address, count), patience, priority)
        return list(reply.values[:count])

    async def read_coils(
        self,
        unit: int,
        address: int,
        count: int,
        patience: float | None = None,
        priority: Priority = Priority.TECHNICIAN,
    ) -> list[bool]:
        return [bool(bit) for bit in await self.read(unit, READ_COILS, address, count, patience, priority=priority)]

    async def write_coil(
        self,
        unit: int,
        address: int,
        value: int,
        patience: float | None = None,
        priority: Priority = Priority.ACTUATOR,
    ) -> None:
        """`value` is the raw word: 0xFF00 on, 0x0000 off, and what a board gives a meaning to."""
        await self._ask(unit, Request(WRITE_COIL, address, 1, (value,)), patience, priority)

    async def write_register(
        self,
        unit: int,
        address: int,
        value: int,
        patience: float | None = None,
        priority: Priority = Priority.TECHNICIAN,
    ) -> None:
        await self._ask(unit, Request(WRITE_REGISTER, address, 1, (value,)), patience, priority)

    async def write_registers(
        self,
        unit: int,
        address: int,
        values: Sequence[int],
        patience: float | None = None,
        priority: Priority = Priority.TECHNICIAN,
    ) -> None:
        await self._ask(unit, Request(WRITE_REGISTERS, address, len(values), tuple(values)), patience, priority)

    def status(self) -> dict[str, Any]:
        return {
            "port": self.address.label,
            "open": self._port is not None and self._port.is_open,
            "why": self._down,
            "units": self.log.all_counters(),
        }

    async def close(self) -> None:
        """Ends when the exchange in progress has."""
        async with self._slot.at(Priority.ACTUATOR):
            self._drop()

    def _drop(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None

    async def _ask(self, unit: int, request: Request, patience: float | None, priority: Priority) -> Reply:
        if not (0 if self.address.scheme == "tcp" else 1) <= unit <= 255:
            raise LocalError("unit", f"{unit}: broadcasts are never sent")
        asking, answering = self._wire_times(request)
        if request.function in READS:
            await self._outwait(unit)
        async with self._slot.at(priority):
            try:
                port = await self._opened(priority)
                await self._silence(port)
                silence = (self.patience if patience is None else patience) + asking
                return await self._exchange(port, unit, request, silence, answering)
            except OSError:
                self.log.count(unit, "port")
                raise

    async def _exchange(self, port: "Port", unit: int, request: Request, silence: float, answering: float) -> Reply:
        self._failed = True
        self._late[unit] = time.monotonic() + silence + answering + LATE
        try:
            reply = await port.ask(unit, request, silence, answering)
        except Refused as refused:
            self._answered(unit, refused.reason)
            raise
        except RemoteError as wrong:
            self.log.count(unit, wrong.reason)
            raise
        except OSError:
            self._drop()
            raise
        self._answered(unit, "ok")
        return reply

    def _answered(self, unit: int, how: str) -> None:
        self.log.count(unit, how)
        self._failed = False
        self._late.pop(unit, None)

    def _wire_times(self, request: Request) -> tuple[float, float]:
        """Seconds that request and reply take on the wire; a frame around a PDU adds three bytes. LocalError: no such request."""
        bits = request.count * (1 if request.function in READS_BITS else 16)
        data = -(-bits // 8) if request.function in READS else 3
        return (len(encode(request)) + 3) * self.address.character, (2 + data + 3) * self.address.character

    async def _outwait(self, unit: int) -> None:
        """RTU frames carry no number: a late answer to the last question would be taken for the answer to the next. So a
        unit that owes us one is left alone for a while. Others are asked meanwhile; writes repeat their address.
        """
        rest = self._late.pop(unit, 0.0) - time.monotonic()
        if rest > 0 and self.address.scheme != "tcp":
            await asyncio.sleep(rest)

    async def _opened(self, priority: Priority) -> "Port":
        if self._port is not None and self._port.is_open:
            return self._port
        if time.monotonic() < self._retry_at and priority != Priority.ACTUATOR:
            raise OSError(self._down)
        self._drop()
        from drivers.modbus_port import Port  # noqa: PLC0415 - pymodbus is imported when a port is first opened

        port = Port(self.address, self.log, echo=self._echo)
        try:
            await port.open()
        except OSError as wrong:
            port.close()
            self._closed(wrong)
            raise
        self._port = port
        self.openings += 1
        self._retry_in, self._retry_at = REOPEN_FIRST, 0.0
        if self._down:
            self._down = ""
            self._report("bus.up", {"bus": self.name, "port": self.address.label})
        return port

    def _closed(self, wrong: OSError) -> None:
        self._retry_at = time.monotonic() + self._retry_in
        self._retry_in = min(2 * self._retry_in, REOPEN_MOST)
        if not self._down:
            why = wrong.strerror or str(wrong)
            self._report("bus.down", {"bus": self.name, "port": self.address.label, "why": why})
        self._down = wrong.strerror or str(wrong)

    async def _silence(self, port: "Port") -> None:
        """The line must have been quiet for the gap before we speak: bounded, since a babbler never is."""
        gap = max(self.gap, SILENCE) if self._failed and self.address.scheme != "tcp" else self.gap
        latest = time.monotonic() + gap + LONGEST_FRAME * self.address.character
        while (now := time.monotonic()) < min(port.heard_at + gap, latest):  # noqa: ASYNC110 - how long is known, not polled for
            await asyncio.sleep(min(port.heard_at + gap, latest) - now)


def silent_interval(address: Address) -> float:
    """t3.5 of Modbus over Serial Line v1.02 §2.5.1.1; above 19200 baud it is fixed."""
    if address.scheme != "serial":
        return 0.0
    return 0.00175 if address.baud > 19200 else 3.5 * address.character


__all__ = ["Bus", "BusConfig", "Priority", "check_bus"]
