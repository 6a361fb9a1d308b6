"""A small world of trust for tests: holders, keys from fixed seeds, a key-set, and alerts with one thing changed.

Nothing here is secret; the seeds are public and must never sign anything real.
"""

import hashlib
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.alert import (
    ActionCode,
    Alert,
    ClockReading,
    Level,
    MsgType,
    Permission,
    Status,
    VerifiedAlert,
    chain_of,
    digest_of,
)
from protocols.keyring import Holder, Key, Keyring
from protocols.seal import carry, seal, verify

T0 = 1_800_000_000  # 2027-01-15T08:00:00Z
VILLAGE = 330205004001
TOWNSHIP = 330205004
COUNTY = 330205
FULL = Permission.DISPLAY | Permission.VOICE | Permission.SIREN | Permission.EXERCISE | Permission.CANCEL
WARN = Permission.DISPLAY | Permission.VOICE | Permission.SIREN
TEXT = "山洪红色预警:请立即转移到村委会二楼"


def private(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"fengsui test key {name}".encode()).digest())


def public(name: str) -> bytes:
    return private(name).public_key().public_bytes_raw()


ROOTS = [public(f"root {number}") for number in (1, 2, 3)]


def key(holder: str, permissions: Permission = FULL, **changed: Any) -> Key:
    fields = {"areas": (0,), "level": Level.RED, "not_before": T0 - 86_400, "not_after": T0 + 365 * 86_400}
    fields = {"public": public(holder), **fields, **changed}
    return Key(holder=holder, permissions=permissions, **fields)


# county and bureau may do everything; watch shows and speaks; far answers for another province only.
KEYS = (
    key("county", WARN | Permission.EXERCISE),
    key("bureau", FULL),
    key("watch", Permission.DISPLAY | Permission.VOICE),
    key("far", FULL, areas=(62,)),
    key("small", WARN, level=Level.ORANGE),
)
ISSUERS = {"county": 1, "bureau": 2, "watch": 3, "far": 4, "small": 5}


def keyring(*keys: Key) -> Keyring:
    keys = keys or KEYS
    names = dict.fromkeys(one.holder for one in keys)
    return Keyring(7, T0 - 86_400, tuple(Holder(name, (ISSUERS[name],)) for name in names), keys)


def clock(at: int = T0, *, trusted: bool = True, floor: int = T0 - 86_400) -> ClockReading:
    return ClockReading(at, min(floor, at), trusted)


def alert(**changed: Any) -> Alert:
    """A flash flood, red, evacuate, for the village, by the county, at T0, for an hour."""
    base = Alert(
        issuer=1,
        seq=T0,
        status=Status.ACTUAL,
        msg_type=MsgType.ALERT,
        chain=chain_of("county", "1"),
        event="11A51",
        level=Level.RED,
        action=ActionCode.EVACUATE,
        onset=None,
        expires=T0 + 3600,
        area=(VILLAGE,),
        text_digest=b"",
    )
    return replace(base, **changed)


def sealed(signers: str = "county", text: str = "", **changed: Any) -> bytes:
    """Sealed by the holders named (separated by spaces), with its text beside it."""
    if text:
        changed.setdefault("text_digest", digest_of(text))
    return carry(seal(alert(**changed), [private(name) for name in signers.split()]), text)


def verified(signers: str = "county", text: str = "", ring: Keyring | None = None, **changed: Any) -> VerifiedAlert:
    found = verify(sealed(signers, text, **changed), ring or keyring(), clock())
    assert isinstance(found, VerifiedAlert), found
    return found
