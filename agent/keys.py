"""Private keys in files: made, loaded, and refused when others could read them. Signs nothing itself (`protocols.seal`)
and never prints or logs a key.

A file holds a PKCS #8 PEM, or the 32 raw bytes as 64 hexadecimal digits.
"""

import base64
import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocols.errors import LocalError

MAX_FILE = 4096  # bytes; a PEM of this kind has 119
RAW_DIGITS = 64
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")  # RFC 8410 §7: everything before the 32 bytes
BEGIN, END = b"-----BEGIN PRIVATE KEY-----", b"-----END PRIVATE KEY-----"


def make_key(path: Path) -> Ed25519PrivateKey:
    """A new key in a new file that only its owner can read. FileExistsError: a key is never overwritten."""
    key = Ed25519PrivateKey.generate()
    write_pem(path, PKCS8 + key.private_bytes_raw())
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """The key of a file; LocalError says why it cannot be used, OSError that it cannot be read."""
    return parse(read_private(path), path)


def read_private(path: Path) -> bytes:
    """What stands in a file that is nobody else's to read."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        check_private(os.fstat(handle), path)
        return os.read(handle, MAX_FILE + 1)
    finally:
        os.close(handle)


def write_pem(path: Path, der: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(BEGIN + b"\n" + base64.b64encode(der) + b"\n" + END + b"\n")
        file.flush()
        os.fsync(file.fileno())


def public_of(key: Ed25519PrivateKey) -> bytes:
    """The 32 bytes that stand in a key-set and in a station's configuration."""
    return key.public_key().public_bytes_raw()


def check_private(facts: os.stat_result, path: Path) -> None:
    """Ours or root's (systemd credentials are root's), and nobody else's to read."""
    if not stat.S_ISREG(facts.st_mode):
        raise LocalError("key-file", f"{path} is not a file")
    if facts.st_uid not in {os.geteuid(), 0}:
        raise LocalError("key-owner", f"{path} belongs to user {facts.st_uid}")
    if facts.st_mode & 0o077:
        raise LocalError("key-mode", f"{path} can be read by others (mode {facts.st_mode & 0o777:o}); chmod 600 it")


def parse(data: bytes, path: Path) -> Ed25519PrivateKey:
    if len(data) <= MAX_FILE and b"-----BEGIN" in data:
        return Ed25519PrivateKey.from_private_bytes(_seed(data, path))
    digits = data.strip()
    try:
        if len(digits) == RAW_DIGITS:
            return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(digits.decode("ascii")))
    except ValueError:
        pass  # said below, without the content
    raise LocalError("key-format", f"{path} is neither a PEM nor {RAW_DIGITS} hexadecimal digits")


def der_of(pem: bytes) -> bytes:
    """What a PEM of a private key holds; empty where it is none."""
    before, begin, rest = pem.partition(BEGIN)
    body, end, after = rest.partition(END)
    if not (begin and end) or before.strip() or after.strip():
        return b""
    try:
        return base64.b64decode(b"".join(body.split()), validate=True)
    except ValueError:
        return b""


def _seed(pem: bytes, path: Path) -> bytes:
    """The 32 bytes in a PEM as `make_key` writes it (RFC 8410 §7). Read by hand, because the library that reads every kind of
    key costs a station more than a megabyte.
    """
    der = der_of(pem)
    if der[:16] != PKCS8 or len(der) != len(PKCS8) + 32:
        raise LocalError(
            "key-format",
            f"{path} is not the unencrypted PKCS #8 PEM of an Ed25519 key; another kind of key is of no use here",
        )
    return der[len(PKCS8) :]
