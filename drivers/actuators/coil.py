"""One relay of one board on one bus: hold it for a while by the board's own timer, release it, look at it.

Knows registers and the bus; knows nothing of patterns, limits or warnings. Every request goes before polling.
"""

from drivers.actuators.board import Board, Lease
from drivers.bus import Bus, Priority
from protocols.errors import RemoteError
from protocols.modbus_pdu import OFF, WRITE_REGISTERS

# What a request can end in when nothing is wrong with us: no answer, a closed port, a refusal by the board.
FAILURES = (OSError, RemoteError)


class Coil:
    """`channel` counts from 1. `lease` starts with what a former life of ours may have armed."""

    def __init__(self, bus: Bus, board: Board, *, unit: int, channel: int, patience: float, lease: Lease) -> None:
        self._bus, self._unit, self._patience = bus, unit, patience
        self._shot, self._shot_address = board.one_shot, board.shot_address(channel)
        self.address, self.lease = board.coil(channel), lease

    async def hold(self, now: float, seconds: float, *, fresh: bool) -> None:
        """Let the board keep the relay closed for `seconds` from now, whatever it does with a second one-shot."""
        if self.lease.needs_off(now, fresh=fresh):
            await self.release(now)
        units = self.lease.arm(now, seconds)
        if units:
            await self._arm(units)

    async def release(self, now: float) -> None:
        """Write the coil off. Ends a running one-shot on every board we know of; whoever must be sure looks."""
        await self._bus.write_coil(self._unit, self.address, OFF, self._patience, Priority.ACTUATOR)
        self.lease.released(now)

    async def closed(self) -> bool:
        """Read the coil back (FC01). A coil is not a contact, and a contact is not sound."""
        coils = await self._bus.read_coils(self._unit, self.address, 1, self._patience, Priority.ACTUATOR)
        return coils[0]

    def seen_open(self, now: float) -> None:
        """It was read back open although it was to hold: nothing runs any more."""
        self.lease.released(now)

    async def _arm(self, units: int) -> None:
        if self._shot.function == WRITE_REGISTERS:
            values = (*self._shot.words, units)
            await self._bus.write_registers(self._unit, self._shot_address, values, self._patience, Priority.ACTUATOR)
        else:
            await self._bus.write_coil(self._unit, self._shot_address, units, self._patience, Priority.ACTUATOR)
