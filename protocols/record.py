"""Messages of readings as they travel: the packed form, which hands stored bodies on as they are, and reading any form.

    CBOR array [version, station, log, lane, first, last, kind, floor, anchor, bodies]

The anchor [boot, Unix ms, trusted] is the wall time of that boot's time 0, so that a receiver dates the bodies itself.
`Key` and its kin are here under the name that the rest of the house uses.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cbor2

from protocols import columns, event, resolve, units
from protocols.columns import Rows
from protocols.errors import RemoteError
from protocols.key import KINDS, LANES, MAX_NUMBER, STATION, Key, joined, parse_key
from protocols.quality import Reason
from protocols.reading import Reading
from protocols.resolve import MAX_MESSAGE, MAX_RECORDS, Measurement
from protocols.senml import Wall
from protocols.sheet import BOOT_BYTES

__all__ = ["KINDS", "LANES", "MAX_NUMBER", "STATION", "Key", "Message", "joined", "parse_key"]

VERSION = 1
_LATEST_MS = 1 << 53  # Unix ms; beyond it a double no longer tells milliseconds apart
_URN = "urn:fengsui:"
_PARTS = (int, str, bytes, int, int, int, int, int, list | None, list)  # of the packed form


class Message(NamedTuple):
    """A message of readings. `foreign` are bodies this program cannot read; they are kept as they came."""

    key: Key
    floor: int
    kind: str
    measurements: list[Measurement]
    foreign: list[bytes]


def encode_packed(key: Key, bodies: Sequence[bytes], wall: Wall, *, floor: int, kind: str) -> bytes:
    """One message for bodies that follow each other, all of one log and so of one boot."""
    boot = next((body[1 : 1 + BOOT_BYTES] for body in bodies if body[:1] == b"\x01"), None)
    anchor = [boot, *wall(boot, 0)] if boot else None
    numbers = [key.first, key.last, KINDS.index(kind), floor]
    lane = LANES.index(key.lane)
    return cbor2.dumps([VERSION, key.station, bytes.fromhex(key.log), lane, *numbers, anchor, list(bodies)])


def decode(payload: bytes) -> Message:
    """A message of readings in any of its three forms; RemoteError for anything else."""
    if len(payload) > MAX_MESSAGE:
        raise RemoteError("record.long", f"{len(payload)} bytes")
    if payload[:1] == b"[":
        return _from_senml(resolve.read_json(payload))
    found = resolve.load_cbor(payload)
    if isinstance(found, list) and found and isinstance(found[0], int):
        return _from_packed(found)
    return _from_senml(resolve.read_cbor(payload))


def _from_senml(records: list[resolve.Record]) -> Message:
    head = records[0]
    station = head.get("bn", "")
    if not station.startswith(_URN) or head.get("version") != VERSION or head.get("kind") not in KINDS:
        raise RemoteError("record.head", "bn, version and kind of this contract are wanted")
    key, floor = parse_key(station[len(_URN) :].removesuffix("/"), str(head.get("id"))), _count(head.get("floor"))
    found = [m._replace(name=m.name.removeprefix(station)) for m in resolve.resolve(records)]
    if any(m.number is not None and not key.first <= m.number <= key.last for m in found):
        raise RemoteError("record.number", "outside of the key")
    foreign = [m.value for m in found if isinstance(m.value, bytes)]
    return Message(key, floor, head["kind"], [m for m in found if not isinstance(m.value, bytes)], foreign)


def _from_packed(found: list[Any]) -> Message:
    if found[0] != VERSION or len(found) != len(_PARTS) or not all(map(isinstance, found, _PARTS)):
        raise RemoteError("record.packed", "not the ten parts of version 1")
    _, station, log, lane, first, last, kind, floor, anchor, bodies = found
    if not (0 <= kind < len(KINDS) and 0 <= lane < len(LANES)):
        raise RemoteError("record.packed", f"lane {lane}, kind {kind}, floor {floor}")
    floor = _count(floor)
    key = parse_key(station, f"{log.hex()}/{LANES[lane]}/{first}-{last}")
    opened = [_opened(body) for body in bodies]
    holds = sum(len(rows.numbers) if rows else 0 for rows in opened)
    number = key.first if holds == key.numbers else None
    measurements: list[Measurement] = []
    foreign = []
    for body, rows in zip(bodies, opened, strict=True):
        start = _start(rows, anchor)
        if rows is None or start is None:
            foreign.append(bytes(body))
            number = None
            continue
        for readings in rows.numbers:
            measurements += [_dated(reading, start, number) for reading in readings]
            number = None if number is None else number + 1
        if len(measurements) > MAX_RECORDS:
            raise RemoteError("record.long", f"more than {MAX_RECORDS} readings")
    return Message(key, floor, KINDS[kind], measurements, foreign)


def _opened(body: Any) -> Rows | None:
    if not isinstance(body, bytes):
        raise RemoteError("record.packed", "a body is bytes")
    try:
        return columns.unpack(body)
    except RemoteError:
        return None


def _start(rows: Rows | None, anchor: Any) -> tuple[int, int] | None:
    """Unix ms of a body's boot, and the reason to doubt it; None where the message does not say."""
    match anchor:
        case [bytes(boot), int(start), bool(trusted)] if rows and boot == rows.boot and abs(start) < _LATEST_MS:
            return start, 0 if trusted else int(Reason.CLOCK) << 4
    return None


def _dated(reading: Reading, start: tuple[int, int], number: int | None) -> Measurement:
    value, unit = units.to_senml(reading.value, reading.unit)
    unix_ms, doubt = start
    time = (unix_ms + reading.at) / 1000
    return Measurement(reading.series, unit, value, time, reading.quality | doubt, number)


def _count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER:
        return value
    raise RemoteError("record.floor", f"{value!r:.40}")


def decode_record(data: bytes) -> dict[str, Any]:
    """Any body or message as an object for JSON: a stored body, an event, or a message of readings in any form."""
    if data[:1] == b"{":
        return {"form": "event"} | event.decode(data)
    if data[:1] and data[0] < 0x20:
        return _stored(data)
    message = decode(data)
    head: dict[str, Any] = {"form": "message", "station": message.key.station, "id": message.key.text}
    head |= {"kind": message.kind, "floor": message.floor, "foreign": [body.hex() for body in message.foreign]}
    return head | {"readings": [measurement._asdict() for measurement in message.measurements]}


def _stored(data: bytes) -> dict[str, Any]:
    if data[0] != columns.VERSION:
        return {"form": "packed", "version": data[0], "foreign": [data.hex()], "readings": []}
    boot, numbers = columns.unpack(data)
    rows = [reading._asdict() for readings in numbers for reading in readings]
    return {"form": "packed", "version": data[0], "boot": boot.hex(), "numbers": len(numbers), "readings": rows}
