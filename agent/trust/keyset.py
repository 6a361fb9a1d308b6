"""Whom this station believes: the key-set file under the configured roots. Reads files; judges nothing itself."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from drivers.api import Problem
from protocols import cose
from protocols.alert import Refusal
from protocols.keyring import Keyring, open_keyset

KEPT = "keyset"  # in the state directory: the newest that was taken
ROOTS = 3  # two of which must have signed; the third is in a safe elsewhere
MOST_BYTES = 64 * 1024  # a full key-set is about 9 KiB


def roots_of(hexes: Sequence[str]) -> list[bytes]:
    """The configured root keys; ValueError names the one that is none."""
    found = []
    for text in hexes:
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if not cose.is_public(key):
            raise ValueError(text)
        found.append(key)
    return found


def read_keyring(file: Path, roots: Sequence[bytes], last_number: int = 0) -> Keyring | Refusal:
    """The key-set of `file` if two of the roots say so. OSError when it cannot be read."""
    with file.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    return open_keyset(data, roots, last_number)


def check_keyring(file: Path, hexes: Sequence[str], kept: Path) -> Iterator[Problem]:
    """What would keep the station from believing anybody: neither the configured `file` nor the newer key-set that it `kept`
    is believed.
    """
    try:
        roots = roots_of(hexes)
    except ValueError as wrong:
        yield Problem("roots", "trust.root", {"value": str(wrong)})
        return
    if len(set(roots)) != ROOTS:
        yield Problem("roots", "trust.roots", {"count": len(set(roots))})
        return
    with contextlib.suppress(OSError):
        if not isinstance(read_keyring(kept, roots), Refusal):
            return
    try:
        found = read_keyring(file, roots)
    except OSError as wrong:
        yield Problem("keyset", "trust.unreadable", {"file": file, "why": wrong.strerror})
        return
    if isinstance(found, Refusal):
        yield Problem("keyset", "trust.keyset", {"file": file, "why": found.reason})
