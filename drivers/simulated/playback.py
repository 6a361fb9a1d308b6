"""Recordings behind registers and lines: a table of values as a Modbus device, a capture as an instrument that speaks."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from drivers.simulated.line import Pty
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
        self._pty: Pty | None = None

    @property
    def path(self) -> str:
        return self._pty.path if self._pty else ""

    @property
    def url(self) -> str:
        return f"serial://{self.path}?baud=9600"

    async def __aenter__(self) -> Self:
        self._pty = Pty()
        self._playing = asyncio.create_task(self._play(self._pty))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        if self._pty:
            self._playing.cancel()
            self._pty.close()

    async def _play(self, line: Pty) -> None:
        while True:
            for sentence in self._lines:
                line.write(sentence)
                await asyncio.sleep(len(sentence) / self._rate)
