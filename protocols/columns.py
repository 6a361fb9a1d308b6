"""The packed columnar body (thin first version: the format is not settled yet)."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from protocols.errors import RemoteError
from protocols.reading import Reading

VERSION = 1


class Rows(NamedTuple):
    boot: bytes
    readings: list[Reading]


def pack(boot: bytes, rows: Sequence[Reading]) -> bytes:
    return bytes([VERSION]) + boot + json.dumps(rows, separators=(",", ":")).encode()


def unpack(body: bytes) -> Rows:
    if body[:1] != bytes([VERSION]):
        raise RemoteError("packed.version", body[:1].hex())
    try:
        return Rows(body[1:9], [Reading(*row) for row in json.loads(body[9:])])
    except (ValueError, TypeError) as error:
        raise RemoteError("packed.body", str(error)) from error


def merge(bodies: Sequence[bytes]) -> bytes | None:
    if len({body[:9] for body in bodies}) != 1 or bodies[0][:1] != bytes([VERSION]):
        return None
    return pack(bodies[0][1:9], [reading for body in bodies for reading in unpack(body).readings])


def thin(body: bytes) -> bytes | None:
    boot, readings = unpack(body)
    return pack(boot, readings[::2]) if len(readings) > 2 else None
