"""An account: what one log has issued and what is gone of it, signed by the station, so that both sides can audit that
nothing is lost. Pure: the payload, its seal, and the event that carries both. `docs/platform/accounts.md` is its text.

    [1, station, log, closed, Unix s, [[lane, issued], ...], [[lane, reason, numbers, ranges], ...]]

in deterministic CBOR, inside COSE_Sign1. `ranges` is text as `1-60,62`; it may be cut short, `numbers` never is.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

from buffer.model import LogInfo
from buffer.ranges import Ranges
from protocols import canonical, cose
from protocols.errors import RemoteError
from protocols.key import LANES, MAX_NUMBER

TYPE = "account"
VERSION = 1
MOST_RANGES = 600  # in one account; 24 kB of text at the very worst, 7 kB as a rule
MOST_PAYLOAD = 32 * 1024  # bytes


class Gone(NamedTuple):
    """Numbers of a lane that nobody can have from the station any more."""

    lane: str
    reason: str
    numbers: int
    ranges: Ranges


class Account(NamedTuple):
    station: str
    log: str
    closed: bool
    at: int  # Unix seconds by the station's clock
    issued: Mapping[str, int]  # by lane: numbers 1 to this one
    gone: tuple[Gone, ...]

    def encode(self) -> bytes:
        """The payload."""
        lanes = [[lane, issued] for lane, issued in self.issued.items()]
        gone, room = [], MOST_RANGES
        for each in self.gone:
            gone.append([each.lane, each.reason, each.numbers, each.ranges.encode(room)])
            room = max(0, room - len(each.ranges))
        head = [VERSION, self.station, bytes.fromhex(self.log), int(self.closed), self.at]
        return canonical.encode([*head, lanes, gone])

    def facts(self, sealed: bytes, key: str) -> dict[str, Any]:
        """Fields of the event: the seal, and beside it what it says for who only reads. Both ranges and counts."""
        gone = [
            {
                "lane": each.lane,
                "reason": each.reason,
                "numbers": each.numbers,
                "ranges": each.ranges.encode(32).decode(),
            }
            for each in self.gone
        ]
        said = {"log": self.log, "closed": self.closed, "issued": dict(self.issued), "gone": gone}
        return said | {"key": key, "sealed": b64encode(sealed).decode()}


def account_of(station: str, info: LogInfo, at: int) -> Account:
    issued = {lane.name.lower(): found.last for lane, found in info.lanes.items() if found.last}
    gone = [
        Gone(lane.name.lower(), reason, (ranges := Ranges(pairs)).count, ranges)
        for lane, found in info.lanes.items()
        for reason, pairs in found.gone.items()
        if pairs
    ]
    return Account(station, info.log, info.closed, at, issued, tuple(gone))


def opened(facts: Mapping[str, Any], public: bytes) -> Account:
    """What the seal of an account event covers, if the key `public` made it; RemoteError otherwise."""
    try:
        sealed = b64decode(str(facts.get("sealed")), validate=True)
    except binascii.Error as error:
        raise RemoteError("account.sealed", str(error)) from error
    envelope = cose.decode(sealed, MOST_PAYLOAD)
    if envelope.several or not envelope.is_by(public, envelope.signatures[0]):
        raise RemoteError("account.forged", "the signature is not of this key")
    return decode(envelope.payload)


def decode(payload: bytes) -> Account:
    match canonical.decode(payload, MOST_PAYLOAD):
        case [1, str(station), bytes(log), 0 | 1 as closed, int(at), [*lanes], [*gone]] if len(log) == 8:
            issued = dict(_issued(row) for row in lanes)
            return Account(station, log.hex(), bool(closed), at, issued, tuple(_gone(row) for row in gone))
    raise RemoteError("account.shape", "not the seven parts of version 1")


def _issued(row: object) -> tuple[str, int]:
    match row:
        case [str(lane), int(issued)] if lane in LANES and 0 < issued <= MAX_NUMBER:
            return lane, issued
    raise RemoteError("account.issued", f"{row!r:.80}")


def _gone(row: object) -> Gone:
    match row:
        case [str(lane), str(reason), int(numbers), bytes(text)] if lane in LANES:
            try:
                return Gone(lane, reason, numbers, Ranges.decode(text, MOST_RANGES))
            except ValueError as error:
                raise RemoteError("account.gone", str(error)) from error
    raise RemoteError("account.gone", f"{row!r:.80}")
