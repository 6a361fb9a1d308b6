"""The key switch that mutes the siren, and nothing else: for as long as it is turned, two hours at most.

Knows a switch and a time; not what a siren is. What it remembers survives a restart, so that nobody gets two more hours by
pulling a plug; where nobody can say how long it was, the two hours are over.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from agent.clock import Clock
from buffer.model import Lane

LONGEST = 2 * 3_600_000  # ms: a visit of service; a muted siren must not be forgotten
KEPT = "inhibit"  # the buffer's key

Record = Callable[[str, Mapping[str, Any], Lane], object]


class Inhibit:
    """`mute(on)` is called at each change, and at the beginning. `keep` stores what `saved` gives back."""

    def __init__(
        self,
        clock: Clock,
        *,
        saved: bytes | None,
        keep: Callable[[bytes], object],
        mute: Callable[[bool], None],
        record: Record,
    ) -> None:
        self._clock, self._keep, self._mute, self._record = clock, keep, mute, record
        self._since: int | None = None  # boot ms when the key was turned; None while it is not
        self.muted = False
        self._load(saved)

    def key(self, turned: bool | None) -> None:
        """What the switch says now; None, nothing: then it stays as it was, until its time is over."""
        now = self._clock.now()
        if turned and self._since is None:
            self._since = now
            self._save()
            self._set(True, "turned")
        elif turned is False and self._since is not None:
            self._since = None
            self._save()
            self._set(False, "turned")
        elif self.muted and self._since is not None and now - self._since >= LONGEST:
            self._set(False, "over")

    def status(self) -> Mapping[str, Any]:
        left = LONGEST - (self._clock.now() - self._since) if self.muted and self._since is not None else 0
        return {"muted": self.muted, "seconds": max(0, round(left / 1000))}

    def _set(self, muted: bool, reason: str) -> None:
        if muted is self.muted:
            return
        self.muted = muted
        self._mute(muted)
        fields = {"reason": reason, "seconds": LONGEST // 1000 if muted else 0}
        self._record("inhibit.on" if muted else "inhibit.off", fields, Lane.ALARM)

    def _save(self) -> None:
        turned = None if self._since is None else [self._clock.boot.hex(), self._since]
        self._keep(json.dumps(turned).encode())

    def _load(self, saved: bytes | None) -> None:
        try:
            boot, at = json.loads(saved or b"null")
            self._since = self._placed(bytes.fromhex(boot), int(at))
        except (ValueError, TypeError):
            return
        self.muted = self._clock.now() - self._since < LONGEST
        if self.muted:
            self._mute(True)

    def _placed(self, boot: bytes, at: int) -> int:
        """In this boot's time; so early that its time is over where that cannot be told."""
        now = self._clock.now()
        if boot == self._clock.boot:
            return at
        (then, known), (wall, trusted) = self._clock.wall(boot, at), self._clock.wall(self._clock.boot, now)
        return now - max(0, wall - then) if known and trusted else now - LONGEST
