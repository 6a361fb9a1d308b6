"""Who a station is: its keys, made on the spot and never leaving it, and what may be shown of them.

The TLS client's key is another than the identity's: platforms sign certificates for EC keys, and a certificate is renewed
while an identity stays.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from agent.station_key import KEY_FILE, open_key
from protocols.keyring import fingerprint

if TYPE_CHECKING:
    import segno
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

CLIENT_KEY, CLIENT_REQUEST = "client.key", "client.csr"


@dataclass(frozen=True, slots=True)
class Identity:
    """Public halves only, in hexadecimal: `key` Ed25519, `narrow` X25519."""

    station: str
    key: str
    narrow: str

    @property
    def fingerprint(self) -> str:
        return fingerprint(bytes.fromhex(self.key), bytes.fromhex(self.narrow))

    @property
    def text(self) -> str:
        """What the QR code says; docs/site.md describes it."""
        return f"fengsui:{self.station}?" + urlencode({"v": 1, "key": self.key, "narrow": self.narrow})

    def qr(self) -> "segno.QRCode":
        import segno

        return segno.make(self.text, error="m", micro=False)


def make_identity(station: str, state: Path) -> Identity:
    """The keys of `state`, made where there are none. OSError or LocalError says why not."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from agent.bearers.keeper import KEY_FILE as NARROW_FILE
    from agent.bearers.keeper import open_private

    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = open_key(state / KEY_FILE).public_key().public_bytes_raw()
    narrow = X25519PrivateKey.from_private_bytes(open_private(state / NARROW_FILE)).public_key().public_bytes_raw()
    for name in (KEY_FILE, NARROW_FILE):
        give(state / name, state)
    return Identity(station, key.hex(), narrow.hex())


def give(file: Path, like: Path) -> None:
    """Made by an administrator, used by the service: a secret is to belong to whom the folder of the state belongs."""
    if os.geteuid() == 0:
        owner = like.stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def show(file: Path, like: Path) -> None:
    """The administrator's, and read by the service's group."""
    file.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(file, 0, like.stat().st_gid)


def write_request(station: str, folder: Path, secret: str = "") -> Path:
    """A certificate request (PKCS #10) for the platform's authority, and its key beside it; `secret` is the one-time word by
    which the platform knows whom it signs for (challengePassword, RFC 2985 §5.4.1).
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import AttributeOID, NameOID

    key = _client_key(folder / CLIENT_KEY)
    request = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, station)])
    )
    if secret:
        request = request.add_attribute(AttributeOID.CHALLENGE_PASSWORD, secret.encode())
    file = folder / CLIENT_REQUEST
    file.write_bytes(request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    file.chmod(0o600 if secret else 0o644)
    return file


def _client_key(file: Path) -> "EllipticCurvePrivateKey":
    """Kept where there is one: a second request is for the same key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    from agent.keys import read_private
    from protocols.errors import LocalError

    if file.exists():
        found = serialization.load_pem_private_key(read_private(file), None)
        if not isinstance(found, ec.EllipticCurvePrivateKey):
            raise LocalError("key-format", f"{file} is not an EC key")
        return found
    key = ec.generate_private_key(ec.SECP256R1())
    write_secret(
        file,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return key


def write_secret(file: Path, data: bytes) -> None:
    """Readable by its owner from the first byte on; never over another."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
