"""SM2 signatures with SM3 (GB/T 32918.2, GB/T 32905) for seals, by gmalg: an extra, imported when such a key is used.

Knows no seal. Where the extra is missing nothing verifies: such a key is then believed by nobody, and `fengsui trust check`
says so. Pure Python: a check takes some 30 ms on a PC and a fifth of a second on a Raspberry Pi, so callers ration them.
"""

import hashlib
import hmac
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final

from protocols.errors import LocalError

ALGORITHM: Final = -65537  # of COSE, in the range for private use (RFC 9053 §11.1): IANA has no number for SM2
PUBLIC_BYTES, PRIVATE_BYTES, SIGNATURE_BYTES = 65, 32, 64  # 04 ‖ x ‖ y (GB/T 35276); d; r ‖ s
UNCOMPRESSED: Final = b"\x04"
IDENTITY: Final = b"1234567812345678"  # GM/T 0009 §10: the signer's identity where nobody has agreed on another
ORDER: Final = 0xFFFFFFFE_FFFFFFFF_FFFFFFFF_FFFFFFFF_7203DF6B_21C6052B_53BBF409_39D54123  # GB/T 32918.5


def is_public(data: bytes) -> bool:
    """Has it the form of a public key? Whether it lies on the curve is looked at when it is used."""
    return len(data) == PUBLIC_BYTES and data.startswith(UNCOMPRESSED)


@cache
def available() -> bool:
    """Is the extra `sm` installed?"""
    try:
        import_module("gmalg")
    except ImportError:
        return False
    return True


def verifies(public: bytes, signature: bytes, data: bytes) -> bool:
    """False too for a key that is none, and where the extra is missing."""
    if len(signature) != SIGNATURE_BYTES or not usable(public):
        return False
    return bool(_sm2(pk=public).verify(data, signature[:32], signature[32:]))


class PrivateKey:
    """A signer as `protocols.cose` wants one. Signs the same the same way: k comes from key and data (as RFC 6979 does it),
    so that no bad luck with randomness gives the key away.
    """

    def __init__(self, raw: bytes) -> None:
        if len(raw) != PRIVATE_BYTES or not 0 < int.from_bytes(raw, "big") < ORDER - 1:
            raise LocalError("sm2-key", "not a private key of SM2")
        self._raw = raw

    @property
    def public(self) -> bytes:
        return bytes(_sm2(sk=self._raw).generate_pk(self._raw))

    @property
    def raw(self) -> bytes:
        return self._raw

    def sign(self, data: bytes) -> bytes:
        r, s = _sm2(sk=self._raw, random=_numbers(self._raw, data)).sign(data)
        return bytes(r).rjust(32, b"\0") + bytes(s).rjust(32, b"\0")


@lru_cache(maxsize=64)  # two full key-sets
def usable(public: bytes) -> bool:
    """A point of the curve, and the extra is there. gmalg would compute with any other as well."""
    return is_public(public) and available() and bool(_sm2().verify_pk(public))


def _sm2(sk: bytes | None = None, pk: bytes | None = None, random: Callable[[int], int] | None = None) -> Any:
    try:
        gmalg = import_module("gmalg")
    except ImportError as wrong:
        raise LocalError("sm2-missing", "the extra sm is not installed") from wrong
    return gmalg.SM2(sk, IDENTITY, pk, rnd_fn=random or _none)


def _none(_bits: int) -> int:
    raise LocalError("sm2-random", "nothing here may need luck")


def _numbers(raw: bytes, data: bytes) -> Callable[[int], int]:
    """So many bits at a time, never the same twice, from HMAC-SHA-256 of the data under the key."""
    seed, count = hashlib.sha256(data).digest(), 0

    def draw(bits: int) -> int:
        nonlocal count
        count += 1
        made = b"".join(
            hmac.digest(raw, b"fengsui sm2" + bytes([count, block]) + seed, "sha256")
            for block in range(-(-bits // 256))
        )
        return int.from_bytes(made, "big") >> (8 * len(made) - bits)

    return draw
