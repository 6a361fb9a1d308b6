"""What the tests of buses and Modbus sources share: a bus on simulated units, and what was reported."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from drivers.api import Context
from drivers.bus import Bus, BusConfig
from drivers.simulated.modbus import PtyBus
from drivers.values import Duration

PATIENT = 10.0  # seconds until a test gives up; nothing is asserted about how long it took


class Reports(list):
    """(type, fields), as drivers tell them."""

    def __call__(self, kind, fields):
        self.append((kind, dict(fields)))

    def of(self, kind):
        return [fields for name, fields in self if name == kind]


@asynccontextmanager
async def world(units, port=PtyBus, *, echo=False, patience=0.1, gap=0.0, **options):
    """A bus on a port with these units: (bus, reports, simulated port)."""
    reports = Reports()
    async with port(units, **options) as line:
        bus = Bus(
            BusConfig(name="bus", url=line.url, timeout=Duration(patience), gap=Duration(gap), echo=echo), reports
        )
        try:
            yield bus, reports, line
        finally:
            await bus.close()


def context(bus, reports, base: Path = Path()) -> Context:
    return Context(base, reports, {"bus": bus}, profiles=(base,) if base != Path() else ())


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENT):
        while not true():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def run(main: Awaitable) -> None:
    async def bounded():
        async with asyncio.timeout(60):
            await main

    asyncio.run(bounded())
