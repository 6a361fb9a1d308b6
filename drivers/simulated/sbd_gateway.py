"""What stands behind simulated SBD modems: a gateway that takes messages and keeps others until they are fetched.

Deterministic, without clock or network; whoever plays the ground side gets `taken`, or is called by `deliver`.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

QUEUE_MOST = 50  # messages for one modem that the gateway holds (Iridium SBD Developers Guide, MT queue)
TAKEN_MOST = 100_000  # messages remembered: a month of one every half minute


class Mo(NamedTuple):
    """A message that came from a modem. `momsn` is the same twice where the modem never heard that it had arrived."""

    imei: str
    momsn: int
    data: bytes
    at: float  # seconds of the modem's clock


@dataclass
class SbdGateway:
    """`deliver` hears of every message as it comes; `rung` of every one queued (modems ask to be rung)."""

    deliver: Callable[[Mo], None] = lambda _message: None
    taken: deque[Mo] = field(default_factory=lambda: deque(maxlen=TAKEN_MOST))
    mtmsn: int = 0
    _queues: dict[str, deque[tuple[int, bytes]]] = field(default_factory=dict)
    _modems: dict[str, Callable[[], None]] = field(default_factory=dict)

    def attach(self, imei: str, ring: Callable[[], None]) -> None:
        self._modems[imei] = ring

    def take(self, message: Mo) -> None:
        self.taken.append(message)
        self.deliver(message)

    def queue(self, imei: str, data: bytes) -> int | None:
        """A message for a modem, which is rung; its place in the queue, or None where that is full."""
        waiting = self._queues.setdefault(imei, deque())
        if len(waiting) >= QUEUE_MOST:
            return None
        self.mtmsn = (self.mtmsn + 1) & 0xFFFF
        waiting.append((self.mtmsn, data))
        self._modems.get(imei, lambda: None)()
        return len(waiting)

    def next(self, imei: str) -> tuple[int, bytes] | None:
        waiting = self._queues.get(imei)
        return waiting.popleft() if waiting else None

    def waiting(self, imei: str) -> int:
        return len(self._queues.get(imei, ()))
