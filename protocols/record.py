"""Messages of readings: which numbers they carry, and the packed form, which hands stored bodies on as they are.

    CBOR array [version, station, log, lane, first, last, kind, floor, anchor, bodies]

The anchor [boot, Unix ms, trusted] is the wall time of that boot's time 0, so that a receiver dates the bodies itself.
`Key` and its kin are here under the name that the rest of the house uses.
"""

from collections.abc import Sequence

import cbor2

from protocols.key import KINDS, LANES, MAX_NUMBER, STATION, Key, joined, parse_key
from protocols.senml import Wall
from protocols.sheet import BOOT_BYTES

__all__ = ["KINDS", "LANES", "MAX_NUMBER", "STATION", "Key", "encode_packed", "joined", "parse_key"]

VERSION = 1


def encode_packed(key: Key, bodies: Sequence[bytes], wall: Wall, *, floor: int, kind: str) -> bytes:
    """One message for bodies that follow each other, all of one log and so of one boot."""
    boot = next((body[1 : 1 + BOOT_BYTES] for body in bodies if body[:1] == b"\x01"), None)
    anchor = [boot, *wall(boot, 0)] if boot else None
    numbers = [key.first, key.last, KINDS.index(kind), floor]
    lane = LANES.index(key.lane)
    return cbor2.dumps([VERSION, key.station, bytes.fromhex(key.log), lane, *numbers, anchor, list(bodies)])
