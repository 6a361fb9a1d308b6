"""`cap.Imported` → CAP 1.2 XML, valid against OASIS's schema. Pure text work: nothing is parsed, so lxml is not needed.

National things that CAP has no element for go where other countries put theirs: the event code into `eventCode`, the
colour into a `parameter`.
"""

from collections.abc import Iterable, Iterator
from html import escape

from protocols.cap import Area, Circle, Imported, Info, Pair, Point, Reference, Resource
from protocols.cap_rules import NEEDS_REFERENCE
from protocols.cap_time import written
from protocols.cn_events import COLOUR_PARAMETERS, colour_of
from protocols.errors import LocalError

SPACE = "urn:oasis:names:tc:emergency:cap:1.2"
COLOUR_PARAMETER = "alert_color"


def write_cap(imported: Imported) -> bytes:
    """LocalError where CAP has no way to say it: a message that supersedes something without naming all three parts."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<alert xmlns="{SPACE}">', *_alert(imported), "</alert>", ""]
    return "\n".join(lines).encode()


def element(name: str, text: object) -> Iterator[str]:
    """One element with text, or nothing."""
    if text not in ("", None):
        yield f"<{name}>{escape(str(text), quote=False)}</{name}>"


def position(point: Point) -> str:
    return f"{_number(point.lat)},{_number(point.lon)}"


def ring(points: tuple[Point, ...]) -> str:
    return " ".join(position(point) for point in (*points, points[0]))


def _number(value: float) -> str:
    """As many digits as a double has, never with an exponent: no reader of coordinates expects one."""
    return f"{value:.15f}".rstrip("0").rstrip(".")


def _alert(imported: Imported) -> Iterator[str]:
    yield from element("identifier", imported.identifier)
    yield from element("sender", imported.sender)
    yield from element("sent", written(imported.sent))
    yield from element("status", imported.status.name.capitalize())
    yield from element("msgType", imported.msg_type.value)
    yield from element("source", imported.source)
    yield from element("scope", imported.scope)
    yield from element("restriction", imported.restriction)
    yield from element("addresses", imported.addresses)
    for code in imported.codes:
        yield from element("code", code)
    yield from element("note", imported.note)
    yield from element("references", _references(imported))
    yield from element("incidents", imported.incidents)
    for info in imported.infos:
        yield from _group("info", _info(info))


def _references(imported: Imported) -> str:
    if imported.msg_type in NEEDS_REFERENCE and not imported.references:
        raise LocalError("cannot-write", f"{imported.msg_type} without a reference")
    return " ".join(_reference(reference, imported.sent) for reference in imported.references)


def _reference(reference: Reference, sent: int) -> str:
    """12379 and EBM name no time of the first message: the time of this one is the latest it can be."""
    if not reference.sender:
        raise LocalError("cannot-write", f"a reference without sender: {reference.identifier}")
    return f"{reference.sender},{reference.identifier},{written(sent if reference.sent is None else reference.sent)}"


def _info(info: Info) -> Iterator[str]:
    yield from element("language", info.language)
    for category in info.categories or ("Other",):
        yield from element("category", category)
    yield from element("event", info.event)
    for response in info.response_types:
        yield from element("responseType", response)
    yield from element("urgency", info.urgency.value)
    yield from element("severity", info.severity.value)
    yield from element("certainty", info.certainty.value)
    yield from element("audience", info.audience)
    yield from _pairs("eventCode", info.event_codes)
    for name in ("effective", "onset", "expires"):
        at = getattr(info, name)
        yield from element(name, None if at is None else written(at))
    yield from element("senderName", info.sender_name)
    yield from element("headline", info.headline)
    yield from element("description", info.description)
    yield from element("instruction", info.instruction)
    yield from element("web", info.web)
    yield from element("contact", info.contact)
    yield from _pairs("parameter", _parameters(info))
    for resource in info.resources:
        yield from _group("resource", _resource(resource))
    for area in info.areas:
        yield from _group("area", _area(area))


def _parameters(info: Info) -> tuple[Pair, ...]:
    named = any(name.casefold() in COLOUR_PARAMETERS for name, _ in info.parameters)
    colour = (Pair(COLOUR_PARAMETER, colour_of(info.level)),) if info.level and not named else ()
    return info.parameters + colour


def _resource(resource: Resource) -> Iterator[str]:
    yield from element("resourceDesc", resource.description or "-")
    yield from element("mimeType", resource.mime_type or "application/octet-stream")
    yield from element("size", resource.size if resource.size.isascii() and resource.size.isdigit() else "")
    yield from element("uri", resource.uri)
    yield from element("derefUri", resource.content)
    yield from element("digest", resource.digest)


def _area(area: Area) -> Iterator[str]:
    """An open line has no place in CAP, and no inside: it is left out."""
    yield from element("areaDesc", area.description or "-")
    for polygon in area.polygons:
        yield from element("polygon", ring(polygon))
    for circle in area.circles:
        yield from element("circle", _circle(circle))
    yield from _pairs("geocode", area.geocodes)
    yield from element("altitude", area.altitude)
    yield from element("ceiling", area.ceiling)


def _circle(circle: Circle) -> str:
    return f"{position(Point(circle.lat, circle.lon))} {circle.radius_m / 1000:.10g}"


def _pairs(name: str, pairs: Iterable[Pair]) -> Iterator[str]:
    for pair in pairs:
        yield from _group(name, (*element("valueName", pair.name), *element("value", pair.value)))


def _group(name: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<{name}>"
    yield from lines
    yield f"</{name}>"
