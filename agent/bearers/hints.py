"""Time from modems and receivers, for a station that has none better: believed when it keeps pace with boot time, never over a clock
that its own source vouches for, and marked as borrowed.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from drivers.api import Bearer, Source, Told

LOOK = 30.0  # seconds between looks
PACE_SPAN, PACE_ERROR = 120_000, 2_000  # ms: two looks so far apart, and how far they may disagree


class Clock(Protocol):
    """The part of `agent.clock.Clock` that is asked and told."""

    borrowed: bool
    now: Callable[[], int]

    @property
    def trusted(self) -> bool: ...
    def hear(self, unix: int, *, proven: bool) -> None: ...


class Offer(NamedTuple):
    """The wall time of boot time zero, by one look, and when that look was."""

    zero: int  # Unix ms
    at: int  # boot ms


class Hints:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offers: dict[str, Offer] = {}

    async def run(self, devices: Sequence[Bearer | Source]) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.look(devices)

    def look(self, devices: Iterable[Bearer | Source]) -> None:
        """Ask those that tell the time; a clock that is trusted asks nobody."""
        if self._clock.trusted and not self._clock.borrowed:
            self._offers.clear()
            return
        for device in devices:
            ask = getattr(device, "time", None)
            told = ask() if ask is not None else None
            if told is not None:
                self._take(device.name, told)

    def _take(self, name: str, told: Told) -> None:
        zero = told.unix_ms - told.at
        before = self._offers.get(name)
        if before is None or abs(zero - before.zero) > PACE_ERROR + told.error:
            self._offers[name] = Offer(zero, told.at)  # the first look, or one of the two was wrong: begin anew
        elif told.at - before.at >= PACE_SPAN:
            self._clock.hear((zero + self._clock.now()) // 1000, proven=True)
            self._offers[name] = Offer(zero, told.at)
