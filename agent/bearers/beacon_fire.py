"""Sealed bytes by a narrow bearer: put together, told apart, handed to those who judge them, and passed on to neighbours.

Believes nothing: a whole message goes where the same message by MQTT would go, and what a relay passes on are the bytes as
they were signed, after somebody else has verified them.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from agent.bearers import relay
from agent.bearers.line import Line
from agent.bearers.relay import Heard, Relays
from protocols import beacon, cose, keyring, seal
from protocols.alert import VerifiedAlert
from protocols.errors import RemoteError
from protocols.narrow import sealed
from protocols.narrow.header import Frame
from protocols.narrow.reassembly import Reassembly

MOST_OPEN = 32  # messages half put together, of one bearer: a flood must not push out the one that matters
MOST_BYTES = 128 * 1024
REMEMBERED = 64  # sealed bytes by identity and bearer, until their verdict comes back
ALERT, KEYSET = 0x8D, 0x85  # CBOR heads of an array of 13 and of 5 (docs/platform/seal.md)
_BEACON = b"\x01\x66" + beacon.KIND.encode()  # version 1, then the word

OnWarning = Callable[[str, bytes], None]
OnTrust = Callable[[str, str, bytes], None]


class Known(NamedTuple):
    """What an alert came as, and how often it had been passed on."""

    data: bytes
    hops: int


class BeaconFire:
    """`warning(bearer, data)` and `trust(kind, bearer, data)` judge; `genuine` says whether bytes put together from pieces
    are worth anything, so that pieces of a forger's do not end the waiting for the right ones.
    """

    def __init__(self, warning: OnWarning | None, trust: OnTrust | None, genuine: Callable[[bytes], bool]) -> None:
        self._warning, self._trust, self._genuine = warning, trust, genuine
        self._reassembly = Reassembly(most_open=MOST_OPEN, most_bytes=MOST_BYTES)
        self._known: OrderedDict[tuple[bytes, str], Known] = OrderedDict()
        self.relays: Relays | None = None

    def take(self, line: Line, sender: str, frame: Frame, now: float) -> None:
        """A frame of kind sealed."""
        try:
            hops = relay.hops_of(frame.address)
            data = self._whole(f"{line.name}\0{sender}", frame, now)
        except RemoteError as wrong:
            line.counts[wrong.reason.removeprefix("frame.")] += 1
            return
        if data is None:
            line.counts["part" if frame.piece else "misfit"] += 1
            return
        kind = kind_of(data)
        line.counts[kind] += 1
        self._hand_over(line, kind, data, hops)

    def note(self, bearer: str, data: bytes, hops: int = 0) -> None:
        """Bytes that are about to be judged, by whichever way they came: if they prove genuine, neighbours may want them."""
        if self.relays is None:
            return
        try:
            identity = cose.identity(cose.decode(seal.uncarry(data)[0], keyring.MAX_BYTES).payload)
        except RemoteError:
            return
        self._known[identity, bearer] = Known(data, hops)
        self._known.move_to_end((identity, bearer))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def verified(self, bearer: str, alert: VerifiedAlert, left: float, now: float, chance: Callable[[], float]) -> None:
        """The verdict: genuine, with `left` seconds of validity."""
        known = self._known.pop((alert.identity, bearer), None)
        if known is not None and self.relays is not None:
            self.relays.hear(Heard(known.data, alert, bearer, known.hops, left), now, chance)

    def _whole(self, sender: str, frame: Frame, now: float) -> bytes | None:
        if frame.piece is None:
            return frame.body if sealed.fits(frame, frame.body) else None

        def check(data: bytes) -> bytes | None:
            return data if sealed.fits(frame, data) and self._genuine(data) else None

        return self._reassembly.take(sender, frame, now, check).found

    def _hand_over(self, line: Line, kind: str, data: bytes, hops: int) -> None:
        if kind in ("beacon", "keyset"):
            if self._trust is not None and line.table.common.warnings:
                self._trust(kind, line.name, data)
        elif self._warning is not None and line.table.common.warnings:
            self.note(line.name, data, hops)
            self._warning(line.name, data)


def kind_of(data: bytes) -> str:
    """`alert`, `beacon`, `keyset`, by the form of what is signed; `unknown` for what is none of them."""
    try:
        payload = cose.decode(seal.uncarry(data)[0], keyring.MAX_BYTES).payload
    except RemoteError:
        return "unknown"
    if payload[1 : 1 + len(_BEACON)] == _BEACON:
        return "beacon"
    return {ALERT: "alert", KEYSET: "keyset"}.get(payload[0] if payload else 0, "unknown")
