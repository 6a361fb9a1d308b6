"""A subscriber's side of signed acknowledgements: were they said by the station's key, and each once? Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from buffer.ranges import Ranges
from protocols import receipt

MOST_STATIONS = 10_000  # whose counters are remembered
MOST_RANGES = 4096  # of a station's counters: each start leaves a gap


class ReceiptAudit:
    """`take` every new event of a station with the key it is known by (hexadecimal; empty: none is known)."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._held: dict[str, Ranges] = {}

    def take(self, station: str, event: Mapping[str, Any], key: str) -> str:
        """`genuine`, `forged`, `repeated` (its counter was another acknowledgement's), `unsigned`, or `unchecked` for want of
        a key; empty for what is no acknowledgement.
        """
        if not _is_acknowledgement(event):
            return ""
        said = self._judge(station, event, key)
        self.counts[said] += 1
        return said

    def _judge(self, station: str, event: Mapping[str, Any], key: str) -> str:
        if "signature" not in event:
            return "unsigned"
        if not key:
            return "unchecked"
        counter = event.get("counter")
        said_by_it = event.get("station") == station and receipt.verifies(event, bytes.fromhex(key))
        if not (said_by_it and isinstance(counter, int) and 0 < counter <= receipt.MAX_COUNTER):
            return "forged"
        return "genuine" if self._is_new(station, counter) else "repeated"

    def _is_new(self, station: str, counter: int) -> bool:
        held = self._held.setdefault(station, Ranges())
        if held.covers(counter, counter):
            return False
        held.add(counter, counter)
        if len(held) > MOST_RANGES or len(self._held) > MOST_STATIONS:
            del self._held[next(iter(self._held))]
        return True


def _is_acknowledgement(event: Mapping[str, Any]) -> bool:
    """Of the alarm lane; junk and faults are told in the event lane, and are not signed."""
    lane = str(event.get("id")).split("/")[1:2]
    return str(event["type"]).startswith(receipt.KINDS) and lane == ["alarm"]
