"""A relay board without a wire, for virtual time; and boards that treat a second one-shot in each way there is."""

import asyncio
from collections.abc import Sequence

from drivers.bus import Priority
from drivers.simulated.relay import FLASH_STEP, RelayBoard
from protocols.errors import RemoteError
from protocols.modbus_pdu import Refusal, Refused, Reply, Request, decode_reply, encode


class Restarting(RelayBoard):
    """As drivers.simulated has it: a new one-shot counts from now."""


class Extending(RelayBoard):
    """A new one-shot is added to what is left."""

    def _flash(self, channel: int, on: bool, seconds: float) -> None:
        left = max(0.0, (self._flips_at[channel] or 0.0) - self._now())
        super()._flash(channel, on, seconds + left)


class Ignoring(RelayBoard):
    """A new one-shot is acknowledged and does nothing while one runs."""

    def _flash(self, channel: int, on: bool, seconds: float) -> None:
        if self._flips_at[channel] is None:
            super()._flash(channel, on, seconds)


class LcTech(RelayBoard):
    """Flash-on by function 16: registers 3 + 5 (n - 1) hold what (4) and how long."""

    def write(self, request: Request) -> Reply:
        if request.function != 16:
            return super().write(request)
        self._settle()
        what, units = request.values
        assert what == 4
        self._flash((request.address - 3) // 5, True, units * FLASH_STEP)
        return Reply(16, address=request.address, count=request.count)


class DirectBus:
    """What `drivers.bus.Bus` offers an actuator, with no wire in between. `dead`: no answer; `blind`: coils read 0."""

    def __init__(self, board: RelayBoard) -> None:
        self.board, self.dead, self.blind, self.priorities = board, False, False, set[Priority]()
        self.lost = 0  # requests from now on whose answer, but not effect, is lost

    async def read_coils(self, _unit: int, address: int, count: int, patience: float, priority: Priority) -> list[bool]:
        reply = await self._ask(Request(1, address, count), patience, priority)
        return [bool(bit) and not self.blind for bit in reply.values[:count]]

    async def write_coil(self, _unit: int, address: int, value: int, patience: float, priority: Priority) -> None:
        await self._ask(Request(5, address, 1, (value,)), patience, priority)

    async def write_registers(
        self, _unit: int, address: int, values: Sequence[int], patience: float, priority: Priority
    ) -> None:
        await self._ask(Request(16, address, len(values), tuple(values)), patience, priority)

    async def _ask(self, request: Request, patience: float, priority: Priority) -> Reply:
        self.priorities.add(priority)
        if self.dead:
            await asyncio.sleep(patience)
            raise RemoteError("timeout")
        await asyncio.sleep(0.004)
        reply = decode_reply(self.board.answer(encode(request)))
        if self.lost:
            self.lost -= 1
            await asyncio.sleep(patience)
            raise RemoteError("timeout")
        if isinstance(reply, Refusal):
            raise Refused(reply.code)
        return reply


def spells(board: RelayBoard, channel: int = 0) -> list[tuple[float, float]]:
    """When the coil was on, by the board's own clock."""
    found, since = [], None
    for at, number, on in board.log:
        if number != channel:
            continue
        if on:
            since = at
        elif since is not None:
            found.append((since, at))
            since = None
    if since is not None:
        found.append((since, float("inf")))
    return found
