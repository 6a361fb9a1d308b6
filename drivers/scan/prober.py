"""One open port in a scan: listen, change the speed, send one read request and take what comes of it.

An answer that comes late is known by its address, so patience can be short: it counts for the unit that it names.
"""

import asyncio
import termios
import time
from contextlib import suppress
from dataclasses import dataclass

from drivers.address import Address
from drivers.stream import SerialStream
from protocols.errors import LocalError
from protocols.modbus_match import Exchange, find
from protocols.modbus_pdu import Refusal, Reply, Request, decode_reply, encode
from protocols.modbus_rtu import Frame, RtuStream, readings, seal
from protocols.scan_plan import Setting, allowed

MOST_HEARD = 4096  # bytes kept of one listening or exchange
BETWEEN = 0.05  # seconds a device may pause within an answer: an adapter's latency timer (16 ms) and then some


class ScanPort(SerialStream):
    """A serial port whose speed changes while it is open."""

    def set(self, setting: Setting) -> bool:
        """Whether this adapter can: it stays as it was where not."""
        before = self._port.baudrate, self._port.parity
        try:
            self._port.baudrate, self._port.parity = setting.baud, setting.parity
        except (ValueError, termios.error):
            with suppress(ValueError, termios.error):  # kept all the same, and applied with the speed
                self._port.parity = before[1]
            self._port.baudrate = before[0]
            return False
        self._port.reset_input_buffer()
        return True


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one request: `values` or `refused` (exception code) of the unit asked, or neither. `others`: units whose frames
    were heard. `noise`: something came that is no frame.
    """

    values: tuple[int, ...] | None = None
    refused: int = 0
    others: frozenset[int] = frozenset()
    noise: bool = False

    @property
    def answered(self) -> bool:
        return self.values is not None or self.refused > 0


class Prober:
    """OSError: the port is gone."""

    def __init__(self, path: str, setting: Setting) -> None:
        self._port = ScanPort(Address("serial", path, baud=setting.baud, parity=setting.parity))
        self.setting = setting
        self.requests = 0

    def close(self) -> None:
        self._port.close()

    def set(self, setting: Setting) -> bool:
        """False: this adapter cannot."""
        if not self._port.set(setting):
            return False
        self.setting = setting
        return True

    async def listen(self, seconds: float) -> bytes:
        """What is said without being asked."""
        return await self._heard(time.monotonic() + seconds)

    async def say(self, data: bytes, seconds: float) -> bytes:
        """For queries that are no Modbus; the caller answers for their being harmless."""
        await self._port.write(data)
        self.requests += 1
        return await self._heard(time.monotonic() + seconds)

    async def _heard(self, until: float) -> bytes:
        data = b""
        try:
            async with asyncio.timeout(until - time.monotonic()):
                while True:
                    data = (data + await self._port.read())[-MOST_HEARD:]
        except TimeoutError:
            return data

    async def ask(self, unit: int, request: Request, patience: float) -> Outcome:
        if not 1 <= unit <= 247 or not allowed(request):
            raise LocalError("scan", f"unit {unit}, {request}: not in a scan")
        frame = seal(unit, encode(request))
        exchange = Exchange.of(frame)
        await self._port.write(frame)
        self.requests += 1
        deadline = time.monotonic() + len(frame) * self.setting.character + patience
        latest = deadline + (exchange.size + 3) * self.setting.character + BETWEEN
        data = b""
        while True:
            try:
                async with asyncio.timeout(max(deadline - time.monotonic(), 0.0)):
                    data = (data + await self._port.read()).removeprefix(frame)[-MOST_HEARD:]
            except TimeoutError:
                return _unanswered(data)
            if pdu := find(exchange, data):
                await asyncio.sleep(self.setting.gap)
                return _answered(decode_reply(pdu[1:-2]), request.count)
            if data:
                deadline = latest  # it has begun


def _answered(reply: Reply | Refusal, count: int) -> Outcome:
    return Outcome(refused=reply.code) if isinstance(reply, Refusal) else Outcome(values=reply.values[:count])


def _unanswered(data: bytes) -> Outcome:
    if not data:
        return Outcome()
    stream = RtuStream()
    found = stream.receive(data, 0.0) + stream.flush()
    frames = [one for one in found if isinstance(one, Frame)]
    answers = (one.unit for one in frames if any(not isinstance(read, Request) for read in readings(one.pdu)))
    return Outcome(others=frozenset(answers), noise=len(frames) < len(found))
