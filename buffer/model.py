"""The words of the buffer: lanes, blocks, options. A body is bytes, and nobody here looks inside."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

Report = Callable[[str, Mapping[str, Any]], None]
Merge = Callable[[Sequence[bytes]], Iterator[tuple[bytes, int] | None]]
"""Joins bodies of neighbouring blocks, in pieces of a few milliseconds: None after each, at last the body and how many of them,
from the first on, stand in it. Ends without one where not even two go together."""
Thin = Callable[[bytes], bytes | None]
"""Makes a body about half as long, keeping what matters most; None when nothing more can go."""


class Lane(IntEnum):
    """Most urgent first."""

    ALARM = 0
    EVENT = 1
    TELEMETRY = 2
    BULK = 3


class Block(NamedTuple):
    """Consecutive numbers first..last of one lane of one log, and their body."""

    log: str
    lane: Lane
    first: int
    last: int
    body: bytes
    keep: bool = False


class Pending(NamedTuple):
    """What one route still waits for in one lane of one log: the lowest number, and how many."""

    log: str
    lane: Lane
    first: int
    numbers: int


class LaneInfo(NamedTuple):
    """One lane of one log: numbers issued, and those that no route can have any more, as ranges by reason."""

    last: int
    bytes: int
    gone: Mapping[str, tuple[tuple[int, int], ...]]


class LogInfo(NamedTuple):
    """One start of the agent. A closed log never gets another number."""

    log: str
    closed: bool
    lanes: Mapping[Lane, LaneInfo]


class Appended(NamedTuple):
    """A number, and when it is on disk (the future's exception says why it never will be)."""

    number: int
    committed: Future[None]


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """A platform as the buffer knows it. History is not deleted before every `required` route has settled it, while
    space lasts. `lanes` it takes; a lane outside it is never pending on this route.
    """

    name: str
    required: bool = True
    lanes: tuple[Lane, ...] = tuple(Lane)


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes in bytes, times in seconds. The reasons for the defaults stand in docs/reliability.md."""

    max_bytes: int = 1 << 30  # of the database file, WAL apart
    alarm_quota: int = 16 << 20  # kept free for the alarm lane whatever telemetry does
    ballast: int = 4 << 20  # given back to the file system when it is full, so that a DELETE can still run
    commit_interval: float = 1.0
    settle_interval: float = 10.0
    merge_most: int = 60  # numbers in one block
    memory_bytes: int = 4 << 20  # newest bodies held in RAM while the disk refuses writes
    max_age: Mapping[Lane, float] | None = None  # settled history older than this may go early


@dataclass(frozen=True, slots=True)
class Stats:
    """The state of the buffer at one moment, for `status`. Sizes in bytes."""

    log: str
    used: int  # pages in use in the database file
    limit: int  # what `used` may reach now: max_bytes, or less on a full file system
    lane_bytes: Mapping[Lane, int]
    issued: Mapping[Lane, int]  # numbers of every log still known
    pending: Mapping[str, int]  # numbers by route
    settled: Mapping[str, int]
    gone: Mapping[str, int]  # shed and unreadable numbers, by reason
    waiting: int  # appended and not on disk
    waiting_bytes: int
    commits: int
    checkpoints: int
    merged: int  # blocks that went into another
    thinned: int
    write_errors: int
    degraded: bool
    salvaging: bool
    alive: float  # CLOCK_MONOTONIC of the worker's last turn: the watchdog's evidence of progress
    fault: str | None  # a bug that ended the worker: the process must not go on


class Shed(Exception):
    """The number will never be on disk: given up for newer ones while the disk refused. It is counted and published."""


class Locked(OSError):
    """Another agent owns this file. The message says which process."""
