"""The mode pins of an E22 at the computer's own GPIO: M1 and M0 say whether it carries data or is spoken to itself."""

from collections.abc import Callable

import msgspec

from drivers.actuators.pin import Line, OpenLine, gpiod_line


class PinsConfig(msgspec.Struct, forbid_unknown_fields=True):
    """The chip's own numbers (on a Raspberry Pi the BCM numbers; Waveshare's SX1262 HAT: 22 and 27)."""

    m0: int
    m1: int
    chip: str = "/dev/gpiochip0"


Configuring = Callable[[bool], None]
"""True: the module is spoken to itself (M1 = 1, M0 = 0); False: it carries data (both 0)."""


class ModePins:
    """Requested once and kept, so that nobody else moves them. OSError where they cannot be had."""

    def __init__(self, config: PinsConfig, open_line: OpenLine | None = None) -> None:
        self._config, self._open = config, open_line or gpiod_line
        self._lines: tuple[Line, Line] | None = None

    def configuring(self, wanted: bool) -> None:
        if self._lines is None:
            chip = self._config.chip
            self._lines = self._open(chip, self._config.m0, False), self._open(chip, self._config.m1, False)
        m0, m1 = self._lines
        m0.set(active=False)
        m1.set(active=wanted)
