"""Local alarms: readings go to the rules as they come, and what a rule says goes to the siren's path and the alarm lane.

Needs no uplink and no platform. What is true stands in `agent.spot.rules`, what it may sound in `agent.alerts.policy`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from agent.spot.recall import Recalled
from agent.spot.rules import Evidence, Rule, Tracks, Turn, tracks_for, windows
from buffer.model import Lane
from protocols.alert import Local
from protocols.quality import Flag, Reason
from protocols.reading import Reading

log = logging.getLogger(__name__)

TICK = 5.0  # seconds between looks where no reading comes: holds end, and silence is noticed
MOST_QUEUED = 20_000  # readings that come while the past is read back; a busy station takes a hundred a second

Record = Callable[[str, Mapping[str, Any], Lane], object]
Past = Callable[[Iterable[str], int], Awaitable[Recalled]]
"""`past(series, since)`: the readings before this moment, as the buffer has them."""


class Path(Protocol):
    """The part of `agent.alerts.alerting.Alerting` that a rule needs."""

    def local(self, alarm: Local) -> object: ...
    def end(self, identity: bytes) -> None: ...
    def stands(self, identity: bytes) -> bool: ...


class LocalAlarms:
    """`sensors` says which sensor a series belongs to: two series of one sensor are one witness. `trusted` is asked
    whether the clock is, so that what an earlier boot has left can be placed in time. `lan`: series of devices on a network.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        sensors: Mapping[str, str],
        record: Record,
        path: Path | None,
        now: Callable[[], int],
        past: Past | None = None,
        trusted: Callable[[], bool] = lambda: True,
        lan: Collection[str] = (),
    ) -> None:
        self.rules, self.tracks = rules, tracks_for(rules)
        self._sensors, self._record, self._path, self._now = sensors, record, path, now
        self._lan = frozenset(lan)
        self._past, self._trusted = past, trusted
        self._at = now()
        self._untimed = False
        self._queued: deque[Reading] | None = deque(maxlen=MOST_QUEUED) if past else None

    def take(self, readings: Sequence[Reading]) -> None:
        """For `Recorder.watch`."""
        mine = [one for one in readings if one.series in self.tracks.good]
        if self._queued is not None:
            self._queued += mine
        elif mine:
            try:
                self._judge(mine)
            except Exception:  # a bug here must not keep a reading from being stored
                log.exception("rules could not be evaluated")

    async def run(self) -> None:
        await self._remember()
        while True:
            await asyncio.sleep(TICK)
            if self._untimed and self._trusted():
                await self._remember()
            self._look(self.rules, self._now())

    def status(self) -> Mapping[str, Any]:
        """For `fengsui status`: each rule and what is thought of it."""
        return {rule.config.name: self._status(rule) for rule in self.rules}

    def _status(self, rule: Rule) -> Mapping[str, Any]:
        truth = {True: "holds", False: "holds not", None: "not evaluated"}[rule.state.found.truth]
        facts = {"when": rule.config.when, "condition": truth, "active": rule.state.active}
        missing = rule.missing(max(self._at, self._now()), self.tracks)
        return facts | ({"missing": missing} if missing else {})

    # The past

    async def _remember(self) -> None:
        """Fill the windows with what the buffer holds. Readings that come meanwhile wait."""
        if self._past is not None:
            self._queued = self._queued if self._queued is not None else deque(maxlen=MOST_QUEUED)
            spans = [seconds for asked in windows(self.rules).values() for seconds in asked]
            holds = [(rule.hold + rule.patience) // 1000 for rule in self.rules]
            since = self._now() - 1000 * max([*spans, *holds], default=0)
            readings, self._untimed = await self._past(list(self.tracks.good), since)
            await self._relive(readings)
        waiting, self._queued = self._queued or (), None
        for rule in self.rules:
            rule.restart(self._now(), active=self._stands(rule))
        self._judge(list(waiting))
        self._look(self.rules, self._now())

    async def _relive(self, readings: Sequence[Reading]) -> None:
        """Windows first, then the holds: since when has each condition been true?"""
        tracks = tracks_for(self.rules)
        looked = dict.fromkeys((rule.config.name for rule in self.rules), 0)
        for place, reading in enumerate(readings):
            _feed(tracks, [reading])
            for rule in self.rules:
                if reading.series in rule.series and rule.worth_reliving(
                    reading.at, looked[rule.config.name], self._now()
                ):
                    looked[rule.config.name] = reading.at
                    rule.relive(reading.at, tracks)
            if place % 500 == 0:
                await asyncio.sleep(0)  # a warning may be waiting
        self.tracks = tracks

    def _stands(self, rule: Rule) -> bool:
        return rule.state.active if self._path is None else self._path.stands(rule.identity)

    # The present

    def _judge(self, readings: Sequence[Reading]) -> None:
        _feed(self.tracks, readings)
        touched = {one.series for one in readings}
        for rule in self.rules:
            rule.state.unseen -= {one.series for one in readings if _counts(one) and one.quality & 0xF == Flag.GOOD}
        latest = max((one.at for one in readings), default=0)
        self._look([rule for rule in self.rules if touched.intersection(rule.series)], latest)

    def _look(self, rules: Iterable[Rule], at: int) -> None:
        if self._queued is not None:
            return
        self._at = max(self._at, at)
        for rule in rules:
            turn = rule.step(self._at, self.tracks)
            if turn is not Turn.NOTHING:
                self._tell(rule, turn)

    def _tell(self, rule: Rule, turn: Turn) -> None:
        if turn in (Turn.RAISED, Turn.STANDS) and self._path is not None:
            alarm = rule.alarm(self._independent(rule.state.found.evidence))
            self._path.local(replace(alarm, lan=self._lan.intersection(name for name, _ in alarm.evidence)))
        if turn in (Turn.CLEARED, Turn.GIVEN_UP) and self._path is not None:
            self._path.end(rule.identity)
        if turn is Turn.STANDS:
            return
        urgent = turn in (Turn.RAISED, Turn.CLEARED, Turn.GIVEN_UP) or rule.state.active
        self._record(f"rule.{turn.replace('-', '_')}", self._facts(rule, turn), Lane.ALARM if urgent else Lane.EVENT)

    def _facts(self, rule: Rule, turn: Turn) -> dict[str, Any]:
        facts: dict[str, Any] = {"rule": rule.config.name, "alert": rule.identity.hex()}
        if turn in (Turn.BLIND, Turn.GIVEN_UP):
            return facts | {"missing": rule.missing(self._at, self.tracks), "standing": rule.state.active}
        if turn is not Turn.RAISED:
            return facts
        config, found = rule.config, rule.state.found
        facts |= {"event": config.event, "level": config.level, "action": config.action, "when": config.when}
        return facts | {"evidence": dict(found.evidence), "doubted": list(found.doubted)}

    def _independent(self, evidence: Evidence) -> Evidence:
        """One series for each sensor: what one device says twice is said once."""
        witnesses = {self._sensors.get(series, series): (series, value) for series, value in reversed(evidence)}
        return tuple(witnesses.values())[::-1]


def _feed(tracks: Tracks, readings: Iterable[Reading]) -> None:
    """Good readings to both, suspect ones to the usable; anything else is as if it had not come, and so is what is
    played back from a capture.
    """
    for reading in readings:
        if not _counts(reading):
            continue
        tracks.usable[reading.series].add(reading.at, reading.value)
        if reading.quality & 0xF == Flag.GOOD:
            tracks.good[reading.series].add(reading.at, reading.value)


def _counts(reading: Reading) -> bool:
    return reading.quality & 0xF in (Flag.GOOD, Flag.SUSPECT) and not reading.quality >> 4 & Reason.SIMULATED
