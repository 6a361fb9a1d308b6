"""Deflate (RFC 1951, no header) with the format's preset dictionary, and a station's own words behind it. Knows no event."""

import zlib

from protocols.errors import RemoteError
from protocols.narrow.event_words import WORDS

_RAW = -15  # window bits that mean: no header, no checksum


def pack(text: bytes, own: bytes = b"") -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW, 9, zlib.Z_DEFAULT_STRATEGY, WORDS + own)
    return packer.compress(text) + packer.flush()


def unpack(data: bytes, own: bytes, most: int, at: int) -> tuple[bytes, bytes]:
    """What was packed, and the bytes behind it. RemoteError where it does not end, or has more than `most` bytes; `at` is
    where the data stand in their message.
    """
    unpacker = zlib.decompressobj(_RAW, WORDS + own)
    try:
        text = unpacker.decompress(data, most)
    except zlib.error as error:
        raise RemoteError("deflate.broken", str(error), at) from error
    if not unpacker.eof:
        raise RemoteError("deflate.long" if unpacker.unconsumed_tail else "deflate.short", f"{len(data)} bytes", at)
    return text, unpacker.unused_data
