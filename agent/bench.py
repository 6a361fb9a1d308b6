"""What a technician asks of a Modbus bus, through the running agent or on a port of their own: one request, one answer.

Requests and answers are what goes over the control socket. A mistake is answered with its code, never raised.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from agent.control import Verb
from drivers.api import Report
from drivers.bus import Bus
from drivers.slot import Priority
from protocols.errors import LocalError, RemoteError
from protocols.modbus_pdu import (
    MOST,
    OFF,
    ON,
    READ_HOLDING,
    READS,
    WRITE_COIL,
    WRITE_REGISTER,
    WRITE_REGISTERS,
    Refused,
)

Answer = Mapping[str, Any]
Act = Callable[[Bus, Mapping[str, Any]], Awaitable[Answer]]
MOST_COILS = 64  # written by one command, one request each: a bench is for trying, not for programming


def verbs(buses: Mapping[str, Bus], report: Report) -> dict[str, Verb]:
    """`modbus.read` and `modbus.write` on the station's buses; a write is on record."""
    desk = Desk(buses, report)
    return {"modbus.read": desk.read, "modbus.write": desk.write}


class Desk:
    def __init__(self, buses: Mapping[str, Bus], report: Report) -> None:
        self._buses, self._report = buses, report

    async def read(self, request: Mapping[str, Any]) -> Answer:
        """`bus`, `unit`, `address`, `count`, `fc` → `values`."""
        return await self._on(request, self._read)

    async def write(self, request: Mapping[str, Any]) -> Answer:
        """`bus`, `unit`, `address`, `values`, `coil` → `written`, how many."""
        return await self._on(request, self._write)

    async def _on(self, request: Mapping[str, Any], act: Act) -> Answer:
        bus = self._buses.get(str(request.get("bus")))
        if bus is None:
            return {"error": "modbus.bus", "bus": request.get("bus"), "known": ", ".join(self._buses) or "-"}
        try:
            wrong = problem(request)
            return {"error": wrong, **request} if wrong else await act(bus, request)
        except (OSError, RemoteError, LocalError, KeyError, TypeError, ValueError) as failure:
            return {"unit": request.get("unit"), "port": bus.address.label, **_told(failure)}

    async def _read(self, bus: Bus, request: Mapping[str, Any]) -> Answer:
        function = int(request.get("fc", READ_HOLDING))
        values = await bus.read(
            int(request["unit"]),
            function,
            int(request["address"]),
            int(request.get("count", 1)),
            priority=Priority.TECHNICIAN,
        )
        return {"values": values}

    async def _write(self, bus: Bus, request: Mapping[str, Any]) -> Answer:
        unit, address, values = int(request["unit"]), int(request["address"]), [int(one) for one in request["values"]]
        function = writes_by(values, coil=bool(request.get("coil")))
        fields = {"bus": bus.name, "unit": unit, "function": function, "address": address, "values": values}
        try:
            await _written(bus, function, unit, address, values)
        except (OSError, RemoteError):  # whether it was obeyed is unknown, so it is on record
            self._report("bench.wrote", {**fields, "ok": False})
            raise
        self._report("bench.wrote", {**fields, "ok": True})
        return {"written": len(values)}


def _told(failure: Exception) -> Answer:
    match failure:
        case Refused():
            return {"error": "modbus.refused", "exception": failure.code, "why": failure.detail}
        case RemoteError():
            return {"error": "modbus.silent", "reason": failure.reason}
        case OSError():
            return {"error": "modbus.port", "why": failure.strerror or str(failure)}
    return {"error": "modbus.request", "why": str(failure)}


def writes_by(values: Sequence[int], *, coil: bool) -> int:
    """The function that writes these values; coils go one by one."""
    if coil:
        return WRITE_COIL
    return WRITE_REGISTER if len(values) == 1 else WRITE_REGISTERS


async def _written(bus: Bus, function: int, unit: int, address: int, values: Sequence[int]) -> None:
    if function == WRITE_COIL:
        for place, value in enumerate(values):
            await bus.write_coil(unit, address + place, ON if value else OFF, priority=Priority.TECHNICIAN)
    elif function == WRITE_REGISTER:
        await bus.write_register(unit, address, values[0])
    else:
        await bus.write_registers(unit, address, values)


def problem(request: Mapping[str, Any]) -> str:
    """The code of what is wrong with a request before anything is sent; empty when nothing is."""
    if not 1 <= int(request["unit"]) <= 255:
        return "modbus.unit"
    values = request.get("values")
    coil, function = bool(request.get("coil")), int(request.get("fc", READ_HOLDING))
    count = int(request.get("count", 1)) if values is None else len(values)
    most = MOST[function if function in READS else READ_HOLDING]
    if values is not None:
        most = MOST_COILS if coil else MOST[WRITE_REGISTERS]
        if not all(0 <= int(one) <= (1 if coil else 0xFFFF) for one in values):
            return "modbus.value"
    if not 1 <= count <= most:
        return "modbus.count"
    return "" if 0 <= int(request["address"]) <= 0x10000 - count else "modbus.address"
