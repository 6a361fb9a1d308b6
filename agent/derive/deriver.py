"""Feeds derived series with what is recorded, records what they say, and keeps their state. Computes nothing itself."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence

from agent.clock import Clock
from agent.derive.config import DerivedTable
from agent.derive.model import Derived, Moment
from drivers.api import SeriesSpec
from protocols.reading import Reading

log = logging.getLogger(__name__)

KEPT = "derived"  # in the buffer's own small store: it is written with fsync, once per change
TICK = 1.0  # seconds

Record = Callable[[Sequence[Reading]], None]


class Deriver:
    """`take` is a watcher of the recorder; what it gives is recorded in turn, so that rules and other derived series see it."""

    def __init__(
        self,
        tables: Sequence[DerivedTable],
        timezone: str,
        clock: Clock,
        *,
        record: Record,
        keep: Callable[[str, bytes], object],
        saved: Callable[[str], bytes | None],
    ) -> None:
        self._clock, self._record, self._keep = clock, record, keep
        self._made = [one.make(timezone) for one in tables]
        self._heard: dict[str, list[Derived]] = {}
        for made in self._made:
            for name in made.inputs:
                self._heard.setdefault(name, []).append(made)
        self._load(saved)

    @property
    def series(self) -> Mapping[str, SeriesSpec]:
        return {name: spec for made in self._made for name, spec in made.outputs.items()}

    def take(self, readings: Sequence[Reading]) -> None:
        """Checked readings, as they are recorded."""
        for reading in readings:
            for made in self._heard.get(reading.series, ()):
                moment = self._moment(reading.at)
                self._say(made.take(reading, moment))
                self._save(made, moment)

    async def run(self) -> None:
        """Hours and days end though nothing is read."""
        while True:
            await asyncio.sleep(TICK)
            moment = self._moment(self._clock.now())
            for made in self._made:
                self._say(made.tick(moment))
                self._save(made, moment)

    def _say(self, readings: Sequence[Reading]) -> None:
        if readings:
            self._record(readings)

    def _moment(self, at: int) -> Moment:
        return Moment(at, *self._clock.wall(self._clock.boot, at))

    def _save(self, made: Derived, moment: Moment) -> None:
        state = made.save(moment)
        if state is not None:
            self._keep(_key(made), json.dumps(state, separators=(",", ":")).encode())

    def _load(self, saved: Callable[[str], bytes | None]) -> None:
        """A state of another version, or a damaged one, costs the sums of a day and not the start."""
        moment = self._moment(self._clock.now())
        for made in self._made:
            body = saved(_key(made))
            if body is None:
                continue
            try:
                made.load(json.loads(body), moment)
            except (ValueError, TypeError, KeyError, IndexError) as wrong:
                log.warning("the kept state of %s is not used: %s", ", ".join(made.outputs), wrong)


def _key(made: Derived) -> str:
    return f"{KEPT} {' '.join((*made.inputs, next(iter(made.outputs), '')))}"
