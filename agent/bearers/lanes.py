"""What waits to be carried, summed up for the scheduler, and the rules by which it goes. Plain values.

Alarms and events are named one by one, the most urgent few; everything else is only counted, so that a decision costs the
same with a million records waiting. Times are seconds of one clock that never steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

MOST_ALARMS, MOST_EVENTS = 16, 8  # that one decision looks at: more than all slots of the next minutes can carry


class Load(IntEnum):
    """What a datagram carries, most urgent first."""

    ALARM = 0
    EVENT = 1
    DIGEST = 2
    DETAIL = 3
    TELEMETRY = 4
    BULK = 5
    PROOF = 6  # the cheapest round trip there is, for the sake of its answer


@dataclass(frozen=True, slots=True)
class Tried:
    """How often a message was begun on one bearer, and when last."""

    count: int
    at: float


@dataclass(frozen=True, slots=True)
class Message:
    """An alarm or an event without its acknowledgement. `top`: of the level that goes by two bearers at once."""

    key: str
    load: Load
    size: int  # bytes of its body, frames not counted
    since: float
    top: bool = False
    tries: Mapping[str, Tried] = field(default_factory=dict)  # by bearer
    barred: frozenset[str] = frozenset()  # bearers that cannot carry it as it is

    def tried(self, bearer: str, now: float) -> "Message":
        before = self.tries.get(bearer)
        return replace(self, tries={**self.tries, bearer: Tried(before.count + 1 if before else 1, now)})

    def untried(self, bearer: str) -> "Message":
        """It was declined: that was no try, and the next may be as soon as the bearer is ready."""
        before = self.tries[bearer]
        rest = {name: its for name, its in self.tries.items() if name != bearer}
        return replace(self, tries=rest | ({bearer: Tried(before.count - 1, before.at)} if before.count > 1 else {}))

    def bar(self, bearer: str) -> "Message":
        return replace(self, barred=self.barred | {bearer})


@dataclass(frozen=True, slots=True)
class Waiting:
    """Records that nobody looks at one by one. `oldest`: since when the first of them waits."""

    records: int = 0
    oldest: float = 0.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """`messages`: alarms and events, some hundreds at most. `digest`: there are series to tell of; `detail`: what packed detail could carry."""

    messages: tuple[Message, ...] = ()
    digest: bool = False
    detail: Waiting = Waiting()
    telemetry: Waiting = Waiting()
    bulk: Waiting = Waiting()


@dataclass(frozen=True, slots=True)
class Policy:
    """Times in seconds. The reasons for the defaults stand in docs/platform/digest.md, "When what goes"."""

    patience: float = 20.0  # an alarm without its acknowledgement waits so long before one more bearer carries it
    alarm_deadline: float = 120.0
    event_deadline: float = 3600.0
    telemetry_lifetime: float = 3600.0  # so old, telemetry may go by a wide bearer that costs money
    digest_every: float = 0.0  # 0: each slot of a bearer that costs nothing
    paid_digest_every: float = 900.0  # where a digest costs money
    detail_after: float = 600.0  # without a wide bearer, before detail goes by a narrow one
    detail_mtu: int = 200  # bytes: below this a digest says more than detail
    cheap: float = 0.0  # money for a kilobyte up to which a wide bearer carries everything
