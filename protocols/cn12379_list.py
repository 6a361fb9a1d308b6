"""12379's public list, and the same items with other keys as interfaces pass them on → `cap.Imported`. Pure.

An item has neither event code nor area code, a cancel names no message, and times are China's without saying so. So it
can be read, and shown, and linked by a person; nothing in it says where a siren should sound.
"""

import json
from collections.abc import Iterable
from typing import Any

from protocols.alert import Level, Status
from protocols.cap import Area, Family, Imported, Info, MsgType, Notes, Pair
from protocols.cap_rules import name
from protocols.cap_text import clean
from protocols.cap_time import CHINA, maybe_unix, unix
from protocols.cn_events import BY_NAME, LEVELS, level_of_headline
from protocols.errors import RemoteError
from protocols.quoting import quoted
from protocols.xml_guard import MAX_BYTES

MAX_ITEMS = 2_000  # a stormy day in all China has some 800


def read_list(data: bytes) -> tuple[Imported, ...]:
    """`{"alertData": [...]}`, a bare list, or one item."""
    if len(data) > MAX_BYTES:
        raise RemoteError("too-large", f"{len(data)} bytes, at most {MAX_BYTES}")
    items = _items(_json(data))
    if len(items) > MAX_ITEMS:
        raise RemoteError("too-many-elements", f"{len(items)} items, at most {MAX_ITEMS}")
    return tuple(_item(_Item(item)) for item in items)


def likely_original(cancel: Imported, candidates: Iterable[Imported]) -> Imported | None:
    """The latest earlier alert of the same sender, event and colour: all that links the two in the public list. For a
    person to confirm, never for a program to act on.
    """
    earlier = [one for one in candidates if one.msg_type is not MsgType.CANCEL and one.sent < cancel.sent]
    same = [one for one in earlier if _subject(one) == _subject(cancel)]
    return max(same, key=lambda one: one.sent, default=None)


def _subject(item: Imported) -> tuple[str, str, Level | None]:
    return item.sender, item.infos[0].event, item.infos[0].level


def _json(data: bytes) -> Any:
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError) as wrong:
        raise RemoteError("bad-json", quoted(str(wrong))) from None


def _items(document: Any) -> list[Any]:
    if isinstance(document, dict):
        document = document.get("alertData", [document])
    if not isinstance(document, list) or not all(isinstance(item, dict) for item in document):
        raise RemoteError("bad-json", "neither an item nor a list of items")
    return document


class _Item:
    """One item by either set of keys; a value that is not text counts as absent."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values, self.notes = values, Notes()

    def text(self, *keys: str) -> str:
        said = (self.values.get(key) for key in keys)
        return next((cleaned for text in said if isinstance(text, str) and (cleaned := clean(text, self.notes))), "")

    def need(self, *keys: str) -> str:
        if text := self.text(*keys):
            return text
        raise RemoteError("missing-element", keys[0])


def _item(item: _Item) -> Imported:
    identifier = name(item.need("identifier"), "identifier")
    sent = unix(item.need("sendTime", "public_time"), item.notes, separator=" ", zone=CHINA)
    info = _info(item)
    return Imported(
        family=Family.CN12379_LIST,
        identifier=identifier,
        sender=identifier.partition("_")[0],
        sent=sent,
        status=Status.ACTUAL,  # the list carries no other
        msg_type=_msg_type(item.text("msg_type"), info.headline),
        source=item.text("sender") or info.headline.partition("发布")[0].partition("解除")[0],
        infos=(info,),
        notes=tuple(item.notes),
    )


def _info(item: _Item) -> Info:
    headline = item.text("headline", "title")
    title, *_ = headline.split("/")  # the list appends "/III/较重"
    event = item.text("event_type") or _event(title)
    code = BY_NAME.get(event, "")
    return Info(
        language="zh-CN",
        event=event or "突发事件",
        event_codes=(Pair("GB/T 35965.1", code),) if code else (),
        level=LEVELS.get(item.text("level")) or level_of_headline(headline),
        effective=maybe_unix(item.text("effective"), item.notes, separator=" ", zone=CHINA),
        headline=title,
        description=item.text("description", "text"),
        web=item.text("source"),
        areas=_places(item.values.get("location")),
    )


def _event(title: str) -> str:
    """`…发布道路结冰黄色预警`: the longest known name in what follows the verb."""
    said = title.replace("解除", "发布").partition("发布")[2]
    return max((known for known in BY_NAME if known in said), key=len, default="")


def _msg_type(word: str, headline: str) -> MsgType:
    if word in {"Cancel", "Cancle"} or (not word and "解除" in headline):
        return MsgType.CANCEL
    return MsgType.UPDATE if word == "Update" else MsgType.ALERT


def _places(location: Any) -> tuple[Area, ...]:
    """Names of places: for people to read, no area to act on."""
    places = location[:MAX_ITEMS] if isinstance(location, list) else []
    notes = Notes()
    return tuple(
        Area(description=clean("".join(str(part) for part in place.values() if isinstance(part, str)), notes))
        for place in places
        if isinstance(place, dict)
    )
