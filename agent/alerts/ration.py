"""How much checking a bearer's messages may cost, and which of them are looked at a second time.

A forgery is refused only after every key has been tried, a genuine message is believed after the first. So the issuer's own
keys are always tried, and what the keys of others cost is rationed for each bearer, as is every check by SM2, which costs as
much as hundreds; what that leaves undecided waits for its turn instead of being refused. Knows no seal and no clock.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from agent.alerts.intake import Message
from agent.bucket import Bucket
from protocols.seal import MAX_CHECKS, MAX_SLOW, Effort

CHECKS = 1000  # at once, and a second after that: 5 % of a core here, 20 % of a Raspberry Pi 4's
SLOW, SLOW_BURST = 4, 8  # a second, and at once, by SM2: 12 % of a core here, two thirds of a Raspberry Pi 4's
MOST_WAITING = 32  # second looks of a bearer and rank
MOST_BYTES = 256 * 1024  # of all that wait; a sealed alert with its text has at most 5,000


class _Purse(NamedTuple):
    """What a bearer may spend."""

    checks: Bucket
    slow: Bucket

    def effort(self, now: float) -> Effort:
        left, slow = int(self.checks.level(now)), int(self.slow.level(now))
        return Effort(max(0, min(MAX_CHECKS, left)), max(0, min(MAX_SLOW, slow)))

    def wait(self, now: float) -> float:
        return max(self.checks.wait(MAX_CHECKS, now), self.slow.wait(MAX_SLOW, now))


class Ration:
    """Second looks come in two ranks: messages whose payload is known from a genuine copy (another holder may have signed it),
    and all others.
    """

    def __init__(self) -> None:
        self._purses: dict[str, _Purse] = {}
        self._waiting: tuple[deque[Message], deque[Message]] = (deque(), deque())
        self._bytes = 0

    def effort(self, bearer: str, now: float) -> Effort:
        return self._purse(bearer, now).effort(now)

    def spent(self, bearer: str, checks: int, now: float, slow: int = 0) -> None:
        purse = self._purse(bearer, now)
        purse.checks.take(checks, now)
        purse.slow.take(slow, now)

    def put_off(self, message: Message, *, known: bool) -> bool:
        """Whether there was room."""
        line = self._waiting[0 if known else 1]
        mine = sum(other.bearer == message.bearer for other in line)
        if mine >= MOST_WAITING or self._bytes + len(message.data) > MOST_BYTES:
            return False
        line.append(message)
        self._bytes += len(message.data)
        return True

    def again(self, now: float) -> Message | None:
        """The next message whose bearer has earned a whole look."""
        for line in self._waiting:
            for message in line:
                if self.effort(message.bearer, now).whole:
                    line.remove(message)
                    self._bytes -= len(message.data)
                    return message
        return None

    def next_look(self, now: float) -> float | None:
        """When (monotonic) `again` has one."""
        return min((now + self._purse(bearer, now).wait(now) for bearer in self._bearers()), default=None)

    def _bearers(self) -> Iterator[str]:
        yield from {message.bearer for line in self._waiting for message in line}

    def _purse(self, bearer: str, now: float) -> _Purse:
        return self._purses.setdefault(bearer, _Purse(Bucket(CHECKS, CHECKS, now), Bucket(SLOW_BURST, SLOW, now)))
