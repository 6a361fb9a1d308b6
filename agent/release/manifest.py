"""What vouches for a release bundle: a list of SHA-256 sums as sha256sum(1) writes it, and an Ed25519 signature over the list.

Both can be checked by tools that a machine has before it has us: `sha256sum --check` and `openssl pkeyutl`. The list's first
line says what it is, so that a signature for this is one for nothing else.
"""

import base64
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocols.errors import LocalError
from protocols.keyring import fingerprint

SUMS, SIGNATURE, PUBLIC = "SHA256SUMS", "SHA256SUMS.sig", "SHA256SUMS.pub"  # in this order at the head of a bundle
FIRST_LINE = "# fengsui release 1"
MOST_FILES = 400  # three times what a release with every extra has
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][\w.+-]*(?:/[A-Za-z0-9][\w.+-]*){0,2})", re.ASCII)

SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410 §4: everything before the 32 bytes
_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
LARGEST_KEY = 4096  # bytes; a PEM of this kind has 113


def write(digests: Mapping[str, str]) -> bytes:
    lines = [f"{digest}  {name}" for name, digest in sorted(digests.items())]
    return "\n".join((FIRST_LINE, *lines, "")).encode()


def read(data: bytes) -> dict[str, str]:
    """Digest by name; names stay inside the folder that they are unpacked to. LocalError: it is no such list."""
    first, *lines = data.decode("ascii", "replace").splitlines() or [""]
    found = [_LINE.fullmatch(line) for line in lines]
    digests = {one[2]: one[1] for one in found if one}
    if first != FIRST_LINE or len(digests) != len(lines) or not 0 < len(lines) <= MOST_FILES:
        raise LocalError("bundle-manifest", f"its {SUMS} is not the list of a release")
    return digests


def sign(manifest: bytes, key: Ed25519PrivateKey) -> bytes:
    return key.sign(manifest)


def judge(manifest: bytes, signature: bytes, public: bytes, trusted: Collection[bytes]) -> str:
    """The fingerprint of the trusted key that signed. `public` is what the bundle says of itself: only for the sentence."""
    for key in trusted:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, manifest)
        except InvalidSignature:
            continue
        return fingerprint(key)
    if not signature:
        raise LocalError("bundle-unsigned", "it is not signed")
    said = parse_public(public)
    if said in trusted:
        raise LocalError("bundle-signature", "its list of sums is not what was signed")
    raise LocalError("bundle-stranger", f"it was signed by {fingerprint(said)}, a key that is not trusted here")


def public_pem(public: bytes) -> bytes:
    """As openssl reads it."""
    return f"{_BEGIN}\n{base64.b64encode(SPKI + public).decode()}\n{_END}\n".encode()


def parse_public(data: bytes) -> bytes:
    """The 32 bytes of an Ed25519 public key in PEM."""
    text = data.decode("ascii", "replace").strip()
    try:
        der = base64.b64decode("".join(text.removeprefix(_BEGIN).removesuffix(_END).split()), validate=True)
    except ValueError:
        der = b""
    if der[: len(SPKI)] != SPKI or len(der) != len(SPKI) + 32:
        raise LocalError("bundle-key", "no PEM of an Ed25519 public key")
    return der[len(SPKI) :]


def read_public(file: Path) -> bytes:
    with file.open("rb") as stream:
        data = stream.read(LARGEST_KEY)
    try:
        return parse_public(data)
    except LocalError as wrong:
        raise LocalError(wrong.reason, f"{file} is {wrong.detail}") from None
