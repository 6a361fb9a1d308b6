"""What SL 651 messages say (clauses 6.6.2 to 6.6.4): bodies → groups of elements, and numbers both ways. Pure.

The definition byte of an element goes before the table: its upper five bits are bytes, its lower three digits behind the
point. A leader that nobody knows is kept as it is, since that byte tells where the next one begins.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from protocols.errors import LocalError, RemoteError
from protocols.sl651_elements import CLASSES, ELEMENTS

TIME, STATION, MANUAL, PICTURE, RAIN, STEP, STATUS, USER, DATA = 0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0x04, 0x45, 0xFF, 0xFD
LEVELS = range(0xF5, 0xFD)
NO_CLASS = frozenset(
    {0x40, 0x41, 0x42, 0x43, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51}
)
PERIODS = frozenset({0x31, 0x38})  # one element, as many values as there are
Row = dict[str, Any]
_FIRST_SIGN = "\u2000"  # signs and Han characters lie above; Latin, Greek, Cyrillic and Arabic below


def number(data: bytes, decimals: int) -> float | None:
    """BCD; all F is missing, a first FF is minus. RemoteError `bcd` for what is neither."""
    if not data.strip(b"\xff"):
        return None
    negative = data[:1] == b"\xff"
    digits = (data[1:] if negative else data).hex()
    if not digits.isdigit():
        raise RemoteError("bcd", data.hex().upper())
    return (-int(digits) if negative else int(digits)) / 10.0**decimals


def write_number(value: float | None, size: int, decimals: int) -> bytes:
    """The reverse; a negative number needs a byte more than its digits."""
    if value is None:
        return b"\xff" * size
    digits = str(round(abs(value) * 10**decimals))
    room = 2 * size - (2 if value < 0 else 0)
    if len(digits) > room:
        raise LocalError("bcd", f"{value} in {size} bytes")
    return (b"\xff" if value < 0 else b"") + bytes.fromhex(digits.zfill(room))


def define(size: int, decimals: int) -> int:
    """The definition byte."""
    if not 0 <= size < 32 or not 0 <= decimals < 8:
        raise LocalError("define", f"{size} bytes, {decimals} digits")
    return size << 3 | decimals


def write_element(leader: int, value: float | None, size: int | None = None, decimals: int | None = None) -> bytes:
    """An element of appendix C; width and digits are the table's, where they are not given."""
    known = ELEMENTS[leader]
    places = known.decimals if decimals is None else decimals
    width = size if size is not None else (known.digits + 1) // 2 + (value is not None and value < 0)
    return bytes((leader, define(width, places))) + write_number(value, width, places)


def moment(data: bytes) -> str:
    """YYMMDDHHmm[SS] as people write it; digits that are no time stay digits."""
    digits = data.hex()
    if not digits.isdigit():
        return digits.upper()
    parts = [digits[at : at + 2] for at in range(0, len(digits), 2)]
    return f"20{parts[0]}-{parts[1]}-{parts[2]}T" + ":".join(parts[3:])


def rain(data: bytes) -> list[float | None]:
    """Tenths of a millimetre in each of twelve times five minutes; FF is missing."""
    return [None if one == 0xFF else one / 10 for one in data]


def levels(data: bytes) -> list[float | None]:
    """Centimetres above the station's base, of each of twelve times five minutes; FFFF is missing."""
    words = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data) - 1, 2)]
    return [None if one == 0xFFFF else one / 100 for one in words]


class Reader:
    """Takes a body from its front; RemoteError `truncated` where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, size: int) -> bytes:
        if len(self.left) < size:
            raise RemoteError("truncated", self.left.hex().upper())
        taken, self.left = self.left[:size], self.left[size:]
        return taken

    def all(self) -> bytes:
        return self.take(len(self.left))

    def begins(self, leader: int) -> bool:
        return self.left[:2] == bytes((leader, leader))


def heading(body: Reader, function: int) -> Row:
    """Which station, and of what kind."""
    row: Row = {}
    if body.begins(STATION):
        body.take(2)
        row["station"] = body.take(5).hex().upper()
        if function not in NO_CLASS and body.left[:1] and body.left[0] in CLASSES:
            row["class"] = CLASSES[body.take(1)[0]]
    return row


def elements(body: Reader, function: int) -> Iterator[Row]:
    """One after the other to the end; what cannot be read ends it with an `error`."""
    series = False
    while body.left:
        try:
            row = _element(body, series=series and function in PERIODS)
        except RemoteError as wrong:
            yield {"error": wrong.reason, "raw": wrong.detail}
            return
        series = row["id"] == "04" or (series and row["id"] == "F0")
        yield row


def _element(body: Reader, *, series: bool) -> Row:  # noqa: PLR0911 - one for each form of appendix C
    if body.begins(STATION):
        body.take(2)
        return {"id": "F1", "name": "ST", "value": body.take(5).hex().upper()} | _class(body)
    leader = body.take(1)[0]
    if leader == USER:
        leader = leader << 8 | body.take(1)[0]
    definition = body.take(1)[0]
    row: Row = {"id": f"{leader:02X}"}
    if leader == TIME:
        return row | {"name": "观测时间", "value": moment(body.take(5))}
    if leader == MANUAL:
        return row | {"name": "人工置数", "value": words(body.all())}
    if leader == PICTURE:
        return row | {"name": "图片", **_picture(body.all())}
    if leader == RAIN:
        return row | {"name": "DRP", "unit": "mm", "values": rain(body.all() if series else body.take(12))}
    if leader in LEVELS:
        taken = body.all() if series else body.take(24)
        return row | {"name": f"DRZ{leader - 0xF4}", "unit": "m", "values": levels(taken)}
    if leader == DATA:
        return row | {"name": "DATA", "raw": body.all().hex().upper()}
    if leader == STEP:
        return row | {"name": "时间步长 dhm", "value": body.take(definition >> 3).hex()}
    return row | _plain(body, leader, definition, series=series)


def _plain(body: Reader, leader: int, definition: int, *, series: bool) -> Row:
    size, decimals = definition >> 3, definition & 7
    known = ELEMENTS.get(leader)
    row: Row = {} if series else {"def": f"{definition:02X}"}
    if known:
        row |= {"name": f"{known.name} {known.title}"} | ({"unit": known.unit} if known.unit else {})
    if series and size:
        taken = body.all()
        return row | {"values": [_value(taken[at : at + size], decimals) for at in range(0, len(taken), size)]}
    data = body.take(size)
    if leader == STATUS:
        bits = int.from_bytes(data, "big")
        flags = [name for bit, name in STATUS_BITS.items() if bits >> bit & 1]
        return row | {"value": f"0x{data.hex().upper()}", "flags": flags}
    if known is None:
        return row | {"raw": data.hex().upper()}
    value = _value(data, decimals)
    return row | {"value": value} | ({"raw": data.hex().upper()} if value is None else {})


def _value(data: bytes, decimals: int) -> float | None:
    try:
        return number(data, decimals)
    except RemoteError:
        return None


def _class(body: Reader) -> Row:
    return {"class": CLASSES[body.take(1)[0]]} if body.left[:1] and body.left[0] in CLASSES else {}


def _picture(data: bytes) -> Row:
    """JPEG from FFD8 on; senders let a few bytes follow its end."""
    end = data.rfind(b"\xff\xd9")
    return {"jpeg_bytes": len(data), "whole": data[:2] == b"\xff\xd8" and end > 0}


def words(data: bytes) -> str:
    """The standard names no character set. Short words in GBK are often valid UTF-8, too, but then in no letters of ours."""
    for name in ("utf-8", "gbk"):
        try:
            text = data.decode(name).strip()
        except UnicodeDecodeError:
            continue
        if all(letter.isascii() or letter >= _FIRST_SIGN for letter in text):
            return text
    return data.decode("ascii", "backslashreplace")


def parameters(data: bytes) -> list[Row]:
    """Of functions 40 to 43 and 49: identifier, definition, bytes."""
    body, rows = Reader(data), []
    while body.left:
        try:
            code, definition = body.take(2)
            rows.append(
                {"id": f"{code:02X}", "def": f"{definition:02X}", "raw": body.take(definition >> 3).hex().upper()}
            )
        except RemoteError as wrong:
            rows.append({"error": wrong.reason, "raw": wrong.detail})
            break
    return rows


STATUS_BITS: Mapping[int, str] = {
    0: "mains-off", 1: "battery-low", 2: "level-alarm", 3: "flow-alarm", 4: "quality-alarm", 5: "flow-meter-fault",
    6: "level-gauge-fault", 7: "door-closed", 8: "memory-fault", 9: "ic-card", 10: "pump-stopped", 11: "quota-alarm",
}  # fmt: skip
"""Of element 45, appendix D; two of them say the good thing with a one: the door and the pump."""
