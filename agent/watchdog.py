"""Feeds systemd's watchdog only while the named parts make progress. Knows heartbeats; not what beats them, nor why.

A heartbeat means "this loop came round again", not "this succeeded": a station without a network is healthy, one whose
network thread is dead is not. A part that stalls past its own patience stops the feeding, and systemd ends us.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from agent.notify import Notifier
from drivers.api import Report

log = logging.getLogger(__name__)

# Three looks in each period, so that one late look costs nothing.
LOOKS = 3
# Seconds between looks where nobody asked for a watchdog: the stall still shows in status and events.
UNWATCHED = 10.0


class Heartbeat:
    """A part's sign of progress. `beat` may be called from any thread."""

    __slots__ = ("_now", "last", "name", "patience")

    def __init__(self, name: str, patience: float, now: Callable[[], float]) -> None:
        self.name = name
        self.patience = patience  # seconds
        self._now = now
        self.last = now()

    def beat(self) -> None:
        self.last = self._now()

    def silence(self, now: float) -> float:
        return now - self.last


class Watchdog:
    """`now` runs on the monotonic clock, which a wrong date cannot move and a suspended machine does not advance."""

    def __init__(
        self,
        notifier: Notifier,
        *,
        describe: Callable[[], str] = lambda: "working",
        report: Report = lambda _type, _fields: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier = notifier
        self._describe = describe
        self._report = report
        self._now = now
        self._parts: dict[str, Heartbeat] = {}
        self._stalled: frozenset[str] = frozenset()

    def part(self, name: str, patience: float) -> Heartbeat:
        """Register a part that must beat at least every `patience` seconds, from now on."""
        if name in self._parts:
            raise ValueError(f"two parts are named {name}")
        heartbeat = self._parts[name] = Heartbeat(name, patience, self._now)
        return heartbeat

    def stalled(self) -> dict[str, float]:
        """Part → seconds of silence, for those past their patience."""
        now = self._now()
        return {part.name: part.silence(now) for part in self._parts.values() if part.silence(now) > part.patience}

    def look(self) -> bool:
        """Look once: feed, or say who stalls. True when fed."""
        stalled = self.stalled()
        self._tell(stalled)
        if stalled:
            self._notifier.status("stalled: " + ", ".join(f"{name} for {s:.0f} s" for name, s in stalled.items()))
        else:
            self._notifier.watchdog(self._describe())
        return not stalled

    async def run(self) -> None:
        period = self._notifier.watchdog_period
        pause = UNWATCHED if period is None else period / LOOKS
        while True:
            self.look()
            await asyncio.sleep(pause)

    def status(self) -> Mapping[str, Any]:
        now = self._now()
        return {
            part.name: {"silence": round(part.silence(now), 1), "patience": part.patience}
            for part in self._parts.values()
        }

    def _tell(self, stalled: Mapping[str, float]) -> None:
        """Once per change: into the log and to the platform, while that still works."""
        for name in stalled.keys() - self._stalled:
            log.error("%s has made no progress for %.0f s", name, stalled[name])
            self._report("part.stalled", {"part": name, "seconds": round(stalled[name])})
        for name in self._stalled - stalled.keys():
            log.warning("%s makes progress again", name)
            self._report("part.moving", {"part": name})
        self._stalled = frozenset(stalled)
