"""The warning authorities of the demonstration: made-up keys of one run, two holders, and what they seal."""

import os
import time
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols import beacon
from protocols.alert import ActionCode, Alert, Level, MsgType, Permission, Status, chain_of, digest_of, next_seq
from protocols.keyring import Holder, Key, Keyring, seal_keyset
from protocols.seal import carry, seal

COUNTY, PROVINCE = "county", "province"
EVERYTHING = Permission.DISPLAY | Permission.VOICE | Permission.SIREN | Permission.EXERCISE | Permission.CANCEL
VALID = 600  # seconds that an alert of the demonstration stands
YEAR = 31_557_600  # seconds
FLASH_FLOOD = "11A51"  # GB/T 35965.1: 山洪


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


class Authority:
    """Two holders that may sound a siren together, a forger that may nothing, and the roots above them."""

    def __init__(self) -> None:
        self._roots = [Ed25519PrivateKey.generate() for _ in range(3)]
        self._county, self._province = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self._forger = Ed25519PrivateKey.generate()
        self._seq = 0

    @property
    def roots(self) -> list[str]:
        return [public(root).hex() for root in self._roots]

    def keyset(self, number: int = 1) -> bytes:
        now = int(time.time())
        keys = tuple(
            Key(holder, public(key), EVERYTHING, (33,), Level.RED, now - 86400, now + YEAR)
            for holder, key in ((COUNTY, self._county), (PROVINCE, self._province))
        )
        return seal_keyset(Keyring(number, now, (Holder(COUNTY, (1,)), Holder(PROVINCE, (2,))), keys), self._roots[:2])

    def alert(
        self,
        area: str,
        text: str,
        *,
        chain: bytes = b"",
        msg_type: MsgType = MsgType.ALERT,
        status: Status = Status.ACTUAL,
        action: ActionCode = ActionCode.EVACUATE,
        lasts: int = VALID,
    ) -> Alert:
        """A red flash-flood alert of the county's, the next in its numbering."""
        now = int(time.time())
        self._seq = next_seq(self._seq, now)
        return Alert(
            issuer=1,
            seq=self._seq,
            status=status,
            msg_type=msg_type,
            chain=chain or chain_of(COUNTY, os.urandom(8).hex()),
            event=FLASH_FLOOD,
            level=Level.RED,
            action=action,
            onset=None,
            expires=now + lasts,
            area=(int(area),),
            text_digest=digest_of(text),
        )

    def genuine(self, alert: Alert, text: str, *, both: bool = True) -> bytes:
        """Sealed by the county, and by the province too where `both`."""
        return self._sealed(alert, text, [self._county, self._province] if both else [self._county])

    def beacon(self, alerts: Sequence[Alert], keyset: int = 1) -> bytes:
        """The county's sign of life, with these in force."""
        active = sorted((alert.seq, item) for alert in alerts for item in alert.area if isinstance(item, int))
        return beacon.seal(beacon.Beacon(1, int(time.time()), keyset, tuple(active)), [self._county])

    def forged(self, alert: Alert, text: str) -> bytes:
        """All words right, the signatures of nobody we know."""
        return self._sealed(alert, text, [self._forger, Ed25519PrivateKey.generate()])

    @staticmethod
    def _sealed(alert: Alert, text: str, keys: Sequence[Ed25519PrivateKey]) -> bytes:
        return carry(seal(alert, list(keys)), text)
