"""A warning as it was read from another system's message, in CAP 1.2's words (OASIS, 2010). Knows no format: the readers
(`cap_xml`, `cn12379`, `ebm`, `camf`) make it, `cap_alert` turns it into what can be sealed.

Nothing here is believed: an imported message is what somebody wrote, and its XML signature says nothing (see
docs/platform/imports.md). What had to be interpreted on the way is told in `notes`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeVar

from protocols.alert import Level, Status
from protocols.errors import RemoteError
from protocols.quoting import quoted

Word = TypeVar("Word", bound=StrEnum)


class Family(StrEnum):
    CAP_1_1 = "cap-1.1"
    CAP_1_2 = "cap-1.2"
    CN12379 = "12379"
    CN12379_LIST = "12379-list"  # an item of the public list: no codes, no area
    EBM = "ebm"
    CAMF = "camf"


class MsgType(StrEnum):
    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"
    ACK = "Ack"
    ERROR = "Error"


class Urgency(StrEnum):
    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"
    PAST = "Past"
    UNKNOWN = "Unknown"


class Severity(StrEnum):
    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"


class Certainty(StrEnum):
    OBSERVED = "Observed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"
    UNLIKELY = "Unlikely"
    UNKNOWN = "Unknown"


class Note(NamedTuple):
    """Something was taken otherwise than written: a stable code, what the first case was, how often."""

    code: str
    detail: str = ""
    times: int = 1


class Pair(NamedTuple):
    """CAP's valueName and value; the name says which list the value is from."""

    name: str
    value: str


class Reference(NamedTuple):
    sender: str
    identifier: str
    sent: int | None = None


class Point(NamedTuple):
    """Degrees, WGS 84."""

    lat: float
    lon: float


class Circle(NamedTuple):
    """Metres here whatever the message counts in: CAP writes kilometres, 12379 metres."""

    lat: float
    lon: float
    radius_m: float


class Method(NamedTuple):
    """12379's code/method: by which means the text is to be spread, and to whom."""

    name: str
    message: str
    groups: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """The union of everything in it. Polygons do not repeat their first point; `lines` are 12379's open ones."""

    description: str = ""
    polygons: tuple[tuple[Point, ...], ...] = ()
    lines: tuple[tuple[Point, ...], ...] = ()
    circles: tuple[Circle, ...] = ()
    geocodes: tuple[Pair, ...] = ()
    altitude: float | None = None  # feet above mean sea level, as CAP counts
    ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    description: str
    mime_type: str = ""
    size: str = ""  # as written: bytes in CAP, "84k" in 12379
    uri: str = ""
    content: str = ""  # base64, as it came
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Info:
    """`level` is the national colour, where the message says one. Times are Unix seconds."""

    language: str = "en-US"
    categories: tuple[str, ...] = ()
    event: str = ""
    event_codes: tuple[Pair, ...] = ()
    response_types: tuple[str, ...] = ()
    urgency: Urgency = Urgency.UNKNOWN
    severity: Severity = Severity.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    level: Level | None = None
    audience: str = ""
    effective: int | None = None
    onset: int | None = None
    expires: int | None = None
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    parameters: tuple[Pair, ...] = ()
    resources: tuple[Resource, ...] = ()
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """`sender` is the sender's unique name; for 12379 that is its 14-digit code, and the readable one is `source`."""

    family: Family
    identifier: str
    sender: str
    sent: int
    status: Status
    msg_type: MsgType
    scope: str = "Public"
    source: str = ""
    restriction: str = ""
    addresses: str = ""
    codes: tuple[str, ...] = ()
    methods: tuple[Method, ...] = ()
    note: str = ""
    references: tuple[Reference, ...] = ()
    incidents: str = ""
    infos: tuple[Info, ...] = ()
    notes: tuple[Note, ...] = ()


class Notes:
    """What was noticed while reading: one entry a code however often, so no message can fill the memory with them."""

    def __init__(self) -> None:
        self._noted: dict[str, Note] = {}

    def add(self, code: str, detail: str = "") -> None:
        known = self._noted.get(code, Note(code, detail, 0))
        self._noted[code] = known._replace(times=known.times + 1)

    def __iter__(self) -> Iterator[Note]:
        return iter(self._noted.values())


def word(words: type[Word], text: str, field: str) -> Word:
    """The word of a closed list. Case matters: a writer that gets it wrong gets more wrong."""
    try:
        return words(text)
    except ValueError:
        raise RemoteError("unknown-word", f"{field}: {quoted(text)}") from None


def status_of(text: str) -> Status:
    """CAP's and 12379's status, or a refusal: whether this is the real thing is never guessed."""
    known = {status.name.capitalize(): status for status in Status}
    if text not in known:
        raise RemoteError("unknown-word", f"status: {quoted(text)}")
    return known[text]
