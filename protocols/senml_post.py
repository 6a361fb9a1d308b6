"""SenML packs (RFC 8428) as small nodes post them: JSON or CBOR in, values with their age out. Pure.

Bounded and strict: a pack is taken whole or refused whole. Times: none, or below 2^28, are relative to the arrival, and
never in the future; others are Unix times of the node's own clock, which says by itself no more than how far its records
lie apart.
"""

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import cbor2

from protocols.errors import RemoteError
from protocols.units import outside, shifted

JSON, CBOR = 110, 112  # CoAP content formats (RFC 8428 §12.3)
MOST_BYTES = 4096  # of a body; a node's day at an hour's step is half of it
MOST_RECORDS = 256
ABSOLUTE = 1 << 28  # seconds; below, a time is relative (RFC 8428 §4.5.3)
OLDEST = 86_400.0  # seconds before its arrival that a value may have been taken: a node keeps no more than a day
AHEAD = 5.0  # seconds that a clock may be ahead of ours
MOST_NAME = 128
# What the two decoders raise on what is none of theirs.
UNREADABLE = (cbor2.CBORError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError, LookupError)
# Numbers stand for names in CBOR (RFC 8428 table 4).
LABELS = {-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs", 0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"}  # fmt: skip
VERSION = 10  # of SenML that is spoken here; a higher one is refused (RFC 8428 §4.4)


class Value(NamedTuple):
    """`name` whole and as its record says it, `unit` SenML's ("" not said), `age` seconds before its arrival."""

    name: str
    short: str
    value: float
    unit: str
    age: float


def decode(body: bytes, form: int, wall: float | None = None) -> list[Value]:
    """The numbers of a pack; text and data are passed over. `wall`: Unix time of the arrival, where the node's clock is
    believed; else its newest record is as new as the arrival.
    """
    if len(body) > MOST_BYTES:
        raise RemoteError("senml.oversize", f"{len(body)} bytes, at most {MOST_BYTES}", MOST_BYTES)
    records = _records(_parsed(body, form))
    found = [one for record, base in records if (one := _resolved(record, base)) is not None]
    newest = max((time for _, time in found if time >= ABSOLUTE), default=0.0)
    now = newest if wall is None else wall
    return [value._replace(age=_age(time, now)) for value, time in found]


def matched(value: Value, unit: str) -> float:
    """The value in `unit` (UCUM); RemoteError where it is of another."""
    name, shift = outside(unit)
    if value.unit not in ("", name):
        raise RemoteError("senml.unit", f"{value.unit[:20]} instead of {name}")
    return shifted(value.value, -shift)


def _parsed(body: bytes, form: int) -> Any:
    try:
        if form == JSON:
            return json.loads(body.decode())
        if form == CBOR:
            return cbor2.loads(body)
    except UNREADABLE as wrong:
        raise RemoteError("senml.syntax", type(wrong).__name__) from None
    raise RemoteError("senml.format", str(form))


def _records(pack: Any) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each record with the base fields in force there."""
    if not isinstance(pack, list) or not pack or len(pack) > MOST_RECORDS:
        raise RemoteError("senml.pack", "a list of 1 to 256 records")
    base: dict[str, Any] = {}
    found: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
    for raw in pack:
        if not isinstance(raw, dict):
            raise RemoteError("senml.record", type(raw).__name__)
        record: dict[Any, Any] = {
            LABELS.get(key, key) if isinstance(key, int) else key: value for key, value in raw.items()
        }
        if any(not isinstance(key, str) or key.endswith("_") for key in record):
            raise RemoteError("senml.label", "one that must be understood")
        base |= {key: value for key, value in record.items() if key in ("bn", "bt", "bu", "bv", "bver")}
        found.append((record, dict(base)))
    return found


def _resolved(record: Mapping[str, Any], base: Mapping[str, Any]) -> tuple[Value, float] | None:
    """A record's number and its time as they stand; None where it has no number (RFC 8428 §4.6)."""
    if _number(base.get("bver", VERSION)) > VERSION:
        raise RemoteError("senml.version", str(base["bver"])[:10])
    short = _text(record.get("n", ""))
    name = _text(base.get("bn", "")) + short
    if not 0 < len(name) <= MOST_NAME:
        raise RemoteError("senml.name", name[:MOST_NAME])
    value = _sum(record, base)
    if value is None:
        return None
    unit = _text(record.get("u", base.get("bu", "")))
    time = _number(base.get("bt", 0)) + _number(record.get("t", 0))
    if not (math.isfinite(value) and math.isfinite(time)):
        raise RemoteError("senml.number", name[:MOST_NAME])
    return Value(name, short, value, unit, 0.0), time


def _sum(record: Mapping[str, Any], base: Mapping[str, Any]) -> float | None:
    """Base value and value; a truth is 1 or 0; None where the record has text or data instead."""
    if "vb" in record:
        if not isinstance(record["vb"], bool):
            raise RemoteError("senml.value", "vb")
        return float(record["vb"])
    if "v" in record:
        return _number(record["v"]) + _number(base.get("bv", 0))
    return _number(base["bv"]) if "bv" in base and not record.keys() & {"vs", "vd", "s"} else None


def _age(time: float, now: float) -> float:
    age = -time if time < ABSOLUTE else now - time
    if not -AHEAD <= age <= OLDEST:
        raise RemoteError("senml.time", f"{age:.0f} s before its arrival")
    return max(age, 0.0)


def _number(value: Any) -> float:
    """JSON's and CBOR's numbers; Decimal is CBOR's decimal fraction (RFC 8428 §6)."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise RemoteError("senml.number", type(value).__name__)
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise RemoteError("senml.number", "too large") from None


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MOST_NAME or not value.isprintable():
        raise RemoteError("senml.text", type(value).__name__)
    return value
