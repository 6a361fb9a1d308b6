"""SL 651-2014, the telemetry of China's hydrological stations: frames both ways, in both of their forms, bytes → frames. Pure.

Binary frames begin with 7E7E, text frames with SOH and the same fields as hexadecimal digits. The CRC covers all before it and
goes out high byte first. A 7E7E may stand anywhere in the data: a frame is what has its length, its end and its CRC.
"""

from typing import NamedTuple

from protocols.checksums import crc16
from protocols.errors import LocalError, RemoteError
from protocols.framing import Flaw, FrameSearch

SOH, STX, ETX, EOT, ENQ, ACK, NAK, SYN, ETB, ESC = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x15, 0x16, 0x17, 0x1B
CONTROL = {
    STX: "STX", ETX: "ETX", EOT: "EOT", ENQ: "ENQ", ACK: "ACK", NAK: "NAK", SYN: "SYN", ETB: "ETB", ESC: "ESC",
}  # fmt: skip
UP_ENDS, DOWN_ENDS = (ETX, ETB), (ENQ, ACK, NAK, EOT, ESC)
MARK = b"\x7e\x7e"
HEAD, TAIL = 14, 3  # bytes up to STX or SYN; end and CRC
TEXT_HEAD, TEXT_TAIL = 24, 5  # characters: SOH, 22 digits, STX; end and CRC
MOST_BODY = 0x0FFF  # bytes: twelve bits of length
DOWN = 0x8  # the upper four bits of the length, 6.2.3.1


class Frame(NamedTuple):
    """`body` is what lies between start and end, without the three bytes that number a packet of several (`total`, `number`).

    `nibble` is the direction as it was sent; which one it is, the end says, since senders of pictures do not agree.
    """

    down: bool
    centre: int
    rtu: str
    password: str
    function: int
    body: bytes
    start: int = STX
    end: int = ETX
    total: int = 0
    number: int = 0
    text: bool = False
    nibble: int | None = None


def encode(frame: Frame) -> bytes:
    """A frame as a station or a centre sends it."""
    if len(frame.rtu) != 10 or len(frame.password) != 4 or frame.end not in (DOWN_ENDS if frame.down else UP_ENDS):
        raise LocalError("frame", f"{frame.rtu}, {frame.password}, end {frame.end:02X}")
    if frame.start not in (STX, SYN) or not (0 <= frame.total <= MOST_BODY and 0 <= frame.number <= MOST_BODY):
        raise LocalError("frame", f"start {frame.start:02X}, packet {frame.number} of {frame.total}")
    pieces = b"" if frame.start == STX else (frame.total << 12 | frame.number).to_bytes(3, "big")
    size = len(frame.body) + len(pieces)
    if size > MOST_BODY:
        raise LocalError("frame", f"{size} bytes")
    nibble = frame.nibble if frame.nibble is not None else DOWN * frame.down
    centre = f"{frame.centre:02X}"
    who = frame.rtu + centre if frame.down else centre + frame.rtu
    head = f"{who}{frame.password}{frame.function:02X}{nibble << 12 | size:04X}".upper()
    rest = bytes((frame.start,)) + pieces + frame.body + bytes((frame.end,))
    if frame.text:
        sent = bytes((SOH,)) + head.encode("ascii") + rest
        return sent + b"%04X" % crc16(sent)
    try:
        sent = MARK + bytes.fromhex(head) + rest
    except ValueError as wrong:
        raise LocalError("frame", head) from wrong
    return sent + crc16(sent).to_bytes(2, "big")


def size_of(begun: bytes) -> int:
    """How long the frame is that begins so; 0 while that cannot be told. RemoteError `format` where none begins."""
    if begun[:1] == b"\x7e":
        if len(begun) < HEAD:
            if not MARK.startswith(begun[:2]):
                raise RemoteError("format", begun[:2].hex())
            return 0
        if begun[:2] != MARK or begun[13] not in (STX, SYN):
            raise RemoteError("format", begun[:HEAD].hex())
        return HEAD + (int.from_bytes(begun[11:13], "big") & MOST_BODY) + TAIL
    if begun[:1] != bytes((SOH,)) or not _digits(begun[1 : TEXT_HEAD - 1]):
        raise RemoteError("format", begun[:TEXT_HEAD].hex())
    if len(begun) < TEXT_HEAD:
        return 0
    if begun[TEXT_HEAD - 1] not in (STX, SYN):
        raise RemoteError("format", begun[:TEXT_HEAD].hex())
    return TEXT_HEAD + (int(begun[19:23], 16) & MOST_BODY) + TEXT_TAIL


def decode(data: bytes) -> Frame:
    """One whole frame. RemoteError `truncated`, `format`, `crc` or `end`."""
    size = size_of(data)
    if not size or len(data) != size:
        raise RemoteError("truncated", data[:HEAD].hex())
    text = data[0] == SOH
    given, covered = (data[-4:], data[:-4]) if text else (data[-2:], data[:-2])
    crc = crc16(covered)
    if given.upper() != b"%04X" % crc if text else given != crc.to_bytes(2, "big"):
        raise RemoteError("crc", f"computed {crc:04X}", len(covered))
    return _frame(data, covered, text=text)


def _frame(data: bytes, covered: bytes, *, text: bool) -> Frame:
    head = data[1 : TEXT_HEAD - 1].decode("ascii").upper() if text else data[2 : HEAD - 1].hex().upper()
    start, end = covered[TEXT_HEAD - 1 if text else HEAD - 1], covered[-1]
    body = covered[TEXT_HEAD if text else HEAD : -1]
    down = end in DOWN_ENDS
    if not down and end not in UP_ENDS:
        raise RemoteError("end", f"{end:02X}", len(covered) - 1)
    total = number = 0
    if start == SYN:
        if len(body) < 3:
            raise RemoteError("truncated", body.hex())
        packet, body = int.from_bytes(body[:3], "big"), body[3:]
        total, number = packet >> 12, packet & 0xFFF
    rtu, centre = (head[:10], head[10:12]) if down else (head[2:12], head[:2])
    return Frame(
        down, int(centre, 16), rtu, head[12:16], int(head[16:18], 16), body, start, end, total, number, text,
        int(head[18], 16),
    )  # fmt: skip


def _digits(data: bytes) -> bool:
    return all(byte in b"0123456789ABCDEFabcdef" for byte in data)


class Sl651Stream(FrameSearch[Frame]):
    """Bytes in, frames and flaws out. A frame that is not whole holds up nothing that is."""

    def _search(self, found: list[Frame | Flaw]) -> None:
        while self._rest and self._next(found):
            pass

    def _next(self, found: list[Frame | Flaw]) -> bool:
        at = _start(self._rest, 0)
        if at:
            found.append(Flaw("garbage", self._rest[: min(at, 64)]))
            self._rest = self._rest[at:]
            return bool(self._rest)
        try:
            size = size_of(self._rest)
            if not size or len(self._rest) < size:
                return self._overtaken(found)
            found.append(decode(self._rest[:size]))
        except RemoteError as wrong:
            if wrong.reason != "format":
                found.append(Flaw(wrong.reason, self._rest[:size]))
            size = 1
        self._rest = self._rest[size:]
        return True

    def _overtaken(self, found: list[Frame | Flaw]) -> bool:
        """A whole frame behind one that is not: what came before it was cut off."""
        at = _start(self._rest, 1)
        while at < len(self._rest):
            frame, size = self._whole(at)
            if frame is not None:
                found += [Flaw("truncated", self._rest[:at]), frame]
                self._rest = self._rest[at + size :]
                return True
            at = _start(self._rest, at + 1)
        return False

    def _whole(self, at: int) -> tuple[Frame | None, int]:
        try:
            size = size_of(self._rest[at : at + TEXT_HEAD])
            return (decode(self._rest[at : at + size]) if size and at + size <= len(self._rest) else None), size
        except RemoteError:
            return None, 0


def _start(data: bytes, begin: int) -> int:
    """Where the next frame may begin, or the end of the data."""
    places = [at for at in (data.find(b"\x7e", begin), data.find(b"\x01", begin)) if at >= 0]
    return min(places, default=len(data))


class Packets:
    """Messages of several packets, put together again: the bodies in order, 6.3.3. At most `MOST` are under way."""

    MOST = 16

    def __init__(self) -> None:
        self._open: dict[tuple[int, str, int], dict[int, Frame]] = {}

    def add(self, frame: Frame) -> Frame | None:
        """The whole message, when this packet was its last."""
        key = frame.centre, frame.rtu, frame.function
        held = self._open.setdefault(key, {})
        if any(one.total != frame.total for one in held.values()) or not 1 <= frame.number <= frame.total:
            held.clear()
        held[frame.number] = frame
        while len(self._open) > self.MOST:
            del self._open[next(iter(self._open))]
        if len(held) < frame.total:
            return None
        del self._open[key]
        bodies = b"".join(held[number].body for number in sorted(held))
        return frame._replace(body=bodies, start=STX, total=0, number=0, nibble=None)
