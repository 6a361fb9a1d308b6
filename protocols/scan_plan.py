"""What a scan of a Modbus line asks, in which order, and the time that it cannot do without. Pure.

Every address is asked once for one register at every speed and parity. Most are not there, so what a scan takes is the
patience with silence plus eight characters of request, times settings, times addresses.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from protocols.modbus_pdu import READ_HOLDING, READS, READS_BITS, Request

UNITS = range(1, 248)  # Modbus over Serial Line v1.02 §2.2
BAUDS = (9600, 4800, 19200, 115200)  # what the known devices leave their makers with, the commonest first
PARITIES = ("N", "E")
TIMEOUT = 0.1  # seconds until an answer must begin; makers state 5 to 60 ms, and a later answer is known by its address
LISTEN = 3.0  # seconds of listening before anything is sent: instruments speak once a second
REQUEST = 8  # characters of a read request: unit, function, address 2, count 2, CRC 2

FORBIDDEN = ((0x002F, 0x0030), (0x03F4, 0x03F6), (0x07D0, 0x07D1), (0x1000, 0x1000))
"""Registers of address and speed in IOT-S300SMT, SEN0676, Renke, SEN0482 (their manuals): in a scan not even read."""


class Setting(NamedTuple):
    """Eight bits and one stop bit, as devices come."""

    baud: int
    parity: str = "N"

    @property
    def character(self) -> float:
        """Seconds on the wire."""
        return (10 + (self.parity != "N")) / self.baud

    @property
    def gap(self) -> float:
        """t3.5 of Modbus over Serial Line v1.02 §2.5.1.1."""
        return 0.00175 if self.baud > 19200 else 3.5 * self.character


class Step(NamedTuple):
    setting: Setting
    unit: int
    request: Request


FIRST = Request(READ_HOLDING, 0, 1)


@dataclass(frozen=True, slots=True)
class Plan:
    settings: Sequence[Setting] = tuple(Setting(baud, parity) for parity in PARITIES for baud in BAUDS)
    units: Sequence[int] = UNITS
    timeout: float = TIMEOUT
    listen: float = LISTEN
    hints: Sequence[Step] = ()  # where a known device answers as its maker delivers it, by a register that it has

    def steps(self) -> Iterator[Step]:
        """Setting by setting, in each the likely ones first."""
        for setting in self.settings:
            yield from (hint for hint in self.hints if hint.setting == setting and hint.unit in self.units)
            yield from (Step(setting, unit, FIRST) for unit in self.units)


def silence(setting: Setting, timeout: float) -> float:
    """Seconds that an address takes at which nobody is."""
    return REQUEST * setting.character + timeout


def forced(plan: Plan) -> float:
    """Seconds that line rate and timeouts force when nobody answers; who answers is quicker."""
    return plan.listen + sum(forced_at(plan, setting) for setting in plan.settings)


def forced_at(plan: Plan, setting: Setting) -> float:
    """The share of one setting."""
    return sum(silence(setting, plan.timeout) for step in plan.steps() if step.setting == setting)


def settings(bauds: Iterable[int], parities: Iterable[str]) -> tuple[Setting, ...]:
    parities = tuple(parities)
    bauds = tuple(bauds)
    return tuple(Setting(baud, parity) for parity in parities for baud in bauds)


def allowed(request: Request) -> bool:
    """Reads only, and never a register that holds an address or a speed."""
    if request.function not in READS:
        return False
    if request.function in READS_BITS:
        return True
    last = request.address + request.count - 1
    return not any(low <= last and request.address <= high for low, high in FORBIDDEN)
