"""One event or alarm in few bytes, given back byte for byte: headend and station publish the same message.

    numbered head | at (zigzag varint) | form 1 | the rest of the stored body

Knows the stored body's form (`protocols.event`), not what any event means.
"""

from typing import NamedTuple

from protocols import event
from protocols.bits import Reader, unzigzag, varint, zigzag
from protocols.errors import RemoteError
from protocols.narrow import numbered
from protocols.narrow.context import Contexts
from protocols.narrow.numbered import Numbered


class Event(NamedTuple):
    """A stored body under its key. `context` of the head is that of its log and boot."""

    head: Numbered
    body: bytes

    def to_wire(self) -> bytes:
        """The message as the station would have published it."""
        return event.to_wire(
            self.body, self.head.key, self.head.context.wall, floor=self.head.floor, kind=self.head.kind
        )


def encode(head: Numbered, body: bytes, *, full: bool) -> bytes:
    """The body of an EVENT message."""
    return numbered.encode(head, full=full) + varint(zigzag(0)) + b"\0" + body


def decode(data: bytes, station: str, contexts: Contexts) -> Event:
    """RemoteError for anything but a whole event."""
    head, at = numbered.read(data, station, contexts)
    reader = Reader(data, at)
    unzigzag(reader.varint())
    if reader.byte() != 0:
        raise RemoteError("event.form", offset=reader.at - 1)
    return Event(head, data[reader.at :])
