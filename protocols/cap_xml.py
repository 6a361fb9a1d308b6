"""CAP 1.1 and 1.2 XML → `cap.Imported`. Pure; the XML itself is `xml_guard`'s and `xml_fields`'s business.

What could be read in two ways is refused: a word twice, a reference without all three parts, a message that supersedes
nothing it names, a place off the globe. What is merely untidy is read and noted.
"""

from collections.abc import Iterable
from typing import Any

from protocols import cap_area, cap_rules
from protocols.alert import Level
from protocols.cap import (
    Area,
    Certainty,
    Circle,
    Family,
    Imported,
    Info,
    MsgType,
    Notes,
    Reference,
    Resource,
    Severity,
    Urgency,
    status_of,
    word,
)
from protocols.cap_json import plain
from protocols.cap_time import maybe_unix, unix
from protocols.cn_events import COLOUR_PARAMETERS, level_of_colour, level_of_headline
from protocols.errors import RemoteError
from protocols.quoting import quoted
from protocols.xml_fields import Fields, Shape
from protocols.xml_guard import Node, parse

FAMILIES = {
    "urn:oasis:names:tc:emergency:cap:1.1": Family.CAP_1_1,
    "urn:oasis:names:tc:emergency:cap:1.2": Family.CAP_1_2,
}
MAX_ALERTS = 64  # in one `<alerts>` wrapper
MAX_INFOS = 16
MAX_AREAS = 500  # of one info; a national feed's largest has 62
MAX_REFERENCES = 500
SCOPES = ("Public", "Restricted", "Private")
CATEGORIES = frozenset(
    ["Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"]
)
RESPONSES = frozenset(["Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None"])
DEFAULT_LANGUAGE = "en-US"  # CAP 1.2 §3.2.2

ALERT: Shape = {
    "identifier": "1",
    "sender": "1",
    "sent": "1",
    "status": "1",
    "msgType": "1",
    "source": "?",
    "scope": "1",
    "restriction": "?",
    "addresses": "?",
    "code": "*",
    "note": "?",
    "references": "?",
    "incidents": "?",
    "info": "*",
}
INFO: Shape = {
    "language": "?",
    "category": "+",
    "event": "1",
    "responseType": "*",
    "urgency": "1",
    "severity": "1",
    "certainty": "1",
    "audience": "?",
    "eventCode": "*",
    "effective": "?",
    "onset": "?",
    "expires": "?",
    "senderName": "?",
    "headline": "?",
    "description": "?",
    "instruction": "?",
    "web": "?",
    "contact": "?",
    "parameter": "*",
    "resource": "*",
    "area": "*",
}
RESOURCE: Shape = {"resourceDesc": "1", "mimeType": "?", "size": "?", "uri": "?", "derefUri": "?", "digest": "?"}
AREA: Shape = {"areaDesc": "1", "polygon": "*", "circle": "*", "geocode": "*", "altitude": "?", "ceiling": "?"}


def decode_cap(data: bytes) -> dict[str, Any]:
    """For people and programs: every alert in it, or why not. RemoteError only where nothing can be read at all."""
    return {"kind": "cap", "alerts": [_told(node) for node in alerts(data)]}


def read_cap(data: bytes) -> Imported:
    """The one alert in `data`."""
    found = alerts(data)
    if len(found) != 1:
        raise RemoteError("several-alerts", f"{len(found)} alerts in a wrapper")
    return read(found[0])


def alerts(data: bytes) -> tuple[Node, ...]:
    """The alerts of a document: its root, or the children of a wrapper `<alerts>`."""
    root = parse(data)
    if root.name != "alerts":
        return (root,)
    found = tuple(child for child in root.children if child.name == "alert")
    if not 1 <= len(found) <= MAX_ALERTS:
        raise RemoteError("several-alerts", f"{len(found)} alerts in a wrapper")
    return found


def read(root: Node) -> Imported:
    """One `<alert>`; RemoteError says why it is none."""
    if root.name != "alert" or root.space not in FAMILIES:
        raise RemoteError("wrong-namespace", quoted(f"{{{root.space}}}{root.name}"))
    notes = Notes()
    fields = Fields(root, ALERT, notes)
    sent = unix(fields.need("sent"), notes)
    imported = Imported(
        family=FAMILIES[root.space],
        identifier=cap_rules.name(fields.need("identifier"), "identifier"),
        sender=cap_rules.name(fields.need("sender"), "sender"),
        sent=sent,
        status=status_of(fields.need("status")),
        msg_type=word(MsgType, fields.need("msgType"), "msgType"),
        scope=_scope(fields.need("scope")),
        source=fields.text("source"),
        restriction=fields.text("restriction"),
        addresses=fields.text("addresses"),
        codes=fields.texts("code"),
        note=fields.text("note"),
        references=_references(fields.text("references"), notes),
        incidents=fields.text("incidents"),
        infos=tuple(_info(node, notes) for node in _few(fields.nodes("info"), MAX_INFOS, "info")),
    )
    return cap_rules.checked(imported, notes)


def _told(node: Node) -> dict[str, Any]:
    try:
        return plain(read(node))
    except RemoteError as wrong:
        return {"error": wrong.reason, "detail": wrong.detail}


def _few(nodes: list[Node], most: int, name: str) -> list[Node]:
    if len(nodes) > most:
        raise RemoteError("too-many-elements", f"{len(nodes)} {name}, at most {most}")
    return nodes


def _scope(text: str) -> str:
    if text not in SCOPES:
        raise RemoteError("unknown-word", f"scope: {quoted(text)}")
    return text


def _references(text: str, notes: Notes) -> tuple[Reference, ...]:
    triples = text.split()
    if len(triples) > MAX_REFERENCES:
        raise RemoteError("too-many-elements", f"{len(triples)} references, at most {MAX_REFERENCES}")
    return tuple(_reference(triple, notes) for triple in triples)


def _reference(triple: str, notes: Notes) -> Reference:
    parts = triple.split(",")
    if len(parts) != 3 or not all(parts):
        raise RemoteError("bad-reference", quoted(triple))
    return Reference(parts[0], parts[1], unix(parts[2], notes))


def _info(node: Node, notes: Notes) -> Info:
    fields = Fields(node, INFO, notes)
    parameters, headline = fields.pairs("parameter"), fields.text("headline")
    return Info(
        language=fields.text("language") or DEFAULT_LANGUAGE,
        categories=_known(fields.texts("category"), CATEGORIES, notes),
        event=fields.need("event"),
        event_codes=fields.pairs("eventCode"),
        response_types=_known(fields.texts("responseType"), RESPONSES, notes),
        urgency=word(Urgency, fields.need("urgency"), "urgency"),
        severity=word(Severity, fields.need("severity"), "severity"),
        certainty=_certainty(fields.need("certainty"), notes),
        level=_level(parameters, headline),
        audience=fields.text("audience"),
        effective=maybe_unix(fields.text("effective"), notes),
        onset=maybe_unix(fields.text("onset"), notes),
        expires=maybe_unix(fields.text("expires"), notes),
        sender_name=fields.text("senderName"),
        headline=headline,
        description=fields.text("description"),
        instruction=fields.text("instruction"),
        web=fields.text("web"),
        contact=fields.text("contact"),
        parameters=parameters,
        resources=tuple(_resource(child, notes) for child in fields.nodes("resource")),
        areas=tuple(_area(child, notes) for child in _few(fields.nodes("area"), MAX_AREAS, "area")),
    )


def _known(words: Iterable[str], known: frozenset[str], notes: Notes) -> tuple[str, ...]:
    """Words that only describe: a strange one is noted and left out."""
    found = tuple(words)
    for strange in (one for one in found if one not in known):
        notes.add("strange-word", quoted(strange))
    return tuple(one for one in found if one in known)


def _certainty(text: str, notes: Notes) -> Certainty:
    if text in {"Very Likely", "VeryLikely"}:  # CAP 1.0's; CAP 1.2 §3.2.2 says to read it as Likely
        notes.add("strange-word", text)
        return Certainty.LIKELY
    return word(Certainty, text, "certainty")


def _level(parameters: Iterable[tuple[str, str]], headline: str) -> Level | None:
    """The colour the country warns by; where a headline names one and no parameter does, the headline's."""
    said = (level_of_colour(value) for name, value in parameters if name.casefold() in COLOUR_PARAMETERS)
    return next((level for level in said if level), None) or level_of_headline(headline)


def _resource(node: Node, notes: Notes) -> Resource:
    fields = Fields(node, RESOURCE, notes)
    content = "".join(next((child.text for child in fields.nodes("derefUri")), "").split())
    return cap_rules.checked_resource(
        Resource(
            description=fields.need("resourceDesc"),
            mime_type=fields.text("mimeType"),
            size=fields.text("size"),
            uri=fields.text("uri"),
            content=content,
            digest=fields.text("digest"),
        ),
        notes,
    )


def _area(node: Node, notes: Notes) -> Area:
    fields = Fields(node, AREA, notes)
    circles: tuple[Circle, ...] = tuple(cap_area.circle(text, cap_area.KILOMETRE) for text in fields.texts("circle"))
    area = Area(
        description=fields.text("areaDesc"),
        polygons=tuple(cap_area.polygon(child.text, notes) for child in fields.nodes("polygon") if child.text),
        circles=circles,
        geocodes=fields.pairs("geocode"),
        altitude=cap_rules.feet(fields.text("altitude")),
        ceiling=cap_rules.feet(fields.text("ceiling")),
    )
    return cap_rules.checked_area(area, notes)
