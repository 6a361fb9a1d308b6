"""What the buffer has to tell its owner: collected, joined, and handed over when it is convenient. No SQL, no files."""

import logging
from collections import deque
from collections.abc import Mapping
from typing import Any

from buffer.model import Lane, Report
from buffer.ranges import Ranges

MOST_WAITING = 64  # notices; beyond it the oldest is forgotten, the ledger's ranges stay
SHED_INTERVAL = 10.0  # seconds between two reports of shed ranges: a full disk must not fill itself with its own news
MOST_RANGES = 64  # in one notice; the rest follows in the next

logger = logging.getLogger(__name__)


class Notices:
    """Used by the worker thread only. Nothing is handed over before open() says that the owner is ready."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque(maxlen=MOST_WAITING)
        self._lost: dict[tuple[str, str, Lane, str], Ranges] = {}
        self._lost_due = 0.0

    def say(self, kind: str, **facts: Any) -> None:
        logger.warning("%s %s", kind, facts)
        self._waiting.append((kind, facts))

    def lost(self, kind: str, log: str, lane: Lane, reason: str, *, first: int, last: int) -> None:
        self._lost.setdefault((kind, log, lane, reason), Ranges()).add(first, last)

    def hand_over(self, now: float) -> None:
        if self._lost and now >= self._lost_due:
            self._lost_due = now + SHED_INTERVAL
            self._join_lost()
        while self._waiting:
            kind, facts = self._waiting.popleft()
            self._tell(kind, facts)

    def _join_lost(self) -> None:
        lost, self._lost = self._lost, {}
        for (kind, log, lane, reason), ranges in lost.items():
            pairs = list(ranges)
            numbers = sum(last - first + 1 for first, last in pairs[:MOST_RANGES])
            self._waiting.append(
                (
                    kind,
                    {
                        "log": log,
                        "lane": lane.name.lower(),
                        "reason": reason,
                        "numbers": numbers,
                        "ranges": pairs[:MOST_RANGES],
                    },
                )
            )
            for first, last in pairs[MOST_RANGES:]:
                self.lost(kind, log, lane, reason, first=first, last=last)

    def _tell(self, kind: str, facts: Mapping[str, Any]) -> None:
        try:
            self._report(kind, facts)
        except Exception:  # the owner's trouble must not become the buffer's
            logger.exception("report of %s failed", kind)
