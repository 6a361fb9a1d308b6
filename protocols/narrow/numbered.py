"""The head of a message that carries real numbers, an event or packed readings: which numbers, and what they count from.

    flags 1    lane 2 | kind 2 | context in full 1 | zeros 3, most significant last
    context    3 bytes of its name, or 23 in full
    first, last − first, first − floor (zigzag)    varints

Knows keys and contexts, not what the numbers say.
"""

from typing import NamedTuple

from protocols.bits import Reader, unzigzag, varint, zigzag
from protocols.errors import RemoteError
from protocols.key import KINDS, LANES, MAX_NUMBER, Key
from protocols.narrow.context import Context, Contexts, reference

_FULL = 16


class Numbered(NamedTuple):
    """`key` without its station is what travels; `kind` and `floor` as in a message on MQTT."""

    key: Key
    kind: str
    floor: int
    context: Context


def encode(head: Numbered, *, full: bool) -> bytes:
    """`full`: with the whole context, until a message that had it was acknowledged."""
    key = head.key
    flags = LANES.index(key.lane) | KINDS.index(head.kind) << 2 | _FULL * full
    numbers = varint(key.first) + varint(key.last - key.first) + varint(zigzag(key.first - head.floor))
    return bytes((flags,)) + reference(head.context, full=full) + numbers


def read(body: bytes, station: str, contexts: Contexts) -> tuple[Numbered, int]:
    """The head and where it ends; RemoteError, of which `context.unknown` is answered with a receipt that says so."""
    if not body or body[0] > 0x1F or body[0] >> 2 & 3 >= len(KINDS):
        raise RemoteError("numbered.flags", body[:1].hex(), 0)
    flags = body[0]
    context, at = contexts.read(body, 1, full=bool(flags & _FULL))
    reader = Reader(body, at)
    first = reader.varint()
    last, floor = first + reader.varint(), first - unzigzag(reader.varint())
    if not (0 < first <= last <= MAX_NUMBER and 0 <= floor <= MAX_NUMBER):
        raise RemoteError("numbered.range", f"{first}-{last}, floor {floor}", at)
    key = Key(station, context.log, LANES[flags & 3], first, last)
    return Numbered(key, KINDS[flags >> 2 & 3], floor, context), reader.at
