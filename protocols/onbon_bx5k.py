"""LED panels with an Onbon BX-5K font card (仰邦): frames, and the "dynamic area" that shows text at once.

Structure after the maker's SDK headers and an independent program whose frames are in the tests; all integers are
little-endian. A dynamic area lives in the card's RAM. With RUN_UNTIL_STALE the card itself takes it off the panel when it
is not sent again in time. Pure.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from protocols.checksums import crc16
from protocols.errors import LocalError, RemoteError

START, END = 0xA5, 0x5A
_ESCAPES = {0xA5: b"\xa6\x02", 0xA6: b"\xa6\x01", 0x5A: b"\x5b\x02", 0x5B: b"\x5b\x01"}
_PLAIN = {code: bytes((byte,)) for byte, code in _ESCAPES.items()}

SCREEN, SOURCE = 0x0001, 0x8000  # the card's address as delivered, and a computer's
ANY_CARD, PROTOCOL = 0xFE, 0x02
PING, DYNAMIC_AREAS = (0xA2, 0x00), (0xA3, 0x06)
ACKNOWLEDGED, REFUSED = (0xA0, 0x00), (0xA0, 0x01)
WITH_REPLY = 1
RUN_UNTIL_STALE = 2  # show over and over; delete the area when it was not sent again within its timeout
MANY_LINES, WRAP = 2, 2
STATIC, LEFTWARDS = 1, 3  # how text comes on: it stands, or it moves through
MOST_TEXT = 900  # bytes: the card's receive buffer holds 1,024, head and area included
MOST_FRAME = 2048  # bytes between start and end, escapes included

_HEAD = struct.Struct("<HH6xBBH")  # screen, source, reserved and display mode, card, protocol, length of data
_AREA = struct.Struct("<BHHHHBBBHBBBBBBBBBI")


class Packet(NamedTuple):
    """What a frame carries. `command` is group and number."""

    command: tuple[int, int]
    data: bytes
    screen: int = SCREEN


@dataclass(frozen=True, slots=True)
class Area:
    """A dynamic area. `x` and `width` count eight pixels, `y` and `height` one; `stay` half seconds, `timeout` seconds."""

    text: bytes
    x: int = 0
    y: int = 0
    width: int = 16
    height: int = 32
    id: int = 0
    timeout: int = 30
    effect: int = STATIC
    speed: int = 4  # 0 is fastest, 24 slowest
    stay: int = 6
    align: int = 0


def encode(packet: Packet, source: int = SOURCE) -> bytes:
    head = _HEAD.pack(packet.screen, source, ANY_CARD, PROTOCOL, 2 + len(packet.data))
    body = head + bytes(packet.command) + packet.data
    body += crc16(body, start=0).to_bytes(2, "little")
    return bytes((START,)) * 8 + b"".join(_ESCAPES.get(byte, bytes((byte,))) for byte in body) + bytes((END,))


def decode(frame: bytes) -> Packet:
    """What stands between the start bytes and the end byte. RemoteError says what is wrong with it."""
    body = b"".join(_unescaped(frame))
    if len(body) < _HEAD.size + 4:
        raise RemoteError("truncated", f"{len(body)} bytes")
    screen, _source, _card, _protocol, length = _HEAD.unpack_from(body)
    data, check = body[_HEAD.size : -2], int.from_bytes(body[-2:], "little")
    if length != len(data):
        raise RemoteError("length", f"{length} said, {len(data)} there")
    if check not in (crc16(body[:-2], start=0), 0xFFFF):  # FFFF: the sender does not check
        raise RemoteError("checksum", f"{check:04x}")
    return Packet((data[0], data[1]), data[2:], screen)


def _unescaped(frame: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(frame):
        if frame[at] not in (0xA6, 0x5B):
            yield frame[at : at + 1]
            at += 1
        elif frame[at : at + 2] in _PLAIN:
            yield _PLAIN[frame[at : at + 2]]
            at += 2
        else:
            raise RemoteError("escape", frame[at : at + 2].hex(), at)


class Frames:
    """Splits a stream into frames, starts and end taken off; what is between frames, or too long for one, is dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        *whole, rest = (self._rest + data).split(bytes((END,)))
        self._rest = rest[rest.rfind(START) :][: MOST_FRAME + 2] if START in rest else b""
        frames = (part[part.rfind(START) + 1 :] for part in whole if START in part)
        return [frame for frame in frames if 0 < len(frame) <= MOST_FRAME]


def ping(screen: int = SCREEN) -> bytes:
    return encode(Packet(PING, bytes((WITH_REPLY, 0, 0)), screen))


def update(area: Area, screen: int = SCREEN) -> bytes:
    """Show this area, in place of what it showed."""
    data = _packed(area)
    return _areas(screen, (), [len(data).to_bytes(2, "little") + data])


def delete(ids: Sequence[int], screen: int = SCREEN) -> bytes:
    """Take these areas off the panel."""
    return _areas(screen, ids, [])


def _areas(screen: int, deleted: Sequence[int], updated: Sequence[bytes]) -> bytes:
    counts = bytes((len(deleted), *deleted, len(updated)))
    return encode(Packet(DYNAMIC_AREAS, bytes((WITH_REPLY, 0, 0)) + counts + b"".join(updated), screen))


def _packed(area: Area) -> bytes:
    if len(area.text) > MOST_TEXT:
        raise LocalError("text_length", f"{len(area.text)} bytes; the card takes {MOST_TEXT}")
    place = (0, area.x, area.y, area.width, area.height, area.id, 0)
    life = (RUN_UNTIL_STALE, area.timeout)
    look = (0, 0, area.align, MANY_LINES, WRAP, area.effect, 0, area.speed, area.stay)
    return _AREA.pack(*place, *life, *look, len(area.text)) + area.text


def unpacked(data: bytes) -> tuple[list[int], list[Area]]:
    """The card's side of DYNAMIC_AREAS: what is deleted, what is shown."""
    try:
        count = data[3]
        at = 5 + count
        deleted, updates, areas = list(data[4 : 4 + count]), data[at - 1], []
        for _ in range(updates):
            size = int.from_bytes(data[at : at + 2], "little")
            areas.append(_area(data[at + 2 : at + 2 + size]))
            at += 2 + size
    except (IndexError, struct.error) as wrong:
        raise RemoteError("truncated", str(wrong)) from None
    return deleted, areas


def _area(data: bytes) -> Area:
    """The part of a packed area that a simulated card needs."""
    fields, text = _AREA.unpack_from(data), data[_AREA.size :]
    _kind, x, y, width, height, number, _gap, _mode, timeout, *look, length = fields
    if length != len(text):
        raise RemoteError("length", f"{length} said, {len(text)} there")
    return Area(text, x, y, width, height, number, timeout, look[5], look[7], look[8], look[2])


def acknowledgement(error: int = 0, screen: int = SOURCE) -> bytes:
    """The card's answer; `error` 0 is none."""
    return encode(Packet(REFUSED if error else ACKNOWLEDGED, bytes((error, 0, 0)), screen), SCREEN)


def readable(text: str) -> bytes:
    """GB 2312, cut to what the card takes. A backslash begins the card's own commands (font, colour), so it is replaced."""
    data = text.replace("\\", "＼").encode("gb2312", "replace")[:MOST_TEXT]
    return data.decode("gb2312", "ignore").encode("gb2312")
