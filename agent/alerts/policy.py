"""What a warning may do here: which channels, by whose authority, and what holds one back. Pure.

Patterns, clips and sentences are the plans' business; this file only says display, voice, siren or lamp, and why not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from typing import NamedTuple

from agent.alerts.journal import Journal
from protocols.alert import ActionCode, ClockReading, Grant, Level, Local, Permission
from protocols.area import EVERYWHERE, Item, Position, contains, covers, is_local
from protocols.codes import family

DAY = 86_400


class Channel(IntFlag):
    NONE = 0
    DISPLAY = 1
    VOICE = 2
    SIREN = 4
    LAMP = 8


class Now(NamedTuple):
    """`monotonic` as time.monotonic() reads it; `boot` names the boot it belongs to."""

    clock: ClockReading
    monotonic: float
    boot: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where this station stands: its administrative codes (usually its village's), and its position if it is known."""

    codes: tuple[int, ...]
    position: Position | None = None


class Cap(NamedTuple):
    """So many siren starts in so many seconds."""

    starts: int
    window: int


class Quiet(NamedTuple):
    """A part of the local day, in minutes of it: lesser warnings are not spoken in it, or drills only heard in it."""

    start: int
    end: int
    utc_offset: int = 8 * 3600  # seconds

    def at(self, unix: int) -> bool:
        minute = (unix + self.utc_offset) % DAY // 60
        night = self.start > self.end
        return (minute >= self.start or minute < self.end) if night else self.start <= minute < self.end


# What kills within minutes and close by, so that nobody can wait for a person to raise it to "evacuate".
SIREN_FAMILIES = frozenset({"flash-flood", "dam", "dike", "landslide", "debris-flow", "tsunami", "accident"})
CAPS = {"exercise": Cap(2, 7 * DAY), "local": Cap(12, DAY), "remote": Cap(24, DAY)}
URGENT = frozenset({ActionCode.SHELTER, ActionCode.EVACUATE})
TOP_HOLDERS = 2
SERIES_IN_AGREEMENT = 2


@dataclass(frozen=True, slots=True)
class Policy:
    """What the configuration says about warnings. Seconds, unless said otherwise."""

    siren_families: frozenset[str] = SIREN_FAMILIES
    siren_seconds: float = 180.0  # of sounding for one alert: what a village siren's motor bears in one go
    longest: float = 3 * DAY  # an alert stands no longer, whatever it says of itself
    all_clear: float = 600.0  # how long an all-clear is shown
    exercise_siren: bool = False
    unplaced: Channel = Channel.DISPLAY  # for an alert that only gives a shape, where the position is not known
    quiet: Quiet | None = None
    exercise_window: Quiet | None = None  # when drills may be heard; None: always
    caps: Mapping[str, Cap] = field(default_factory=lambda: CAPS)


@dataclass(frozen=True, slots=True)
class Case:
    """What a permission depends on, of a sealed alert or a local one. `fresh` is that no replay is possible."""

    origin: str
    event: str
    level: Level
    action: ActionCode
    local_area: bool
    placed: bool
    fresh: bool


class Allowed(NamedTuple):
    channels: Channel
    withheld: dict[str, str]  # channel name -> reason code


def powers_here(grants: Iterable[Grant], level: Level, place: Place) -> dict[str, Permission]:
    """What each holder may do at this place about this level. Cancelling has no level."""
    powers: dict[str, Permission] = {}
    for grant in grants:
        if not _answers_for(grant.areas, place.codes):
            continue
        bits = grant.permissions if level >= grant.level else grant.permissions & Permission.CANCEL
        if bits:
            powers[grant.holder] = powers.get(grant.holder, Permission.NONE) | bits
    return powers


def where(area: Iterable[Item], place: Place) -> tuple[bool | None, bool]:
    """Does the alert apply here (None: only a position could say), and by an area of township size or smaller?"""
    verdicts = [(covers(item, place.codes, place.position), is_local(item)) for item in area]
    hits = [local for verdict, local in verdicts if verdict]
    if hits:
        return True, any(hits)
    return (None if any(verdict is None for verdict, _ in verdicts) else False), False


def allowed(case: Case, powers: Mapping[str, Permission], now: Now, journal: Journal, policy: Policy) -> Allowed:
    """The channels that these holders together may use, and why each of the others stays silent."""
    acting = [bits for bits in powers.values() if case.origin != "exercise" or Permission.EXERCISE in bits]
    reasons = {
        Channel.DISPLAY: "" if _may(acting, Permission.DISPLAY) else "no-authority",
        Channel.VOICE: _voice_withheld(case, acting, now, policy),
        Channel.SIREN: _siren_withheld(case, acting, now, journal, policy),
    }
    return _answer(case, reasons, policy)


def allowed_local(case: Case, local: Local, now: Now, journal: Journal, policy: Policy) -> Allowed:
    """A local alarm's channels: the configuration is its authority, and the siren wants two series that agree. A drill's
    siren (`alone`) was asked for by the person at the bench.
    """
    series = {name for name, _ in local.evidence}
    alone_silent = "" if local.alone or len(series) >= SERIES_IN_AGREEMENT else "one-series"
    if series and series <= local.lan:  # whatever the rule says
        alone_silent = "lan-only"
    if case.origin == "exercise":
        alone_silent = "" if local.alone else "exercise-silent"
    late = _out_of_hours(case, now, policy)
    reasons = {
        Channel.DISPLAY: "",
        Channel.VOICE: late or _quiet(case, now, policy),
        Channel.SIREN: _not_warranted(case, policy) or alone_silent or late or _capped(case, now, journal, policy),
    }
    return _answer(case, reasons, policy)


def _answer(case: Case, reasons: Mapping[Channel, str], policy: Policy) -> Allowed:
    reasons = {
        channel: reason or ("" if case.placed or channel in policy.unplaced else "no-position")
        for channel, reason in reasons.items()
    }
    channels = Channel.NONE
    for channel, reason in reasons.items():
        channels |= Channel.NONE if reason else channel
    if Channel.DISPLAY in channels and case.action is not ActionCode.ALL_CLEAR:
        channels |= Channel.LAMP
    return Allowed(channels, {(channel.name or "").lower(): reason for channel, reason in reasons.items() if reason})


def _answers_for(areas: tuple[int, ...], codes: tuple[int, ...]) -> bool:
    return EVERYWHERE in areas or any(contains(area, code) for area in areas for code in codes)


def _may(acting: Iterable[Permission], what: Permission) -> bool:
    return any(what in bits for bits in acting)


def _voice_withheld(case: Case, acting: list[Permission], now: Now, policy: Policy) -> str:
    if not _may(acting, Permission.VOICE):
        return "no-authority"
    return _out_of_hours(case, now, policy) or _quiet(case, now, policy)


def _quiet(case: Case, now: Now, policy: Policy) -> str:
    lesser = case.level >= Level.YELLOW and case.action not in URGENT
    quiet = lesser and policy.quiet is not None and now.clock.trusted and policy.quiet.at(now.clock.best)
    return "quiet-hours" if quiet else ""


def _out_of_hours(case: Case, now: Now, policy: Policy) -> str:
    """A drill is seen and not heard outside its window, as far as the time is known."""
    window = policy.exercise_window if case.origin == "exercise" else None
    outside = window is not None and now.clock.trusted and not window.at(now.clock.best)
    return "exercise-window" if outside else ""


def _drill_withheld(case: Case, now: Now, policy: Policy) -> str:
    silent = case.origin == "exercise" and not policy.exercise_siren
    return "exercise-silent" if silent else _out_of_hours(case, now, policy)


def _siren_withheld(case: Case, acting: list[Permission], now: Now, journal: Journal, policy: Policy) -> str:
    """The first reason against the siren. The clock is asked last: when that alone is wanting, `due` adds the siren
    as soon as the clock is trusted.
    """
    holders = sum(Permission.SIREN in bits for bits in acting)
    if reason := _not_warranted(case, policy):
        return reason
    if not holders:
        return "no-authority"
    if case.level is Level.RED and holders < TOP_HOLDERS:
        return "second-holder"
    if reason := _drill_withheld(case, now, policy):
        return reason
    exempt = case.level is Level.RED and case.origin != "exercise"  # two holders, or we would not be here
    if not exempt and (reason := _capped(case, now, journal, policy)):
        return reason
    return "" if case.fresh else "clock-untrusted"


def _not_warranted(case: Case, policy: Policy) -> str:
    """Shelter and evacuate are a person's word for this; otherwise only what is swift, severe and near."""
    if case.action in URGENT:
        return ""
    severe = case.level <= Level.ORANGE and case.action is not ActionCode.ALL_CLEAR
    if not severe or family(case.event) not in policy.siren_families:
        return "not-for-siren"
    return "" if case.local_area else "wide-area"


def _capped(case: Case, now: Now, journal: Journal, policy: Policy) -> str:
    cap = policy.caps.get(case.origin)
    if cap is None:
        return ""
    recent = sum(s.origin == case.origin and abs(now.clock.best - s.at) < cap.window for s in journal.siren_starts)
    return "cap" if recent >= cap.starts else ""
