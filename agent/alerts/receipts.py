"""Acknowledgements of warnings, signed on their way into the record. What is signed stands in `protocols.receipt`.

An acknowledgement that cannot be signed is said all the same: it is worth what the link is worth.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agent.alerts.evidence import Record
from agent.station_key import COUNTER_FILE, KEY_FILE, Counter, open_key
from buffer.model import Lane
from protocols import receipt
from protocols.alert import ClockReading
from protocols.errors import LocalError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = logging.getLogger(__name__)


class Clock(Protocol):
    def read(self) -> ClockReading: ...


class Receipts:
    """Is a `Record`; hands everything on to another."""

    def __init__(self, station: str, state: Path, clock: Clock, record: Record) -> None:
        """Blocks: reads the key, reserves numbers."""
        self._station, self._clock, self._record = station, clock, record
        self._key: Ed25519PrivateKey | None = None
        try:
            self._key = open_key(state / KEY_FILE)
        except (OSError, LocalError) as wrong:
            log.error("acknowledgements are not signed: %s", wrong)  # noqa: TRY400 - the reason says it all
            record("warning.unsigned", {"reason": str(wrong)}, Lane.EVENT)
        self._counter = Counter(state / COUNTER_FILE, clock.read().best)

    def __call__(self, kind: str, fields: Mapping[str, Any], lane: Lane = Lane.ALARM) -> object:
        if lane is Lane.ALARM and kind.startswith(receipt.KINDS):
            fields = {**fields, **self._proof(kind, fields)}
        return self._record(kind, fields, lane)

    def _proof(self, kind: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        counter = self._counter.next() if self._key is not None else None
        if self._key is None or counter is None:
            return {}
        clock = self._clock.read()
        try:
            return receipt.sign(
                self._station, kind, fields, counter=counter, said=clock.best, certain=clock.trusted, key=self._key
            )
        except LocalError as wrong:
            log.warning("%s is not signed: %s", kind, wrong)
            return {}
