"""Keys between a station and a headend: agreed without any secret travelling, new for each epoch, one for each direction.

X25519 of the two long-lived keys, then HKDF-SHA256. Knows no file; private keys are arguments and are never printed.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from protocols.errors import LocalError, RemoteError

if TYPE_CHECKING:  # loaded when a narrow bearer is configured
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

KEY_BYTES = 16  # AES-128
TAG_BYTES = 8  # CCM with a short tag, as CoAP's and LwM2M's AES-CCM-8 (RFC 6655)
NONCE_BYTES = 13  # leaves two bytes of length: messages up to 64 KiB (RFC 3610 §2)
EPOCH_NUMBER_BYTES, EPOCH_SALT_BYTES = 4, 8
UP = 0  # first byte of a nonce: a station speaks; a headend says its own instance, 1 to 255
_INFO = b"fengsui narrow 1 "


class Epoch(NamedTuple):
    """Numbers rise; the salt makes keys new even where a station without memory or clock gives a number twice."""

    number: int
    salt: bytes

    @property
    def bytes(self) -> bytes:
        return self.number.to_bytes(EPOCH_NUMBER_BYTES) + self.salt


@dataclass(frozen=True, slots=True)
class Keys:
    """Of one station, one headend and one epoch."""

    up: bytes = field(repr=False)
    down: bytes = field(repr=False)
    ack: bytes = field(repr=False)


def agree(private: bytes, public: bytes) -> bytes:
    """The secret that both sides know, from one's private and the other's public X25519 key (32 bytes each)."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey  # noqa: PLC0415 - see above

    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise LocalError("narrow.key", "not an X25519 key") from error


def public_of(private: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415 - see above

    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def derive(secret: bytes, station: str, epoch: Epoch) -> Keys:
    """The keys of an epoch."""
    material = _expand(secret, epoch.bytes, b"epoch " + station.encode(), 3 * KEY_BYTES)
    return Keys(material[:16], material[16:32], material[32:])


def hello_key(secret: bytes, station: str) -> bytes:
    """The key under which epochs are announced: the only one that lives as long as the two long-lived keys."""
    return _expand(secret, b"", b"hello " + station.encode(), KEY_BYTES)


def nonce(direction: int, counter: int) -> bytes:
    """Direction, six zeros, counter."""
    return bytes((direction,)) + bytes(6) + counter.to_bytes(6)


def encrypt(key: bytes, number: bytes, body: bytes, head: bytes) -> bytes:
    return _cipher(key).encrypt(number, body, head)


def decrypt(key: bytes, number: bytes, data: bytes, head: bytes) -> bytes:
    """What was encrypted; RemoteError `frame.forged` for anything else."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see above

    if len(data) < TAG_BYTES:
        raise RemoteError("frame.short", f"{len(data)} bytes, a tag has {TAG_BYTES}")
    try:
        return _cipher(key).decrypt(number, data, head)
    except InvalidTag:
        raise RemoteError("frame.forged", "no key of ours made this") from None


def _expand(secret: bytes, salt: bytes, label: bytes, length: int) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 - see above

    return HKDF(SHA256(), length, salt, _INFO + label).derive(secret)


@lru_cache(maxsize=256)
def _cipher(key: bytes) -> "AESCCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM  # noqa: PLC0415 - see above

    return AESCCM(key, tag_length=TAG_BYTES)
