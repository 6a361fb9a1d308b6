"""COSE_Sign1 and COSE_Sign (RFC 9052 §4) in the one shape this project signs in: EdDSA, nothing unprotected, the payload
inside. Knows no alert and no key-set.

There is exactly one way to write each message, so whatever differs by a byte is something else or nothing at all.
"""

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from protocols import canonical
from protocols.errors import LocalError, RemoteError

if TYPE_CHECKING:  # loaded when something is signed or checked: half of the cost of starting `fengsui --help`
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

EDDSA: Final = b"\xa1\x01\x27"  # protected {1: -8}: alg EdDSA (RFC 9053 §2.2)
SIGN1_TAG: Final = b"\xd2"  # 18
SIGN_TAG: Final = b"\xd8\x62"  # 98
SIGNATURE_BYTES = 64
MAX_SIGNATURES = 3  # the three roots; an alert has one or two
OVERHEAD = 16 + MAX_SIGNATURES * 72  # bytes around a payload, at most


class Envelope(NamedTuple):
    """A payload and the signatures over it. `several` is COSE_Sign, whose signatures cover other bytes than Sign1's."""

    payload: bytes
    signatures: tuple[bytes, ...]
    several: bool

    def signed(self) -> bytes:
        """The Sig_structure: what each signature covers."""
        return _signed(self.payload, several=self.several)


def identity(payload: bytes) -> bytes:
    """The same for every copy, whoever signed it: protected bytes and payload, never the envelope."""
    return hashlib.sha256(EDDSA + payload).digest()


def encode(payload: bytes, keys: "Sequence[Ed25519PrivateKey]", *, several: bool = False) -> bytes:
    """COSE_Sign1 for one key, COSE_Sign for more, or for `several` to come. Ed25519 is deterministic: the same input gives
    the same bytes.
    """
    if not 1 <= len(keys) <= MAX_SIGNATURES:
        raise LocalError("signers", f"{len(keys)} keys, 1 to {MAX_SIGNATURES} can sign")
    several = several or len(keys) > 1
    signed = _signed(payload, several=several)
    return _written(Envelope(payload, tuple(key.sign(signed) for key in keys), several))


def countersigned(envelope: Envelope, key: "Ed25519PrivateKey") -> bytes:
    """The same with one signature more. Only COSE_Sign can be joined: what COSE_Sign1 covers are other bytes."""
    if not envelope.several:
        raise LocalError("not-open", "COSE_Sign1 has one signer")
    if len(envelope.signatures) == MAX_SIGNATURES:
        raise LocalError("signers", f"{MAX_SIGNATURES} have signed already")
    signature = key.sign(envelope.signed())
    if signature in envelope.signatures:
        raise LocalError("signed-before", "this key has signed it")
    return _written(envelope._replace(signatures=(*envelope.signatures, signature)))


def _written(envelope: Envelope) -> bytes:
    payload, signatures = envelope.payload, envelope.signatures
    if not envelope.several:
        return SIGN1_TAG + canonical.encode([EDDSA, {}, payload, signatures[0]])
    return SIGN_TAG + canonical.encode([b"", {}, payload, [[EDDSA, {}, signature] for signature in signatures]])


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


def _signed(payload: bytes, *, several: bool) -> bytes:
    return canonical.encode(["Signature", b"", EDDSA, b"", payload] if several else ["Signature1", EDDSA, b"", payload])


def _sign1(parts: object) -> Envelope:
    match parts:
        case [protected, {}, bytes(payload), bytes(signature)]:
            _check(protected, signature)
            return Envelope(payload, (signature,), several=False)
    raise RemoteError("malformed", "COSE_Sign1 is [protected, {}, payload, signature]", 1)


def _sign(parts: object) -> Envelope:
    match parts:
        case [b"", {}, bytes(payload), [_, *_] as signers] if len(signers) <= MAX_SIGNATURES:
            return Envelope(payload, tuple(_signer(signer) for signer in signers), several=True)
    raise RemoteError("malformed", f"COSE_Sign is [h'', {{}}, payload, [1 to {MAX_SIGNATURES} signatures]]", 2)


def _signer(parts: object) -> bytes:
    match parts:
        case [protected, {}, bytes(signature)]:
            _check(protected, signature)
            return signature
    raise RemoteError("malformed", "a signature is [protected, {}, signature]")


def _check(protected: object, signature: bytes) -> None:
    if protected != EDDSA:
        raise RemoteError("malformed", "the protected header must be h'a10127': {1: -8}, EdDSA")
    if len(signature) != SIGNATURE_BYTES:
        raise RemoteError("malformed", f"a signature of {len(signature)} bytes, {SIGNATURE_BYTES} wanted")


def _shifted(error: RemoteError, by: int) -> RemoteError:
    return RemoteError(error.reason, error.detail, None if error.offset is None else error.offset + by)
