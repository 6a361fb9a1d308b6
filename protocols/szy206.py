"""SZY206-2016, the telemetry of water abstraction in China: frames both ways, bytes → frames and rows. Pure.

`68 L 68 | C A AFN data | CS 16`. Read from public implementations, since the standard's text was not to be had: what a
self-report holds beside flow is kept as it is. CS is a CRC-8 of the polynomial X7+X6+X5+X2+1.
"""

from typing import Any, NamedTuple

from protocols.checksums import crc8
from protocols.errors import LocalError, RemoteError
from protocols.framing import Flaw, FrameSearch

START, END = 0x68, 0x16
POLYNOMIAL = 0xE5  # X7+X6+X5+X2+1, of the CRC-8
HEAD, TAIL = 3, 2  # bytes before and after what L counts
LEAST = 7  # bytes of C, A and AFN
FLOW = 3
TYPES = {
    1: "rain", 2: "level", 3: "flow", 4: "velocity", 5: "gate", 6: "power", 7: "pressure", 8: "wind",
    9: "water temperature", 10: "quality", 11: "soil moisture", 12: "evaporation", 13: "alarm", 14: "composite",
    15: "water pressure",
}  # fmt: skip
FUNCTIONS = {
    0x02: "link test", 0x61: "query picture", 0x81: "alarm", 0x82: "manual", 0xB0: "query realtime", 0xB1: "query stored",
    0xC0: "self-report",
}  # fmt: skip
LINK = {0xF0: "login", 0xF1: "logout", 0xF2: "keep"}
END_OF_REPORT = 9  # bytes: alarm 2, status 2, time 5
VALUE = 5  # bytes of a flow or a total


class Frame(NamedTuple):
    """`control` is C, `address` the five bytes of A as they come; `split` is DIVS where C says that the message is split."""

    control: int
    address: bytes
    function: int
    data: bytes
    split: int | None = None

    @property
    def up(self) -> bool:
        return bool(self.control & 0x80)

    @property
    def station(self) -> str:
        """Administrative code of six digits, and the number of the station there, low byte first."""
        return f"{self.address[:3].hex()}-{int.from_bytes(self.address[3:], 'little')}"


def encode(frame: Frame) -> bytes:
    split = b"" if frame.split is None else bytes((frame.split,))
    if len(frame.address) != 5 or bool(frame.control & 0x40) != (frame.split is not None):
        raise LocalError("frame", f"address {frame.address.hex()}, control {frame.control:02X}")
    user = bytes((frame.control,)) + split + frame.address + bytes((frame.function,)) + frame.data
    if len(user) > 0xFF:
        raise LocalError("frame", f"{len(user)} bytes")
    return bytes((START, len(user), START)) + user + bytes((crc8(user, POLYNOMIAL), END))


def decode(data: bytes) -> Frame:
    """One whole frame. RemoteError `truncated`, `format` or `crc`."""
    if len(data) < HEAD + LEAST + TAIL or len(data) != HEAD + data[1] + TAIL:
        raise RemoteError("truncated", data[:8].hex())
    if data[0] != START or data[2] != START or data[-1] != END:
        raise RemoteError("format", data[:8].hex())
    user = data[HEAD:-TAIL]
    if (crc := crc8(user, POLYNOMIAL)) != data[-2]:
        raise RemoteError("crc", f"{data[-2]:02X}, computed {crc:02X}", len(data) - TAIL)
    split = user[1] if user[0] & 0x40 else None
    rest = user[1:] if split is None else user[2:]
    if len(rest) < 6:
        raise RemoteError("truncated", user.hex())
    return Frame(user[0], rest[:5], rest[5], rest[6:], split)


class Szy206Stream(FrameSearch[Frame]):
    """Bytes in, frames and flaws out; what is no frame costs one byte at a time."""

    def _search(self, found: list[Frame | Flaw]) -> None:
        at = 0
        while (at := self._rest.find(START, at)) >= 0:
            size = HEAD + self._rest[at + 1] + TAIL if len(self._rest) > at + 1 else 0
            try:
                frame: Frame | Flaw = decode(self._rest[at : at + size])
            except RemoteError as wrong:
                if wrong.reason == "crc":
                    found.append(Flaw("crc", self._rest[at : at + size]))
                at += 1
                continue
            if self._rest[:at]:
                found.append(Flaw("garbage", self._rest[: min(at, 64)]))
            found.append(frame)
            self._rest, at = self._rest[at + size :], 0
        self._rest = self._unfinished()

    def _unfinished(self) -> bytes:
        """From where a frame may still come that is not whole."""
        rest = self._rest
        for at, byte in enumerate(rest):
            if byte == START and (len(rest) < at + 3 or rest[at + 2] == START):
                wanted = HEAD + (rest[at + 1] if len(rest) > at + 1 else 0xFF) + TAIL
                if len(rest) - at < wanted:
                    return rest[at:]
        return b""


def describe(event: Frame | Flaw) -> dict[str, Any]:
    """JSON-ready."""
    if isinstance(event, Flaw):
        return {"error": event.reason, "data": event.data.hex().upper()}
    row: dict[str, Any] = {
        "direction": "up" if event.up else "down",
        "control": f"{event.control:02X}",
        "fcb": event.control >> 4 & 3,
        "type": TYPES.get(event.control & 0xF, "reserved"),
        "address": event.address.hex().upper(),
        "station": event.station,
        "function": f"{event.function:02X}",
        "function_name": FUNCTIONS.get(event.function, "other"),
        "data": event.data.hex().upper(),
    }
    if event.split is not None:
        row["split"] = event.split
    if event.function == 0x02 and event.data[:1]:
        row["link"] = LINK.get(event.data[0], "other")
    if event.function == 0xC0 and event.up and len(event.data) >= END_OF_REPORT:
        row |= _report(event)
    return row


def _report(frame: Frame) -> dict[str, Any]:
    values, end = frame.data[:-END_OF_REPORT], frame.data[-END_OF_REPORT:]
    row: dict[str, Any] = {
        "alarm": end[:2].hex().upper(),
        "status": end[2:4].hex().upper(),
        "time": f"{end[7]:02x}T{end[6]:02x}:{end[5]:02x}:{end[4]:02x}",
        "delay_min": end[8],
    }
    if frame.control & 0xF != FLOW or len(values) not in (VALUE, 2 * VALUE):
        return row | {"raw": values.hex().upper()}
    row["flow_m3s"] = bcd(values[:VALUE], 3)
    if len(values) == 2 * VALUE:
        row["total_m3"] = bcd(values[VALUE:], 0)
    return row


def bcd(data: bytes, decimals: int) -> float | None:
    """Last digits first; AA in every byte is missing, and so is what are no digits."""
    digits = data[::-1].hex()
    return int(digits) / 10.0**decimals if digits.isdigit() else None


def write_bcd(value: float | None, size: int, decimals: int) -> bytes:
    if value is None:
        return b"\xaa" * size
    digits = f"{round(value * 10**decimals):0{2 * size}d}"
    if value < 0 or len(digits) > 2 * size:
        raise LocalError("bcd", f"{value} in {size} bytes")
    return bytes.fromhex(digits)[::-1]


def decode_all(data: bytes) -> list[dict[str, Any]]:
    """A capture in order, flaws in their places: `fengsui decode szy206`."""
    stream = Szy206Stream()
    found = list(stream.feed(data))
    if stream.rest or (not found and data):
        found.append(Flaw("truncated" if stream.rest else "garbage", stream.rest or data))
    return [describe(one) for one in found]
