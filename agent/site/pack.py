"""A site pack: everything that one station needs, in one archive that an office signed. Packs, checks and opens; asks nobody.

A tar of plain files with `manifest.json` (each file's SHA-256) and `manifest.sig` (public key and Ed25519 signature over the
manifest, both in hexadecimal). Nothing is unpacked that the manifest does not name, and the manifest counts for nothing
before its signature is good under the key whose fingerprint was given.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocols.errors import LocalError
from protocols.keyring import fingerprint

DOMAIN = b"fengsui site pack 1\0"  # so that a signature for this is one for nothing else
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
CONFIG, SECRET, LABEL = "station.toml", "enrolment.secret", "label.svg"
CLIPS, PROFILES = "clips", "profiles"  # the two folders beside a configuration
MOST_FILES = 128
MOST_BYTES = 16 << 20  # of a whole pack: plans, areas and some minutes of recorded words
VERSION = 1


class Pack(NamedTuple):
    station: str
    files: Mapping[str, bytes]
    office: str  # fingerprint of whoever signed


def seal_pack(station: str, files: Mapping[str, bytes], key: Ed25519PrivateKey, made: int, until: int) -> bytes:
    """`made` and `until`, after which no site opens it any more: Unix seconds."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    manifest = json.dumps(
        {"version": VERSION, "station": station, "made": made, "until": until, "files": digests}
    ).encode()
    public = key.public_key().public_bytes_raw().hex()
    signature = f"{public} {key.sign(DOMAIN + manifest).hex()}\n".encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, data in {MANIFEST: manifest, SIGNATURE: signature, **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(data), 0o600, made
            tar.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


def check_size(files: Mapping[str, bytes]) -> None:
    """What a station would refuse is not made. A file has a head of 512 bytes and is filled up to as much (tar(5))."""
    size = sum(len(data) + 1024 for data in files.values()) + 2 * tarfile.RECORDSIZE
    if len(files) > MOST_FILES or size > MOST_BYTES:
        raise LocalError("pack-size", f"{len(files)} files, {size} bytes; at most {MOST_FILES} and {MOST_BYTES}")


def open_pack(data: bytes, expected: str, now: int) -> Pack:
    """LocalError: why it is not to be used. `expected` is the office's fingerprint, as it stands on paper; `now` Unix seconds
    at the least: a computer that never knew the time cannot tell an old pack.
    """
    files = _unpacked(data)
    try:
        public, signature = (bytes.fromhex(word) for word in files.pop(SIGNATURE).decode("ascii").split())
        manifest = files.pop(MANIFEST)
    except (KeyError, ValueError):
        raise LocalError("pack-unsigned", "it has no manifest, or no signature") from None
    office = fingerprint(public)
    if _plain(office) != _plain(expected):
        raise LocalError("pack-stranger", f"it was signed by {office}")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, DOMAIN + manifest)
    except (InvalidSignature, ValueError):
        raise LocalError("pack-signature", "its manifest is not what was signed") from None
    return Pack(_checked(json.loads(manifest), files, now), files, office)


def _checked(manifest: Mapping[str, Any], files: Mapping[str, bytes], now: int) -> str:
    """The station that it is for. The manifest is signed: what is wrong here was wrong at the office, or in the files."""
    if manifest.get("version") != VERSION:
        raise LocalError("pack-version", f"version {manifest.get('version')}; this program knows {VERSION}")
    if manifest["files"] != {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}:
        raise LocalError("pack-damaged", "its files are not those of the manifest")
    if now > manifest.get("until", 0):
        raise LocalError(
            "pack-old", "the time that the office gave it is over: keys and addresses may have changed since"
        )
    return str(manifest["station"])


def _unpacked(data: bytes) -> dict[str, bytes]:
    """Plain files with plain names, few enough to hold: a sparse one has gigabytes without bringing them."""
    if len(data) > MOST_BYTES:
        raise LocalError("pack-size", f"more than {MOST_BYTES} bytes")
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for entry in tar:
                stream = tar.extractfile(entry) if entry.isreg() and not entry.issparse() else None
                if stream is None or not plain_name(entry.name) or entry.name in files or len(files) > MOST_FILES:
                    raise LocalError("pack-entry", f"{entry.name!r:.60} does not belong in a pack")
                files[entry.name] = stream.read(MOST_BYTES)
    except (tarfile.TarError, EOFError, ValueError, OSError, OverflowError, RecursionError) as wrong:
        raise LocalError("pack-archive", str(wrong)) from None
    return files


def plain_name(name: str) -> bool:
    """A file beside the configuration, or in one of the two folders there, and no other place."""
    folder, slash, file = name.rpartition("/")
    here = folder in (CLIPS, PROFILES) if slash else True
    return here and bool(file) and "\\" not in file and not file.startswith(".") and file.isprintable()


def _plain(text: str) -> str:
    return "".join(text.split()).lower()
