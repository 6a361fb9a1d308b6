"""What the journal of the warning path is made of, entry by entry, as it is written. Pure: what they come to is `agent.alerts.journal`'s.

Tags and the order of fields are the file's: a new field goes to the end, with a default.
"""

import msgspec

from protocols.alert import ActionCode, Level, Permission, Status
from protocols.codes import family


class Boot(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """The machine started: marks as they stand now are the marks as at boot."""

    boot: str


class Mark(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """The highest number that this issuer itself has signed."""

    issuer: int
    seq: int


class Forgot(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Identities of this issuer up to this number were dropped before their time: refuse all of them."""

    issuer: int
    seq: int


class Seen(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A payload that was acted on, and by whom it was signed so far; a second entry adds signers."""

    identity: bytes
    issuer: int
    seq: int
    chain: bytes
    until: int
    own: bool
    grants: tuple[tuple[str, int], ...]  # holder, permissions that hold here
    status: Status = Status.ACTUAL  # drills and real words of one event never outdate each other

    def permissions(self) -> dict[str, Permission]:
        return {holder: Permission(bits) for holder, bits in self.grants}


class Tombstone(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Whatever this issuer said in this chain up to this number is cancelled; a later alert is not, and a drill's cancel
    reaches drills only.
    """

    chain: bytes
    issuer: int
    seq: int
    until: int
    status: Status = Status.ACTUAL


class Active(msgspec.Struct, frozen=True, array_like=True, tag=5):
    """An alert in force here: the intention, written before anything sounds. A second entry replaces the first.

    `starts` and `until` are monotonic seconds of `boot`; `siren` is the budget in seconds, `spent` how much of it and
    of the whole is used up (see `Spent`). `channels` and `withheld` are what `agent.alerts.policy` allowed.
    """

    identity: bytes
    origin: str
    issuer: int
    seq: int
    chain: bytes
    status: Status
    event: str
    level: Level
    action: ActionCode
    onset: int | None
    expires: int
    text: str
    who: tuple[str, ...]
    channels: int
    withheld: dict[str, str]
    boot: str
    starts: float
    until: float
    siren: float
    begun: bool = True
    siren_spent: float = 0.0
    spent: float = 0.0
    plan: str = ""  # the plan to play, where a local rule names one
    area: tuple[int, ...] = ()  # codes of the alert that take in this place
    said: dict[str, int] = {}  # how often each voice has begun to say it (see `Said`)

    @property
    def sounds(self) -> bool:
        return bool(self.channels & Permission.SIREN)

    def more_urgent_than(self, other: "Active") -> bool:
        """Worth a siren of its own where the other has sounded already."""
        if ActionCode.ALL_CLEAR in {self.action, other.action}:
            return self.action is not ActionCode.ALL_CLEAR
        return self.level < other.level or self.action > other.action

    def same_event(self, other: "Active") -> bool:
        """Of one chain; or the station's own alarm and a platform's warning of one kind of event."""
        if self.chain == other.chain or self.status is not other.status:
            return self.chain == other.chain
        return "local" in {self.origin, other.origin} and family(self.event) == family(other.event)


class Ended(msgspec.Struct, frozen=True, array_like=True, tag=6):
    identity: bytes


class Spent(msgspec.Struct, frozen=True, array_like=True, tag=7):
    """Seconds of the siren's budget, and of the whole, that are used up. Written *before* the slice it pays for
    (`SIREN_SLICE`), so that a restart may cut a sounding short by one slice and never adds to it.
    """

    identity: bytes
    siren: float
    total: float


class SirenStart(msgspec.Struct, frozen=True, array_like=True, tag=8):
    origin: str
    at: int


class Passed(msgspec.Struct, frozen=True, array_like=True, tag=9):
    """A time that has certainly passed: what was to be kept until then is forgotten."""

    unix: int


class Said(msgspec.Struct, frozen=True, array_like=True, tag=10):
    """A voice begins to say it once more. Written before it does, so that a restart repeats less, never more."""

    identity: bytes
    voice: str


Entry = Boot | Mark | Forgot | Seen | Tombstone | Active | Ended | Spent | SirenStart | Passed | Said

SIREN_SLICE = 5.0  # seconds of sounding that one `Spent` pays for
