"""One bit from the field: a push button or key switch at a Modbus discrete input, at a pin of the computer, or in a file
that stands for one. Knows how to read it, not what it means.
"""

from pathlib import Path
from typing import Protocol

import msgspec

from drivers.bus import Bus
from drivers.slot import Priority
from protocols.modbus_pdu import READ_INPUTS


class Input(Protocol):
    async def read(self) -> bool:
        """Is it closed now? OSError or RemoteError where it cannot be told."""
        ...


class ModbusInput:
    """A discrete input (function 2). Goes before polling: a person is waiting at it."""

    def __init__(self, bus: Bus, unit: int, address: int) -> None:
        self._bus, self._unit, self._address = bus, unit, address

    async def read(self) -> bool:
        bits = await self._bus.read(self._unit, READ_INPUTS, self._address, 1, priority=Priority.TECHNICIAN)
        return bool(bits[0])


class InputLine(Protocol):
    """A requested input line of a GPIO chip."""

    def active(self) -> bool: ...


class OpenInput(Protocol):
    """`open_input(chip, line)`: requested as an input with the pull-up on. OSError says why not."""

    def __call__(self, chip: str, line: int) -> InputLine: ...


class PinInput:
    """A contact between a line and ground: closed is low, so that a cut wire is an open contact."""

    def __init__(self, chip: str, line: int, open_input: OpenInput | None = None) -> None:
        self._chip, self._number, self._open = chip, line, open_input or gpiod_input
        self._line: InputLine | None = None

    async def read(self) -> bool:
        if self._line is None:
            self._line = self._open(self._chip, self._number)
        return self._line.active()


class FileInput:
    """A file that stands for a contact: closed while it begins with "1". For tests, and for a bench without wires."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def read(self) -> bool:
        try:
            return _first(self._file) == "1"
        except FileNotFoundError:
            return False


class InputConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where the contact is: `bus`, `unit` and `input`; or `chip` and `line`; or `file`. `inverted`: open means pressed."""

    bus: str = ""
    unit: int = 1
    input: int = 0
    chip: str = "/dev/gpiochip0"
    line: int | None = None
    file: str = ""
    inverted: bool = False


def _first(file: Path) -> str:
    with file.open(encoding="ascii", errors="replace") as contact:
        return contact.read(1)


def gpiod_input(chip: str, line: int) -> InputLine:
    """A line by libgpiod 2 (the extra `gpio`)."""
    from importlib import import_module  # noqa: PLC0415 - an extra: without pins nobody needs it

    try:
        gpiod, words = import_module("gpiod"), import_module("gpiod.line")
        settings = gpiod.LineSettings(
            direction=words.Direction.INPUT, active_low=True, bias=words.Bias.PULL_UP, debounce_period=None
        )
        request = gpiod.request_lines(chip, consumer="fengsui", config={line: settings})
    except (ImportError, ValueError) as wrong:
        raise OSError(f"{chip} line {line}: {wrong}") from wrong
    return _Requested(request, line)


class _Requested:
    def __init__(self, request: object, line: int) -> None:
        self._request, self._line = request, line

    def active(self) -> bool:
        return bool(self._request.get_value(self._line).value)  # type: ignore[attr-defined]  # gpiod is an extra without types
