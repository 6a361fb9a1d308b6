"""An Ebyte E22 as a machine behind its line: modes and registers, packets split by size, the byte of strength."""

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from drivers.bearers.lora_law import rates
from drivers.simulated.air import Air, Radio
from drivers.simulated.voice import Faults, Voice
from protocols import ebyte_e22 as e22
from protocols.errors import RemoteError
from protocols.framing import Event, Send
from protocols.lora_frame import split

FIFO = 1000  # bytes an E22 takes from its line before it loses some (manual: 1000)
IDLE = 0.005  # seconds of silence on the line after which an E22 sends what it has
LISTEN_MOST = 2.0  # seconds an E22 waits for a free channel before it sends all the same (manual, REG3 bit 4)
LISTEN_STEP = 0.05  # seconds between two looks
CONFIGURING = 2  # the mode with M1 = 1, M0 = 0


class SimE22:
    """`mode` is that of the pins M1 M0 and may be set from outside; by command where the register allows it."""

    def __init__(
        self, air: Air, name: str, settings: e22.Settings, chance: Random, faults: Faults | None = None
    ) -> None:
        self.settings, self.mode = settings, 0
        self.radio = air.join(Radio(name))
        self._air, self._voice = air, Voice(chance, faults or Faults())
        self._fifo = b""
        self._flush_at: float | None = None
        self._packets: deque[bytes] = deque()
        self._next_at: float | None = None
        self._waited = 0.0
        self._tune()

    def reached(self, wake: Callable[[], None]) -> None:
        self.radio.woken = wake

    @property
    def deadline(self) -> float | None:
        times = (self._flush_at, self._next_at, self._air.due(self.radio))
        return min((at for at in times if at is not None), default=None)

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        if self.mode == CONFIGURING:
            return self._configure(data)
        if self.mode:
            return []
        if data.startswith(e22.SOFT) and not self._fifo:
            return self._command(data)
        self._fifo = (self._fifo + data)[:FIFO]
        self._flush_at = now + IDLE
        return []

    def tick(self, now: float) -> Sequence[Event]:
        if self._flush_at is not None and now >= self._flush_at:
            self._flush(now)
        if self._next_at is not None and now >= self._next_at:
            self._transmit(now)
        return [
            event for packet, strength in self._air.collect(self.radio, now) for event in self._heard(packet, strength)
        ]

    def _flush(self, now: float) -> None:
        sizes, data = split(len(self._fifo), self.settings.packet), self._fifo
        self._fifo, self._flush_at = b"", None
        for size in sizes:
            self._packets.append(data[:size])
            data = data[size:]
        self._next_at = self._next_at or now

    def _transmit(self, now: float) -> None:
        if self.settings.listen and self._waited < LISTEN_MOST and self._air.busy(self.radio, now):
            self._waited += LISTEN_STEP
            self._next_at = now + LISTEN_STEP
            return
        self._waited = 0.0
        seconds = rates().seconds(self.settings.rate, len(self._packets[0]))
        self._air.transmit(self.radio, self._packets.popleft(), seconds, now)
        self._next_at = now + seconds if self._packets else None

    def _heard(self, packet: bytes, strength: int) -> list[Event]:
        if self.mode:
            return []
        return self._voice.say(packet + (bytes([strength + 256]) if self.settings.rssi else b""))

    def _command(self, data: bytes) -> list[Event]:
        if data == e22.AMBIENT and self.settings.ambient:
            return [Send(bytes((e22.READ, 0, 1, 0x8C)))]
        if data[4:5] == b"\x02" and len(data) == 6 and self.settings.soft and data[5] <= 3:
            self.mode = data[5]
            return [Send(e22.SOFT[1:] + data[4:6])]
        return [Send(e22.WRONG)]

    def _configure(self, data: bytes) -> list[Event]:
        if data == e22.soft_mode(0) and self.settings.soft:
            return self._command(data)
        try:
            frame, end = e22.decode_frame(data, asks=data[:1] == bytes([e22.READ]))
        except RemoteError:
            return [Send(e22.WRONG)]
        registers = e22.encode(self.settings) + b"\0\0"
        if frame.data and end == len(data):
            registers = registers[: frame.start] + frame.data + registers[frame.start + frame.length :]
            self.settings = e22.decode_settings(registers)
            self._tune()
        said = registers[frame.start : frame.start + frame.length]
        return [Send(bytes((e22.READ, frame.start, frame.length)) + said)]

    def _tune(self) -> None:
        self.radio.channel = ("e22", self.settings.channel, self.settings.rate, self.settings.network)
