"""Who may say what, where and until when: the key-set, signed by two of three roots and numbered. Knows no file and no
clock; the caller keeps the last number and hands it in.

A key-set is `[v, number, issued, [[holder, [issuer, ...]], ...], [[holder index, public key, permissions, [area, ...],
level, not before, not after], ...]]` in deterministic CBOR inside COSE_Sign.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from protocols import canonical, cose
from protocols.alert import ClockReading, Grant, Level, Permission, Refusal
from protocols.alert_cbor import MAX_ISSUER, MAX_TIME
from protocols.area import is_code
from protocols.errors import LocalError, RemoteError

VERSION = 1
ROOTS_NEEDED = 2
MAX_KEYS = 32  # so that a forged message costs a bounded number of checks
MAX_HOLDERS = 32
MAX_ISSUERS = 64  # of all holders together: a station remembers up to a thousand identities of each
MAX_AREAS = 16
MAX_NAME = 64  # characters
MAX_NUMBER = (1 << 32) - 1
MAX_BYTES = 32 * 1024  # a full set with long names is about 9 KiB
GRACE = 30 * 86_400  # seconds an expired key may still show and cancel, so that a late rotation silences nobody
KEPT_IN_GRACE = Permission.DISPLAY | Permission.CANCEL
ALL_PERMISSIONS = sum(Permission)


class Holder(NamedTuple):
    """A person or body that answers for keys; issuer numbers are its systems', each with a `seq` of its own."""

    name: str
    issuers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """One public key, of Ed25519 or SM2 by its form. `level` is the highest it may act on; `areas` are code prefixes, 0 everywhere; times are Unix."""

    holder: str
    public: bytes
    permissions: Permission
    areas: tuple[int, ...]
    level: Level
    not_before: int
    not_after: int

    def permissions_at(self, clock: ClockReading) -> Permission:
        """What is left of the permissions: all, or what an expired key keeps for a while, or nothing."""
        if clock.trusted and clock.best < self.not_before:
            return Permission.NONE
        if clock.certain < self.not_after:
            return self.permissions
        return self.permissions & KEPT_IN_GRACE if clock.certain < self.not_after + GRACE else Permission.NONE

    def grant_at(self, clock: ClockReading) -> Grant:
        return Grant(self.holder, self.permissions_at(clock), self.areas, self.level)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The key-set in force. The empty one believes nobody."""

    number: int = 0
    issued: int = 0
    holders: tuple[Holder, ...] = ()
    keys: tuple[Key, ...] = ()
    _names: dict[int, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._names.update({issuer: holder.name for holder in self.holders for issuer in holder.issuers})

    def holder_of(self, issuer: int) -> str | None:
        return self._names.get(issuer)

    def candidates(self, issuer: int, clock: ClockReading) -> Iterator[Key]:
        """Keys with any permission left, the issuer's own first: a genuine seal is nearly always found at once."""
        owner = self.holder_of(issuer)
        for own in (True, False):
            yield from (key for key in self.keys if (key.holder == owner) is own and key.permissions_at(clock))


def seal_keyset(keyring: Keyring, roots: Sequence[cose.Signer]) -> bytes:
    """The key-set file, by two or three roots."""
    if len(roots) < ROOTS_NEEDED:
        raise LocalError("few-roots", f"{len(roots)} roots, {ROOTS_NEEDED} needed")
    payload = canonical.encode(_plain(keyring))
    try:
        _decode(payload)
    except RemoteError as error:
        raise LocalError("bad-keyset", error.detail) from error
    return cose.encode(payload, roots)


def open_keyset(data: bytes, roots: Sequence[bytes], last_number: int) -> Keyring | Refusal:
    """The key-set, if two of the roots say so and its number does not go back behind `last_number`."""
    try:
        envelope = cose.decode(data, MAX_BYTES)
        keyring = _decode(envelope.payload)
    except RemoteError as error:
        return Refusal(f"keyset-{error.reason}", error.detail, error.offset)
    if any(key.public in roots for key in keyring.keys):
        return Refusal("keyset-root", "a root key may sign key-sets only")
    agreed = _agreed(envelope, frozenset(roots))
    if agreed < ROOTS_NEEDED:
        return Refusal("keyset-roots", f"{agreed} of the {ROOTS_NEEDED} root signatures needed")
    if keyring.number < last_number:
        return Refusal("keyset-old", f"number {keyring.number}, {last_number} was seen before")
    return keyring


def number_of(data: bytes) -> int:
    """The number in a key-set, unverified: for whoever only passes it on. RemoteError if it is none."""
    return _decode(cose.decode(data, MAX_BYTES).payload).number


def fingerprint(*publics: bytes) -> str:
    """Eight groups to compare by eye or by telephone; the order of the keys does not matter."""
    digest = hashlib.sha256(b"".join(sorted(publics))).hexdigest()
    return " ".join(digest[start : start + 4] for start in range(0, 32, 4))


def _agreed(envelope: cose.Envelope, roots: frozenset[bytes]) -> int:
    return sum(any(_by(root, signature, envelope) for signature in envelope.signatures) for root in roots)


def _by(root: bytes, signature: cose.Signature, envelope: cose.Envelope) -> bool:
    return cose.fits(root, signature) and envelope.is_by(root, signature)


def _plain(keyring: Keyring) -> list[Any]:
    names = [holder.name for holder in keyring.holders]
    keys = [
        [names.index(k.holder), k.public, int(k.permissions), list(k.areas), int(k.level), k.not_before, k.not_after]
        for k in keyring.keys
    ]
    holders = [[holder.name, list(holder.issuers)] for holder in keyring.holders]
    return [VERSION, keyring.number, keyring.issued, holders, keys]


def _decode(payload: bytes) -> Keyring:
    match canonical.decode(payload, MAX_BYTES):
        case [int(version), int(number), int(issued), list(holders), list(keys)] if version == VERSION:
            if not (1 <= number <= MAX_NUMBER and 0 <= issued <= MAX_TIME):
                raise RemoteError("malformed", "number or time of issue out of range")
            if len(holders) > MAX_HOLDERS or len(keys) > MAX_KEYS:
                raise RemoteError("oversize", f"at most {MAX_HOLDERS} holders and {MAX_KEYS} keys")
            named = tuple(_holder(holder) for holder in holders)
            keyring = Keyring(number, issued, named, tuple(_key(key, named) for key in keys))
            _check_distinct(keyring)
            return keyring
    raise RemoteError("malformed", f"a key-set is [{VERSION}, number, issued, holders, keys]", 0)


def _holder(value: Any) -> Holder:
    match value:
        case [str(name), [*issuers]] if 1 <= len(name) <= MAX_NAME and name.isprintable():
            if len(issuers) <= MAX_HOLDERS and all(isinstance(i, int) and 0 <= i <= MAX_ISSUER for i in issuers):
                return Holder(name, tuple(issuers))
    raise RemoteError("malformed", f"not a holder: {str(value)[:60]!r}")


def _key(value: Any, holders: tuple[Holder, ...]) -> Key:
    match value:
        case [int(holder), bytes(public), int(bits), [*areas], int(level), int(begin), int(end)]:
            known = 0 <= holder < len(holders) and 0 <= bits <= ALL_PERMISSIONS and level in set(Level)
            dated = 0 <= begin < end <= MAX_TIME
            placed = 1 <= len(areas) <= MAX_AREAS and all(isinstance(area, int) and is_code(area) for area in areas)
            if known and dated and placed and cose.is_public(public):
                name = holders[holder].name
                return Key(name, public, Permission(bits), tuple(areas), Level(level), begin, end)
    raise RemoteError("malformed", f"not a key: {str(value)[:60]!r}")


def _check_distinct(keyring: Keyring) -> None:
    """Two names for one key, or two holders of one name, would make one signer count for two."""
    issuers = [issuer for holder in keyring.holders for issuer in holder.issuers]
    for things in ([h.name for h in keyring.holders], issuers, [key.public for key in keyring.keys]):
        if len(set(things)) != len(things):
            raise RemoteError("malformed", "a holder, an issuer or a key stands there twice")
    if len(issuers) > MAX_ISSUERS:
        raise RemoteError("oversize", f"{len(issuers)} issuers, at most {MAX_ISSUERS}")
