"""Which body is written how: the buffer stays blind, and each route has its format.

Telemetry bodies are packed columns (first byte: their format's version), alarms and events are JSON objects (first byte
`{`). A body of a version this program does not know is kept and forwarded untouched.
"""

from collections.abc import Sequence

from protocols import columns


def merge(bodies: Sequence[bytes]) -> bytes | None:
    """Joins packed columns of one boot; anything else stays as it is."""
    if all(body[:1] == b"\x01" for body in bodies):
        return columns.merge(bodies)
    return None


def thin(body: bytes) -> bytes | None:
    return columns.thin(body) if body[:1] == b"\x01" else None
