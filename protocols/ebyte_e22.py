"""Ebyte E22 (SX1262/SX1268): its registers, the frames that read and set them, and a machine that asks. Pure.

Frames are spoken in configuration mode (M1 = 1, M0 = 0), always at 9600 8N1: `C0 start length data` sets for good,
`C2` until power is lost, `C1 start length` reads; each is answered by `C1 start length data`, a wrong one by `FF FF FF`.
Layout: E22-400T22S user manual 1.x, chapters 6 and 7; E22-400T30S, T30D and 900T22D agree. Registers 07 and 08 hold a key
and are never touched. The E32 looks alike and is another language.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError
from protocols.framing import Event, Send

SET, READ, SET_VOLATILE = 0xC0, 0xC1, 0xC2
OVER_AIR = b"\xcf\xcf"  # before a frame: for a module that is out of reach of a wire
WRONG = b"\xff\xff\xff"
SOFT = bytes.fromhex("C0C1C2C3")  # in transparent mode, where it is allowed: a command of its own
REGISTERS = 9  # 00..08
PRODUCT, PRODUCT_LENGTH = (
    0x80,
    7,
)  # product information; of a module with 0x40 in 82 the two slowest rates are not there
CONFIG_BAUD = 9600
BAUDS = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)  # REG0[7:5]
PARITIES = ("N", "O", "E", "N")  # REG0[4:3]
RATES = ("0.3k", "1.2k", "2.4k", "4.8k", "9.6k", "19.2k", "38.4k", "62.5k")  # REG0[2:0]
PACKETS = (240, 128, 64, 32)  # bytes, REG1[7:6]: what is longer goes out as several
ANSWER_TIMEOUT = 1.0  # seconds; an answer takes some 20 ms at 9600 baud
TRIES = 3


class Settings(NamedTuple):
    """Registers 00 to 06 as words. `power` is a step: 0 is the module's most, 3 its least."""

    address: int = 0
    network: int = 0
    baud: int = 9600
    parity: str = "N"
    rate: str = "2.4k"
    packet: int = 240
    ambient: bool = False  # the noise may be asked for
    soft: bool = False  # modes may be changed by command
    power: int = 0
    channel: int = 23
    rssi: bool = False  # a byte of signal strength after each packet received
    fixed: bool = False  # the first three bytes of a packet say to whom it goes
    repeater: bool = False
    listen: bool = False  # before talking
    wake: int = 3  # REG3[3:0], wake-on-radio; of no use here and kept as it is


def encode(settings: Settings) -> bytes:
    """Registers 00 to 06; LocalError for what no register can hold."""
    s = settings
    try:
        reg0 = BAUDS.index(s.baud) << 5 | PARITIES.index(s.parity) << 3 | RATES.index(s.rate)
        reg1 = PACKETS.index(s.packet) << 6 | s.ambient << 5 | s.soft << 2 | s.power
        reg3 = s.rssi << 7 | s.fixed << 6 | s.repeater << 5 | s.listen << 4 | s.wake
        if not (0 <= s.power <= 3 and 0 <= s.wake <= 15):
            raise LocalError("e22.value", repr(tuple(s)))
        return s.address.to_bytes(2, "big") + bytes((s.network, reg0, reg1, s.channel, reg3))
    except (ValueError, OverflowError) as wrong:
        raise LocalError("e22.value", str(wrong)) from None


def decode_settings(registers: bytes) -> Settings:
    """What registers 00 to 06 say."""
    if len(registers) < 7:
        raise RemoteError("e22.short", f"{len(registers)} of 7 registers", len(registers))
    reg0, reg1, channel, reg3 = registers[3:7]
    return Settings(
        int.from_bytes(registers[:2], "big"),
        registers[2],
        BAUDS[reg0 >> 5],
        PARITIES[reg0 >> 3 & 3],
        RATES[reg0 & 7],
        PACKETS[reg1 >> 6],
        bool(reg1 & 0x20),
        bool(reg1 & 4),
        reg1 & 3,
        channel,
        bool(reg3 & 0x80),
        bool(reg3 & 0x40),
        bool(reg3 & 0x20),
        bool(reg3 & 0x10),
        reg3 & 15,
    )


class Frame(NamedTuple):
    """`data` of a read command is empty and `length` says how much is asked for."""

    command: int
    start: int
    length: int
    data: bytes = b""
    over_air: bool = False


def write(start: int, data: bytes, *, volatile: bool = False) -> bytes:
    if not data or start + len(data) > REGISTERS:
        raise LocalError("e22.value", f"{len(data)} registers from {start}")
    return bytes((SET_VOLATILE if volatile else SET, start, len(data))) + data


def read(start: int, length: int) -> bytes:
    return bytes((READ, start, length))


def soft_mode(mode: int) -> bytes:
    """Change the mode by command: 0 transparent, 1 wake on radio, 2 configuration, 3 sleep."""
    return SOFT + bytes((2, mode))


AMBIENT = SOFT + bytes((0, 1))  # answered by C1 00 01 and a byte of RSSI


def dbm(byte: int, *, older: bool = False) -> float:
    """Signal strength of an RSSI byte. Manuals differ: newer ones say -(256 - b), older ones -b/2."""
    return -byte / 2 if older else float(byte - 256)


def decode_frame(data: bytes, offset: int = 0, *, asks: bool = False) -> tuple[Frame, int]:
    """The register frame at `offset` and where the next byte is. `C1` is a question or an answer: `asks` says which."""
    begin = offset
    over_air = data.startswith(OVER_AIR, offset)
    offset += 2 if over_air else 0
    if len(data) < offset + 3:
        raise RemoteError("e22.truncated", "", len(data))
    command, start, length = data[offset : offset + 3]
    if command not in (SET, READ, SET_VOLATILE):
        raise RemoteError("e22.command", f"{command:02X}", begin)
    if not 1 <= length <= REGISTERS or (start + length > REGISTERS and start < PRODUCT):
        raise RemoteError("e22.length", f"{length} registers from {start:02X}", begin)
    if command == READ and asks:
        return Frame(command, start, length, b"", over_air), offset + 3
    end = offset + 3 + length
    if len(data) < end:
        raise RemoteError("e22.truncated", "", len(data))
    return Frame(command, start, length, data[offset + 3 : end], over_air), end


class Answer(NamedTuple):
    """What a question was answered."""

    data: bytes


class NoAnswer(NamedTuple):
    """`reason`: `silent` or `refused` (the module said FF FF FF)."""

    reason: str


class Registers:
    """Asks one thing at a time of a module in configuration mode; what does not belong to the answer is passed over."""

    deadline: float | None = None

    def __init__(self) -> None:
        self._request = b""
        self._expected = b""  # command, start and length of the answer
        self._heard = b""
        self._left = 0

    def ask(self, request: bytes, now: float) -> Sequence[Event]:
        """A frame of `read` or `write`; ends in `Answer` or `NoAnswer`."""
        self._request, self._expected = request, bytes((READ,)) + request[1:3]
        self._heard, self._left = b"", TRIES
        return self._again(now)

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        if self.deadline is None:
            return []
        self._heard = (self._heard + data)[-64:]  # an answer has 12 bytes at most
        start = self._heard.find(self._expected)
        whole = start + 3 + self._expected[2]
        if start >= 0 and len(self._heard) >= whole:
            return self._end(Answer(self._heard[start + 3 : whole]))
        if start < 0 and WRONG in self._heard:
            return self._end(NoAnswer("refused")) if self._left == 0 else self._again(now)
        return []

    def tick(self, now: float) -> Sequence[Event]:
        if self.deadline is None or now < self.deadline:
            return []
        return self._again(now) if self._left else self._end(NoAnswer("silent"))

    def _again(self, now: float) -> Sequence[Event]:
        self._left, self._heard, self.deadline = self._left - 1, b"", now + ANSWER_TIMEOUT
        return [Send(self._request)]

    def _end(self, event: Event) -> Sequence[Event]:
        self.deadline = None
        return [event]
