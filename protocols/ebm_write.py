"""`ebm.Package` with its message → 应急广播 EBD XML, in the order and with the names of GD/J 082 (2018). Pure text work.

Only what the format can say: one info, a request or its cancel, codes but no shapes, drills as drills.
"""

from collections.abc import Iterable, Iterator
from html import escape

from protocols.alert import Status
from protocols.cap import Imported, Info, MsgType, Resource
from protocols.cap_time import written
from protocols.cn12379 import AREA_LIST, EVENT_LIST
from protocols.cn_events import UNKNOWN
from protocols.ebm import CLASSES, EMERGENCY, LEVELS, MIME_TYPES, TEST_SEVERITY, Package
from protocols.errors import LocalError

DRILL = 2  # 模拟演练: what is written of an exercise, whichever of its three classes it came with
TEST = next(number for number, status in CLASSES.items() if status is Status.TEST)
WITHOUT_ZONE = len("2018-06-26 15:26:00")
REQUEST, STOP = "1", "2"
CHINESE = "zho"  # ISO 639-2


def write_ebd(package: Package) -> bytes:
    """LocalError where EBD has no way to say it."""
    message = package.message
    if message is None:
        raise LocalError("cannot-write", "only a package with a message is written here")
    _check(message)
    body = _group("EBD", (*_head(package), *_group("EBM", _message(message))))
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', *body, ""]).encode()


def _check(message: Imported) -> None:
    if not (message.identifier.isascii() and message.identifier.isdigit()):
        raise LocalError("cannot-write", "an EBMID has digits only")
    if message.msg_type not in (MsgType.ALERT, MsgType.CANCEL) or len(message.infos) != 1:
        raise LocalError("cannot-write", "EBM has one content, and neither Update nor Ack nor Error")
    if message.status not in (Status.ACTUAL, Status.EXERCISE, Status.TEST):
        raise LocalError("cannot-write", "EBM has no class for System or Draft")
    if any(area.polygons or area.circles or area.lines for area in message.infos[0].areas):
        raise LocalError("cannot-write", "EBM has codes and no shapes")


def _head(package: Package) -> Iterator[str]:
    yield _element("EBDVersion", package.version or "1.0")
    yield _element("EBDID", package.identifier)
    yield _element("EBDType", "EBM")
    yield from _group("SRC", [_element("EBRID", package.source)])
    yield from _group("DEST", [_element("EBRID", package.target)])
    yield _time("EBDTime", package.time)
    yield from _group("RelatedEBD", [_element("EBDID", package.related)] if package.related else [])


def _message(message: Imported) -> Iterator[str]:
    info = message.infos[0]
    related = message.references[0].identifier if message.references else ""
    yield _element("EBMVersion", "1")
    yield _element("EBMID", message.identifier)
    yield from _group("RelatedInfo", [_element("EBMID", related), _element("EBIID", "")])
    yield _element("TestType", {Status.EXERCISE: DRILL, Status.TEST: TEST}.get(message.status, EMERGENCY))
    yield from _group("MsgBasicInfo", _basic(message, info))
    yield from _group("MsgContent", _content(info))


def _basic(message: Imported, info: Info) -> Iterator[str]:
    severity = next((number for number, level in LEVELS.items() if level is info.level), 0)
    yield _element("MsgType", STOP if message.msg_type is MsgType.CANCEL else REQUEST)
    yield _element("SenderName", message.source or info.sender_name)
    yield _element("SenderCode", message.codes[0] if message.codes else "")
    yield _time("SendTime", message.sent)
    yield _element("EventType", next((value for name, value in info.event_codes if name == EVENT_LIST), UNKNOWN))
    yield _element("Severity", TEST_SEVERITY if message.status is Status.TEST else severity)
    yield _time("StartTime", info.onset)
    yield _time("EndTime", info.expires)


def _content(info: Info) -> Iterator[str]:
    codes = (value for area in info.areas for name, value in area.geocodes if name == AREA_LIST)
    yield _element("LanguageCode", CHINESE if info.language.startswith("zh") else info.language)
    yield _element("MsgTitle", info.headline)
    yield _element("MsgDesc", " ".join(part for part in (info.description, info.instruction) if part))
    yield _element("AreaCode", ",".join(codes))
    for resource in info.resources:
        yield from _group("Auxiliary", _auxiliary(resource))


def _auxiliary(resource: Resource) -> Iterator[str]:
    yield _element("AuxiliaryType", next((n for n, kind in MIME_TYPES.items() if kind == resource.mime_type), ""))
    yield _element("AuxiliaryDesc", resource.description)
    yield _element("Size", resource.size)
    yield _element("Digest", resource.digest)


def _time(name: str, at: int | None) -> str:
    """China's time, which nobody writes down."""
    return _element(name, "" if at is None else written(at, separator=" ")[:WITHOUT_ZONE])


def _element(name: str, text: object) -> str:
    return f"<{name}/>" if text == "" else f"<{name}>{escape(str(text), quote=False)}</{name}>"


def _group(name: str, lines: Iterable[str]) -> Iterator[str]:
    """Left out where it is empty."""
    inside = list(lines)
    if inside:
        yield from (f"<{name}>", *inside, f"</{name}>")
