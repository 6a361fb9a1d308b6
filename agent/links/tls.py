"""TLS for the links, and the secrets that go with it. The peer is always verified: there is no way to ask for less.

A clock that nobody vouches for must not cut the last link: while it is untrusted, and only then, chain and host name are
checked but not validity times, and the certificate's end is held against the time floor by hand.
"""

import os
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from protocols.alert import ClockReading

NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME, openssl/x509_vfy.h; Python's VerifyFlags lacks it
LARGEST_SECRET = 4096  # bytes


class SecretError(ValueError):
    """A credentials or key file that must not be used. `code` as `route.check` names it."""

    def __init__(self, code: str, path: Path) -> None:
        self.code, self.path = code, path
        super().__init__(f"{code}: {path}")


class Credentials(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    username: str
    password: str = ""

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r}, password=...)"


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM. `clock` says whether validity times can be judged; `uncertain` hears when they were not."""

    ca: Path | None
    cert: Path | None
    key: Path | None
    clock: Callable[[], ClockReading]

    def context(self) -> ssl.SSLContext:
        """A new context for one connection: files may have been renewed, and the clock may have been set."""
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=None if self.ca is None else str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert is not None and self.key is not None:
            if readable_by_others(self.key):
                raise SecretError("route.open_file", self.key)
            context.load_cert_chain(self.cert, self.key)
        if not self.clock().trusted:
            context.verify_flags |= ssl.VerifyFlags(NO_CHECK_TIME)
        return context

    def judge(self, connected: ssl.SSLSocket) -> bool:
        """After the handshake: whether validity times were left out. SSLError when the peer's certificate ended before
        the time floor.
        """
        if not connected.context.verify_flags & NO_CHECK_TIME:
            return False
        certificate: dict[str, Any] = connected.getpeercert() or {}
        if ssl.cert_time_to_seconds(str(certificate["notAfter"])) < self.clock().floor:
            raise ssl.SSLCertVerificationError("certificate ended before the time floor")
        return True


def find(base: Path, name: str) -> Path:
    """A file of the configuration: among systemd's credentials when it is there, else beside the configuration."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    if given and "/" not in name and (Path(given) / name).is_file():
        return Path(given) / name
    return base / name


def readable_by_others(path: Path) -> bool:
    """Whether group or others may touch it. systemd guards its own directory by ACL, whose mask shows as group bits."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    if given and path.parent == Path(given):
        return False
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def credentials(path: Path) -> Credentials:
    """User name and password. SecretError for a file that others can read or that says something else."""
    if readable_by_others(path):
        raise SecretError("route.open_file", path)
    text = path.read_bytes()[: LARGEST_SECRET + 1]
    try:
        return msgspec.toml.decode(text, type=Credentials)
    except (msgspec.MsgspecError, ValueError):
        raise SecretError("route.credentials", path) from None  # the cause may quote the secret
