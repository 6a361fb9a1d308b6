"""Tells a message that a module says twice from two messages that are alike. Bounded; time is an argument."""

from collections import OrderedDict

UNSTAMPED, STAMPED = 30.0, 300.0  # seconds in which the same again is a repeat: without and with a time of its own
MOST = 64  # messages remembered


class Repeats:
    """A sender can send again only after its card's interval, and then with another time where the module gives one."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str, bytes], float] = OrderedDict()

    def has(self, sender: str, clock: str, content: bytes, now: float) -> bool:
        """Whether this was said before; it is remembered from now on."""
        key = sender, clock, content
        before = self._seen.pop(key, None)
        self._seen[key] = now
        if len(self._seen) > MOST:
            self._seen.popitem(last=False)
        return before is not None and now - before < (STAMPED if clock else UNSTAMPED)
