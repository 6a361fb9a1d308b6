"""A number that only grows and survives a power cut at any moment. Blocking; one thread at a time.

Two small files are written in turn, and one is begun only when the other is safely on the disk: whatever a power cut tears,
the other says what was true a second before.
"""

import os
from pathlib import Path
from zlib import crc32

LONGEST = 64  # bytes of a slot


class Tally:
    """`total` is the largest number that either slot says."""

    def __init__(self, path: Path) -> None:
        self._slots = [path.with_name(f"{path.name}.{n}") for n in (0, 1)]
        found = [_read(slot) for slot in self._slots]
        self.total = max(found)
        self._current = found.index(min(found))  # the newer one is left alone until the older is newer
        self._file: int | None = None

    def write(self, total: int) -> None:
        """Out of our hands, not yet safe: it outlives us, and no power cut. OSError says why not."""
        if self._file is None:
            self._slots[self._current].parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(self._slots[self._current], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.pwrite(self._file, _slot(total), 0)
        self.total = total

    def sync(self) -> None:
        """On the disk; the next write goes to the other slot."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            os.fsync(file)
        finally:
            os.close(file)
        self._current = 1 - self._current


def _slot(total: int) -> bytes:
    body = b"%020d" % total
    return b"%s %08x\n" % (body, crc32(body))


def _read(slot: Path) -> int:
    """0 for one that is not there, torn, or of somebody else."""
    try:
        with slot.open("rb") as file:
            body, _, check = file.read(LONGEST).partition(b" ")
        return int(body) if body.isdigit() and int(check, 16) == crc32(body) else 0
    except (OSError, ValueError):
        return 0
