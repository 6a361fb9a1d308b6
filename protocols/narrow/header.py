r"""The first three to eight bytes of a datagram: what it is, which message it belongs to, which piece of it.

    byte 0    version 2 | kind 3 | addressed 1 | piece 1 | wants an answer 1
    address   3 bytes, only where the bearer does not name the sender
    id        2 bytes
    place     1 byte \ only of a piece
    total     1 byte /

Knows no key: nothing here is believed.
"""

import hashlib
from enum import IntEnum
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError

VERSION = 1
ADDRESS_BYTES = 3
MOST_PIECES = 64  # of a message, and as many of parity: the bitmap of an acknowledgement has 8 bytes
PARITY = 64  # places from here on are parity
MAX_MESSAGE = 32 * 1024  # bytes put together; a day of six series is one thousand
WHOLE_HEAD, PIECE_HEAD = 3, 5  # bytes without an address
_ADDRESSED, _PIECE, _WANTED = 4, 2, 1


class Kind(IntEnum):
    """What a message is. All but the last three are encrypted under the keys of an epoch (`session`)."""

    CONTROL = 0  # acknowledgements, proof of life, time
    EVENT = 1  # one event or alarm, with its key
    DATA = 2  # packed readings with their real numbers
    DIGEST = 3  # newest and extremes; settles nothing
    COMMAND = 4
    HELLO = 5  # a new epoch; encrypted under a key of its own
    ACKS = 6  # acknowledgements for many stations, each with its own MAC
    SEALED = 7  # alert, beacon or key-set: its seal is its proof


ENCRYPTED = frozenset({Kind.CONTROL, Kind.EVENT, Kind.DATA, Kind.DIGEST, Kind.COMMAND})


class Piece(NamedTuple):
    """Which of the `total` pieces that make a message; from `PARITY` on it is one of parity."""

    place: int
    total: int


class Frame(NamedTuple):
    """A datagram taken apart. `piece` is None where the message is whole."""

    kind: Kind
    id: int  # the low 16 bits of its sender's counter
    body: bytes
    piece: Piece | None = None
    wanted: bool = False  # the sender asks for an answer
    address: bytes = b""

    @property
    def head(self) -> bytes:
        """What the AEAD covers besides the message: version, kind, id. Pieces and answers change with each sending."""
        return bytes((VERSION << 6 | self.kind << 3,)) + self.id.to_bytes(2)


def overhead(*, piece: bool, addressed: bool = False) -> int:
    return (PIECE_HEAD if piece else WHOLE_HEAD) + (ADDRESS_BYTES if addressed else 0)


def address(station: str, *, up: bool) -> bytes:
    """How a station is called on a medium that all hear: what it says (`up`) and what is said to it never look alike."""
    return hashlib.sha256(f"fengsui {'up' if up else 'down'} {station}".encode()).digest()[:ADDRESS_BYTES]


def encode(frame: Frame) -> bytes:
    """The datagram; LocalError for what no header can say."""
    if not 0 <= frame.id < 1 << 16 or len(frame.address) not in {0, ADDRESS_BYTES} or not frame.body:
        raise LocalError(
            "frame.head", f"id {frame.id}, {len(frame.address)} bytes of address, {len(frame.body)} of body"
        )
    if frame.piece and not _in_range(frame.piece):
        raise LocalError("frame.piece", f"{frame.piece.place} of {frame.piece.total}")
    flags = _ADDRESSED * bool(frame.address) | _PIECE * bool(frame.piece) | _WANTED * frame.wanted
    first = bytes((VERSION << 6 | frame.kind << 3 | flags,))
    return first + frame.address + frame.id.to_bytes(2) + bytes(frame.piece or ()) + frame.body


def decode(data: bytes) -> Frame:
    """The frame in a datagram; RemoteError with the byte where it stops being one."""
    if not data:
        raise RemoteError("frame.short", "nothing", 0)
    first = data[0]
    if first >> 6 != VERSION:
        raise RemoteError("frame.version", f"{first >> 6}", 0)
    named = 1 + (ADDRESS_BYTES if first & _ADDRESSED else 0)
    end = named + 2 + (2 if first & _PIECE else 0)
    if len(data) <= end:
        raise RemoteError("frame.short", f"{len(data)} bytes, more than {end} wanted", len(data))
    piece = Piece(data[end - 2], data[end - 1]) if first & _PIECE else None
    if piece and not _in_range(piece):
        raise RemoteError("frame.piece", f"{piece.place} of {piece.total}", end - 2)
    kind, number = Kind(first >> 3 & 7), int.from_bytes(data[named : named + 2])
    return Frame(kind, number, data[end:], piece, bool(first & _WANTED), data[1:named])


def _in_range(piece: Piece) -> bool:
    most = piece.total if piece.place < PARITY else PARITY + MOST_PIECES
    return 2 <= piece.total <= MOST_PIECES and 0 <= piece.place < most
