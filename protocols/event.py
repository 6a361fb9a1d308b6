"""Bodies of the alarm and event lanes: one JSON object per happening.

Stored, it holds boot id and boot time only. On the wire it also holds who says it, which number it has, and the wall
time made from the anchor at sending; nothing stored is ever edited.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from protocols.errors import RemoteError
from protocols.key import Key
from protocols.parts import Wall

VERSION = 1
MAX_BODY = 64 * 1024  # bytes; as much as the largest message taken from outside
# What every stored body and the wire form have; a field of an event that is called so gets an underscore behind it.
RESERVED = frozenset({"type", "boot", "at", "version", "station", "id", "kind", "floor", "time", "trusted"})
MOST_TEXT = 4096  # characters of the fields where they cannot be written as they are
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str).encode


def encode(kind: str, boot: bytes, at: int, fields: Mapping[str, Any]) -> bytes:
    """The stored body. Events are how faults are told, so that writing one never fails: fields that are no JSON, or too
    long, are kept as text in `fields`.
    """
    head = {"type": kind, "boot": boot.hex(), "at": at}
    try:
        body = _encode(head | {_free(name): value for name, value in fields.items()}).encode()
    except (TypeError, ValueError, RecursionError):
        body = b""
    if 0 < len(body) <= MAX_BODY // 2:  # the wire form adds its own, and a broker may take no more
        return body
    return _encode(head | {"fields": ascii(fields)[:MOST_TEXT]}).encode()


def _free(name: str) -> str:
    return f"{name}_" if name in RESERVED else name


def decode(body: bytes) -> dict[str, Any]:
    """The object of a stored body or of a wire message."""
    if len(body) > MAX_BODY:
        raise RemoteError("event.long", f"{len(body)} bytes")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RemoteError("event.json", str(error)) from error
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise RemoteError("event.shape", "an object with a type is wanted")
    return found


def to_wire(body: bytes, key: Key, wall: Wall, *, floor: int, kind: str) -> bytes:
    """The message of a stored body: `key` covers its one number."""
    found = decode(body)
    boot, at = _moment(found)
    unix_ms, trusted = wall(boot, at)
    head = {"version": VERSION, "type": found["type"], "station": key.station, "id": key.text, "kind": kind}
    head |= {"floor": floor, "time": iso(unix_ms), "trusted": trusted}
    return _encode(head | found).encode()


def iso(unix_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=unix_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{unix_ms % 1000:03d}Z"


def _moment(found: Mapping[str, Any]) -> tuple[bytes, int]:
    boot, at = found.get("boot"), found.get("at")
    if not isinstance(boot, str) or not isinstance(at, int):
        raise RemoteError("event.shape", "boot and at are wanted")
    try:
        return bytes.fromhex(boot), at
    except ValueError as error:
        raise RemoteError("event.shape", "boot is not hexadecimal") from error
