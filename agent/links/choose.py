"""What to send next on one connection. Pure: streams in, one of them out, or when to look again.

A **stream** is numbers of one lane of one log that go out in order: *live* is what came after the connection was made,
*newest* the last number before it, *backlog* everything else. Lanes go most urgent first; within a lane live goes before
newest before backlog, and older logs before newer ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from buffer.model import Block, Lane, Pending

LAST_NUMBER = (1 << 63) - 1  # a closed log is read to its end, wherever that is


class Kind(IntEnum):
    """In the order in which a lane's streams are sent."""

    LIVE = 0
    NEWEST = 1
    BACKLOG = 2

    @property
    def word(self) -> str:
        """As the message says of itself: what is newest is still late."""
        return "live" if self is Kind.LIVE else "backlog"


@dataclass(slots=True, eq=False)
class Stream:
    """Everything up to `after` has been read for sending on this connection; `until` is the last number that may be.

    `ready` is the loop time before which nothing of it is sent (linger, or back-off after a refusal).
    """

    kind: Kind
    lane: Lane
    log: str
    age: int  # 0 is the oldest log that has something pending
    after: int
    until: int
    ready: float = 0.0
    ahead: list[Block] = field(default_factory=list)  # read, and next to be sent

    @property
    def waiting(self) -> bool:
        return bool(self.ahead) or self.after < self.until

    @property
    def begins(self) -> int:
        """The first number that it has not sent."""
        return self.ahead[0].first if self.ahead else self.after + 1

    def coming_to(self, number: int) -> bool:
        """Will it read this number, or has it read and not yet sent it?"""
        read = any(block.first <= number <= block.last for block in self.ahead)
        return read or self.after < number <= self.until

    @property
    def rank(self) -> tuple[int, int, int]:
        return self.lane, self.kind, self.age


def streams(backlog: Sequence[Pending], log: str, nexts: dict[Lane, int]) -> list[Stream]:
    """At connect: `log` is the current one and `nexts` the next number of each lane this connection takes (S)."""
    found = [Stream(Kind.LIVE, lane, log, 0, first - 1, first - 1) for lane, first in nexts.items()]
    for age, pending in enumerate(backlog):
        if pending.lane not in nexts:
            continue
        mine = pending.log == log
        until = nexts[pending.lane] - 1 if mine else LAST_NUMBER
        if mine and pending.lane is Lane.TELEMETRY and until > pending.first:
            found.append(Stream(Kind.NEWEST, pending.lane, log, age, until - 1, until))
        found.append(Stream(Kind.BACKLOG, pending.lane, pending.log, age, pending.first - 1, until))
    return sorted(found, key=lambda stream: stream.rank)


def choose(among: Iterable[Stream], now: float) -> Stream | None:
    """The first in rank that has something and may go."""
    ready = (stream for stream in among if stream.waiting and stream.ready <= now)
    return min(ready, key=lambda stream: stream.rank, default=None)


def look_again(among: Iterable[Stream], now: float) -> float | None:
    """When the next stream that waits for its time may go; None when none does."""
    return min((stream.ready for stream in among if stream.waiting and stream.ready > now), default=None)


def joined(blocks: Sequence[Block], size: int, *, one_by_one: bool) -> int:
    """How many blocks from the first go into one message of about `size` body bytes: neighbours without a gap."""
    count, total = 1, len(blocks[0].body)
    while count < len(blocks) and not one_by_one:
        total += len(blocks[count].body)
        if total > size or blocks[count - 1].last + 1 != blocks[count].first:
            break
        count += 1
    return count
