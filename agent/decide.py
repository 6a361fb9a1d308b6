"""From a verified alert and what is remembered to what may be done: the rules of docs/platform/seal.md, and nothing else.

Pure: time, place and policy are arguments, and the answer is entries to write and orders to carry out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from agent.journal import Entry, Journal
from agent.policy import Channel, Now, Place, Policy
from protocols.alert import ActionCode, Level, Local, VerifiedAlert


class Change(Enum):
    """What became different for the actuators."""

    NONE = "none"
    START = "start"
    UPGRADE = "upgrade"
    REPLACE = "replace"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Order:
    """One alert in force, and what may be done about it. `seconds` and `siren_seconds` are what is left of each."""

    identity: bytes
    origin: str  # "remote" | "exercise" | "local"
    event: str
    level: Level
    action: ActionCode
    text: str  # raw: show protocols.alert.displayable(text)
    who: tuple[str, ...]  # holders who say so; the rule's name for a local alarm
    exercise: bool
    channels: Channel
    withheld: Mapping[str, str]  # channel name -> reason code
    seconds: float
    siren_seconds: float
    onset: int | None
    expires: int


@dataclass(frozen=True, slots=True)
class Decision:
    """`orders` is everything that may act from now on, most important first: for each channel the first order that
    has it is carried out. `entries` are to be written before (100 ms at most, then act all the same).
    """

    outcome: str
    change: Change
    entries: tuple[Entry, ...]
    orders: tuple[Order, ...]
    identity: bytes = b""
    facts: Mapping[str, Any] = field(default_factory=dict)


def decide(journal: Journal, alert: VerifiedAlert | Local, now: Now, place: Place, policy: Policy) -> Decision:
    raise NotImplementedError


def due(journal: Journal, now: Now) -> Decision:
    """What time has changed: alerts that began or ended. Call at `next_change` and after the clock stepped."""
    raise NotImplementedError


def resume(journal: Journal, now: Now) -> Decision:
    """After a start of the agent: what was in force, with what was left of it."""
    raise NotImplementedError


def next_change(journal: Journal, now: Now) -> float | None:
    """When (monotonic) `due` has something to say, unless a message comes first."""
    raise NotImplementedError
