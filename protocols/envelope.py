"""Topics of the contract with the platform, and what MQTT 5 says beside a body. Plain data; nobody here opens a connection.

{root}/{station}/readings | events | digest | status        up
{root}/{station}/command/{verb}                             down
{root}/warnings/{area}/{issuer}-{seq}                       down
{root}/warnings/{area}/beacon/{issuer}                      down
{root}/warnings/all/keyset                                  down
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError
from protocols.key import STATION, Key

DEFAULT_ROOT = "fengsui/1"
UP = ("readings", "events", "digest", "status")
_LEVEL = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_AREA = re.compile(r"all|[0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12}", re.ASCII)
MAX_TOPIC = 256  # bytes; far below MQTT's 65,535, and more than the longest of ours

CONTENT_TYPES = {
    "json": "application/senml+json",  # RFC 8428 §12.3
    "cbor": "application/senml+cbor",
    "packed": "application/vnd.fengsui.packed",
    "event": "application/json",
}


class Topic(NamedTuple):
    """What a topic means. `name` is the last part: readings, events, a command's verb, or an alert's `issuer-seq`."""

    kind: str  # one of UP, "command", "warning", "beacon", "keyset"
    owner: str  # station id, or area of a warning
    name: str = ""


def is_root(text: str) -> bool:
    levels = text.split("/")
    return len(text) <= MAX_TOPIC and all(_LEVEL.fullmatch(level) for level in levels) and not text.startswith("$")


def is_station(text: str) -> bool:
    return STATION.fullmatch(text) is not None and text != "warnings"


def is_area(text: str) -> bool:
    return _AREA.fullmatch(text) is not None


def up(root: str, station: str, kind: str) -> str:
    """The topic on which a station speaks."""
    if kind not in UP or not is_station(station) or not is_root(root):
        raise LocalError("topic.part", f"{root} {station} {kind}")
    return f"{root}/{station}/{kind}"


def command(root: str, station: str, verb: str) -> str:
    if not is_station(station) or not _LEVEL.fullmatch(verb):
        raise LocalError("topic.part", f"{station} {verb}")
    return f"{root}/{station}/command/{verb}"


def warning(root: str, area: str, issuer: str, seq: int) -> str:
    if not is_area(area) or not _LEVEL.fullmatch(issuer) or seq < 0:
        raise LocalError("topic.part", f"{area} {issuer} {seq}")
    return f"{root}/warnings/{area}/{issuer}-{seq}"


def beacon(root: str, area: str, issuer: str) -> str:
    if not is_area(area) or not _LEVEL.fullmatch(issuer):
        raise LocalError("topic.part", f"{area} {issuer}")
    return f"{root}/warnings/{area}/beacon/{issuer}"


def keyset(root: str) -> str:
    """For everybody: whom to believe is one question."""
    return f"{root}/warnings/all/keyset"


def subscriptions(root: str, station: str, areas: Sequence[str]) -> list[str]:
    """What a station subscribes to on every CONNECT."""
    for area in areas:
        if not is_area(area):
            raise LocalError("topic.area", area)
    return [f"{root}/{station}/command/+", *(f"{root}/warnings/{area}/#" for area in areas)]


def parse(root: str, topic: str) -> Topic:
    """What a topic below `root` means; RemoteError for any other."""
    if len(topic) > MAX_TOPIC or not topic.startswith(f"{root}/"):
        raise RemoteError("topic.foreign", topic[:80])
    match topic[len(root) + 1 :].split("/"):
        case ["warnings", area, "beacon", issuer] if is_area(area) and _LEVEL.fullmatch(issuer):
            return Topic("beacon", area, issuer)
        case ["warnings", "all", "keyset"]:
            return Topic("keyset", "all")
        case ["warnings", area, name] if is_area(area) and _LEVEL.fullmatch(name):
            return Topic("warning", area, name)
        case [station, "command", verb] if is_station(station) and _LEVEL.fullmatch(verb):
            return Topic("command", station, verb)
        case [station, kind] if is_station(station) and kind in UP:
            return Topic(kind, station)
    raise RemoteError("topic.unknown", topic[:80])


class Properties(NamedTuple):
    """MQTT 5 publish properties that repeat what the body says, so that a rule can route without opening it."""

    content_type: str
    user: tuple[tuple[str, str], ...]


def properties(form: str, key: Key, floor: int, kind: str) -> Properties:
    user = (("id", key.text), ("floor", str(floor)), ("kind", kind))
    return Properties(CONTENT_TYPES[form], user)
