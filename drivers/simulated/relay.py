"""A simulated relay board with the commands of Waveshare's Modbus RTU Relay (protocol V2, waveshare.com/wiki/Modbus_RTU_Relay).

Flash-on is a one-shot of the board's own: the coil closes and opens again after n x 100 ms, whatever becomes of us.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from drivers.simulated.unit import Fault, Unit, written
from protocols.modbus_pdu import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    OFF,
    ON,
    TOGGLE,
    WRITE_COIL,
    WRITE_COILS,
    Refused,
    Reply,
    Request,
)

ALL = 0x00FF
FLASH_ON, FLASH_OFF = 0x0200, 0x0400  # plus the channel
FLASH_STEP = 0.1  # seconds
MOST_TRANSITIONS = 10_000  # of the log: a siren that pulses every second for hours


class Transition(NamedTuple):
    """A coil changed: when (seconds of the board's clock), which, and to what."""

    at: float
    channel: int
    on: bool


class RelayBoard(Unit):
    """`log` holds every transition with the time it happened, a one-shot's own end included."""

    def __init__(
        self, unit: int = 1, channels: int = 8, now: Callable[[], float] = time.monotonic, fault: Fault | None = None
    ) -> None:
        super().__init__(unit, coils=self._coil, fault=fault)
        self.channels = channels
        self._now = now
        self._on = [False] * channels
        self._flips_at: list[float | None] = [None] * channels  # when a running one-shot ends
        self._log: deque[Transition] = deque(maxlen=MOST_TRANSITIONS)

    @property
    def log(self) -> list[Transition]:
        self._settle()
        return list(self._log)

    def on(self, channel: int) -> bool:
        self._settle()
        return self._on[channel]

    def _coil(self, address: int) -> int | None:
        return int(self.on(address)) if address < self.channels else None

    def _settle(self) -> None:
        """One-shots whose time has come end, in the order of their ends."""
        now = self._now()
        due = sorted((at, n) for n, at in enumerate(self._flips_at) if at is not None and at <= now)
        for at, channel in due:
            self._flips_at[channel] = None
            self._set(channel, not self._on[channel], at)

    def _set(self, channel: int, on: bool, at: float) -> None:
        if self._on[channel] != on:
            self._on[channel] = on
            self._log.append(Transition(at, channel, on))

    def write(self, request: Request) -> Reply:
        self._settle()
        if request.function == WRITE_COIL:
            self._command(request.address, request.values[0])
        elif request.function == WRITE_COILS and request.address + request.count <= self.channels:
            for n, value in enumerate(request.values):
                self._switch(request.address + n, bool(value))
        else:
            raise Refused(ILLEGAL_ADDRESS if request.function == WRITE_COILS else ILLEGAL_FUNCTION)
        return written(request)

    def _command(self, address: int, value: int) -> None:
        for base, on in ((FLASH_ON, True), (FLASH_OFF, False)):
            if base <= address < base + self.channels:
                self._flash(address - base, on, value * FLASH_STEP)
                return
        if value not in (ON, OFF, TOGGLE):
            raise Refused(ILLEGAL_VALUE)
        if address != ALL and address >= self.channels:
            raise Refused(ILLEGAL_ADDRESS)
        for channel in range(self.channels) if address == ALL else (address,):
            self._switch(channel, not self._on[channel] if value == TOGGLE else value == ON)

    def _switch(self, channel: int, on: bool) -> None:
        self._flips_at[channel] = None
        self._set(channel, on, self._now())

    def _flash(self, channel: int, on: bool, seconds: float) -> None:
        now = self._now()
        self._set(channel, on, now)
        self._flips_at[channel] = now + seconds
