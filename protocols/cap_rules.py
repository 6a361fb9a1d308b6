"""What CAP 1.2 asks beyond its schema, and what incidents taught to ask. Knows the model, not the XML.

A rule refuses where a station would otherwise act on something nobody meant; everywhere else it notes.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import replace

from protocols.cap import Area, Imported, Info, MsgType, Notes, Resource
from protocols.cap_text import MAX_NAME
from protocols.errors import RemoteError
from protocols.quoting import quoted

# CAP 1.2 §3.2.1: no spaces, commas or restricted characters; a reference could not be told apart otherwise.
_NAME = re.compile(r"[^\s,<&]+")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)  # RFC 3066
_FEET = re.compile(r"[+-]?\d{1,7}(\.\d{0,10})?", re.ASCII)
_MIME = re.compile(r"(application|audio|font|image|message|model|multipart|text|video)/\S+", re.IGNORECASE | re.ASCII)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:", re.ASCII)

NEEDS_REFERENCE = {MsgType.UPDATE, MsgType.CANCEL, MsgType.ACK, MsgType.ERROR}


def name(text: str, field: str) -> str:
    """An identifier or a sender."""
    if len(text) > MAX_NAME or not _NAME.fullmatch(text):
        raise RemoteError("bad-identifier", f"{field}: {quoted(text)}")
    return text


def feet(text: str) -> float | None:
    if not text:
        return None
    if not _FEET.fullmatch(text):
        raise RemoteError("bad-number", quoted(text))
    return float(text)


def checked(imported: Imported, notes: Notes) -> Imported:
    """The message with everything noted in it, or a refusal."""
    _references(imported)
    if imported.restriction and imported.scope != "Restricted":
        notes.add("restriction-ignored", quoted(imported.restriction))
    if not imported.infos and imported.msg_type in {MsgType.ALERT, MsgType.UPDATE}:
        notes.add("no-info")
    for info in imported.infos:
        if not _LANGUAGE.fullmatch(info.language):
            notes.add("bad-language", quoted(info.language))
    if _same_text(imported.infos):
        notes.add("same-text")
    return replace(imported, notes=tuple(notes))


def checked_resource(resource: Resource, notes: Notes) -> Resource:
    if not _MIME.fullmatch(resource.mime_type):
        notes.add("bad-mime-type", quoted(resource.mime_type))
    if resource.uri and not resource.content and not _ABSOLUTE.match(resource.uri):
        notes.add("relative-uri", quoted(resource.uri))
    if resource.content and not _is_base64(resource.content):
        notes.add("bad-content", quoted(resource.description))
        return replace(resource, content="")
    return resource


def checked_area(area: Area, notes: Notes) -> Area:
    if area.ceiling is not None and (area.altitude is None or area.ceiling < area.altitude):
        notes.add("bad-ceiling", f"altitude {area.altitude}, ceiling {area.ceiling}")
    return area


def _references(imported: Imported) -> None:
    if imported.msg_type in NEEDS_REFERENCE and not imported.references:
        raise RemoteError("no-references", f"{imported.msg_type} names no message")
    for reference in imported.references:
        if (reference.sender, reference.identifier) == (imported.sender, imported.identifier):
            raise RemoteError("circular-reference", quoted(imported.identifier))
        if reference.sent is not None and reference.sent > imported.sent:
            raise RemoteError("later-reference", quoted(reference.identifier))


def _same_text(infos: tuple[Info, ...]) -> bool:
    """One of them was forgotten to translate."""
    said: dict[str, str] = {}
    return any(said.setdefault(text, info.language) != info.language for info in infos for text in _texts(info))


def _texts(info: Info) -> Iterator[str]:
    yield from (text for text in (info.headline, info.description) if text)


def _is_base64(text: str) -> bool:
    try:
        binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return False
    return True
