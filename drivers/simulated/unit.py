"""A simulated Modbus device: what it holds, and how it misbehaves. Knows PDUs, no port."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from protocols.errors import RemoteError
from protocols.modbus_pdu import (
    DEVICE_FAILURE,
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    OFF,
    ON,
    READ_COILS,
    READ_HOLDING,
    READ_INPUT_REGISTERS,
    READ_INPUTS,
    READS,
    READS_BITS,
    WRITE_COIL,
    WRITE_COILS,
    WRITE_REGISTER,
    Refusal,
    Refused,
    Reply,
    Request,
    decode_request,
    encode,
)

Words = Callable[[int], int | None]
"""The word (or bit) at an address; None where the device has none."""

Seal = Callable[[int, bytes], bytes]
"""Unit and PDU to what goes over the wire."""

FAULTS = ("dead", "slow", "babble", "wrong-id", "bad-crc", "truncated", "exception", "stale", "nan")
NAN_WORDS = (0x7FC0, 0x0000)  # a quiet NaN, high word first


@dataclass
class Fault:
    """How a unit misbehaves from now on: one of FAULTS. `delay` seconds for `slow`, `code` for `exception`."""

    kind: str
    delay: float = 0.0
    code: int = DEVICE_FAILURE

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"{self.kind} is none of {', '.join(FAULTS)}")


@dataclass
class Unit:
    """One device on a bus. Tables are dictionaries or functions of the address; `requests` counts what it was asked.

    Functions 1 and 2 read `coils` and `inputs`, 3 and 4 `holding` and `registers`.
    """

    unit: int = 1
    holding: Mapping[int, int] | Words = field(default_factory=dict)
    registers: Mapping[int, int] | Words = field(default_factory=dict)
    coils: Mapping[int, int] | Words = field(default_factory=dict)
    inputs: Mapping[int, int] | Words = field(default_factory=dict)
    fault: Fault | None = None
    turnaround: float = 0.0  # seconds from request to reply; real probes take 0.005-0.2
    most: int = 125  # words it gives at once; asks for more are refused as an illegal value
    requests: list[Request] = field(default_factory=list)
    _previous: bytes = b""

    def answer(self, pdu: bytes) -> bytes:
        """The reply PDU of a device in good health."""
        try:
            request = decode_request(pdu)
        except RemoteError:
            return bytes([pdu[0] | 0x80, ILLEGAL_FUNCTION])
        if len(self.requests) < 100_000:  # a soak must not fill the memory
            self.requests.append(request)
        try:
            return encode(self.read(request) if request.function in READS else self.write(request))
        except Refused as refused:
            return encode(Refusal(request.function, refused.code))

    def read(self, request: Request) -> Reply:
        if request.function not in READS_BITS and request.count > self.most:
            raise Refused(ILLEGAL_VALUE)
        if self.fault and self.fault.kind == "nan":
            return Reply(request.function, tuple(NAN_WORDS[n % 2] for n in range(request.count)))
        table = {
            READ_COILS: self.coils,
            READ_INPUTS: self.inputs,
            READ_HOLDING: self.holding,
            READ_INPUT_REGISTERS: self.registers,
        }[request.function]
        look = table if callable(table) else table.get
        return Reply(request.function, tuple(_there(look(request.address + n)) for n in range(request.count)))

    def write(self, request: Request) -> Reply:
        """Keeps what is written where the table is a dictionary that has the address."""
        bits = request.function in (WRITE_COIL, WRITE_COILS)
        table = self.coils if bits else self.holding
        if not isinstance(table, dict) or any(request.address + n not in table for n in range(request.count)):
            raise Refused(ILLEGAL_ADDRESS)
        if request.function == WRITE_COIL and request.values[0] not in (ON, OFF):
            raise Refused(ILLEGAL_VALUE)
        for n, value in enumerate(request.values):
            table[request.address + n] = int(bool(value)) if bits else value
        return written(request)

    def deliver(self, sealed: Seal, pdu: bytes) -> list[tuple[float, bytes]]:
        """What goes over the wire for a request: (seconds to wait, bytes), after what the fault makes of it."""
        reply = self.answer(pdu)
        before, self._previous = self._previous, reply
        wire = sealed(self.unit, reply)
        fault = self.fault
        if fault is None or fault.kind in ("slow", "nan"):
            return [(self.turnaround + (fault.delay if fault else 0.0), wire)]
        spoiled = _SPOIL[fault.kind](Spoiling(self.unit, reply, before, wire, sealed, fault.code, len(self.requests)))
        return [(self.turnaround, spoiled)] if spoiled else []


def written(request: Request) -> Reply:
    """The reply that confirms a write."""
    if request.function in (WRITE_COIL, WRITE_REGISTER):
        return Reply(request.function, request.values, request.address, 1)
    return Reply(request.function, (), request.address, request.count)


def babble(seed: int) -> bytes:
    """Forty bytes of rubbish, the same for the same seed."""
    return Random(seed).randbytes(40)  # noqa: S311 - rubbish has no need to be unpredictable


class Spoiling(NamedTuple):
    """All that a fault may need to spoil a reply."""

    unit: int
    reply: bytes
    before: bytes
    wire: bytes
    sealed: Seal
    code: int
    asked: int


_SPOIL: Mapping[str, Callable[[Spoiling], bytes]] = {
    "dead": lambda _: b"",
    "babble": lambda it: babble(it.asked),
    "wrong-id": lambda it: it.sealed(it.unit % 247 + 1, it.reply),
    "bad-crc": lambda it: it.wire[:-1] + bytes([it.wire[-1] ^ 0x55]),
    "truncated": lambda it: it.wire[:-3],
    "exception": lambda it: it.sealed(it.unit, bytes([it.reply[0] | 0x80, it.code])),
    "stale": lambda it: it.sealed(it.unit, it.before) if it.before else b"",
}


def _there(value: int | None) -> int:
    if value is None:
        raise Refused(ILLEGAL_ADDRESS)
    return value & 0xFFFF


def words_of(values: Iterable[int], first: int = 0) -> dict[int, int]:
    """Consecutive registers from an address on."""
    return {first + n: value & 0xFFFF for n, value in enumerate(values)}
