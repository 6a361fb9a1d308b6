"""DL/T 645-2007 and -1997, the language of electricity meters: frames both ways, bytes → frames. Pure.

Both have the same frames; a data identifier has four bytes since 2007, and had two before, with another function to read it.

`68 address 68 control length data checksum 16`: address and numbers are BCD with the last digits first; each data byte goes
out with 33H added; the checksum is the sum of all before it from the first 68. Up to four FE wake the meter first.
"""

from typing import NamedTuple

from protocols.checksums import sum8
from protocols.errors import LocalError, RemoteError
from protocols.framing import Flaw, FrameSearch

START, END, WAKE = 0x68, 0x16, b"\xfe" * 4
OFFSET = 0x33
HEAD, TAIL = 10, 2  # bytes before and after the data
MOST_DATA = 200  # bytes in an answer; §5.2.5
ANY_ADDRESS = "AAAAAAAAAAAA"  # §5.2.2: whoever is there, so for a line with one meter
READ, READ_MORE, READ_ADDRESS = 0x11, 0x12, 0x13
READ_1997 = 0x01  # DL/T 645-1997 §5.2.4
IDENTIFIER = {READ: 4, READ_1997: 2}  # bytes of a data identifier
FROM_METER, REFUSED, MORE = 0x80, 0x40, 0x20  # bits of the control word, §5.2.4
_PLUS = bytes((byte + OFFSET) & 0xFF for byte in range(256))
_MINUS = bytes((byte - OFFSET) & 0xFF for byte in range(256))


class Frame(NamedTuple):
    """`address` as it is printed on the meter, twelve digits, A for any; `data` without the 33H."""

    address: str
    control: int
    data: bytes

    @property
    def item(self) -> str:
        """The data identifier, its highest byte first; "" where there is none."""
        size = IDENTIFIER.get(self.control & 0x1F, 0)
        return self.data[:size][::-1].hex().upper() if len(self.data) >= size else ""


class Refused(RemoteError):
    """The meter says no; `code` is its error byte (§5.2.6: bit 1 no such item, 2 password, 4 no such rate ...)."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"error-{code:02X}")


def encode(frame: Frame, wake: bytes = b"") -> bytes:
    try:
        address = bytes.fromhex(frame.address)[::-1]
    except ValueError:
        address = b""
    if len(address) != 6 or len(frame.data) > MOST_DATA or not 0 <= frame.control <= 0xFF:
        raise LocalError("frame", f"{frame.address}, control {frame.control}, {len(frame.data)} bytes")
    body = bytes((START, *address, START, frame.control, len(frame.data))) + frame.data.translate(_PLUS)
    return wake + body + bytes((sum8(body), END))


def decode(data: bytes) -> Frame:
    """One frame from its first 68 to its 16. RemoteError `format`, `checksum` or `truncated`."""
    if len(data) < HEAD + TAIL or len(data) != (size := HEAD + data[9] + TAIL):
        raise RemoteError("truncated", data[:HEAD].hex())
    if data[0] != START or data[7] != START or data[-1] != END:
        raise RemoteError("format", data[:HEAD].hex())
    if sum8(data[:-TAIL]) != data[-2]:
        raise RemoteError("checksum", f"{data[-2]:02X}, computed {sum8(data[:-TAIL]):02X}", size - TAIL)
    return Frame(data[6:0:-1].hex().upper(), data[8], data[HEAD:-TAIL].translate(_MINUS))


class Dlt645Stream(FrameSearch[Frame]):
    """Bytes in, frames and flaws out; what is no frame costs one byte at a time."""

    def _search(self, found: list[Frame | Flaw]) -> None:
        while True:
            at = self._rest.find(START)
            noise, self._rest = (self._rest, b"") if at < 0 else (self._rest[:at], self._rest[at:])
            if noise.strip(b"\xfe"):
                found.append(Flaw("garbage", noise[:64]))
            if not self._next(found):
                return

    def _next(self, found: list[Frame | Flaw]) -> bool:
        """Take one frame or one false start from the front; False where more bytes are needed."""
        if len(self._rest) >= 8 and self._rest[7] != START:
            self._rest = self._rest[1:]
            return True
        if len(self._rest) < HEAD or len(self._rest) < (size := HEAD + self._rest[9] + TAIL):
            if len(self._rest) < HEAD or self._rest[9] <= MOST_DATA:
                return self._overtaken(found)
            size = 1
        try:
            found.append(decode(self._rest[:size]))
        except RemoteError as wrong:
            found.append(Flaw(wrong.reason, self._rest[:size]))
            size = 1
        self._rest = self._rest[size:]
        return True

    def _overtaken(self, found: list[Frame | Flaw]) -> bool:
        """A whole frame behind one that is not: what came before it was cut off, or no frame at all."""
        for at in range(1, len(self._rest) - HEAD - TAIL + 1):
            if self._rest[at] == self._rest[at + 7] == START:
                size = HEAD + self._rest[at + 9] + TAIL
                try:
                    frame = decode(self._rest[at : at + size])
                except RemoteError:
                    continue
                found += [Flaw("truncated", self._rest[:at]), frame]
                self._rest = self._rest[at + size :]
                return True
        return False


def read(address: str, item: str) -> Frame:
    """Ask for a data item, as `02010100`, or `B611` of a meter of 1997."""
    try:
        data = bytes.fromhex(item)[::-1]
    except ValueError:
        data = b""
    function = next((one for one, size in IDENTIFIER.items() if size == len(data)), None)
    if function is None:
        raise LocalError("item", item)
    return Frame(address, function, data)


def answer(frame: Frame, asked: Frame) -> bytes:
    """What a meter says to a read: the bytes behind the identifier. RemoteError `foreign` for another's answer, `Refused`,
    or `more` where it does not fit into one frame.
    """
    ours = asked.address in (frame.address, ANY_ADDRESS)
    if not ours or not frame.control & FROM_METER or frame.control & 0x1F != asked.control & 0x1F:
        raise RemoteError("foreign", f"{frame.address} {frame.control:02X}")
    if frame.control & REFUSED:
        raise Refused(frame.data[0] if frame.data else 0)
    if frame.item != asked.item:
        raise RemoteError("foreign", frame.item)
    if frame.control & MORE:
        raise RemoteError("more", frame.item)
    return frame.data[len(asked.data) :]


def number(data: bytes, decimals: int = 0, *, signed: bool = False) -> float:
    """BCD, last digits first; with a sign, the highest bit of all says minus. RemoteError `bcd`, `missing` for all F."""
    if not data.strip(b"\xff"):
        raise RemoteError("missing", data.hex())
    negative = signed and bool(data[-1] & 0x80)
    digits = (data[:-1] + bytes((data[-1] & 0x7F,)) if signed else data)[::-1].hex()
    if not digits.isdigit():
        raise RemoteError("bcd", digits)
    value = int(digits) / 10.0**decimals
    return -value if negative else value


def bcd(value: float, size: int, decimals: int = 0, *, signed: bool = False) -> bytes:
    """The reverse, as a meter writes it."""
    digits = round(abs(value) * 10**decimals)
    if digits >= (8 * 10 ** (2 * size - 1) if signed else 100**size) or (value < 0 and not signed):
        raise LocalError("bcd", f"{value} in {size} bytes")
    data = bytearray(bytes.fromhex(f"{digits:0{2 * size}d}")[::-1])
    data[-1] |= 0x80 * (value < 0)
    return bytes(data)
