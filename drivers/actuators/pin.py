"""One output line of a GPIO chip as a switch that opens by itself: by its guard when it is not renewed, by the kernel when
the process is gone and with it the line request.

Knows lines, not relays or sirens. `open_line` is the seam: libgpiod's by default, imported when a line is asked for.
"""

import threading
from collections.abc import Callable
from typing import Protocol

from drivers.actuators.guard import Guard


class Line(Protocol):
    """A requested output line; released when it is closed, or when its process ends."""

    def set(self, active: bool) -> None: ...
    def active(self) -> bool: ...


OpenLine = Callable[[str, int, bool], Line]
"""`open_line(chip, line, active_low)`: requested as an output, inactive. OSError says why not."""


class Pin:
    """See `drivers.actuators.relay.Switch`. `address` is the line's number on its chip."""

    def __init__(self, chip: str, line: int, active_low: bool, open_line: OpenLine | None = None) -> None:
        self.address = line
        self._chip, self._active_low = chip, active_low
        self._open_line = open_line or gpiod_line
        self._line: Line | None = None
        self._one_at_a_time = threading.Lock()  # the guard's thread and the loop's
        self._guard = Guard(self._let_go)

    async def hold(self, _now: float, seconds: float, *, fresh: bool) -> None:  # noqa: ARG002 - every hold counts from now
        self._guard.arm(seconds)  # first: a line is never on without somebody to switch it off
        self._switch(active=True)

    async def release(self, _now: float) -> None:
        self._guard.disarm()
        self._switch(active=False)

    async def closed(self) -> bool:
        """What the kernel holds the line at. A line is not a relay, and a relay is not a sound."""
        with self._one_at_a_time:
            return self._requested().active()

    def seen_open(self, _now: float) -> None:
        """The next hold starts anew in any case."""

    def _switch(self, *, active: bool) -> None:
        with self._one_at_a_time:
            self._requested().set(active)

    def _let_go(self) -> None:
        with self._one_at_a_time:
            if self._line is not None:
                self._line.set(active=False)

    def _requested(self) -> Line:
        """The line, requested once and kept: who else would want it is told that it is busy."""
        if self._line is None:
            self._line = self._open_line(self._chip, self.address, self._active_low)
        return self._line


class _GpiodLine:
    def __init__(self, chip: str, line: int, active_low: bool) -> None:
        from importlib import import_module  # noqa: PLC0415 - an extra: without pins nobody needs it

        try:
            gpiod, words = import_module("gpiod"), import_module("gpiod.line")
        except ImportError as wrong:
            raise OSError(f"the extra gpio is not installed: {wrong}") from wrong
        self._on, self._off = words.Value.ACTIVE, words.Value.INACTIVE
        settings = gpiod.LineSettings(
            direction=words.Direction.OUTPUT, active_low=active_low, output_value=words.Value.INACTIVE
        )
        self._line = line
        self._request = gpiod.request_lines(chip, consumer="fengsui", config={line: settings})

    def set(self, active: bool) -> None:
        self._request.set_value(self._line, self._on if active else self._off)

    def active(self) -> bool:
        return bool(self._request.get_value(self._line) == self._on)


def gpiod_line(chip: str, line: int, active_low: bool) -> Line:
    """A line by libgpiod 2 (the extra `gpio`). ValueError of the library means that there is no such line."""
    try:
        return _GpiodLine(chip, line, active_low)
    except ValueError as wrong:
        raise OSError(str(wrong)) from wrong
