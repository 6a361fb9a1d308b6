"""An alert's signed bytes: `[v, issuer, seq, status, msgType, chain, event, level, action, onset, expires, area,
text-digest]` in deterministic CBOR. Checks form, not sense: whether a warning applies is `agent.alerts.decide`'s business.
"""

import re
from collections.abc import Callable
from enum import IntEnum
from itertools import accumulate, pairwise
from typing import Any, TypeVar

from protocols import canonical
from protocols.alert import CHAIN_BYTES, DIGEST_BYTES, ActionCode, Alert, Level, MsgType, Status
from protocols.area import MAX_ITEMS, MAX_POINTS, MAX_RADIUS_M, SCALE, Circle, Item, Polygon, is_code
from protocols.errors import LocalError, RemoteError

VERSION = 1
MAX_PAYLOAD = 1024
FIELDS = (
    "v",
    "issuer",
    "seq",
    "status",
    "msgType",
    "chain",
    "event",
    "level",
    "action",
    "onset",
    "expires",
    "area",
    "text-digest",
)
MAX_ISSUER = 0xFFFF
MAX_TIME = (1 << 40) - 1  # Unix seconds; a number beyond it could only be meant to spoil an issuer's mark
EVENT = re.compile(r"[A-Za-z0-9-]{1,16}", re.ASCII)  # a national code as 11B03, or a word as flash-flood

_CIRCLE, _POLYGON = 1, 2
_Code = TypeVar("_Code", bound=IntEnum)


def encode(alert: Alert) -> bytes:
    """The bytes to sign; LocalError names the field that cannot be said."""
    fields = [VERSION, alert.issuer, alert.seq, int(alert.status), int(alert.msg_type), alert.chain, alert.event]
    fields += [int(alert.level), int(alert.action), alert.onset, alert.expires]
    fields += [[_plain(item) for item in alert.area], alert.text_digest]
    payload = canonical.encode(fields)
    try:
        decode(payload)
    except RemoteError as error:
        raise LocalError("bad-alert", error.detail) from error
    return payload


def decode(payload: bytes) -> Alert:
    """The alert in a payload; RemoteError names the field that is wrong."""
    fields = canonical.decode(payload, MAX_PAYLOAD)
    if not isinstance(fields, list) or len(fields) != len(FIELDS) or fields[0] != VERSION:
        raise RemoteError("malformed", f"an alert is an array of {len(FIELDS)}, and its first is {VERSION}", 0)
    alert = Alert(*(read(value, name) for read, value, name in zip(_READERS, fields[1:], FIELDS[1:], strict=True)))
    if alert.msg_type is MsgType.CANCEL and alert.onset is not None:
        raise _wrong("onset", alert.onset)  # a cancel acts at once
    return alert


def _wrong(name: str, value: object) -> RemoteError:
    return RemoteError("malformed", f"{name} cannot be {str(value)[:40]!r}")


def _uint(most: int) -> Callable[[Any, str], int]:
    def read(value: Any, name: str) -> int:
        if not isinstance(value, int) or not 0 <= value <= most:
            raise _wrong(name, value)
        return value

    return read


def _code(kind: type[_Code]) -> Callable[[Any, str], _Code]:
    def read(value: Any, name: str) -> _Code:
        try:
            return kind(value)
        except (ValueError, TypeError):
            raise _wrong(name, value) from None

    return read


def _bytes(*lengths: int) -> Callable[[Any, str], bytes]:
    def read(value: Any, name: str) -> bytes:
        if not isinstance(value, bytes) or len(value) not in lengths:
            raise _wrong(name, value)
        return value

    return read


_time = _uint(MAX_TIME)


def _onset(value: Any, name: str) -> int | None:
    return None if value is None else _time(value, name)


def _event(value: Any, name: str) -> str:
    if not isinstance(value, str) or EVENT.fullmatch(value) is None:
        raise _wrong(name, value)
    return value


def _area(value: Any, name: str) -> tuple[Item, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ITEMS:
        raise _wrong(name, value)
    return tuple(_item(item) for item in value)


def _item(value: Any) -> Item:
    match value:
        case int() if is_code(value):
            return value
        case [1, int(lat), int(lon), int(radius)] if _on_globe(lat, lon) and 1 <= radius <= MAX_RADIUS_M:
            return Circle(lat, lon, radius)
        case [2, list(steps)]:
            return _polygon(steps)
    raise _wrong("area", value)


def _polygon(steps: list[Any]) -> Polygon:
    """Flat `lat, lon, Δlat, Δlon ...`: after the first corner each is told by its distance from the one before."""
    if len(steps) % 2 or not 6 <= len(steps) <= 2 * MAX_POINTS or not all(isinstance(step, int) for step in steps):
        raise _wrong("area", steps)
    lats, lons = list(accumulate(steps[::2])), list(accumulate(steps[1::2]))
    if not (_on_globe(0, lons[0]) and all(_on_globe(lat, 0) for lat in lats)):
        raise _wrong("area", steps)
    if any(abs(step) > 180 * SCALE for step in steps[3::2]) or max(lons) - min(lons) > 360 * SCALE:
        raise _wrong("area", steps)
    return Polygon(tuple(zip(lats, lons, strict=True)))


def _on_globe(lat: int, lon: int) -> bool:
    return abs(lat) <= 90 * SCALE and abs(lon) <= 180 * SCALE


def _plain(item: Item) -> int | list[Any]:
    if isinstance(item, int):
        return item
    if isinstance(item, Circle):
        return [_CIRCLE, *item]
    first, *_ = item.points
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(item.points)]
    return [_POLYGON, [number for point in (first, *steps) for number in point]]


_READERS: tuple[Callable[[Any, str], Any], ...] = (
    _uint(MAX_ISSUER),
    _time,
    _code(Status),
    _code(MsgType),
    _bytes(CHAIN_BYTES),
    _event,
    _code(Level),
    _code(ActionCode),
    _onset,
    _time,
    _area,
    _bytes(0, DIGEST_BYTES),
)
