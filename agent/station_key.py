"""The station's own key, and the counter of what it signs. One key for accounts and acknowledgements; made on first use.

Neither is ever shown: the public half stands in events and in the status.
"""

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from agent.trust.keyrings import replace

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

log = logging.getLogger(__name__)

KEY_FILE, PUBLIC_FILE, COUNTER_FILE = "station.key", "station.pub", "station.counter"
BLOCK = 1024  # numbers reserved at a time: one small write in a thousand acknowledgements
LOW = 256  # left when the next block is reserved: a write has that long
LOST_SHIFT = 10  # a lost counter goes on at Unix seconds × 1024: ahead of any station that says less than that a second


def open_key(file: Path) -> "Ed25519PrivateKey":
    """The key of the file, made when there is none; two processes that ask at once get the same. LocalError or OSError."""
    from agent.keys import load_key, make_key

    with contextlib.suppress(FileNotFoundError):
        return load_key(file)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        make_key(fresh)
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(fresh)
    finally:
        fresh.unlink(missing_ok=True)
    return load_key(file)


class Counter:
    """Numbers that only grow, over restarts and power cuts: what the file says is reserved is never given again, so a
    restart leaves a gap of at most a block.
    """

    def __init__(self, file: Path, unix: int) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._next = self._limit = _stored(file) or max(1, unix << LOST_SHIFT)
        self._reserving = False
        self._reserve()

    def next(self) -> int | None:
        """None when the disk did not let us reserve any: better unsigned than a number twice."""
        with self._lock:
            number, left = self._next, self._limit - self._next
            if left > 0:
                self._next += 1
            if left <= LOW and not self._reserving:
                self._reserving = True
                threading.Thread(target=self._reserve, name="counter", daemon=True).start()
        return number if left > 0 else None

    def _reserve(self) -> None:
        until = self._limit + BLOCK
        try:
            replace(self._file, f"{until}\n".encode())
        except OSError as error:
            log.warning("the counter of acknowledgements cannot be kept: %s", error)
            until = self._limit
        with self._lock:
            self._limit, self._reserving = until, False


def _stored(file: Path) -> int:
    """The first number that was never reserved; 0 where nothing says so."""
    try:
        return max(0, int(file.read_text("ascii")))
    except (OSError, ValueError):
        return 0
