"""One `[[rule]]`: its table, and its state as readings come. Pure; boot time in ms.

A rule is told what is known and answers what changed. It is never raised on data that is not good, and what it cannot
tell neither raises nor ends anything.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Literal, NamedTuple

import msgspec

from agent.spot.windows import Track
from drivers.values import Duration
from protocols.alert import ActionCode, Level, Local
from protocols.rule_parser import parse
from protocols.rule_truth import Interval, Look, holds, normal, truth
from protocols.rules import Condition, Newest, Not, Number, Over, comparisons, operands, relaxed, series_of

LONGEST_BLIND = 6 * 3_600_000  # ms an alarm stands whose rule cannot be told any more: a night, until somebody looks
STANDS = 600  # seconds an alarm stands without being renewed, so that a dead agent leaves none behind
RENEW = 200_000  # ms between renewals
RELIVED = 100  # looks into the past of one hold, after a restart

LevelName = Literal["red", "orange", "yellow", "blue"]
ActionName = Literal["inform", "prepare", "shelter", "evacuate"]


class RuleConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`when` raises the alarm after it has held `for` so long; `clear` (a condition, or a margin) ends it, after as long.
    A value older than `stale` is no value.
    """

    name: str
    when: str
    event: str
    level: LevelName
    action: ActionName = "prepare"
    plan: str = ""
    text: str = ""
    alone: bool = False
    hold: Duration = msgspec.field(name="for", default=Duration(0.0))
    clear: str | float = ""
    stale: Duration = Duration(600.0)


class Turn(StrEnum):
    """What a look at a rule changed."""

    NOTHING = "nothing"
    RAISED = "raised"
    STANDS = "stands"  # and it is time to say so again, or it is better founded
    CLEARED = "cleared"
    BLIND = "blind"  # it could not be told for as long as a value may be old
    SEEING = "seeing"
    GIVEN_UP = "given-up"  # it stood and was blind for too long


Evidence = tuple[tuple[str, float], ...]


class Found(NamedTuple):
    """`evidence`: the series that speak for it, with their newest value; `doubted`: those believed though suspect."""

    truth: bool | None
    evidence: Evidence = ()
    doubted: tuple[str, ...] = ()


class Tracks(NamedTuple):
    """Of each series: its good readings, and the good and suspect ones."""

    good: Mapping[str, Track]
    usable: Mapping[str, Track]


@dataclass(slots=True)
class State:
    active: bool = False
    since: int | None = None  # when the condition began to hold without a break
    over_since: int | None = None
    blind_since: int | None = None
    blind_told: bool = False
    renewed: int = 0
    unseen: set[str] = field(default_factory=set)  # series without a reading since the restart
    unseen_until: int = 0
    found: Found = field(default_factory=lambda: Found(None))


@dataclass
class Rule:
    """A rule that `agent.spot.rule_check` found nothing wrong with."""

    config: RuleConfig
    state: State = field(default_factory=State)

    @cached_property
    def when(self) -> Condition:
        return normal(parse(self.config.when))

    @cached_property
    def over(self) -> Condition:
        """What ends it."""
        clear = self.config.clear
        if isinstance(clear, str):
            return normal(parse(clear) if clear else Not(self.when))
        return normal(Not(relaxed(self.when, clear)))

    @cached_property
    def series(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*series_of(self.when), *series_of(self.over))))

    @cached_property
    def identity(self) -> bytes:
        return self.alarm(()).identity

    def alarm(self, evidence: Evidence) -> Local:
        config = self.config
        return Local(
            rule=config.name,
            evidence=evidence,
            event=config.event,
            level=Level[config.level.upper()],
            action=ActionCode[config.action.upper()],
            text=config.text,
            seconds=STANDS,
            alone=config.alone,
            plan=config.plan,
        )

    def step(self, now: int, tracks: Tracks) -> Turn:
        """What has become of the rule at this moment, which is never before the last one."""
        state, before = self.state, self.state.found
        good, usable = self._look(tracks.good, now), self._look(tracks.usable, now)
        state.found = self._judge(tracks, good, usable)
        seen = self._see(now)
        if not state.active:
            return self._rise(now) or seen
        return self._end(now, good) or self._stand(now, before) or seen

    def restart(self, now: int, *, active: bool) -> None:
        """Nothing that was read before a restart ends an alarm that stands: what came last may not have been stored."""
        state = self.state
        state.active, state.blind_told = active, False
        state.unseen, state.unseen_until = set(self.series), now + self.patience

    def worth_reliving(self, at: int, looked: int, now: int) -> bool:
        """After a restart: does a moment of the past still count for the hold, and is it far enough from the last?"""
        return self.hold > 0 and at >= now - self.hold - self.patience and at - looked >= self.hold // RELIVED

    def relive(self, at: int, tracks: Tracks) -> None:
        """A moment of the past: nothing is raised, but since when the condition holds is known again."""
        state = self.state
        state.found = self._judge(tracks, self._look(tracks.good, at), self._look(tracks.usable, at))
        self._see(at)
        state.since = (at if state.since is None else state.since) if state.found.truth else None

    def missing(self, now: int, tracks: Tracks) -> list[str]:
        """The series of which not enough is known."""
        look = self._look(tracks.good, now)
        asked = ((one, look(one)) for one in operands(self.when))
        return list(dict.fromkeys(one.series for one, (low, high) in asked if low != high))

    def _judge(self, tracks: Tracks, good: Look, usable: Look) -> Found:
        """By good readings; or by suspect ones, where a good reading of another series speaks for the alarm as well."""
        found = truth(self.when, good)
        if not found and not truth(self.when, usable):
            return Found(found)
        firm = _speaking(self.when, good)
        evidence = tuple((one, newest[1]) for one in firm if (newest := tracks.good[one].newest))
        if found:
            return Found(found, evidence)
        doubted = tuple(one for one in _speaking(self.when, usable) if one not in firm)
        corroborated = bool(doubted) and bool(firm)
        return Found(True, evidence, doubted) if corroborated else Found(found)

    def _see(self, now: int) -> Turn:
        state = self.state
        if state.found.truth is None:
            state.since = None
            state.blind_since = now if state.blind_since is None else state.blind_since
            if state.blind_told or now - state.blind_since < self.patience:
                return Turn.NOTHING
            state.blind_told = True
            return Turn.BLIND
        told, state.blind_told, state.blind_since = state.blind_told, False, None
        return Turn.SEEING if told else Turn.NOTHING

    def _rise(self, now: int) -> Turn | None:
        state = self.state
        if not state.found.truth:
            state.since = None
            return None
        state.since = now if state.since is None else state.since
        if now - state.since < self.hold:
            return None
        state.active, state.renewed, state.over_since = True, now, None
        return Turn.RAISED

    def _end(self, now: int, good: Look) -> Turn | None:
        state = self.state
        if state.blind_since is not None and now - state.blind_since >= LONGEST_BLIND:
            state.active = False
            return Turn.GIVEN_UP
        looked_away = bool(state.unseen) and now < state.unseen_until
        if state.found.truth or looked_away or not truth(self.over, good):
            state.over_since = None
            return None
        state.over_since = now if state.over_since is None else state.over_since
        if now - state.over_since < self.hold:
            return None
        state.active, state.since = False, None
        return Turn.CLEARED

    def _stand(self, now: int, before: Found) -> Turn | None:
        state = self.state
        joined = {one for one, _ in state.found.evidence} - {one for one, _ in before.evidence}
        if now - state.renewed < RENEW and not (joined and state.found.truth):
            return None
        state.renewed = now
        return Turn.STANDS

    def _look(self, tracks: Mapping[str, Track], now: int) -> Look:
        """Each operand is looked at once in a step."""
        known: dict[Newest | Over, Interval] = {}

        def look(one: Newest | Over) -> Interval:
            if one not in known:
                known[one] = tracks[one.series].look(one, now, self.patience)
            return known[one]

        return look

    @cached_property
    def patience(self) -> int:
        return round(self.config.stale * 1000)

    @cached_property
    def hold(self) -> int:
        return round(self.config.hold * 1000)


def _speaking(condition: Condition, look: Look) -> dict[str, None]:
    """The series of the comparisons that hold, in the order of mention."""
    hold = [one for one in comparisons(condition) if holds(one, look)]
    return dict.fromkeys(side.series for one in hold for side in (one.left, one.right) if not isinstance(side, Number))


def windows(rules: Iterable[Rule]) -> dict[str, set[int]]:
    """The windows, in seconds, that the rules ask of each series."""
    asked: dict[str, set[int]] = {}
    for rule in rules:
        for one in (*operands(rule.when), *operands(rule.over)):
            asked.setdefault(one.series, set()).update([one.seconds] if isinstance(one, Over) else [])
    return asked


def tracks_for(rules: Iterable[Rule]) -> Tracks:
    asked = windows(rules)
    good, usable = ({series: Track(spans) for series, spans in asked.items()} for _ in range(2))
    return Tracks(good, usable)
