"""COSE_Sign1 and COSE_Sign (RFC 9052 §4) in the one shape this project signs in: EdDSA (or, as an extra, SM2), nothing
unprotected, the payload inside. Knows no alert and no key-set.

There is exactly one way to write each message, so whatever differs by a byte is something else or nothing at all.
"""

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from protocols import canonical, sm2
from protocols.errors import LocalError, RemoteError

if TYPE_CHECKING:  # loaded when something is signed or checked: half of the cost of starting `fengsui --help`
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EDDSA: Final = b"\xa1\x01\x27"  # protected {1: -8}: alg EdDSA (RFC 9053 §2.2)
SM2: Final = b"\xa1\x01\x3a\x00\x01\x00\x00"  # protected {1: -65537}: see protocols.sm2.ALGORITHM
SIGN1_TAG: Final = b"\xd2"  # 18
SIGN_TAG: Final = b"\xd8\x62"  # 98
ED25519_BYTES = 32  # of a public key (RFC 8032 §5.1.5)
SIGNATURE_BYTES = 64  # by either algorithm
MAX_SIGNATURES = 3  # the three roots; an alert has one or two
OVERHEAD = 16 + MAX_SIGNATURES * 76  # bytes around a payload, at most


class Signer(Protocol):
    """A private key: Ed25519's of the library, or `protocols.sm2.PrivateKey`."""

    def sign(self, data: bytes, /) -> bytes: ...


class Signature(NamedTuple):
    """`algorithm` is its protected header, EDDSA or SM2."""

    algorithm: bytes
    value: bytes


class Envelope(NamedTuple):
    """A payload and the signatures over it. `several` is COSE_Sign, whose signatures cover other bytes than Sign1's."""

    payload: bytes
    signatures: tuple[Signature, ...]
    several: bool

    def signed(self, algorithm: bytes = EDDSA) -> bytes:
        """The Sig_structure: what a signature by this algorithm covers."""
        if self.several:
            return canonical.encode(["Signature", b"", algorithm, b"", self.payload])
        return canonical.encode(["Signature1", algorithm, b"", self.payload])

    def is_by(self, public: bytes, signature: Signature) -> bool:
        """Did this key make the signature, over this?"""
        return verifies(public, signature.value, self.signed(signature.algorithm))


def is_public(data: bytes) -> bool:
    """Has it the form of a public key, of either algorithm?"""
    return len(data) == ED25519_BYTES or sm2.is_public(data)


def fits(public: bytes, signature: Signature) -> bool:
    """Could this key have made it? Costs nothing."""
    return signature.algorithm == (SM2 if sm2.is_public(public) else EDDSA)


def identity(payload: bytes) -> bytes:
    """The same for every copy, whoever signed it and by which algorithm: EdDSA's header and the payload, never the envelope."""
    return hashlib.sha256(EDDSA + payload).digest()


def encode(payload: bytes, keys: "Sequence[Signer]", *, several: bool = False) -> bytes:
    """COSE_Sign1 for one key, COSE_Sign for more, or for `several` to come. Both algorithms are deterministic here: the same
    input gives the same bytes.
    """
    if not 1 <= len(keys) <= MAX_SIGNATURES:
        raise LocalError("signers", f"{len(keys)} keys, 1 to {MAX_SIGNATURES} can sign")
    bare = Envelope(payload, (), several or len(keys) > 1)
    return _written(bare._replace(signatures=tuple(_sign_with(key, bare) for key in keys)))


def countersigned(envelope: Envelope, key: Signer) -> bytes:
    """The same with one signature more. Only COSE_Sign can be joined: what COSE_Sign1 covers are other bytes."""
    if not envelope.several:
        raise LocalError("not-open", "COSE_Sign1 has one signer")
    if len(envelope.signatures) == MAX_SIGNATURES:
        raise LocalError("signers", f"{MAX_SIGNATURES} have signed already")
    signature = _sign_with(key, envelope)
    if signature in envelope.signatures:
        raise LocalError("signed-before", "this key has signed it")
    return _written(envelope._replace(signatures=(*envelope.signatures, signature)))


def _sign_with(key: Signer, envelope: Envelope) -> Signature:
    algorithm = SM2 if isinstance(key, sm2.PrivateKey) else EDDSA
    return Signature(algorithm, key.sign(envelope.signed(algorithm)))


def _written(envelope: Envelope) -> bytes:
    payload, signatures = envelope.payload, envelope.signatures
    if not envelope.several:
        algorithm, value = signatures[0]
        return SIGN1_TAG + canonical.encode([algorithm, {}, payload, value])
    return SIGN_TAG + canonical.encode([b"", {}, payload, [[algorithm, {}, value] for algorithm, value in signatures]])


def decode(data: bytes, most_payload: int) -> Envelope:
    """The envelope in `data`; RemoteError with the byte where it stops being one."""
    tag = next((tag for tag in (SIGN1_TAG, SIGN_TAG) if data.startswith(tag)), None)
    if tag is None:
        raise RemoteError("unsigned", "neither COSE_Sign1 nor COSE_Sign", 0)
    try:
        parts = canonical.decode(data[len(tag) :], most_payload + OVERHEAD)
    except RemoteError as error:
        raise _shifted(error, len(tag)) from error
    envelope = _sign1(parts) if tag == SIGN1_TAG else _sign(parts)
    if len(envelope.payload) > most_payload:
        raise RemoteError("oversize", f"a payload of {len(envelope.payload)} bytes, at most {most_payload}")
    return envelope


def verifies(public: bytes, signature: bytes, signed: bytes) -> bool:
    """By the algorithm of the key."""
    if sm2.is_public(public):
        return sm2.verifies(public, signature, signed)
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see above

    try:
        _public(public).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=64)  # two full key-sets: the one in force and the one that follows it
def _public(raw: bytes) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - see above

    return Ed25519PublicKey.from_public_bytes(raw)


def _sign1(parts: object) -> Envelope:
    match parts:
        case [protected, {}, bytes(payload), bytes(signature)]:
            return Envelope(payload, (_checked(protected, signature),), several=False)
    raise RemoteError("malformed", "COSE_Sign1 is [protected, {}, payload, signature]", 1)


def _sign(parts: object) -> Envelope:
    match parts:
        case [b"", {}, bytes(payload), [_, *_] as signers] if len(signers) <= MAX_SIGNATURES:
            return Envelope(payload, tuple(_signer(signer) for signer in signers), several=True)
    raise RemoteError("malformed", f"COSE_Sign is [h'', {{}}, payload, [1 to {MAX_SIGNATURES} signatures]]", 2)


def _signer(parts: object) -> Signature:
    match parts:
        case [protected, {}, bytes(signature)]:
            return _checked(protected, signature)
    raise RemoteError("malformed", "a signature is [protected, {}, signature]")


def _checked(protected: object, signature: bytes) -> Signature:
    algorithm = next((known for known in (EDDSA, SM2) if protected == known), None)
    if algorithm is None:
        names = f"h'{EDDSA.hex()}' (EdDSA) or h'{SM2.hex()}' (SM2)"
        raise RemoteError("malformed", f"the protected header must be {names}")
    if len(signature) != SIGNATURE_BYTES:
        raise RemoteError("malformed", f"a signature of {len(signature)} bytes, {SIGNATURE_BYTES} wanted")
    return Signature(algorithm, signature)


def _shifted(error: RemoteError, by: int) -> RemoteError:
    return RemoteError(error.reason, error.detail, None if error.offset is None else error.offset + by)
