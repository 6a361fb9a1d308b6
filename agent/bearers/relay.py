"""Whether a warning that was heard is passed on to the neighbouring station, when, and by which bearer. Pure.

Passed on are the bytes as they were signed, verified, seen for the first time, once by each bearer that relays, after a
random while, and only as many hops and seconds of airtime as are allowed. Nothing is signed here, nothing made up: the
next station believes the seal and not the relay. Time is in seconds of any clock that does not step; chance is handed in.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from drivers.api import Declined, Sent
from protocols.alert import Status, VerifiedAlert
from protocols.errors import LocalError, RemoteError
from protocols.lora_guard import Guard

HOPS = 4  # from the first station that had it by another way; a valley has five villages in a row
MOST_HOPS = 15
JITTER = (1.0, 9.0)  # seconds: of six neighbours that heard it together, two rarely begin within one packet's time
ENOUGH = 3  # copies heard from others while waiting, and passing it on adds nothing
REMEMBERED = 512  # warnings, the oldest forgotten: more than a village gets in the longest validity of one
MOST_WAITING = 32  # by one bearer; the least urgent gives way
RELAYED = frozenset({Status.ACTUAL, Status.EXERCISE})  # a test is for the station it was sent to

Chance = Callable[[], float]
"""0 to 1, anew at each call."""


class Outlet(NamedTuple):
    """A bearer that relays: `hour` seconds of its airtime in any hour are for relaying, `airtime` those of a message."""

    bearer: str
    hour: float
    airtime: Callable[[int], float]


class Heard(NamedTuple):
    """A warning whose seal was checked, as it came in; `left` seconds of its validity remain. `hops`: 0 where no station
    passed it on before.
    """

    sealed: bytes
    alert: VerifiedAlert
    bearer: str
    hops: int
    left: float


class Forward(NamedTuple):
    """To be sent: these very bytes, with this number of hops."""

    bearer: str
    identity: bytes
    sealed: bytes
    hops: int


@dataclass(slots=True)
class _Waiting:
    forward: Forward
    rank: tuple[int, int]
    at: float
    until: float
    copies: int = 0
    given: bool = False  # to be sent, and what became of it is not known yet


@dataclass(slots=True)
class _Seen:
    holders: dict[str, frozenset[str]] = field(default_factory=dict)  # by bearer: whose signatures were passed on


class Relays:
    """`hear` what was verified, send what is `due`, and say with `settle` what became of it."""

    def __init__(
        self,
        outlets: Iterable[Outlet],
        *,
        hops: int = HOPS,
        jitter: tuple[float, float] = JITTER,
        enough: int = ENOUGH,
    ) -> None:
        self._outlets = {one.bearer: one for one in outlets}
        self._guards = {one.bearer: Guard(one.hour, one.hour) for one in self._outlets.values()}
        self._hops, self._jitter, self._enough = min(hops, MOST_HOPS), jitter, enough
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self._waiting: dict[tuple[str, bytes], _Waiting] = {}

    @property
    def deadline(self) -> float | None:
        return min((one.at for one in self._waiting.values() if not one.given), default=None)

    def hear(self, heard: Heard, now: float, chance: Chance) -> bool:
        """Is it passed on? Each copy is told, that of a relay too: enough of them make one's own needless."""
        self._count(heard)
        if heard.left <= 0 or heard.hops >= self._hops or heard.alert.alert.status not in RELAYED:
            return False
        seen, holders = self._remember(heard.alert.identity), frozenset(heard.alert.holders)
        fresh = [name for name in self._outlets if not holders <= seen.holders.get(name, frozenset())]
        for bearer in fresh:
            seen.holders[bearer] = seen.holders.get(bearer, frozenset()) | holders
            self._put(bearer, heard, now, chance)
        return bool(fresh)

    def due(self, now: float) -> list[Forward]:
        """What may go out now, the most urgent first, at most one by each bearer until that is settled."""
        self._drop_expired(now)
        found: list[Forward] = []
        busy = {bearer for (bearer, _), one in self._waiting.items() if one.given}
        for (bearer, _), one in sorted(self._waiting.items(), key=lambda item: (item[1].rank, item[1].at)):
            if bearer in busy or one.at > now or not self._may(one, now):
                continue
            one.given = True
            busy.add(bearer)
            found.append(one.forward)
        return found

    def settle(self, forward: Forward, sent: Sent, now: float) -> None:
        """What is sent, or may have been, is not sent again; what the bearer declined waits as long as it says."""
        key = forward.bearer, forward.identity
        one = self._waiting.get(key)
        if isinstance(sent, Declined) and sent.retry_after is not None and one is not None:
            one.given, one.at = False, now + max(sent.retry_after, self._jitter[0])
            return
        if not isinstance(sent, Declined):
            outlet = self._outlets[forward.bearer]
            self._guards[forward.bearer].spend(now, outlet.airtime(len(forward.sealed)) * 1000)
        if one is not None and one.forward != forward:  # a second signer's copy came meanwhile
            one.given, one.at = False, now + self._jitter[0]
        else:
            self._waiting.pop(key, None)

    def _put(self, bearer: str, heard: Heard, now: float, chance: Chance) -> None:
        alert = heard.alert.alert
        forward = Forward(bearer, heard.alert.identity, heard.sealed, heard.hops + 1)
        rank = (int(alert.status), alert.level)
        low, high = self._jitter
        waiting = self._waiting.get((bearer, forward.identity))
        if waiting is not None:  # better signed than what waits: in its place
            waiting.forward, waiting.copies = forward, 0
            return
        self._waiting[bearer, forward.identity] = _Waiting(
            forward, rank, now + low + chance() * (high - low), now + heard.left
        )
        self._bound(bearer)

    def _bound(self, bearer: str) -> None:
        mine = [(one.rank, one.at, key) for key, one in self._waiting.items() if key[0] == bearer and not one.given]
        if len(mine) > MOST_WAITING:
            del self._waiting[max(mine)[2]]

    def _count(self, heard: Heard) -> None:
        """A neighbour has passed it on while we waited."""
        one = self._waiting.get((heard.bearer, heard.alert.identity))
        if one is None or one.given or heard.hops < one.forward.hops:
            return
        one.copies += 1
        if one.copies >= self._enough:
            del self._waiting[heard.bearer, heard.alert.identity]

    def _remember(self, identity: bytes) -> _Seen:
        seen = self._seen.setdefault(identity, _Seen())
        self._seen.move_to_end(identity)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return seen

    def _may(self, one: _Waiting, now: float) -> bool:
        """Within the airtime for relaying; what it does not allow now waits, or goes when it never will."""
        outlet = self._outlets[one.forward.bearer]
        wait = self._guards[outlet.bearer].wait(now, outlet.airtime(len(one.forward.sealed)) * 1000)
        if wait:
            one.at = now + wait
        elif wait is None:
            one.until = now  # goes with what has expired
        return wait == 0

    def _drop_expired(self, now: float) -> None:
        for key in [key for key, one in self._waiting.items() if one.until <= now and not one.given]:
            del self._waiting[key]


# How it travels: the three bytes of address that a frame may have name the relay, and the first of them counts hops.

ADDRESS_BYTES = 3


def address(station: str, hops: int) -> bytes:
    """Of a sealed frame that this station passes on."""
    if not 0 <= hops <= MOST_HOPS:
        raise LocalError("relay.hops", str(hops))
    return bytes((hops,)) + hashlib.sha256(f"fengsui relay {station}".encode()).digest()[: ADDRESS_BYTES - 1]


def hops_of(address: bytes) -> int:
    """0 for a frame without an address: from a headend."""
    if not address:
        return 0
    if len(address) != ADDRESS_BYTES or address[0] > MOST_HOPS:
        raise RemoteError("relay.hops", address.hex(), 0)
    return address[0]
