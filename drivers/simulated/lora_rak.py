"""A RAK3172 as a machine behind its line: AT commands refused while it listens, events in the middle of an answer, a restart in
the middle of a send.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from drivers.simulated.air import Air, Radio
from drivers.simulated.voice import Faults, Voice
from protocols.errors import RemoteError
from protocols.framing import Event, Lines
from protocols.lora_airtime import Modulation, airtime
from protocols.rak3172_lines import BANDWIDTHS, decode_radio


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
        self._air, self._voice = air, Voice(chance, self.faults)
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
