"""From readings and events to numbers in the buffer: the one place where bodies are made.

Readings of one commit window become one body and one append, so that a second of a station is one row, one commit and,
later, one line of a block. The very first is written at once.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from agent.clock import Clock
from buffer.model import Appended, Lane
from buffer.store import Buffer
from drivers.api import SeriesSpec
from protocols import columns, event
from protocols.errors import LocalError
from protocols.qartod import Checker
from protocols.quality import NOT_EVALUATED, worse
from protocols.reading import Reading

log = logging.getLogger(__name__)

# More than this in one window is a babbling device; it is cut into bodies of this size, never held.
MOST_IN_ONE_BODY = 4096


class Recorder:
    """`window` is seconds between appends of telemetry. All methods run on the event loop except where said."""

    def __init__(self, buffer: Buffer, clock: Clock, window: float = 1.0) -> None:
        self.buffer, self.clock, self.window = buffer, clock, window
        self.taken = self.committed = 0  # readings
        self.refused = 0  # no number at all: a driver should have counted it; it never becomes a value here
        self.events = 0
        self.newest: dict[str, Reading] = {}
        self._checkers: dict[str, Checker] = {}
        self._judged: set[str] = set()
        self._waiting: list[Reading] = []
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self.judge: Callable[[Sequence[Reading]], list[Reading]] = list  # what readings say of each other
        self._watchers: list[Callable[[Sequence[Reading]], None]] = []

    def watch(self, watcher: Callable[[Sequence[Reading]], None]) -> None:
        """`watcher` sees every checked reading, before it is stored: rules, derived series, a live view."""
        self._watchers.append(watcher)

    def expect(self, series: Mapping[str, SeriesSpec], *, judged: bool = False) -> None:
        """Announce series and what is plausible for them; unannounced ones are stored as not evaluated. `judged` ones bring
        a quality of their own, that of what they were computed from.
        """
        for name, spec in series.items():
            self._checkers[name] = Checker(spec.span, spec.expect, spec.rate, spec.flat, spec.spike)
            self.newest.pop(name, None)
        if judged:
            self._judged |= series.keys()

    def close(self) -> None:
        """Store what waits, and take no more."""
        self.flush()
        self._closed = True

    def readings(self, readings: Sequence[Reading]) -> None:
        """Check, remember as newest, and store with the next commit."""
        if self._closed:
            return
        checked = self.judge([self._check(reading) for reading in readings if isfinite(reading.value)])
        self.refused += len(readings) - len(checked)
        self.taken += len(checked)
        for reading in checked:
            self.newest[reading.series] = reading
        for watcher in self._watchers:
            _show(watcher, checked)
        self._waiting += checked
        if self._timer is None:
            self.flush()
            self._timer = asyncio.get_running_loop().call_later(self.window, self._tick)
        elif len(self._waiting) >= MOST_IN_ONE_BODY:
            self.flush()

    def event(self, kind: str, fields: Mapping[str, Any], lane: Lane = Lane.EVENT) -> Appended:
        """Record that something happened, now; committed at once. Any thread."""
        self.events += 1
        at = self.clock.now()
        try:
            body = event.encode(kind, self.clock.boot, at, fields)
        except LocalError as wrong:  # a driver's odd field must cost neither the event nor whoever reports it
            body = event.encode(
                kind, self.clock.boot, at, {"unencodable": str(wrong), "fields": repr(dict(fields))[:1000]}
            )
        return self.buffer.append(lane, body, now=True)

    def report(self, kind: str, fields: Mapping[str, Any]) -> None:
        """`drivers.api.Report`: an event in its own lane."""
        self.event(kind, fields)

    def flush(self) -> None:
        """Append what is waiting. Called by the timer, and once at the end."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            body = columns.pack(self.clock.boot, waiting)
        except LocalError:
            waiting = self._sound(waiting)
            if not waiting:
                return
            body = columns.pack(self.clock.boot, waiting)
        appended = self.buffer.append(Lane.TELEMETRY, body, now=True)
        loop = asyncio.get_running_loop()

        def told(_future: object, count: int = len(waiting)) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody counts any more
                loop.call_soon_threadsafe(self._count, appended, count)

        appended.committed.add_done_callback(told)

    def _sound(self, readings: Sequence[Reading]) -> list[Reading]:
        """Those that can be kept: a driver's odd name or time must not cost its neighbours' readings."""
        sound = [reading for reading in readings if _packs(self.clock.boot, reading)]
        self.refused += len(readings) - len(sound)
        log.error("%d readings cannot be kept and are dropped", len(readings) - len(sound))
        return sound

    def _tick(self) -> None:
        self._timer = None
        if self._waiting:
            self.flush()
            self._timer = asyncio.get_running_loop().call_later(self.window, self._tick)

    def _count(self, appended: Appended, count: int) -> None:
        if appended.committed.exception() is None:
            self.committed += count

    def _check(self, reading: Reading) -> Reading:
        checker = self._checkers.get(reading.series)
        if checker is None:
            return reading
        found = checker.check(reading.at, reading.value)
        if reading.series in self._judged:
            return reading._replace(
                quality=worse(reading.quality, found) if found != NOT_EVALUATED else reading.quality
            )
        reasons = reading.quality & ~0xF  # what the driver already knows against it
        return reading._replace(quality=found | reasons)


def _show(watcher: Callable[[Sequence[Reading]], None], readings: Sequence[Reading]) -> None:
    """Who looks on must cost neither the record nor the sensor."""
    try:
        watcher(readings)
    except Exception:
        log.exception("a watcher of readings failed")


def _packs(boot: bytes, reading: Reading) -> bool:
    try:
        columns.pack(boot, [reading])
    except LocalError:
        return False
    return True
