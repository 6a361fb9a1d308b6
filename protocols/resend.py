"""The `resend` command: a platform names the numbers it misses. It changes nothing, so it needs no signature.

    {"version": 1, "ranges": ["log/lane/first-last", ...]}

One wrong range refuses the whole command with one reason, before anything is looked up.
"""

import json
from collections.abc import Sequence

from protocols.errors import LocalError, RemoteError
from protocols.key import Key, parse_key

VERB = "resend"
VERSION = 1
MAX_RANGES = 256  # in one command: 16 kB, and as many reads of history
MAX_PAYLOAD = 64 * 1024  # bytes


def encode(ranges: Sequence[Key]) -> bytes:
    if not 0 < len(ranges) <= MAX_RANGES:
        raise LocalError("resend.ranges", f"{len(ranges)} ranges")
    body = {"version": VERSION, "ranges": [key.text for key in ranges]}
    return json.dumps(body, separators=(",", ":")).encode()


def decode(station: str, payload: bytes) -> list[Key]:
    """What the platform wants of this station."""
    if len(payload) > MAX_PAYLOAD:
        raise RemoteError("resend.long", f"{len(payload)} bytes")
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise RemoteError("resend.json", str(error)[:200]) from error
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise RemoteError("resend.version", f"version {VERSION} is wanted")
    ranges = found.get("ranges")
    if not isinstance(ranges, list) or not 0 < len(ranges) <= MAX_RANGES:
        raise RemoteError("resend.ranges", f"1 to {MAX_RANGES} ranges are wanted")
    if not all(isinstance(text, str) for text in ranges):
        raise RemoteError("resend.ranges", "a range is text: log/lane/first-last")
    return [parse_key(station, text) for text in ranges]
