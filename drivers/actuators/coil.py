"""One relay of one board on one bus: hold it for a while by the board's own timer, release it, look at it.

Knows registers and the bus; knows nothing of patterns, limits or warnings. Every request goes before polling.
"""

from collections.abc import Sequence
from typing import Protocol

from drivers.actuators.board import Board, Lease
from drivers.slot import Priority
from protocols.errors import RemoteError

# What a request can end in when nothing is wrong with us: no answer, a closed port, a refusal by the board.
FAILURES = (OSError, RemoteError)


class Bus(Protocol):
    """The part of `drivers.bus.Bus` that an actuator needs."""

    async def write_coil(self, unit: int, address: int, value: int, timeout: float, priority: Priority) -> None: ...
    async def write_registers(
        self, unit: int, address: int, values: Sequence[int], timeout: float, priority: Priority
    ) -> None: ...
    async def read_coils(
        self, unit: int, address: int, count: int, timeout: float, priority: Priority
    ) -> Sequence[bool]: ...


class Coil:
    """`channel` counts from 1. `now` at creation: what a former life of ours armed may still run for one `shot`."""

    def __init__(
        self, bus: Bus, board: Board, unit: int, channel: int, timeout: float, now: float, shot: float
    ) -> None:
        self._bus, self._board, self._unit, self._timeout = bus, board, unit, timeout
        self.channel, self.address = channel, board.coil(channel)
        self.lease = Lease(board.one_shot, now, left=shot)
        self.writes = self.reads = 0

    async def hold(self, now: float, seconds: float, *, fresh: bool) -> None:
        """Let the board keep the relay closed for `seconds` from now, whatever it does with a second one-shot."""
        if self.lease.needs_off(now, fresh=fresh):
            await self.release(now)
        units = self.lease.arm(now, seconds)
        if units:
            await self._arm(units)

    async def release(self, now: float) -> None:
        """Write the coil off. Ends a running one-shot on every board we know of; whoever must be sure looks."""
        self.writes += 1
        await self._bus.write_coil(self._unit, self.address, 0x0000, self._timeout, Priority.ACTUATOR)
        self.lease.released(now)

    async def closed(self) -> bool:
        """Read the coil back (FC01). A coil is not a contact, and a contact is not sound."""
        self.reads += 1
        coils = await self._bus.read_coils(self._unit, self.address, 1, self._timeout, Priority.ACTUATOR)
        return bool(coils[0])

    async def _arm(self, units: int) -> None:
        shot = self._board.one_shot
        address = self._board.shot_address(self.channel)
        self.writes += 1
        if shot.function == 16:
            values = (*shot.words, units)
            await self._bus.write_registers(self._unit, address, values, self._timeout, Priority.ACTUATOR)
        else:
            await self._bus.write_coil(self._unit, address, units, self._timeout, Priority.ACTUATOR)
