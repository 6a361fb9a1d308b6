"""Files of OSCORE: a security context (a secret), and marks, which numbers were used. Blocking; small.

A context is the JSON that aiocoap keeps in a context directory: `secret_hex`, `sender-id_hex`, `recipient-id_hex`, and
perhaps `salt_hex` and `id-context_hex`. Sender is whoever owns the file: the station in the station's, the node in the node's.
"""

import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from drivers.api import Problem
from protocols.errors import LocalError
from protocols.oscore import Keys, derive

MOST_BYTES = 4096  # of either file: 40 nodes' marks are half of it
FIELDS = {"secret", "sender-id", "recipient-id", "salt", "id-context"}


def read_keys(path: Path) -> Keys:
    """OSError where it cannot be read, LocalError where it is no context; neither says what stands in it."""
    with path.open("rb") as file:
        text = file.read(MOST_BYTES)
    try:
        said = msgspec.json.decode(text, type=dict[str, str])
        found = {name.removesuffix("_hex"): bytes.fromhex(value) for name, value in said.items()}
    except (ValueError, msgspec.MsgspecError):
        raise LocalError("oscore.file", "not a JSON object of hexadecimal texts") from None
    if not {"secret", "sender-id", "recipient-id"} <= found.keys() <= FIELDS:
        raise LocalError("oscore.file", f"keys are {', '.join(sorted(FIELDS))}, each with _hex")
    context = found.get("id-context")
    return derive(found["secret"], found["sender-id"], found["recipient-id"], found.get("salt", b""), context)


def check_keys(path: Path, key: str) -> Iterator[Problem]:
    try:
        mode = path.stat().st_mode
        read_keys(path)
    except OSError as wrong:
        yield Problem(key, "coap.key_unreadable", {"file": str(path), "why": wrong.strerror or str(wrong)})
        return
    except LocalError as wrong:
        yield Problem(key, "coap.key_wrong", {"file": str(path), "why": wrong.detail or wrong.reason})
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Problem(key, "coap.key_mode", {"file": str(path), "mode": f"{stat.S_IMODE(mode):04o}"})


class Marks:
    """Numbers by name, in one file that is replaced as a whole; `path` None: in memory alone."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.kept: dict[str, list[int]] = {}
        if path is not None and path.exists():
            self.kept = _read(path)

    def get(self, name: str) -> list[int] | None:
        return self.kept.get(name)

    def store(self, changed: dict[str, Sequence[int]]) -> None:
        """On disk when this returns; OSError where it is not."""
        self.kept |= {name: list(numbers) for name, numbers in changed.items()}
        if self._path is None:
            return
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, json.dumps(self.kept).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        fresh.replace(self._path)


def _read(path: Path) -> dict[str, list[int]]:
    """OSError where there is a file that says nothing: to begin at zero would be to take old numbers for new ones."""
    try:
        return msgspec.json.decode(path.read_bytes()[:MOST_BYTES], type=dict[str, list[int]])
    except (msgspec.MsgspecError, ValueError) as wrong:
        raise OSError(f"{path.name} is damaged: {wrong}") from None
