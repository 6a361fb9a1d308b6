"""LoRa modules that share an air: an Ebyte E22 and a RAK3172, each a machine behind its line. Faults are switched on one by
one; chance comes from a seeded source.

What is simulated is what a driver can stumble over, not the radio: modes and registers, packets split by size, the byte
of strength, AT commands refused while it listens, events in the middle of an answer, a restart in the middle of a send.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from drivers.bearers.lora_law import rates
from drivers.simulated.air import Air, Radio
from protocols import ebyte_e22 as e22
from protocols.errors import RemoteError
from protocols.framing import Event, Lines, Send
from protocols.lora_airtime import Modulation, airtime
from protocols.lora_frame import split
from protocols.rak3172_lines import BANDWIDTHS, decode_radio

FIFO = 1000  # bytes an E22 takes from its line before it loses some (manual: 1000)
IDLE = 0.005  # seconds of silence on the line after which an E22 sends what it has
LISTEN_MOST = 2.0  # seconds an E22 waits for a free channel before it sends all the same (manual, REG3 bit 4)
LISTEN_STEP = 0.05  # seconds between two looks
CONFIGURING = 2  # the mode with M1 = 1, M0 = 0


@dataclass
class Faults:
    """`noise`: bytes nobody sent, before a packet; `tear`: what is said is cut in two; both shares of 1."""

    noise: float = 0.0
    tear: float = 0.0


class _Voice:
    """What goes out on the line, with what can happen to it there."""

    def __init__(self, chance: Random, faults: Faults) -> None:
        self._chance, self.faults = chance, faults

    def say(self, data: bytes) -> list[Event]:
        if self._chance.random() < self.faults.noise:
            data = self._chance.randbytes(self._chance.randint(1, 12)) + data
        if len(data) > 1 and self._chance.random() < self.faults.tear:
            cut = self._chance.randrange(1, len(data))
            return [Send(data[:cut]), Send(data[cut:])]
        return [Send(data)]


class SimE22:
    """`mode` is that of the pins M1 M0 and may be set from outside; by command where the register allows it."""

    def __init__(
        self, air: Air, name: str, settings: e22.Settings, chance: Random, faults: Faults | None = None
    ) -> None:
        self.settings, self.mode = settings, 0
        self.radio = air.join(Radio(name))
        self._air, self._voice = air, _Voice(chance, faults or Faults())
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


@dataclass
class RakFaults(Faults):
    """`old`: firmware before RUI3; `restarts`: how many of its next sends end in a restart instead."""

    old: bool = False
    restarts: int = 0
    busy: int = 0  # how many of its next sends are refused
    talks: bool = False  # it says something unasked in the middle of each answer


@dataclass
class RakState:
    """What its flash holds."""

    mode: int = 0
    radio: str = "868000000:7:0:0:8:14"
    cad: bool = False
    listening: int = 0
    echo: bool = False
    extra: dict[str, str] = field(default_factory=dict)


class SimRak:
    """RAK3172 in point-to-point mode."""

    def __init__(self, air: Air, name: str, state: RakState, chance: Random, faults: RakFaults | None = None) -> None:
        self.state, self.faults = state, faults or RakFaults()
        self.radio = air.join(Radio(name))
        self._air, self._voice = air, _Voice(chance, self.faults)
        self._lines = Lines(1200)
        self._sent_at: float | None = None
        self._tune()

    def reached(self, wake: Callable[[], None]) -> None:
        self.radio.woken = wake

    @property
    def deadline(self) -> float | None:
        times = (self._sent_at, self._air.due(self.radio))
        return min((at for at in times if at is not None), default=None)

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        return [event for line in self._lines.feed(data) for event in self._obey(line.decode("ascii", "replace"), now)]

    def tick(self, now: float) -> Sequence[Event]:
        said: list[Event] = []
        if self._sent_at is not None and now >= self._sent_at:
            self._sent_at = None
            said += self._say("+EVT:TXP2P DONE")
        for packet, strength in self._air.collect(self.radio, now):
            if self.state.listening:
                said += self._heard(packet, strength)
        return said

    def _obey(self, line: str, now: float) -> Iterator[Event]:
        if self.state.echo:
            yield from self._say(line)
        name, asked, value = line.strip().removeprefix("AT").removeprefix("+").partition("=")
        if not asked:
            yield from self._answer("OK" if line == "AT" else "AT_ERROR")
        elif value == "?":
            yield from self._show(name)
        else:
            verbs: dict[str, Callable[[str, float], Iterator[Event]]] = {
                "NWM": self._set_mode, "P2P": self._set_radio, "PRECV": self._listen,
                "PSEND": self._send, "CAD": self._set_cad,
            }  # fmt: skip
            yield from verbs[name](value, now) if name in verbs else self._answer("AT_ERROR")

    def _show(self, name: str) -> Iterator[Event]:
        shown = {"NWM": str(self.state.mode), "P2P": self._radio_shown(), "CAD": str(int(self.state.cad))}
        if name not in shown or (name == "CAD" and self.faults.old):
            yield from self._answer("AT_ERROR")
            return
        yield from self._say(shown[name] if self.faults.old else f"AT+{name}={shown[name]}")
        yield from self._answer("OK")

    def _radio_shown(self) -> str:
        parts = self.state.radio.split(":")
        if self.faults.old and int(parts[2]) < len(BANDWIDTHS):
            parts[2] = str(BANDWIDTHS[int(parts[2])])
        return ":".join(parts)

    def _set_mode(self, value: str, _now: float) -> Iterator[Event]:
        self.state.mode = int(value)
        yield from self._restart()

    def _restart(self) -> Iterator[Event]:
        self.state.listening, self._sent_at = 0, None
        for line in ("RAKwireless RAK3172 Example", "Current Work Mode: LoRa P2P."):
            yield from self._say(line)

    def _set_radio(self, value: str, _now: float) -> Iterator[Event]:
        if self.state.listening:
            yield from self._answer("AT_BUSY_ERROR")
            return
        try:
            decode_radio(value)
        except RemoteError:
            yield from self._answer("AT_PARAM_ERROR")
            return
        self.state.radio = value
        self._tune()
        yield from self._answer("OK")

    def _set_cad(self, value: str, _now: float) -> Iterator[Event]:
        self.state.cad = value == "1" and not self.faults.old
        yield from self._answer("AT_ERROR" if self.faults.old else "OK")

    def _listen(self, value: str, _now: float) -> Iterator[Event]:
        if self.state.mode:
            yield from self._answer("AT_MODE_NO_SUPPORT")
        elif value == "65533" and self.faults.old:
            yield from self._answer("AT_PARAM_ERROR")
        elif self.state.listening and value != "0":
            yield from self._answer("AT_BUSY_ERROR")
        else:
            self.state.listening = int(value)
            yield from self._answer("OK")

    def _send(self, value: str, now: float) -> Iterator[Event]:
        if self.faults.restarts:
            self.faults.restarts -= 1
            yield from self._restart()
        elif self.faults.busy or self.state.listening == 65534 or self._sent_at is not None or self.state.mode:
            self.faults.busy = max(self.faults.busy - 1, 0)
            yield from self._answer("AT_BUSY_ERROR")
        elif not 2 <= len(value) <= 510 or len(value) % 2:
            yield from self._answer("AT_PARAM_ERROR")
        else:
            packet = bytes.fromhex(value)
            seconds = airtime(self._modulation(), len(packet)) / 1000
            self._air.transmit(self.radio, packet, seconds, now)
            self._sent_at = now + seconds
            yield from self._answer("OK")

    def _heard(self, packet: bytes, strength: int) -> list[Event]:
        if self.state.listening == 65535:
            self.state.listening = 0
        if self.faults.old:
            return [*self._say(f"+EVT:RXP2P, RSSI {strength}, SNR 5"), *self._say(f"+EVT:{packet.hex().upper()}")]
        return self._say(f"+EVT:RXP2P:{strength}:5:{packet.hex().upper()}")

    def _answer(self, word: str) -> Iterator[Event]:
        if self.faults.talks:
            yield from self._say("+EVT:RXP2P RECEIVE ERROR")
        yield from self._say(word)

    def _say(self, line: str) -> list[Event]:
        return self._voice.say(f"{line}\r\n".encode())

    def _modulation(self) -> Modulation:
        found, _ = decode_radio(self.state.radio)
        return Modulation(found.spreading, found.bandwidth * 1000, found.coding, found.preamble)

    def _tune(self) -> None:
        found, _ = decode_radio(self.state.radio)
        self.radio.channel = ("rak", *found[:4])


# `sim:` addresses: all of one process share an air, so that two bearers of a station hear each other

_HERE = Air(Random(1))  # noqa: S311 - chance that can be repeated is meant


def alone() -> SimE22:
    """For `sim:lora`: 471.125 MHz, 2.4k, as a China station would be set."""
    settings = e22.Settings(channel=61, power=1, listen=True, rssi=True)
    return SimE22(_HERE, f"e22-{len(_HERE.radios)}", settings, Random(2))  # noqa: S311 - as above


def alone_rak() -> SimRak:
    """For `sim:lora-rak`."""
    return SimRak(_HERE, f"rak-{len(_HERE.radios)}", RakState(radio="470300000:9:0:0:8:17"), Random(3))  # noqa: S311 - as above
