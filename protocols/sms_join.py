"""Parts of incoming messages until all are there. Pure; bounded in parts and in time."""

from typing import NamedTuple

from protocols import sms_content
from protocols.sms_content import Content

MOST_OPEN = 16  # messages of which a part is missing: a person and a platform write one at a time
MOST_PARTS = 16  # of one message: 1,000 characters of Chinese, more than anybody is to send to a station
PATIENCE = 3600.0  # seconds: a centre retries for hours, but what matters is said again


class _Open(NamedTuple):
    since: float
    parts: dict[int, Content]


class Joiner:
    """`dropped` counts parts that never became a message."""

    def __init__(self) -> None:
        self.dropped = 0
        self._open: dict[tuple[str, int, int, bool], _Open] = {}  # oldest first

    def add(self, sender: str, content: Content, now: float) -> Content | None:
        """The whole message, when this was the last that it wanted."""
        place = content.place
        if place is None or place.total == 1:
            return content
        if place.total > MOST_PARTS:
            self.dropped += 1
            return None
        key = (sender, place.reference, place.total, place.wide)
        if key not in self._open:
            self._forget(now)
        held = self._open.setdefault(key, _Open(now, {}))
        held.parts[place.number] = content
        if len(held.parts) < place.total:
            return None
        del self._open[key]
        return sms_content.join([held.parts[number] for number in sorted(held.parts)])

    def _forget(self, now: float) -> None:
        late = [key for key, held in self._open.items() if now - held.since >= PATIENCE]
        if len(self._open) >= MOST_OPEN and not late:
            late = [next(iter(self._open))]
        for key in late:
            self.dropped += len(self._open.pop(key).parts)
