"""An alert in CAP's words, and what may be believed of it. Knows no bytes, keys, files or clocks: those come from
`alert_cbor`, `seal` and the caller.

The names are CAP 1.2's (OASIS, 2010) where CAP has one; `Level` is China's colour, which and not CAP's severity is what
people act on (突发事件应对法: 一级 to 四级 are red, orange, yellow, blue).
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from enum import IntEnum, IntFlag
from typing import Final, NamedTuple

from protocols.area import Item

CHAIN_BYTES = 8
DIGEST_BYTES = 16
MAX_TEXT_BYTES = 4096  # of UTF-8; a minute of speech is about 800
MAX_SHOWN = 1024  # characters shown or spoken: more than any panel shows before it expires


class Status(IntEnum):
    ACTUAL = 0
    EXERCISE = 1
    SYSTEM = 2
    TEST = 3
    DRAFT = 4


class MsgType(IntEnum):
    ALERT = 0
    UPDATE = 1
    CANCEL = 2


class Level(IntEnum):
    """1 is the highest."""

    RED = 1
    ORANGE = 2
    YELLOW = 3
    BLUE = 4


class ActionCode(IntEnum):
    """What people are asked to do; the larger, the more urgent, all-clear apart."""

    INFORM = 0
    PREPARE = 1
    SHELTER = 2
    EVACUATE = 3
    ALL_CLEAR = 4


class Permission(IntFlag):
    """What a key may do, as it travels in a key-set."""

    NONE = 0
    DISPLAY = 1
    VOICE = 2
    SIREN = 4
    EXERCISE = 8
    CANCEL = 16


class ClockReading(NamedTuple):
    """Unix seconds. `best` is the clock's own idea; `floor` is a time that has certainly passed; only a `trusted` clock's
    `best` is evidence.
    """

    best: int
    floor: int
    trusted: bool

    @property
    def certain(self) -> int:
        """The latest time known to have passed."""
        return max(self.best, self.floor) if self.trusted else self.floor


@dataclass(frozen=True, slots=True)
class Alert:
    """The signed words. `onset` and `expires` are Unix seconds; `chain` names the first message of the event."""

    issuer: int
    seq: int
    status: Status
    msg_type: MsgType
    chain: bytes
    event: str
    level: Level
    action: ActionCode
    onset: int | None
    expires: int
    area: tuple[Item, ...]
    text_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one holder's verified signature is worth: what it may do, where (codes; 0 is everywhere), up to which level."""

    holder: str
    permissions: Permission
    areas: tuple[int, ...]
    level: Level


_PROOF: Final = object()  # protocols.seal holds the only other reference


@dataclass(frozen=True, slots=True)
class VerifiedAlert:
    """An alert whose seal was checked. Only `protocols.seal.verify` can make one.

    `own` says that the issuer itself is among the signers; `text` is as signed (show `displayable(text)`), or empty,
    and then `text_refused` says why the text that came along was dropped.
    """

    alert: Alert
    identity: bytes
    grants: tuple[Grant, ...]
    own: bool
    text: str
    text_refused: str
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        if proof is not _PROOF:
            raise TypeError("a VerifiedAlert is made by protocols.seal.verify and nowhere else")

    @property
    def holders(self) -> tuple[str, ...]:
        return tuple(sorted({grant.holder for grant in self.grants}))


@dataclass(frozen=True, slots=True)
class Local:
    """An alarm of this station itself. Its authority is the configuration's, and it never leaves as a warning.

    `evidence` is the series that agree, with their values; `alone` that the rule may sound the siren on one of them;
    `lan` are those series among them that came over a network; `plan` the plan to play, where the rule names one; `origin` "local" (a rule on its own sensors), or a person on the
    spot: "manual" (a held button) or "exercise" (the bench's drill).
    """

    rule: str
    evidence: tuple[tuple[str, float], ...]
    event: str
    level: Level
    action: ActionCode
    text: str
    seconds: int  # how long it stands unless renewed
    alone: bool = False
    plan: str = ""
    origin: str = "local"
    lan: frozenset[str] = frozenset()

    @property
    def identity(self) -> bytes:
        return hashlib.sha256(f"{self.origin}\0{self.rule}".encode()).digest()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why these bytes are not a warning: a stable code, what was seen, and where."""

    reason: str
    detail: str = ""
    offset: int | None = None


def chain_of(sender: str, first_identifier: str) -> bytes:
    """The event's name: every message of it, by whichever importer, says the same eight bytes."""
    return hashlib.sha256(f"{sender}\0{first_identifier}".encode()).digest()[:CHAIN_BYTES]


def digest_of(text: str) -> bytes:
    """What an alert says of its text: nothing for no text."""
    return hashlib.sha256(text.encode()).digest()[:DIGEST_BYTES] if text else b""


def next_seq(last: int, unix: int) -> int:
    """An issuer's numbers grow even where its clock steps back."""
    return max(last + 1, unix)


# Other (control, format, surrogate, private, unassigned) and the separators that break a line or hide one: none of
# them is a character for a panel or a loudspeaker, and format characters can turn a sentence round (CVE-2021-42574).
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def displayable(text: str, most: int = MAX_SHOWN) -> str:
    """The text as it may be shown and spoken: one line, no control or bidi characters, bounded."""
    shown = "".join(" " if unicodedata.category(c) in _HIDDEN - {"Cf"} else c for c in text if _visible(c))
    return " ".join(shown.split())[:most]


def _visible(character: str) -> bool:
    return unicodedata.category(character) != "Cf"


def distinct_holders(grants: Sequence[Grant]) -> frozenset[str]:
    return frozenset(grant.holder for grant in grants)
