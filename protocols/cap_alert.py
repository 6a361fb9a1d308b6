"""`cap.Imported` → an Alert to sign, with its text and with everything that was decided on the way. Pure.

Nobody believes an imported message, so nothing in it can ask for a siren: its action is `inform`, and what its level,
area and text are is for a person to confirm before he signs. What a person decides comes in as `Desk`.
"""

from dataclasses import dataclass
from typing import NamedTuple

from protocols import alert as sealed
from protocols.alert import ActionCode, Alert, Level, chain_of, digest_of
from protocols.alert_cbor import EVENT, MAX_PAYLOAD, encode
from protocols.area import Item
from protocols.cap import Imported, Info, MsgType, Note, Notes, Pair, Reference, Severity
from protocols.cap_expiry import window
from protocols.cap_items import items_of
from protocols.cap_text import cut
from protocols.cn12379 import EVENT_LIST, sender_code
from protocols.cn_events import BY_CAMF, BY_SAME, UNKNOWN
from protocols.errors import LocalError, RemoteError
from protocols.quoting import quoted

MAX_CLOCK_ERROR = 3600  # seconds a sender's clock may be ahead of ours
MSG_TYPES = {
    MsgType.ALERT: sealed.MsgType.ALERT,
    MsgType.UPDATE: sealed.MsgType.UPDATE,
    MsgType.CANCEL: sealed.MsgType.CANCEL,
}
LEVELS = {
    Severity.EXTREME: Level.RED,
    Severity.SEVERE: Level.ORANGE,
    Severity.MODERATE: Level.YELLOW,
    Severity.MINOR: Level.BLUE,
}
SUGGESTIONS = frozenset({"Shelter", "Evacuate", "Prepare", "Execute", "AllClear"})


@dataclass(frozen=True, slots=True)
class Desk:
    """What a person at the platform decided, each of it instead of what the message says or lacks."""

    action: ActionCode = ActionCode.INFORM
    level: Level | None = None
    event: str = ""
    area: tuple[Item, ...] = ()
    first: Reference | None = None  # the first message of the event, where the message does not name it
    original: Alert | None = None  # the alert it updates or cancels: fills in what this message leaves out
    language: str = "zh"
    info: int | None = None  # which info, where several say different things


class Draft(NamedTuple):
    """To be looked at, then sealed with its text beside it."""

    alert: Alert
    text: str
    notes: tuple[Note, ...]  # of reading and of this


def to_alert(imported: Imported, issuer: int, seq: int, now: int, desk: Desk | None = None) -> Draft:
    """`now` in Unix seconds. RemoteError says what the message lacks or why it may not be passed on."""
    desk, notes = desk or Desk(), Notes()
    _refuse(imported, now)
    infos = _infos(imported, desk)
    info = infos[0] if infos else _from_original(desk)
    event = desk.event or _event(info, desk, notes)
    text = cut(spoken(info), sealed.MAX_TEXT_BYTES)
    if text != spoken(info):
        notes.add("text-cut", f"{len(spoken(info))} characters")
    cancels = imported.msg_type is MsgType.CANCEL
    onset, expires = window(info, imported.sent, event, notes, at_once=cancels, until=_until(desk))
    alert = Alert(
        issuer=issuer,
        seq=seq,
        status=imported.status,
        msg_type=MSG_TYPES[imported.msg_type],
        chain=chain(imported, desk.first, notes),
        event=event,
        level=desk.level or _level(info, desk, notes),
        action=ActionCode.ALL_CLEAR if cancels else _action(info, desk, notes),
        onset=onset,
        expires=expires,
        area=_area(infos, desk, notes),
        text_digest=digest_of(text),
    )
    if expires <= now:
        raise RemoteError("expired", f"{now - expires} s ago")
    return Draft(_fits(alert), text, (*imported.notes, *notes))


def chain(imported: Imported, first: Reference | None, notes: Notes) -> bytes:
    """The name of the event: sender and identifier of its first message. 12379 names that one; CAP lists all it
    supersedes, and the earliest of them is it.
    """
    if imported.msg_type is MsgType.ALERT:
        first = first or Reference(imported.sender, imported.identifier)
    elif first is None:
        first = _earliest(imported, notes)
    return chain_of(sender_code(first.identifier) or first.sender, first.identifier)


def spoken(info: Info) -> str:
    """Headline, description, instruction, none of them twice."""
    parts: list[str] = []
    for part in (info.headline, info.description, info.instruction):
        if part and not any(part in said for said in parts):
            parts.append(part)
    return "\n".join(parts)


def _refuse(imported: Imported, now: int) -> None:
    if imported.msg_type not in MSG_TYPES:
        raise RemoteError("not-a-warning", imported.msg_type.value)
    if imported.scope != "Public":
        raise RemoteError("not-public", imported.scope)
    if imported.sent > now + MAX_CLOCK_ERROR:
        raise RemoteError("sent-in-future", f"{imported.sent - now} s ahead")


def _earliest(imported: Imported, notes: Notes) -> Reference:
    if not imported.references:
        raise RemoteError("no-references", f"{imported.msg_type} names no message: say which it is about")
    early = min(imported.references, key=lambda reference: reference.sent or 0)
    same = [reference for reference in imported.references if reference.sent == early.sent]
    if len(same) > 1:
        notes.add("several-first", quoted(early.identifier))
    return early


def _infos(imported: Imported, desk: Desk) -> tuple[Info, ...]:
    """The infos to take together: one language, the desk's if it is there, else the first's."""
    if desk.info is not None:
        if not 0 <= desk.info < len(imported.infos):
            raise RemoteError("no-info", f"it has {len(imported.infos)}")
        return (imported.infos[desk.info],)
    wanted = [info for info in imported.infos if info.language.casefold().startswith(desk.language)]
    chosen = wanted or [info for info in imported.infos if info.language == imported.infos[0].language]
    if len({(info.event, info.event_codes, info.level, info.severity, info.expires) for info in chosen}) > 1:
        raise RemoteError("several-infos", f"{len(chosen)} infos say different things: choose one")
    return tuple(chosen)


def _from_original(desk: Desk) -> Info:
    """A cancel need not repeat what it cancels."""
    if desk.original is None:
        raise RemoteError("no-info", "say which alert it is about")
    return Info(language=desk.language)


def _event(info: Info, desk: Desk, notes: Notes) -> str:
    found = next((code for pair in info.event_codes if (code := _code(pair))), "")
    if not found and desk.original:
        return desk.original.event
    if not found:
        notes.add("event-unknown", quoted(info.event))
    return found or UNKNOWN


def _code(pair: Pair) -> str:
    """A national code is taken as it is, known or not; the other lists by their tables."""
    name, value = pair
    if name == EVENT_LIST:
        return value if EVENT.fullmatch(value) else ""
    if name == "CAMF A4":
        return BY_CAMF.get(int(value), "")
    return BY_SAME.get(value, "") if name == "SAME" else ""


def _level(info: Info, desk: Desk, notes: Notes) -> Level:
    """The national colour, else CAP's severity; unknown is the lowest, and a person may raise it."""
    if desk.original and not info.level and info.severity not in LEVELS:
        return desk.original.level
    if not info.level and info.severity not in LEVELS:
        notes.add("level-unknown")
    return info.level or LEVELS.get(info.severity, Level.BLUE)


def _action(info: Info, desk: Desk, notes: Notes) -> ActionCode:
    asked = [response for response in info.response_types if response in SUGGESTIONS]
    if asked and desk.action is ActionCode.INFORM:
        notes.add("action-suggested", ", ".join(asked))
    return desk.action


def _area(infos: tuple[Info, ...], desk: Desk, notes: Notes) -> tuple[Item, ...]:
    found = desk.area or items_of([area for info in infos for area in info.areas], notes)
    if found:
        return found
    if desk.original:
        return desk.original.area
    raise RemoteError("no-area", "nothing in it says where: name the area")


def _until(desk: Desk) -> int | None:
    """A cancel has to outlive what it cancels."""
    return desk.original.expires if desk.original else None


def _fits(alert: Alert) -> Alert:
    try:
        encode(alert)
    except LocalError as wrong:
        raise RemoteError("does-not-fit", f"{wrong.detail or wrong.reason} (at most {MAX_PAYLOAD} bytes)") from None
    return alert
