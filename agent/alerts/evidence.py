"""The ladder of acknowledgements: what became of a warning, step by step, and one line for all junk.

Steps go to the alarm lane and only for a message whose seal verified. Whatever else arrives is counted and said once
per reason, bearer and ten minutes, so that a flood can fill neither the disk nor the uplink. Knows no device and never
raises: an acknowledgement that can't be written must not keep a siren silent.
"""

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from buffer.model import Lane
from drivers.api import Action, Outcome, Verdict
from protocols.alert import VerifiedAlert, displayable

log = logging.getLogger(__name__)

JUNK_WINDOW = 600.0  # seconds: six lines an hour for each kind of junk, whatever its rate
MOST_JUNK = 256  # reasons times bearers: both are short lists of ours; beyond it all is counted as one
RECEIPTS = (
    4096  # (identity, bearer) pairs that had their receipt; four thousand alerts in force is more than a nation's
)

Record = Callable[[str, Mapping[str, Any], Lane], object]

# What decide says of a message that changes something or is kept; a duplicate is neither this nor a refusal.
ACCEPTED = frozenset(
    {
        "started",
        "scheduled",
        "replaced",
        "upgraded",
        "completed",
        "countersigned",
        "cancelled",
        "tombstone",
        "left-area",
    }
)
DUPLICATE = "duplicate"


class Evidence:
    def __init__(self, record: Record, now: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()  # outcomes of what verified, and reasons of what did not
        self._record, self._now = record, now
        self._receipts: OrderedDict[tuple[bytes, str], None] = OrderedDict()
        self._junk: dict[tuple[str, str], tuple[float, int]] = {}  # (reason, bearer) -> (window's begin, how many)

    def decided(self, bearer: str, verified: VerifiedAlert, outcome: str, facts: Mapping[str, Any]) -> None:
        """Received, verified, and what was decided: once for an alert and bearer, and again when the answer is new."""
        self.counts[outcome] += 1
        known = (verified.identity, bearer) in self._receipts
        self._receipts[verified.identity, bearer] = None
        self._receipts.move_to_end((verified.identity, bearer))
        if len(self._receipts) > RECEIPTS:
            self._receipts.popitem(last=False)
        alert = verified.identity.hex()
        if not known:
            origin = {"issuer": verified.alert.issuer, "seq": verified.alert.seq, "bearer": bearer}
            self._say("warning.received", {"alert": alert, **origin})
            holders = [displayable(holder) for holder in verified.holders]
            self._say("warning.verified", {"alert": alert, "holders": holders, "text": verified.text_refused or "ok"})
        if outcome in ACCEPTED:
            self._say("warning.decided", {"alert": alert, "bearer": bearer, "reason": outcome, **facts})
        elif not known:
            step = "warning.decided" if outcome == DUPLICATE else "warning.refused"
            self._say(step, {"alert": alert, "bearer": bearer, "reason": outcome})

    def changed(self, alert: str, outcome: str, facts: Mapping[str, Any]) -> None:
        """What time, a rule or a start of the agent changed."""
        self._say("warning.decided", {"alert": alert, "bearer": "", "reason": outcome, **facts})

    def step(self, step: str, actuator: str, action: Action, outcome: Outcome) -> None:
        """An actuator started, failed or ended: what it was asked, and what was seen of it."""
        fields = {"alert": action.key, "actuator": actuator, "channel": action.kind, "exercise": action.exercise}
        if action.pattern:
            fields["pattern"] = action.pattern
        self._say(f"warning.{step}", {**fields, "reason": outcome.reason, "evidence": dict(outcome.evidence)})

    def reach(self, actuator: str, outcome: Outcome) -> None:
        """An actuator was found to answer, or not to, when nothing was asked of it."""
        kind = "actuator.up" if outcome.verdict is Verdict.DONE else "actuator.down"
        self._say(kind, {"actuator": actuator, "reason": outcome.reason}, Lane.EVENT)

    def unjournalled(self, alert: str, why: str) -> None:
        self._say("warning.unjournalled", {"alert": alert, "reason": why})

    def junk(self, reason: str, bearer: str) -> None:
        """A message that is worth nothing: nothing of it is kept but this count."""
        self.counts[reason] += 1
        key = (reason, bearer) if len(self._junk) < MOST_JUNK or (reason, bearer) in self._junk else ("other", "")
        begun, count = self._junk.get(key, (self._now(), 0))
        self._junk[key] = (begun, count + 1)

    def next_flush(self) -> float | None:
        """When (monotonic) a window of junk is over."""
        return min((begun + JUNK_WINDOW for begun, _ in self._junk.values()), default=None)

    def flush(self, *, everything: bool = False) -> None:
        """Say what the windows that are over have counted."""
        over = [key for key, (begun, _) in self._junk.items() if everything or self._now() >= begun + JUNK_WINDOW]
        for reason, bearer in over:
            begun, count = self._junk.pop((reason, bearer))
            seconds = round(self._now() - begun)
            self._say(
                "warning.junk", {"reason": reason, "bearer": bearer, "count": count, "seconds": seconds}, Lane.EVENT
            )

    def _say(self, kind: str, fields: Mapping[str, Any], lane: Lane = Lane.ALARM) -> None:
        try:
            self._record(kind, fields, lane)
        except Exception:
            self.counts["unrecorded"] += 1
            log.exception("%s could not be recorded", kind)
