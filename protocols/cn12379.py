"""12379's XML (GB/T 35965.1) → `cap.Imported`. It looks like CAP and is not: own elements, colours for severity, a space
in times, circles in metres, open polygons that are lines, and references that name the first message of an event.

Pure. Writers in the field differ much, so what the standard asks for is demanded only where nothing can be done without.
"""

import re
from dataclasses import replace
from typing import Any

from protocols import cap_area
from protocols.alert import Level
from protocols.cap import (
    Area,
    Certainty,
    Family,
    Imported,
    Info,
    Method,
    MsgType,
    Notes,
    Pair,
    Reference,
    Resource,
    Severity,
    status_of,
)
from protocols.cap_json import plain
from protocols.cap_rules import name
from protocols.cap_time import CHINA, maybe_unix, unix
from protocols.cn12379_list import read_list
from protocols.cn_events import LEVELS, level_of_headline, name_of
from protocols.errors import RemoteError
from protocols.quoting import quoted
from protocols.xml_fields import Fields, Shape
from protocols.xml_guard import Node, parse_loose

SPACES = frozenset({"", "http://com.icss.amp"})
EVENT_LIST = "GB/T 35965.1"  # the name of the code list in an eventCode
AREA_LIST = "GB/T 2260"
MAX_AREAS = 500
IDENTIFIER = re.compile(r"(\d{14})_\d{14}(?:_\d)?", re.ASCII)  # sender code and time; the standard adds one digit

SEVERITIES = {
    Level.RED: Severity.EXTREME,
    Level.ORANGE: Severity.SEVERE,
    Level.YELLOW: Severity.MODERATE,
    Level.BLUE: Severity.MINOR,
}
MSG_TYPES = {**{kind.value: kind for kind in MsgType}, "Cancle": MsgType.CANCEL}  # so one deployed client spells it

ALERT: Shape = {
    "identifier": "1",
    "sender": "?",
    "senderCode": "?",
    "phone": "?",
    "sendTime": "1",
    "status": "1",
    "msgType": "1",
    "scope": "?",
    "code": "?",
    "secClassification": "?",
    "note": "?",
    "references": "?",
    "info": "1",
}
CODE: Shape = {"method": "*"}
METHOD: Shape = {"methodName": "?", "message": "?", "audienceGrp": "?", "audiencePrt": "?", "audenceprt": "?"}
INFO: Shape = {
    "language": "?",
    "eventType": "1",
    "urgency": "?",
    "severity": "1",
    "certainty": "?",
    "effective": "?",
    "onset": "?",
    "expires": "?",
    "senderName": "?",
    "headline": "?",
    "description": "?",
    "instruction": "?",
    "web": "?",
    "resource": "*",
    "area": "*",
}
RESOURCE: Shape = {"resourceDesc": "?", "size": "?", "digest": "?"}
AREA: Shape = {"areaDesc": "?", "polygon": "*", "circle": "*", "geocode": "*"}


def decode_12379(data: bytes) -> dict[str, Any]:
    """For people and programs: the XML's one message, or the items of the public list."""
    if data.lstrip()[:1] in {b"{", b"["}:
        return {"kind": "12379-list", "alerts": [plain(item) for item in read_list(data)]}
    return {"kind": "12379", "alerts": [plain(read_12379(data))]}


def read_12379(data: bytes) -> Imported:
    """One message; RemoteError says why it is none."""
    root, repaired = parse_loose(data)
    if root.name != "alert" or root.space not in SPACES:
        raise RemoteError("wrong-namespace", quoted(f"{{{root.space}}}{root.name}"))
    notes = Notes()
    if repaired:
        notes.add("markup-repaired")
    return _alert(Fields(root, ALERT, notes), notes)


def sender_code(identifier: str) -> str:
    """The 14 digits of the sender that every 12379 identifier begins with; empty for another family's identifier."""
    form = IDENTIFIER.fullmatch(identifier)
    return form.group(1) if form else ""


def _alert(fields: Fields, notes: Notes) -> Imported:
    identifier = name(fields.need("identifier"), "identifier")
    if not sender_code(identifier):
        notes.add("identifier-form", quoted(identifier))
    sender = sender_code(identifier) or fields.text("senderCode") or fields.need("sender")
    msg_type = _msg_type(fields.need("msgType"), notes)
    methods = _methods(fields, notes)
    imported = Imported(
        family=Family.CN12379,
        identifier=identifier,
        sender=name(sender, "sender"),
        sent=unix(fields.need("sendTime"), notes, separator=" ", zone=CHINA),
        status=status_of(fields.need("status")),
        msg_type=msg_type,
        scope=_scope(fields),
        source=fields.text("sender"),
        methods=methods,
        note=fields.text("note"),
        references=_references(fields.text("references"), notes),
        infos=(_info(fields.nodes("info"), methods, notes),),
    )
    if msg_type is not MsgType.ALERT and not imported.references:
        notes.add("no-references", msg_type.value)
    return replace(imported, notes=tuple(notes))


def _msg_type(text: str, notes: Notes) -> MsgType:
    if text not in MSG_TYPES:
        raise RemoteError("unknown-word", f"msgType: {quoted(text)}")
    if text != MSG_TYPES[text]:
        notes.add("misspelt", text)
    return MSG_TYPES[text]


def _scope(fields: Fields) -> str:
    """`Inner` is for officials only, whatever the scope says."""
    return "Restricted" if fields.text("secClassification") == "Inner" else fields.text("scope") or "Public"


def _references(text: str, notes: Notes) -> tuple[Reference, ...]:
    """The first message of the event; a list is taken by its first."""
    first, *more = text.replace(",", " ").split() or [""]
    if not first:
        return ()
    if more:
        notes.add("several-references", str(len(more) + 1))
    return (Reference(sender_code(first), name(first, "references")),)


def _methods(fields: Fields, notes: Notes) -> tuple[Method, ...]:
    nodes = (child for node in fields.nodes("code") for child in Fields(node, CODE, notes).nodes("method"))
    return tuple(_method(Fields(node, METHOD, notes)) for node in nodes)


def _method(fields: Fields) -> Method:
    parts = fields.text("audiencePrt") or fields.text("audenceprt")  # both spellings are in use
    return Method(fields.text("methodName"), fields.text("message"), _split(fields.text("audienceGrp")), _split(parts))


def _split(text: str) -> tuple[str, ...]:
    """A comma list; empty ones are sent as a lone comma."""
    return tuple(part for part in text.replace("，", ",").split(",") if part.strip())


def _info(nodes: list[Node], methods: tuple[Method, ...], notes: Notes) -> Info:
    if not nodes:
        raise RemoteError("missing-element", "alert/info")
    fields = Fields(nodes[0], INFO, notes)
    code, headline = fields.need("eventType"), fields.text("headline")
    level = _level(fields.need("severity"), headline, notes)
    return Info(
        language=fields.text("language") or "zh-CN",
        event=name_of(code),
        event_codes=(Pair(EVENT_LIST, code),),
        severity=SEVERITIES[level] if level else Severity.UNKNOWN,
        certainty=Certainty.UNKNOWN,
        level=level,
        effective=_time(fields, "effective", notes),
        onset=_time(fields, "onset", notes),
        expires=_time(fields, "expires", notes),
        sender_name=fields.text("senderName"),
        headline=headline,
        description=fields.text("description") or next((method.message for method in methods), ""),
        instruction=fields.text("instruction"),
        web=fields.text("web"),
        resources=tuple(_resource(Fields(node, RESOURCE, notes)) for node in fields.nodes("resource")),
        areas=_areas(fields.nodes("area"), notes),
    )


def _time(fields: Fields, field: str, notes: Notes) -> int | None:
    return maybe_unix(fields.text(field), notes, separator=" ", zone=CHINA)


def _level(text: str, headline: str, notes: Notes) -> Level | None:
    """`Unknown` and the list's 9 are known words for no colour; then the headline may still name one."""
    if text in LEVELS:
        return LEVELS[text]
    if text not in {"Unknown", "9"}:
        notes.add("strange-word", quoted(text))
    return level_of_headline(headline)


def _resource(fields: Fields) -> Resource:
    return Resource(fields.text("resourceDesc"), size=fields.text("size"), digest=fields.text("digest"))


def _areas(nodes: list[Node], notes: Notes) -> tuple[Area, ...]:
    if len(nodes) > MAX_AREAS:
        raise RemoteError("too-many-elements", f"{len(nodes)} area, at most {MAX_AREAS}")
    return tuple(_area(Fields(node, AREA, notes), notes) for node in nodes)


def _area(fields: Fields, notes: Notes) -> Area:
    shapes = [cap_area.points(node.text) for node in fields.nodes("polygon") if node.text]
    lines = tuple(shape for shape in shapes if cap_area.is_open(shape))
    if lines:
        notes.add("open-line", f"{len(lines[0])} points")
    return Area(
        description=fields.text("areaDesc"),
        polygons=tuple(shape[:-1] for shape in shapes if not cap_area.is_open(shape)),
        lines=lines,
        circles=tuple(cap_area.circle(text, cap_area.METRE) for text in fields.texts("circle")),
        geocodes=tuple(code for text in fields.texts("geocode") for code in cap_area.codes(text, AREA_LIST)),
    )
