"""Stored blocks as one message in a route's format. Pure: wall time comes in as a function."""

from collections.abc import Callable, Sequence

from buffer.model import Block, Lane
from protocols import columns, event, senml
from protocols.envelope import CONTENT_TYPES
from protocols.record import Key, encode_packed
from protocols.senml import Wall
from protocols.sheet import instants

Encode = Callable[[Lane, Sequence[Block], int, str], tuple[bytes, str]]
"""`encode(lane, blocks, floor, kind)` → payload and content type; the blocks follow each other without a gap."""

# Instants in a packed body up to which it is joined with its neighbours before it goes. Live telemetry comes as bodies of
# one, each with its own table of names: ten of them are 2,400 bytes, joined 290. What the buffer has merged gains little.
SPARSE = 8


def _packed(key: Key, bodies: Sequence[bytes], wall: Wall, *, floor: int, kind: str) -> bytes:
    if len(bodies) > 1 and instants(bodies[0]) <= SPARSE:
        joined = columns.merge(bodies)
        bodies = bodies if joined is None else [joined]
    return encode_packed(key, bodies, wall, floor=floor, kind=kind)


READINGS = {"json": senml.encode_json, "cbor": senml.encode_cbor, "packed": _packed}
EVENTS = (Lane.ALARM, Lane.EVENT)  # one JSON object each, whatever the route's format


def encoder(station: str, form: str, wall: Wall) -> Encode:
    """The encoder of a route whose format is `form`: json, cbor or packed."""
    readings = READINGS[form]

    def encode(lane: Lane, blocks: Sequence[Block], floor: int, kind: str) -> tuple[bytes, str]:
        key = Key(station, blocks[0].log, lane.name.lower(), blocks[0].first, blocks[-1].last)
        if lane in EVENTS:
            return event.to_wire(blocks[0].body, key, wall, floor=floor, kind=kind), CONTENT_TYPES["event"]
        return readings(key, [block.body for block in blocks], wall, floor=floor, kind=kind), CONTENT_TYPES[form]

    return encode
