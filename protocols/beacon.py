"""A beacon: an issuer's sealed sign of life. `[v, "beacon", issuer, time, key-set number, [[seq, area], ...]]` in
deterministic CBOR, inside COSE_Sign1 or COSE_Sign. Pure; keys and time are arguments.

It proves the way down while nothing happens, tells what time it was when it was made, and names the alerts that must have
come. It moves no actuator, so no authority but the issuer's own is asked for.
"""

from dataclasses import InitVar, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from protocols import canonical, cose
from protocols.alert import ClockReading, Refusal
from protocols.alert_cbor import MAX_ISSUER, MAX_TIME
from protocols.area import is_code
from protocols.errors import LocalError, RemoteError
from protocols.keyring import MAX_NUMBER, Key, Keyring

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = 1
KIND = "beacon"  # no alert and no key-set says it: a signature over the one can never be taken for one over another
MOST_ACTIVE = 32  # of the alerts in force, those that matter most; a province has had 40 on one bad night
MAX_PAYLOAD = 640  # bytes: 32 alerts of 16 bytes and the head; 17 to 22 with none in force
AHEAD = 900  # seconds a beacon may be ahead of a trusted clock: what an unattended issuer's clock may be wrong


@dataclass(frozen=True, slots=True)
class Beacon:
    """`time` is when it was made, in Unix seconds; `active` the alerts in force: sequence number and the code of the area
    they were published for (0: everywhere).
    """

    issuer: int
    time: int
    keyset: int
    active: tuple[tuple[int, int], ...] = ()


_CHECKED: Final = object()


@dataclass(frozen=True, slots=True)
class VerifiedBeacon:
    """Only `verify` makes one. `timely` is that the key was valid when the beacon says it was made: an expired one still
    proves that somebody is there, but tells no time.
    """

    beacon: Beacon
    holder: str
    timely: bool
    proof: InitVar[object]

    def __post_init__(self, proof: object) -> None:
        if proof is not _CHECKED:
            raise TypeError("a VerifiedBeacon is made by protocols.beacon.verify and nowhere else")


def seal(beacon: Beacon, keys: "Sequence[cose.Signer]") -> bytes:
    """The sealed bytes; LocalError says what cannot be said."""
    payload = canonical.encode(
        [VERSION, KIND, beacon.issuer, beacon.time, beacon.keyset, [list(alert) for alert in beacon.active]]
    )
    try:
        decode(payload)
    except RemoteError as error:
        raise LocalError("bad-beacon", error.detail) from error
    return cose.encode(payload, keys)


def open_beacon(data: bytes) -> tuple[Beacon, cose.Envelope]:
    """What stands in sealed bytes, unverified; RemoteError says what is wrong and where."""
    envelope = cose.decode(data, MAX_PAYLOAD)
    return decode(envelope.payload), envelope


def verify(data: bytes, keyring: Keyring, clock: ClockReading) -> VerifiedBeacon | Refusal:
    """Who says so. By a trusted clock it may not come from the future; an old one is for the caller to know."""
    try:
        beacon, envelope = open_beacon(data)
    except RemoteError as error:
        return Refusal(f"beacon-{error.reason}", error.detail, error.offset)
    owner = keyring.holder_of(beacon.issuer)
    if owner is None:
        return Refusal("beacon-unknown-issuer", f"issuer {beacon.issuer}")
    if clock.trusted and beacon.time > clock.best + AHEAD:
        return Refusal("beacon-future", f"{beacon.time - clock.best} s ahead")
    key = _signer(envelope, owner, keyring, clock)
    if key is None:
        return Refusal("beacon-bad-signature", f"issuer {beacon.issuer}")
    return VerifiedBeacon(beacon, owner, key.not_before <= beacon.time < key.not_after, proof=_CHECKED)


def decode(payload: bytes) -> Beacon:
    """The beacon in a payload; RemoteError for anything else."""
    match canonical.decode(payload, MAX_PAYLOAD):
        case [int(version), "beacon", int(issuer), int(time), int(keyset), list(active)] if version == VERSION:
            if not (0 <= issuer <= MAX_ISSUER and 0 <= time <= MAX_TIME and 0 <= keyset <= MAX_NUMBER):
                raise RemoteError("malformed", "issuer, time or number out of range")
            return Beacon(issuer, time, keyset, _active(active))
    raise RemoteError("malformed", f'a beacon is [{VERSION}, "{KIND}", issuer, time, key-set number, active]', 0)


def _active(rows: list[Any]) -> tuple[tuple[int, int], ...]:
    """In rising order, so that there is one way to say it."""
    if len(rows) > MOST_ACTIVE:
        raise RemoteError("oversize", f"{len(rows)} alerts, at most {MOST_ACTIVE}")
    found = tuple(_alert(row) for row in rows)
    if any(later <= earlier for earlier, later in pairwise(found)):
        raise RemoteError("malformed", "alerts are told in rising order, each once")
    return found


def _alert(row: Any) -> tuple[int, int]:
    match row:
        case [int(seq), int(area)] if 0 <= seq <= MAX_TIME and is_code(area):
            return seq, area
    raise RemoteError("malformed", f"not an alert in force: {str(row)[:40]!r}")


def _signer(envelope: cose.Envelope, owner: str, keyring: Keyring, clock: ClockReading) -> Key | None:
    """The issuer's own key that signed. Only its holder's keys are tried, so a forgery is cheap to refuse."""
    own = [key for key in keyring.keys if key.holder == owner and key.permissions_at(clock)]
    checks = ((key, signature) for signature in envelope.signatures for key in own if cose.fits(key.public, signature))
    return next((key for key, signature in checks if envelope.is_by(key.public, signature)), None)
