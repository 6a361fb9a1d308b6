"""How much checking a bearer's messages may cost, and which of them are looked at a second time.

A forgery is refused only after every key has been tried, a genuine message is believed after the first. So the issuer's own
keys are always tried, and what the keys of others cost is rationed for each bearer; what that leaves undecided waits for its
turn instead of being refused. Knows no seal and no clock.
"""

from collections import deque
from collections.abc import Iterator

from agent.bucket import Bucket
from agent.intake import Message
from protocols.seal import MAX_CHECKS, Effort

CHECKS = 1000  # at once, and a second after that: 5 % of a core here, 20 % of a Raspberry Pi 4's
MOST_WAITING = 32  # second looks of a bearer and rank
MOST_BYTES = 256 * 1024  # of all that wait; a sealed alert with its text has at most 5,000


class Ration:
    """Second looks come in two ranks: messages whose payload is known from a genuine copy (another holder may have signed it),
    and all others.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}
        self._waiting: tuple[deque[Message], deque[Message]] = (deque(), deque())
        self._bytes = 0

    def effort(self, bearer: str, now: float) -> Effort:
        return Effort(max(0, min(MAX_CHECKS, int(self._bucket(bearer, now).level(now)))))

    def spent(self, bearer: str, checks: int, now: float) -> None:
        self._bucket(bearer, now).take(checks, now)

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
                if self._bucket(message.bearer, now).level(now) >= MAX_CHECKS:
                    line.remove(message)
                    self._bytes -= len(message.data)
                    return message
        return None

    def next_look(self, now: float) -> float | None:
        """When (monotonic) `again` has one."""
        return min((now + self._bucket(bearer, now).wait(MAX_CHECKS, now) for bearer in self._bearers()), default=None)

    def _bearers(self) -> Iterator[str]:
        yield from {message.bearer for line in self._waiting for message in line}

    def _bucket(self, bearer: str, now: float) -> Bucket:
        return self._buckets.setdefault(bearer, Bucket(CHECKS, CHECKS, now))
