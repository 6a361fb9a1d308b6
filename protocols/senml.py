"""SenML packs (RFC 8428) of stored bodies (thin first version)."""

import json
from collections.abc import Sequence
from typing import Any

from protocols import columns, units
from protocols.event import Wall
from protocols.quality import GOOD, Reason
from protocols.record import Key

VERSION = 1


def encode_json(key: Key, bodies: Sequence[bytes], wall: Wall, *, floor: int, kind: str) -> bytes:
    head: dict[str, Any] = {"bn": f"urn:fengsui:{key.station}/", "version": VERSION, "id": key.text}
    head |= {"floor": floor, "kind": kind}
    records = []
    for body in bodies:
        boot, readings = columns.unpack(body)
        for series, at, value, unit, quality in readings:
            unix_ms, trusted = wall(boot, at)
            shown, name = units.to_senml(value, unit)
            record = {"n": series, "u": name, "v": shown, "t": unix_ms / 1000}
            q = quality if trusted else quality | Reason.CLOCK << 4
            records.append(head | record | ({} if q == GOOD else {"q": int(q)}))
            head = {}
    return json.dumps(records, separators=(",", ":")).encode()
