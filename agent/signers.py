"""An issuer's private keys in files: Ed25519's as a station's own, or SM2's. For the desk; a station signs with `agent.keys`.

An SM2 key is a PKCS #8 PEM as OpenSSL writes it, that is with its public half: what is written differently is refused.
"""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import keys
from protocols import sm2
from protocols.errors import LocalError

Signer = Ed25519PrivateKey | sm2.PrivateKey

# PKCS #8 (RFC 5208) of an EC key (RFC 5915) on the curve 1.2.156.10197.1.301: what stands before d, and between d and 04 ‖ x ‖ y.
SM2_HEAD = bytes.fromhex("308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420")
SM2_MIDDLE = bytes.fromhex("a144034200")


def make_signer(path: Path, *, chinese: bool = False) -> Signer:
    """A new key in a new file that only its owner can read. FileExistsError: a key is never overwritten."""
    if not chinese:
        return keys.make_key(path)
    key = sm2.PrivateKey((secrets.randbelow(sm2.ORDER - 2) + 1).to_bytes(sm2.PRIVATE_BYTES, "big"))
    keys.write_pem(path, SM2_HEAD + key.raw + SM2_MIDDLE + key.public)
    return key


def load_signer(path: Path) -> Signer:
    """The key of a file; LocalError says why it cannot be used, OSError that it cannot be read."""
    data = keys.read_private(path)
    der = keys.der_of(data)
    if not der.startswith(SM2_HEAD):
        return keys.parse(data, path)
    begin, end = len(SM2_HEAD), len(SM2_HEAD) + sm2.PRIVATE_BYTES
    key = sm2.PrivateKey(der[begin:end])
    if der[end:] != SM2_MIDDLE + key.public:
        raise LocalError("key-format", f"{path}: the two halves of this SM2 key do not belong together")
    return key


def public_of(key: Signer) -> bytes:
    """What stands in a key-set and in a station's configuration."""
    return key.public if isinstance(key, sm2.PrivateKey) else keys.public_of(key)
