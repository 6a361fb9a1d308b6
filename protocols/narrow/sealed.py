"""Warnings, beacons and key-sets as frames: their own sealed bytes, not encrypted. The seal is their proof.

The id is the beginning of the digest of the bytes, so that copies by every headend and relay are pieces of one message.
Knows no keyring: who calls verifies.
"""

import hashlib

from protocols.narrow.header import Frame, Kind
from protocols.narrow.session import Message


def message(sealed: bytes) -> Message:
    """What to cut for a bearer. The text beside a seal is left behind where it does not fit (`seal.uncarry`)."""
    return Message(Kind.SEALED, _id(sealed), sealed)


def fits(frame: Frame, data: bytes) -> bool:
    """Is this, put together, what the frames under this head were cut from? Says nothing of the seal."""
    return frame.kind == Kind.SEALED and _id(data) == frame.id


def _id(data: bytes) -> int:
    return int.from_bytes(hashlib.sha256(data).digest()[:2])
