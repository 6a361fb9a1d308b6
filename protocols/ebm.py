"""应急广播 platform packages (EBD), their messages (EBM) and their SM2 side-car → plain values. Pure; no tar, no keys.

GD/J 082 and 083 of 2018 as public programs write them, both spellings of everything that has two. Who may be believed is
not decided here: the side-car is read and never taken for proof.
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from protocols import cap_area
from protocols.alert import Level, Status
from protocols.cap import Area, Family, Imported, Info, MsgType, Notes, Pair, Reference, Resource, Severity
from protocols.cap_json import plain
from protocols.cap_time import CHINA, maybe_unix, unix
from protocols.cn12379 import AREA_LIST, EVENT_LIST, SEVERITIES
from protocols.cn_events import name_of
from protocols.errors import RemoteError
from protocols.quoting import quoted
from protocols.xml_fields import Fields, Shape
from protocols.xml_guard import Node, parse_loose

HEARTBEAT = "ConnectionCheck"
TEST_SEVERITY = 15  # 测试专用
LEVELS = {1: Level.RED, 2: Level.ORANGE, 3: Level.YELLOW, 4: Level.BLUE}
EMERGENCY = 4  # the class of the real thing
CLASSES = {
    1: Status.EXERCISE,  # 发布系统演练
    2: Status.EXERCISE,  # 模拟演练
    3: Status.EXERCISE,  # 实际演练
    EMERGENCY: Status.ACTUAL,  # 应急广播
    5: Status.TEST,  # 日常广播: music and notices. A test is the status that never sounds.
}
MSG_TYPES = {"1": MsgType.ALERT, "2": MsgType.CANCEL}  # 请求播发, 取消播发
MIME_TYPES = {"1": "text/plain", "2": "audio/mpeg", "3": "image/jpeg", "4": "video/mp4"}
DATED = 12  # digits at the end of an EBMID: date and number; before them stands the platform

_DIGITS = re.compile(r"\d{1,64}", re.ASCII)

EBD: Shape = {
    "EBDVersion": "?",
    "EBDID": "1",
    "EBDType": "1",
    "SRC": "?",
    "DEST": "?",
    "EBDTime": "?",
    "RelatedEBD": "?",
    "RealtedEBD": "?",  # so one deployed program spells it
    "EBM": "?",
    HEARTBEAT: "?",
}
PARTY: Shape = {"EBRID": "?", "URL": "?"}
RELATED_EBD: Shape = {"EBDID": "?"}
EBM: Shape = {
    "EBMVersion": "?",
    "EBMID": "1",
    "RelatedInfo": "?",
    "RelatedEBM": "?",
    "TestType": "?",
    "MsgBasicInfo": "1",
    "MsgContent": "?",
    "Dispatch": "*",
}
RELATED: Shape = {"EBMID": "?", "EBIID": "?"}
BASIC: Shape = {
    "MsgType": "1",
    "SenderName": "?",
    "SenderCode": "?",
    "SendTime": "?",
    "SentTime": "?",
    "EventType": "?",
    "Severity": "?",
    "StartTime": "?",
    "EndTime": "?",
}
CONTENT: Shape = {
    "LanguageCode": "?",
    "CodeCharSet": "?",
    "MsgTitle": "?",
    "MsgDesc": "?",
    "AreaCode": "?",
    "ProgramNum": "?",
    "Auxiliary": "*",
}
AUXILIARY: Shape = {"AuxiliaryType": "?", "AuxiliaryDesc": "?", "Size": "?", "Digest": "?"}


@dataclass(frozen=True, slots=True)
class Package:
    """One EBD. `message` is set where it carries an EBM; a heartbeat says only that somebody is there."""

    version: str
    identifier: str
    type: str
    source: str
    target: str
    time: int | None
    related: str
    message: Imported | None = None

    @property
    def is_heartbeat(self) -> bool:
        return self.type == HEARTBEAT


def decode_ebm(data: bytes) -> dict[str, Any]:
    """For people and programs: a package, or a side-car."""
    root, _ = parse_loose(data)
    if root.name == "Signature":
        from protocols.ebm_signature import decode_signature  # noqa: PLC0415 - only a side-car needs it

        return decode_signature(root)
    package = _package(root)
    told = {name: getattr(package, name) for name in ("version", "identifier", "type", "source", "target", "time")}
    told |= {"related": package.related, "heartbeat": package.is_heartbeat}
    return {"kind": "ebm", **told, **({"alerts": [plain(package.message)]} if package.message else {})}


def read_ebd(data: bytes) -> Package:
    """One package; RemoteError says why it is none."""
    return _package(parse_loose(data)[0])


def status_of(ebm_class: int, severity: int) -> Status:
    """What the class and the level of a message, in XML or in a terminal's frame, make of it."""
    if ebm_class not in CLASSES:
        raise RemoteError("ebm-class", str(ebm_class))
    return Status.TEST if severity == TEST_SEVERITY else CLASSES[ebm_class]


def platform_of(ebm_id: str) -> str:
    """The platform a message is from: 18 digits of the drafts of 2016, 23 since 2018."""
    return ebm_id[:-DATED] or ebm_id


def _package(root: Node) -> Package:
    if root.name != "EBD":
        raise RemoteError("wrong-namespace", quoted(f"{{{root.space}}}{root.name}"))
    notes = Notes()
    fields = Fields(root, EBD, notes)
    related = fields.nodes("RelatedEBD") or fields.nodes("RealtedEBD")
    messages = fields.nodes("EBM")
    if not messages and fields.need("EBDType") == "EBM":
        raise RemoteError("missing-element", "EBD/EBM")
    return Package(
        version=fields.text("EBDVersion"),
        identifier=_digits(fields.need("EBDID"), "EBDID"),
        type=fields.need("EBDType"),
        source=_first(fields.nodes("SRC"), PARTY, "EBRID", notes),
        target=_first(fields.nodes("DEST"), PARTY, "EBRID", notes),
        time=maybe_unix(fields.text("EBDTime"), notes, separator=" ", zone=CHINA),
        related=_first(related, RELATED_EBD, "EBDID", notes),
        message=_message(Fields(messages[0], EBM, notes), notes) if messages else None,
    )


def _first(nodes: list[Node], shape: Shape, name: str, notes: Notes) -> str:
    return Fields(nodes[0], shape, notes).text(name) if nodes else ""


def _digits(text: str, field: str) -> str:
    if not _DIGITS.fullmatch(text):
        raise RemoteError("bad-identifier", f"{field}: {quoted(text)}")
    return text


def _message(fields: Fields, notes: Notes) -> Imported:
    identifier = _digits(fields.need("EBMID"), "EBMID")
    basic = Fields(next(iter(fields.nodes("MsgBasicInfo")), Node("MsgBasicInfo")), BASIC, notes)
    severity = _number(basic.text("Severity") or "0", "Severity")
    imported = Imported(
        family=Family.EBM,
        identifier=identifier,
        sender=platform_of(identifier),
        sent=unix(_sent(basic), notes, separator=" ", zone=CHINA),
        status=_status(fields.text("TestType"), severity, notes),
        msg_type=_msg_type(basic.need("MsgType")),
        source=basic.text("SenderName"),
        codes=tuple(code for code in (basic.text("SenderCode"),) if code),
        references=_references(fields.nodes("RelatedInfo") or fields.nodes("RelatedEBM"), notes),
        infos=(_info(basic, fields.nodes("MsgContent"), severity, notes),),
    )
    if imported.msg_type is MsgType.CANCEL and not imported.references:
        notes.add("no-references", "a stop of everything in its area")
    return replace(imported, notes=tuple(notes))


def _sent(basic: Fields) -> str:
    return basic.text("SendTime") or basic.need("SentTime")


def _number(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise RemoteError("bad-number", f"{field}: {quoted(text)}")
    return int(text)


def _status(ebm_class: str, severity: int, notes: Notes) -> Status:
    """A message that names no class is an emergency: that is what the format is for."""
    number = _number(ebm_class, "TestType") if ebm_class else EMERGENCY
    if number == 5:
        notes.add("daily-broadcast")
    if severity == TEST_SEVERITY:
        notes.add("test-severity")
    return status_of(number, severity)


def _msg_type(text: str) -> MsgType:
    if text not in MSG_TYPES:
        raise RemoteError("unknown-word", f"MsgType: {quoted(text)}")
    return MSG_TYPES[text]


def _references(nodes: list[Node], notes: Notes) -> tuple[Reference, ...]:
    """A cancel names the message it stops; 0 stops everything in the area and so names none."""
    identifier = _first(nodes, RELATED, "EBMID", notes)
    if not identifier.strip("0"):
        return ()
    return (Reference(platform_of(identifier), _digits(identifier, "EBMID")),)


def _info(basic: Fields, contents: list[Node], severity: int, notes: Notes) -> Info:
    content = Fields(contents[0] if contents else Node("MsgContent"), CONTENT, notes)
    code, level = basic.text("EventType"), LEVELS.get(severity)
    if level is None and severity not in {0, TEST_SEVERITY}:
        notes.add("strange-word", f"Severity {severity}")
    return Info(
        language=_language(content.text("LanguageCode")),
        event=name_of(code) if code else "突发事件",
        event_codes=(Pair(EVENT_LIST, code),) if code else (),
        severity=SEVERITIES[level] if level else Severity.UNKNOWN,
        level=level,
        onset=_time(basic, "StartTime", notes),
        expires=_time(basic, "EndTime", notes),
        sender_name=basic.text("SenderName"),
        headline=content.text("MsgTitle"),
        description=content.text("MsgDesc"),
        resources=tuple(_resource(node, notes) for node in content.nodes("Auxiliary")),
        areas=_areas(content.text("AreaCode")),
    )


def _areas(codes: str) -> tuple[Area, ...]:
    return (Area(geocodes=cap_area.codes(codes, AREA_LIST)),) if codes else ()


def _language(code: str) -> str:
    """ISO 639-2 on the wire, RFC 3066 here."""
    return code if code not in {"", "zho", "chi"} else "zh"


def _time(basic: Fields, name: str, notes: Notes) -> int | None:
    return maybe_unix(basic.text(name), notes, separator=" ", zone=CHINA)


def _resource(node: Node, notes: Notes) -> Resource:
    fields = Fields(node, AUXILIARY, notes)
    return Resource(
        description=fields.text("AuxiliaryDesc"),
        mime_type=MIME_TYPES.get(fields.text("AuxiliaryType"), ""),
        size=fields.text("Size"),
        digest=fields.text("Digest"),
    )
