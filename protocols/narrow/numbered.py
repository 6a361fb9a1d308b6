"""The head of an event: its number, and what that counts from.

    flags      1 byte: lane 2 | kind 2 | context in full 1 | form 3, the least significant first
    context    3 bytes of its name, or 23 in full
    number, number − floor (zigzag)    varints

Knows keys and contexts, not what the number says, nor what a form is.
"""

from typing import NamedTuple

from protocols.bits import Reader, unzigzag, varint, zigzag
from protocols.errors import LocalError, RemoteError
from protocols.key import KINDS, LANES, MAX_NUMBER, Key
from protocols.narrow.context import Context, Contexts, reference

_FULL, _FORM = 16, 5


class Numbered(NamedTuple):
    """`key` is of one number, and travels without its station; `kind` and `floor` as in a message on MQTT."""

    key: Key
    kind: str
    floor: int
    context: Context


def encode(head: Numbered, *, full: bool, form: int = 0) -> bytes:
    """`full`: with the whole context, until a message that had it was acknowledged."""
    key = head.key
    if key.first != key.last or key.log != head.context.log or not 0 <= form < 8:
        raise LocalError("numbered.key", f"{key.text} of {head.context.log}, form {form}")
    flags = LANES.index(key.lane) | KINDS.index(head.kind) << 2 | _FULL * full | form << _FORM
    numbers = varint(key.first) + varint(zigzag(key.first - head.floor))
    return bytes((flags,)) + reference(head.context, full=full) + numbers


def read(body: bytes, station: str, contexts: Contexts) -> tuple[Numbered, int, int]:
    """The head, the form and where the head ends; RemoteError, of which `context.unknown` is answered with a receipt that says so."""
    if not body or body[0] >> 2 & 3 >= len(KINDS):
        raise RemoteError("numbered.flags", body[:1].hex(), 0)
    flags = body[0]
    context, at = contexts.read(body, 1, full=bool(flags & _FULL))
    reader = Reader(body, at)
    number = reader.varint()
    floor = number - unzigzag(reader.varint())
    if not (0 < number <= MAX_NUMBER and 0 <= floor <= MAX_NUMBER):
        raise RemoteError("numbered.range", f"number {number}, floor {floor}", at)
    key = Key(station, context.log, LANES[flags & 3], number, number)
    return Numbered(key, KINDS[flags >> 2 & 3], floor, context), flags >> _FORM, reader.at
