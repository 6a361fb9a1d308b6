"""What exists only here, for `sim:NAME` addresses: instruments that speak NMEA, and devices that are talked with."""

import asyncio
import errno
import math
from collections.abc import Callable, Mapping
from importlib import import_module
from itertools import count

from drivers.simulated.hosted import MachineStream
from drivers.stream import Stream
from protocols.nmea import seal

PERIOD = 1.0  # seconds between bursts, as instruments leave their makers


def weather(second: int) -> bytes:
    """A day's wind and temperature in ten minutes, so that something moves."""
    turn = math.sin(2 * math.pi * second / 600)
    wind = f"WIMWV,{(180 + 90 * turn) % 360:.1f},T,{5 + 4 * turn:.1f},M,A"
    air = f"WIMDA,29.92,I,1.0132,B,{15 + 8 * turn:.1f},C,,,{60 - 20 * turn:.1f},,,C,,T,,M,,N,,M"
    return seal(wind) + seal(air)


def gnss(second: int) -> bytes:
    """A receiver at rest with an RTK fix, its height breathing by a millimetre."""
    height = 280.0 + 0.001 * math.sin(second / 7)
    return seal(
        f"GNGGA,{second % 86400 // 3600:02d}{second % 3600 // 60:02d}{second % 60:02d}.00,"
        f"4134.50180323,N,09345.03586581,W,4,19,0.7,{height:.3f},M,-31.442,M,1.0,0002"
    )


STREAMS: Mapping[str, Callable[[int], bytes]] = {"weather": weather, "gnss": gnss}
DEVICES: Mapping[str, str] = {
    "beidou": "drivers.simulated.beidou:alone",
    "beidou-3": "drivers.simulated.beidou:alone_bd3",
    "sbd": "drivers.simulated.sbd:alone",
    "modem": "drivers.simulated.modem:alone",
    "modem-2": "drivers.simulated.modem:other",
    "tiantong": "drivers.simulated.modem:tiantong",
    "sdi12": "drivers.simulated.sdi12:alone",
    "vaisala": "drivers.simulated.vaisala:alone",
    "dlt645": "drivers.simulated.dlt645:alone",
    "lora": "drivers.simulated.lora:alone",
    "lora-rak": "drivers.simulated.lora:alone_rak",
}
"""Each a function without arguments that makes a device, a machine (`protocols.framing.Machine`) of its own."""


class SimulatedStream:
    """Speaks once a second, the first time at once; hears nothing."""

    def __init__(self, says: Callable[[int], bytes]) -> None:
        self._says = says
        self._seconds = count()

    async def read(self) -> bytes:
        second = next(self._seconds)
        if second:
            await asyncio.sleep(PERIOD)
        return self._says(second)

    async def write(self, data: bytes) -> None:
        """Nobody is there."""

    def close(self) -> None:
        """Nothing is open."""


def open_simulated(name: str) -> Stream:
    if name in STREAMS:
        return SimulatedStream(STREAMS[name])
    if name in DEVICES:
        module, _, made = DEVICES[name].partition(":")
        return MachineStream(getattr(import_module(module), made)())
    raise OSError(errno.ENOENT, f"no simulated stream; there are {', '.join((*STREAMS, *DEVICES))}", name)
