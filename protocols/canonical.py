"""Deterministic CBOR (RFC 8949 §4.2.1), the part of it that signed things use: integers, byte and text strings, arrays,
null and the empty map. Everything else is refused before a decoder sees it: floats, tags, simple values, indefinite
lengths, filled maps (so no duplicate keys), long forms of small numbers, bytes after the end.

Knows nothing of what the values mean.
"""

from typing import Any

import cbor2

from protocols.errors import RemoteError

MAX_DEPTH = 5  # a polygon's list of points in an area in an alert is 4

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_NULL = 22


def encode(value: Any) -> bytes:
    return bytes(cbor2.dumps(value, canonical=True))


def decode(data: bytes, most: int) -> Any:
    """The one value in `data`, which may be `most` bytes long; RemoteError says what is wrong and at which byte."""
    if len(data) > most:
        raise RemoteError("oversize", f"{len(data)} bytes, at most {most}")
    _walk(data)
    return cbor2.loads(data)


def _walk(data: bytes) -> None:
    """Go from head to head without recursion, so that depth costs a check and not a stack."""
    offset, waiting = 0, [1]
    while waiting:
        if not waiting[-1]:
            waiting.pop()
            continue
        waiting[-1] -= 1
        offset, items = _item(data, offset)
        if items:
            waiting.append(items)
            if len(waiting) > MAX_DEPTH:
                raise RemoteError("malformed", f"nested deeper than {MAX_DEPTH - 1}", offset)
    if offset != len(data):
        raise RemoteError("malformed", f"{len(data) - offset} bytes after the end", offset)


def _item(data: bytes, start: int) -> tuple[int, int]:
    """Check one head and its string: where the next head is, and how many items belong to this one."""
    major, number, offset = _head(data, start)
    if major in {_UINT, _NINT}:
        return offset, 0
    if major in {_BYTES, _TEXT}:
        return _string(data, offset, number, major), 0
    if major == _ARRAY:
        if number > len(data) - offset:
            raise RemoteError("malformed", f"truncated: an array of {number} items", start)
        return offset, number
    if major == _MAP and number == 0:
        return offset, 0
    if major == _SIMPLE and number == _NULL and offset == start + 1:
        return offset, 0
    kind = {_MAP: "a filled map", _TAG: "a tag"}.get(major, "a float or simple value")
    raise RemoteError("malformed", f"{kind} has no place here", start)


def _head(data: bytes, start: int) -> tuple[int, int, int]:
    """Major type, number, offset after the head."""
    if start >= len(data):
        raise RemoteError("malformed", "truncated", start)
    major, short = data[start] >> 5, data[start] & 31
    if short < 24 or major == _SIMPLE:
        return major, short, start + 1
    if short > 27:
        reason = "not-canonical" if short == 31 else "malformed"
        raise RemoteError(reason, "indefinite length" if short == 31 else "reserved head", start)
    size = 1 << (short - 24)
    offset = start + 1 + size
    if offset > len(data):
        raise RemoteError("malformed", "truncated", start)
    number = int.from_bytes(data[start + 1 : offset], "big")
    if number < 24 or (size > 1 and number < 1 << (4 * size)):
        raise RemoteError("not-canonical", "a longer head than its number needs", start)
    return major, number, offset


def _string(data: bytes, offset: int, length: int, major: int) -> int:
    if length > len(data) - offset:
        raise RemoteError("malformed", f"truncated: a string of {length} bytes", offset)
    if major == _TEXT:
        try:
            data[offset : offset + length].decode()
        except UnicodeDecodeError as error:
            raise RemoteError("malformed", "text is not UTF-8", offset + error.start) from error
    return offset + length
