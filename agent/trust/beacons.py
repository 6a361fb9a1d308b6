"""Issuers' signs of life: who was heard, by which way, who has fallen silent, and what must have come and has not.

Decides no warning. Everything is kept per issuer of the key-set, so it is bounded by that; what a restart must not forget
(when each was heard, who is silent) goes through `save`.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from agent.alerts.evidence import Record
from buffer.model import Lane
from protocols.alert import ClockReading, VerifiedAlert
from protocols.area import EVERYWHERE, contains
from protocols.beacon import AHEAD, VerifiedBeacon
from protocols.keyring import Keyring

log = logging.getLogger(__name__)

SILENCE = 86_400  # seconds without a sign of an issuer that are an alarm
PATIENCE = 900.0  # seconds after a start in which the broker's retained beacons arrive, before anybody is called silent
AWAITED = 30.0  # seconds an alert may come after the beacon that names it: two topics, one link
# Beacons that were queued for us come in a burst; only two that keep pace with boot time tell the present.
PACE_SPAN, PACE_ERROR = 120, 30  # seconds
MOST_RECENT = 64  # alerts of an issuer remembered to have come, besides those in the journal; twice what a beacon names
MOST_BEARERS = 32


class Named(NamedTuple):
    """An alert as a beacon names it."""

    issuer: int
    seq: int
    area: int


Fetch = Callable[[Sequence[Named]], None]
"""`fetch(alerts)` asks the brokers for these, or for all that they keep where none is named."""


class Clock(Protocol):
    """The part of `agent.clock.Clock` that is asked and told."""

    def read(self) -> ClockReading: ...
    def hear(self, unix: int, *, proven: bool) -> None: ...


class Sign(msgspec.Struct):
    """Of one issuer, in Unix seconds: its newest beacon, its newest sign of any kind by bearer, since when it is expected."""

    beacon: int = 0
    by: dict[str, int] = {}
    since: int = 0
    silent: bool = False
    told_keyset: int = 0  # the newest number of a key-set that we said we lack

    @property
    def alive(self) -> int:
        return max(self.by.values(), default=0)

    @property
    def bearer(self) -> str:
        """By which way it was heard last."""
        return max(self.by, key=lambda name: self.by[name], default="")


class Step(NamedTuple):
    """A beacon that came live, and when (monotonic)."""

    time: int
    at: float


class Beacons:
    """`known(issuer)` gives the numbers of alerts in the journal; `silent` hears, at every look, whether any issuer is."""

    def __init__(
        self,
        *,
        keyring: Callable[[], Keyring],
        clock: Clock,
        codes: tuple[int, ...],
        record: Record,
        known: Callable[[int], Collection[int]],
        fetch: Fetch = lambda _alerts: None,
        silent: Callable[[bool], None] = lambda _any: None,
        saved: bytes | None = None,
        save: Callable[[bytes], object] = lambda _data: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keyring, self._clock, self._codes, self._record = keyring, clock, codes, record
        self._known, self._fetch, self._save, self._now = known, fetch, save, now
        self._tell_silent = silent
        self._signs = _loaded(saved)
        self._started = now()
        self._heard_at: dict[int, float] = {}  # monotonic: for when there is no trusted time
        self._pace: dict[int, Step] = {}
        self._recent: defaultdict[int, deque[int]] = defaultdict(lambda: deque(maxlen=MOST_RECENT))
        self._awaited: dict[tuple[int, int], float] = {}  # (issuer, seq) → when we begin to miss it

    def take(self, bearer: str, found: VerifiedBeacon, *, retained: bool) -> None:
        """A beacon that verified."""
        beacon = found.beacon
        sign = self._sign(beacon.issuer)
        if beacon.time < sign.beacon or (beacon.time == sign.beacon and bearer in sign.by):
            return  # a repeat, or one from before: it proves nothing new
        newer, sign.beacon = beacon.time > sign.beacon, beacon.time
        if newer and found.timely:
            self._clock.hear(beacon.time, proven=self._keeps_pace(beacon.issuer, beacon.time, retained=retained))
        self._alive(beacon.issuer, found.holder, sign, beacon.time, bearer)
        if beacon.keyset > max(self._keyring().number, sign.told_keyset):
            sign.told_keyset = beacon.keyset
            ours = self._keyring().number
            self._say("keyset.behind", beacon.issuer, found.holder, number=beacon.keyset, ours=ours)
            self._fetch(())
        self._await(beacon.issuer, beacon.active)
        self._keep()

    def alerted(self, bearer: str, found: VerifiedAlert) -> None:
        """A warning that verified is a sign of life too, if its issuer has signed it and it is newer than the last."""
        issuer, seq = found.alert.issuer, found.alert.seq
        self._recent[issuer].append(seq)
        self._awaited.pop((issuer, seq), None)
        if not found.own:
            return
        sign, clock = self._sign(issuer), self._clock.read()
        said = min(seq, clock.best) if clock.trusted else seq
        if said > sign.alive:
            self._alive(issuer, self._keyring().holder_of(issuer) or "", sign, said, bearer)
            self._keep()

    def tick(self) -> None:
        """What time brings to light: issuers that fell silent, alerts that did not come."""
        changed = [self._look(issuer, holder) for issuer, holder in self._expected()]
        if any(changed):
            self._keep()
        self._tell_silent(bool(self.silent))
        self._miss()

    @property
    def expected(self) -> list[int]:
        """Issuers who speak for this place."""
        return [issuer for issuer, _ in self._expected()]

    @property
    def silent(self) -> list[int]:
        """Issuers that have not been heard for a day."""
        return [issuer for issuer, _ in self._expected() if issuer in self._signs and self._signs[issuer].silent]

    def status(self) -> list[dict[str, Any]]:
        """Last heard issuer X by bearer Y."""
        return [self._row(issuer, holder) for issuer, holder in self._expected()]

    # Signs of life

    def _sign(self, issuer: int) -> Sign:
        """What was taken from the future while the time was not known is forgotten once it is."""
        sign, clock = self._signs.setdefault(issuer, Sign()), self._clock.read()
        if clock.trusted and max(sign.beacon, sign.alive) > clock.best + AHEAD:
            sign = self._signs[issuer] = Sign(since=clock.best, silent=sign.silent)
        return sign

    def _alive(self, issuer: int, holder: str, sign: Sign, at: int, bearer: str) -> None:
        silent_for = self._age(issuer, sign)
        self._heard_at[issuer] = self._now()
        if bearer in sign.by or len(sign.by) < MOST_BEARERS:
            sign.by[bearer] = max(at, sign.by.get(bearer, 0))
        if sign.silent and self._age(issuer, sign) <= SILENCE:
            sign.silent = False
            self._say("issuer.heard", issuer, holder, Lane.ALARM, bearer=bearer, seconds=round(silent_for))
            self._tell_silent(bool(self.silent))

    def _look(self, issuer: int, holder: str) -> bool:
        """Whether anything is to be kept."""
        sign, clock, changed = self._sign(issuer), self._clock.read(), False
        if not sign.since and clock.trusted:
            sign.since, changed = clock.best, True
        age = self._age(issuer, sign)
        if sign.silent or age <= SILENCE or self._now() - self._started < PATIENCE:
            return changed
        sign.silent = True
        self._say("issuer.silent", issuer, holder, Lane.ALARM, bearer=sign.bearer, seconds=round(age))
        return True

    def _age(self, issuer: int, sign: Sign) -> float:
        """Seconds since it was last heard, or has been expected; by boot time where the time is not known."""
        clock, begun = self._clock.read(), sign.alive or sign.since
        if clock.trusted and begun:
            return float(clock.best - begun)
        return self._now() - self._heard_at.get(issuer, self._started)

    def _keeps_pace(self, issuer: int, unix: int, *, retained: bool) -> bool:
        if retained:
            return False
        before, self._pace[issuer] = self._pace.get(issuer), Step(unix, self._now())
        if before is None or unix - before.time < PACE_SPAN:
            return False
        return abs((unix - before.time) - (self._now() - before.at)) <= PACE_ERROR

    def _expected(self) -> Iterator[tuple[int, str]]:
        """Issuers who speak for this place by a key that is still good for something."""
        ring, clock = self._keyring(), self._clock.read()
        here = {key.holder for key in ring.keys if key.permissions_at(clock) and self._for_us(key.areas)}
        return ((issuer, h.name) for h in ring.holders if h.name in here for issuer in h.issuers)

    def _for_us(self, areas: Collection[int]) -> bool:
        return EVERYWHERE in areas or any(contains(area, code) for area in areas for code in self._codes)

    # What must have come

    def _await(self, issuer: int, active: Collection[tuple[int, int]]) -> None:
        """Only the newest beacon counts: what it no longer names is no longer in force."""
        for key in [key for key in self._awaited if key[0] == issuer]:
            if key[1] not in {seq for seq, _ in active}:
                del self._awaited[key]
        have = {*self._known(issuer), *self._recent[issuer], *(seq for of, seq in self._awaited if of == issuer)}
        missing = [Named(issuer, seq, area) for seq, area in active if seq not in have and self._for_us([area])]
        self._awaited |= {(one.issuer, one.seq): self._now() + AWAITED for one in missing}
        if missing:
            self._fetch(missing)

    def _miss(self) -> None:
        late: defaultdict[int, list[int]] = defaultdict(list)
        for (issuer, seq), due in self._awaited.items():
            if self._now() >= due:
                late[issuer].append(seq)
                self._awaited[issuer, seq] = float("inf")  # said once; it stays in the status
        for issuer, seqs in late.items():
            self._say("issuer.missed", issuer, self._keyring().holder_of(issuer) or "", Lane.ALARM, alerts=seqs)
        if late:
            self._fetch(())

    def _row(self, issuer: int, holder: str) -> dict[str, Any]:
        sign = self._signs.get(issuer, Sign())
        heard = bool(sign.alive)
        return {
            "issuer": issuer,
            "holder": holder,
            "bearer": sign.bearer,
            "seconds_ago": round(self._age(issuer, sign)) if heard else None,
            "silent": sign.silent,
            "missing": [seq for of, seq in self._awaited if of == issuer],
        }

    def _say(self, kind: str, issuer: int, holder: str, lane: Lane = Lane.EVENT, **facts: Any) -> None:
        self._record(kind, {"issuer": issuer, "holder": holder, **facts}, lane)

    def _keep(self) -> None:
        ring = self._keyring()
        if ring.number:  # not while no key-set is believed: what was learnt is wanted again with the next
            self._signs = {issuer: sign for issuer, sign in self._signs.items() if ring.holder_of(issuer) is not None}
        self._save(msgspec.json.encode(self._signs))


def _loaded(saved: bytes | None) -> dict[int, Sign]:
    try:
        found: Mapping[int, Sign] = msgspec.json.decode(saved or b"{}", type=dict[int, Sign])
        return dict(found)
    except msgspec.DecodeError:
        log.warning("what was remembered of issuers cannot be read and begins anew")
        return {}
