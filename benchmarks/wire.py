"""A simulated RS-485 line in a process of its own, so that its load is not ours; and what its cycles took. No figure is here.

The line keeps the times of a wire: characters at its speed, the devices' turnaround, answers in the pieces of a UART's buffer.
"""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

BAUD = 9600
CHARACTER = 10 / BAUD  # seconds, 8N1
REQUEST, REPLY = 8, 5  # characters, the second beside its registers
TURNAROUND = 0.02  # seconds; makers state 5 to 60 ms
GAP = 0.01  # seconds configured between requests
FIFO = 8  # bytes: where a 16550's buffer wakes its reader
DEVICES, REGISTERS, SPAN = 5, 10, 64  # ten of a device's first 64 registers, nobody's neighbours
BETWEEN = 0.6  # seconds of quiet that part two cycles: longer than the patience with a dead device
ROOT = Path(__file__).parents[1]


def scattered() -> list[list[int]]:
    """The registers of each device, the same in every run."""
    chance = Random(BAUD)
    return [sorted(chance.sample(range(SPAN), REGISTERS)) for _ in range(DEVICES)]


class Asked(NamedTuple):
    """A request as the line saw it (monotonic seconds, the same for every process of a computer)."""

    at: float
    unit: int
    address: int
    registers: int
    quiet: float
    until: float

    @property
    def forced(self) -> float:
        """Seconds that line rate and turnaround take, for a request that is answered."""
        return (REQUEST + REPLY + 2 * self.registers) * CHARACTER + TURNAROUND


@dataclass(slots=True)
class Wire:
    url: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.url.removeprefix("serial://").partition("?")[0]


@asynccontextmanager
async def wire(dead: Sequence[int] = ()) -> AsyncIterator[Wire]:
    """Five devices that count up, `dead` ones silent."""
    units = [part for number in range(1, DEVICES + 1) for part in ("--unit", f"{number}=counting")]
    faults = [part for number in dead for part in ("--fault", f"{number}=dead")]
    times = ["--baud", str(BAUD), "--turnaround", str(TURNAROUND), "--fifo", str(FIFO), "--tell"]
    command = [sys.executable, "-m", "drivers.simulated", "bus", *units, *faults, *times]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT)
    assert process.stdout is not None
    made = Wire(json.loads(await process.stdout.readline())["url"])
    listening = asyncio.create_task(_listen(process, made))
    try:
        yield made
    finally:
        process.terminate()
        await process.wait()
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def _listen(process: Process, made: Wire) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        told = json.loads(line)
        frame = bytes.fromhex(told["frame"])
        address, count = int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")
        made.asked.append(Asked(told["at"], frame[0], address, count, told["quiet"], told["until"]))


def cycles(asked: Sequence[Asked]) -> list[list[Asked]]:
    """The whole ones: without the first, in which ports are opened, and the last, which may not be over."""
    found: list[list[Asked]] = []
    for one in asked:
        if not found or one.quiet > BETWEEN:
            found.append([])
        found[-1].append(one)
    return found[1:-1]


def length(cycle: Sequence[Asked], without: int = 0) -> float:
    """Seconds from the first request of a cycle to the end of its last answer, or the last that is not of one unit."""
    return max(one.until for one in cycle if one.unit != without) - cycle[0].at


def forced(cycle: Sequence[Asked]) -> float:
    """Seconds that line rate, turnaround and the configured pause force for these requests."""
    return sum(one.forced for one in cycle) + GAP * (len(cycle) - 1)
