"""What is in force, in order of importance, and what time does to it. Pure.

The alerting loop carries out, for each channel, the first order that has it; when a higher one ends, the next resumes
with what is left of its own time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from agent.alerts.journal import Journal
from agent.alerts.journal_entries import Active, Boot, Ended, Entry, SirenStart
from agent.alerts.policy import Channel, Now
from protocols.alert import ActionCode, ClockReading, Level, Status


class Change(StrEnum):
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
    origin: str  # "remote" | "exercise" | "local" | "manual"
    event: str
    level: Level
    action: ActionCode
    text: str  # as signed: show protocols.alert.displayable(text)
    who: tuple[str, ...]  # holders who say so; the rule's name for a local alarm
    exercise: bool
    channels: Channel
    withheld: Mapping[str, str]  # channel name -> reason code
    seconds: float
    siren_seconds: float
    siren_spent: float
    spent: float
    onset: int | None
    expires: int
    plan: str = ""
    area: tuple[int, ...] = ()  # codes that take in this place; none for a shape, or the station's own alarm
    said: Mapping[str, int] = field(default_factory=dict)  # how often each voice has begun to say it


@dataclass(frozen=True, slots=True)
class Decision:
    """`orders` is everything that may act from now on, most important first. `entries` are to be written before it is
    done (within 100 ms, then it is done all the same).
    """

    outcome: str
    change: Change
    entries: tuple[Entry, ...]
    orders: tuple[Order, ...]
    identity: bytes = b""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Span(NamedTuple):
    """Monotonic seconds."""

    starts: float
    until: float


def moment(clock: ClockReading, seq: int, expires: int) -> int:
    """What time it is for this alert. While the clock is not trusted: later than the floor, and, since an issuer's
    number is at least the Unix second it was made in, not before that.
    """
    if clock.trusted:
        return clock.best
    return max(clock.floor, seq if seq < expires else 0)


def span(now: Now, seq: int, onset: int | None, expires: int, longest: float) -> Span:
    """When an alert begins and ends. An onset at or after its end says nothing (seen in the field): it begins now."""
    today = moment(now.clock, seq, expires)
    begins = onset if onset is not None and today < onset < expires else today
    starts = now.monotonic + (begins - today)  # in this order: a sum with Unix seconds in it would round past now
    return Span(starts, starts + min(float(expires - begins), longest))


def rank(active: Active) -> tuple[bool, bool, int, int, float, int]:
    """The smaller, the more important: what is real, what warns, the higher level, the more urgent action, the newer."""
    clear = active.action is ActionCode.ALL_CLEAR
    return (
        active.status is not Status.ACTUAL,
        clear,
        int(active.level),
        -int(active.action),
        -active.starts,
        -active.seq,
    )


def in_force(journal: Journal, now: Now) -> list[Active]:
    return sorted((a for a in journal.active.values() if a.begun and not _over(a, now)), key=rank)


def orders(journal: Journal, now: Now) -> tuple[Order, ...]:
    return tuple(_order(active, now) for active in in_force(journal, now))


def conclude(
    journal: Journal,
    now: Now,
    outcome: str,
    change: Change,
    entries: Iterable[Entry] = (),
    *,
    identity: bytes = b"",
    **facts: Any,
) -> Decision:
    """A decision with its consequences: the orders as they stand once the entries are in the journal."""
    written = tuple(entries)
    return Decision(outcome, change, written, orders(journal.fold(written), now), identity, facts)


def due(journal: Journal, now: Now) -> Decision:
    """What time has changed: alerts that began or ended, and sirens that only waited for a trusted clock. Call it at
    `next_change` and whenever the clock became trusted.
    """
    live = [a for a in journal.active.values() if not _over(a, now)]
    begun = [_begun(a) for a in live if not a.begun and _onset_passed(a, now)]
    trusted = [_with_siren(a) for a in live if now.clock.trusted and _waits_for_clock(a)]
    replaced = {old.identity for new in begun for old in outdated(journal, new)}
    over = [a.identity for a in journal.active.values() if _over(a, now)]
    entries: list[Entry] = [Ended(identity) for identity in dict.fromkeys((*over, *replaced))]
    for active in (*trusted, *begun):
        entries += [] if active.identity in replaced else [active]
    entries += [SirenStart(a.origin, now.clock.best) for a in trusted]
    whose = _whose([a.identity for a in begun] or [a.identity for a in trusted] or over)
    if begun:
        return conclude(journal, now, "begun", Change.START, entries, **whose)
    if trusted:
        return conclude(journal, now, "upgraded", Change.UPGRADE, entries, **whose)
    outcome, change = ("ended", Change.STOP) if over else ("unchanged", Change.NONE)
    return conclude(journal, now, outcome, change, entries, **whose)


def _whose(changed: Sequence[bytes]) -> dict[str, Any]:
    """What time changed is one alert's as a rule; of several, all are named."""
    if len(changed) == 1:
        return {"identity": changed[0]}
    return {"alerts": [identity.hex() for identity in changed]} if changed else {}


def resume(journal: Journal, now: Now, longest: float) -> Decision:
    """After a start of the agent: what was in force goes on with what was left of it. After a start of the machine the
    monotonic clock says nothing about the time without power, so the time used up (`Spent`) does, and the clock if trusted.
    """
    if journal.boot == now.boot:
        return due(journal, now)
    entries: list[Entry] = [Boot(now.boot)]
    entries += [_rebased(active, now, longest) for active in journal.active.values()]
    after = due(journal.fold(entries), now)
    return Decision("resumed", after.change, (*entries, *after.entries), after.orders)


def end(journal: Journal, identity: bytes, now: Now) -> Decision:
    """A local alarm's condition is over, or a person on the spot ended it."""
    if identity not in journal.active:
        return conclude(journal, now, "unchanged", Change.NONE, identity=identity)
    return conclude(journal, now, "ended", Change.STOP, [Ended(identity)], identity=identity)


def next_change(journal: Journal, now: Now) -> float | None:
    """When (monotonic seconds) `due` has something to say, unless a message comes first."""
    return min((_next(active, now) for active in journal.active.values()), default=None)


def outdated(journal: Journal, new: Active) -> list[Active]:
    """What the same issuer said before in the same chain: an alert that begins takes its place."""
    older = [a for a in journal.active.values() if (a.chain, a.issuer) == (new.chain, new.issuer) and a.seq < new.seq]
    return [a for a in older if a.status is new.status]


def _over(active: Active, now: Now) -> bool:
    return now.monotonic >= active.until or now.clock.certain >= active.expires


def _onset_passed(active: Active, now: Now) -> bool:
    return now.monotonic >= active.starts or (active.onset is not None and now.clock.certain >= active.onset)


def _next(active: Active, now: Now) -> float:
    to_expiry = active.expires - now.clock.best if now.clock.trusted else active.until - now.monotonic
    end_ = min(active.until, now.monotonic + max(0.0, to_expiry))
    if active.begun:
        return end_
    to_onset = (active.onset or 0) - now.clock.best if now.clock.trusted else active.starts - now.monotonic
    return min(end_, active.starts, now.monotonic + max(0.0, to_onset))


def _begun(active: Active) -> Active:
    return msgspec.structs.replace(active, begun=True)


def _waits_for_clock(active: Active) -> bool:
    return active.withheld.get("siren") == "clock-untrusted"


def _with_siren(active: Active) -> Active:
    withheld = {channel: reason for channel, reason in active.withheld.items() if channel != "siren"}
    return msgspec.structs.replace(active, channels=active.channels | Channel.SIREN, withheld=withheld)


def _rebased(active: Active, now: Now, longest: float) -> Active:
    left = max(0.0, active.until - active.starts - active.spent)
    starts, until = span(now, active.seq, None if active.begun else active.onset, active.expires, min(left, longest))
    return msgspec.structs.replace(active, boot=now.boot, starts=starts, until=until, spent=0.0)


def _order(active: Active, now: Now) -> Order:
    left = min(active.until - now.monotonic, float(active.expires - now.clock.certain))
    siren = max(0.0, min(active.siren - active.siren_spent, left)) if Channel.SIREN in Channel(active.channels) else 0.0
    return Order(
        identity=active.identity,
        origin=active.origin,
        event=active.event,
        level=active.level,
        action=active.action,
        text=active.text,
        who=active.who,
        exercise=active.status is Status.EXERCISE,
        channels=Channel(active.channels),
        withheld=active.withheld,
        seconds=left,
        siren_seconds=siren,
        siren_spent=active.siren_spent,
        spent=active.spent,
        onset=active.onset,
        expires=active.expires,
        plan=active.plan,
        area=active.area,
        said=active.said,
    )


def first(chosen: Sequence[Order], channel: Channel) -> Order | None:
    """Whose turn it is on a channel. A siren whose time is used up makes room for the next."""
    usable = (order for order in chosen if channel in order.channels)
    return next((o for o in usable if channel is not Channel.SIREN or o.siren_seconds > 0), None)
