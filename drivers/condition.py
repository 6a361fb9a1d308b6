"""Whether a device is up, said once when that changes; and when to try one again that is not. No I/O."""

from collections.abc import Callable, Mapping
from math import floor
from typing import Any

from drivers.api import Report

DOWN_AFTER = 2  # failures in a row: one lost frame is weather on a long line, two are a fault
BACK_OFF_MOST = 60.0  # seconds between attempts at a device that is down
BACK_OFF_PORT = 5.0  # seconds when it is only the port that is gone: asking costs the bus nothing


class Condition:
    """`unknown` until first heard; a device that fails before it was ever up is down at once."""

    def __init__(self, device: str, report: Report, now: Callable[[], int], facts: Mapping[str, Any]) -> None:
        self.state = "unknown"
        self.reason = ""
        self.since = now()
        self.failures = 0
        self._device = device
        self._report = report
        self._now = now
        self._facts = facts

    def succeeded(self) -> None:
        self.failures = 0
        if self.state == "up":
            return
        was, since = self.state, self.since
        self._enter("up", "")
        if was == "down":
            self._report("device.up", {"device": self._device, **self._facts, "down_ms": self.since - since})

    def failed(self, reason: str, frames: Callable[[], list[str]] = list, *, at_once: bool = False) -> None:
        """`frames` is asked only when there is something to report. `at_once`: a fault that needs no second look."""
        self.failures += 1
        if self.state == "down" or (self.state == "up" and self.failures < DOWN_AFTER and not at_once):
            return
        self._enter("down", reason)
        self._report("device.down", {"device": self._device, **self._facts, "reason": reason, "frames": frames()})

    def _enter(self, state: str, reason: str) -> None:
        self.state, self.reason, self.since = state, reason, self._now()

    def status(self) -> dict[str, Any]:
        return {"state": self.state, "since": self.since, "reason": self.reason, "failures": self.failures}


def next_due(
    started: float, interval: float, failures: int = 0, most: float = BACK_OFF_MOST, *, early: float | None = None
) -> float:
    """When to sample again: at whole multiples of the interval, so that devices beat together and never drift.

    A first sample less than `early` before a beat (by default half an interval) takes its place. Failures double the pause,
    from one interval up to `most`; an interval longer than that stays as it is.
    """
    beats = min(1 << min(max(failures - 1, 0), 16), max(floor(most / interval), 1))
    before = 0.5 if early is None else early / interval
    return (floor(started / interval + before) + beats) * interval
