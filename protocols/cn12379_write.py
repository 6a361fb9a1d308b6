"""`cap.Imported` → 12379's XML (GB/T 35965.1), as the platforms that take it expect it: every element there, empty where
nothing is said, spaces in times, circles in metres, codes in one comma list. Pure text work.
"""

from collections.abc import Iterable, Iterator
from html import escape

from protocols.alert import Status
from protocols.cap import Area, Imported, Info, Method, MsgType, Point, Resource
from protocols.cap_time import written
from protocols.cap_write import position, ring
from protocols.cn12379 import AREA_LIST, EVENT_LIST, IDENTIFIER
from protocols.cn_events import UNKNOWN
from protocols.errors import LocalError

STATUSES = frozenset({Status.ACTUAL, Status.EXERCISE, Status.TEST, Status.DRAFT})
MSG_TYPES = frozenset({MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL})  # Ack and Error are reserved


def write_12379(imported: Imported) -> bytes:
    """LocalError where 12379 has no way to say it."""
    if not IDENTIFIER.fullmatch(imported.identifier):
        raise LocalError("cannot-write", "12379 identifiers are 14 digits of sender, _, 14 of time")
    if imported.status not in STATUSES or imported.msg_type not in MSG_TYPES or len(imported.infos) != 1:
        raise LocalError("cannot-write", "12379 has one info, and neither System nor Ack nor Error")
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<alert>", *_alert(imported), "</alert>", ""]
    return "\n".join(lines).encode()


def _element(name: str, text: object) -> str:
    return f"<{name}>{escape(str(text), quote=False)}</{name}>" if text not in ("", None) else f"<{name}/>"


def _time(name: str, at: int | None) -> str:
    return _element(name, None if at is None else written(at, separator=" "))


def _alert(imported: Imported) -> Iterator[str]:
    yield _element("identifier", imported.identifier)
    yield _element("sender", imported.source or imported.infos[0].sender_name)
    yield _element("senderCode", imported.identifier.partition("_")[0])
    yield _time("sendTime", imported.sent)
    yield _element("status", imported.status.name.capitalize())
    yield _element("msgType", imported.msg_type.value)
    yield _element("scope", "Public")
    yield from _group("code", (line for method in imported.methods for line in _group("method", _method(method))))
    yield _element("secClassification", "None" if imported.scope == "Public" else "Inner")
    yield _element("note", imported.note)
    yield _element("references", imported.references[0].identifier if imported.references else "")
    yield from _group("info", _info(imported.infos[0]))


def _method(method: Method) -> Iterator[str]:
    yield _element("methodName", method.name)
    yield _element("message", method.message)
    yield _element("audienceGrp", ",".join(method.groups))
    yield _element("audiencePrt", ",".join(method.parts))


def _info(info: Info) -> Iterator[str]:
    yield _element("language", info.language)
    yield _element("eventType", next((value for name, value in info.event_codes if name == EVENT_LIST), UNKNOWN))
    yield _element("urgency", "Unknown")
    yield _element("severity", info.level.name.capitalize() if info.level else "Unknown")
    yield _element("certainty", "Unknown")
    yield _time("effective", info.effective)
    yield _time("onset", info.onset)
    yield _time("expires", info.expires)
    yield _element("senderName", info.sender_name)
    yield _element("headline", info.headline)
    yield _element("description", info.description)
    yield _element("instruction", info.instruction)
    yield _element("web", info.web)
    for resource in info.resources:
        yield from _group("resource", _resource(resource))
    for area in info.areas:
        yield from _group("area", _area(area))


def _resource(resource: Resource) -> Iterator[str]:
    yield _element("resourceDesc", resource.description)
    yield _element("size", resource.size)
    yield _element("digest", resource.digest)


def _area(area: Area) -> Iterator[str]:
    yield _element("areaDesc", area.description)
    for polygon in area.polygons:
        yield _element("polygon", ring(polygon))
    for line in area.lines:
        yield _element("polygon", " ".join(position(point) for point in line))
    for circle in area.circles:
        yield _element("circle", f"{position(Point(circle.lat, circle.lon))} {circle.radius_m:.10g}")
    codes = (value for name, value in area.geocodes if name == AREA_LIST)
    yield _element("geocode", ",".join(codes))


def _group(name: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<{name}>"
    yield from lines
    yield f"</{name}>"
