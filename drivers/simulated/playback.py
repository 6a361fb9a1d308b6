"""Recordings behind registers and lines: a table of values as a Modbus device, a capture as an instrument that speaks."""

import asyncio
import contextlib
import os
import pty
import time
import tty
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from drivers.simulated.surfrad import Row
from drivers.simulated.unit import Unit

MISSING_WORD = 0x8000  # what `surfrad-met.toml` takes for "nothing there"
TENTHS = 10


class Playback:
    """Registers 0, 1, 2 ... hold the columns of the current row in tenths, as int16; a new row every `period` seconds, at
    the end from the beginning again.
    """

    def __init__(
        self, rows: Sequence[Sequence[float | None]], period: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._rows, self._period, self._now = rows, period, now
        self._began = now()

    @property
    def row(self) -> Sequence[float | None]:
        return self._rows[int((self._now() - self._began) / self._period) % len(self._rows)]

    def __call__(self, address: int) -> int | None:
        row = self.row
        return word(row[address]) if 0 <= address < len(row) else None


def word(value: float | None) -> int:
    """Tenths as an int16; what does not fit is missing."""
    tenths = -MISSING_WORD if value is None else round(value * TENTHS)
    return tenths & 0xFFFF if abs(tenths) < MISSING_WORD else MISSING_WORD


def surfrad_unit(rows: Sequence[Row], unit: int = 1, period: float = 1.0, *, turnaround: float = 0.0) -> Unit:
    """A SURFRAD station as a Modbus device with the map of `surfrad-met.toml`."""
    return Unit(unit, holding=Playback([row.values for row in rows], period), turnaround=turnaround)


class PtyPlayer:
    """A capture through a pseudo-terminal, `rate` bytes a second, over and over; its `#` heading is left out."""

    def __init__(self, capture: Path, rate: float = 960.0) -> None:
        self._lines = [line for line in capture.read_bytes().splitlines(keepends=True) if not line.startswith(b"#")]
        self._rate = rate
        self._fd = self._keep = -1
        self.path = ""

    @property
    def url(self) -> str:
        return f"serial://{self.path}?baud=9600"

    async def __aenter__(self) -> Self:
        self._fd, self._keep = pty.openpty()
        tty.setraw(self._keep)
        os.set_blocking(self._fd, False)
        self.path = os.ttyname(self._keep)
        self._playing = asyncio.create_task(self._play())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        if self._fd >= 0:
            self._playing.cancel()
            os.close(self._fd)
            os.close(self._keep)
            self._fd = -1

    async def _play(self) -> None:
        while True:
            for line in self._lines:
                with contextlib.suppress(BlockingIOError):  # nobody reads: a wire does not wait
                    os.write(self._fd, line)
                await asyncio.sleep(len(line) / self._rate)
