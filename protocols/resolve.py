"""SenML packs (RFC 8428) from outside: JSON or CBOR to records, and records to measurements with nothing left relative.

Knows the standard's labels and no others: what it does not know is left for the caller, except a label ending in `_`,
which says that it must be understood (§4.4).
"""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping
from decimal import Decimal
from io import BytesIO
from sys import float_info
from typing import Any, NamedTuple, NoReturn

import cbor2

from protocols.errors import RemoteError
from protocols.quality import GOOD

Record = dict[str, Any]

MAX_MESSAGE = 2 << 20  # bytes; thirty blocks of sixty instants of twenty series as JSON
MAX_RECORDS = 200_000  # in one pack
SENML_VERSION = 10  # RFC 8428 §4.4; a newer one must not be guessed at, an older one reads the same
MAX_QUALITY = 0xFFFF  # flag and reasons, `protocols.quality`
ABSOLUTE = 1 << 28  # seconds; a time below counts from now (§4.5.3)
LATEST = 253_402_300_799  # Unix seconds: the end of the year 9999, the last that RFC 3339 can write
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:./_-]*", re.ASCII)  # §4.5.1
_LABELS: dict[Any, str] = {-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs"}  # §6, table 4
_LABELS |= {0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"}
_WHOLE = {"bver": SENML_VERSION, "q": MAX_QUALITY, "number": (1 << 63) - 1}  # whole numbers, and the largest of each
_TEXTS = ("bn", "bu", "n", "u", "vs")
_NUMBERS = ("bt", "bv", "bs", "v", "s", "t", "ut")


class Measurement(NamedTuple):
    """One resolved record. `value` is a number, a text, a truth value or bytes; `time` is Unix seconds, None for "now"."""

    name: str
    unit: str
    value: float | str | bool | bytes | None
    time: float | None
    quality: int
    number: int | None = None  # of the log, where the pack says so


def read_json(data: bytes) -> list[Record]:
    if len(data) > MAX_MESSAGE:
        raise RemoteError("senml.long", f"{len(data)} bytes")
    try:
        found = json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RemoteError("senml.json", str(error)[:200]) from error
    return _checked(found)


def read_cbor(data: bytes) -> list[Record]:
    if len(data) > MAX_MESSAGE:
        raise RemoteError("senml.long", f"{len(data)} bytes")
    return _checked(load_cbor(data))


def load_cbor(data: bytes) -> Any:
    """Any CBOR item that is the whole of `data`."""
    source = BytesIO(data)
    try:
        found = cbor2.load(source)
    except (cbor2.CBORError, ValueError, OverflowError, TypeError, RecursionError, MemoryError) as error:
        raise RemoteError("senml.cbor", str(error)[:200]) from error
    if source.tell() < len(data):
        raise RemoteError("senml.cbor", "bytes behind the item", source.tell())
    return found


def resolve(records: list[Record], now: float | None = None) -> Iterator[Measurement]:
    """Base fields added in, in order (§4.6). A time that counts from now needs `now`, in Unix seconds."""
    base: Record = {"bn": "", "bu": "", "bt": 0, "bv": 0}
    number: int | None = None
    for record in records:
        number = record.get("number", number)
        base |= {label: record[label] for label in base.keys() & record.keys()}
        name = base["bn"] + record.get("n", "")
        if not _NAME.fullmatch(name):
            raise RemoteError("senml.name", repr(name[:80]))
        value = _value(record, base)
        if value is not None or "s" in record:
            unit, quality = record.get("u") or base["bu"], record.get("q", GOOD)
            yield Measurement(name, unit, value, _time(base["bt"] + record.get("t", 0), now), quality, number)


def _value(record: Mapping[str, Any], base: Mapping[str, Any]) -> float | str | bool | bytes | None:
    if "v" in record:
        return _finite(record["v"] + base["bv"])
    if "vd" in record:
        return _octets(record["vd"])
    found: str | bool | None = record.get("vs", record.get("vb"))
    return found


def _finite(value: float) -> float:
    if abs(value) > float_info.max:
        raise RemoteError("senml.value", "beyond a double")
    return float(value)


def _time(time: float, now: float | None) -> float | None:
    if abs(time) > LATEST:
        raise RemoteError("senml.time", f"{time!r:.40}")
    if time >= ABSOLUTE or (time == 0 and now is None):
        return time or None
    if now is None:
        raise RemoteError("senml.relative", f"time {time}")
    return now + time


def _octets(value: str | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except ValueError as error:
        raise RemoteError("senml.data", str(error)) from error


def _checked(found: Any) -> list[Record]:
    if not isinstance(found, list) or not 0 < len(found) <= MAX_RECORDS:
        raise RemoteError("senml.shape", "an array of records is wanted")
    return [_record(item) for item in found]


def _record(item: Any) -> Record:
    if not isinstance(item, dict):
        raise RemoteError("senml.shape", "a record is a map")
    record: Record = {_LABELS.get(label, str(label)): _plain(value) for label, value in item.items()}
    for label in _TEXTS:
        if label in record and not isinstance(record[label], str):
            raise RemoteError("senml.type", f"{label} is text")
    for label in _NUMBERS:
        if label in record and not _is_number(record[label]):
            raise RemoteError("senml.type", f"{label} is a number")
    if not isinstance(record.get("vb", False), bool) or not isinstance(record.get("vd", ""), str | bytes):
        raise RemoteError("senml.type", "vb is true or false, vd is data")
    for label, most in _WHOLE.items():
        if not isinstance(record.get(label, 1), int) or record.get(label, 1) > most:
            raise RemoteError("senml.number", f"{label} {record[label]!r:.20}")
    if any(isinstance(label, str) and label.endswith("_") for label in record):
        raise RemoteError("senml.must", "a label that must be understood")
    return record


def _plain(value: Any) -> Any:
    """CBOR may write a number as a decimal fraction (§6)."""
    return float(value) if isinstance(value, Decimal) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= float_info.max


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
