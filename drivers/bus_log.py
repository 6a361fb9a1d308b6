"""What a bus remembers for whoever asks why: the last frames on its wire, and how each unit's requests ended."""

import time
from collections import Counter, deque

RECORDED = 20  # frames; pymodbus keeps as many for its own error lines
MOST_SHOWN = 64  # bytes of one of them


class BusLog:
    """Bounded: units are at most 256, and so are the ways in which a request ends."""

    def __init__(self) -> None:
        self._frames: deque[tuple[float, str, bytes]] = deque(maxlen=RECORDED)
        self._counters: dict[int, Counter[str]] = {}

    def record(self, way: str, data: bytes) -> None:
        """A frame, or a part of one, as it passed: `>` is ours."""
        self._frames.append((time.monotonic(), way, data))

    def frames(self) -> list[str]:
        """Oldest first: seconds ago, way, bytes."""
        now = time.monotonic()
        return [f"-{now - at:.3f} {way} {data[:MOST_SHOWN].hex()}" for at, way, data in self._frames]

    def count(self, unit: int, how: str) -> None:
        """One more end of this kind: `ok`, `timeout`, `crc`, `foreign`, `exception-N`, `nan` and the like."""
        self._counters.setdefault(unit, Counter())[how] += 1

    def counters(self, unit: int) -> dict[str, int]:
        return dict(self._counters.get(unit, {}))

    def all_counters(self) -> dict[str, dict[str, int]]:
        return {str(unit): dict(counter) for unit, counter in sorted(self._counters.items())}
