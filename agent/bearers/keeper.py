"""What a station must not forget between two messages: its key, the epoch it speaks in, and which numbers are used up.

One file for each headend, replaced whole and synced: a number that may have been used is never given again. Where the file
is lost, or the headend has another key, a new epoch begins, with a salt that no earlier one had. Seals nothing itself.
"""

import contextlib
import hashlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from agent.trust.keyrings import replace
from protocols.errors import LocalError
from protocols.narrow.keys import EPOCH_SALT_BYTES, Epoch

log = logging.getLogger(__name__)

KEY_FILE, PUBLIC_FILE = "narrow.key", "narrow.pub"
KEY_BYTES = 32  # X25519, RFC 7748
MOST_FILE = 64 * 1024  # bytes
MOST_HEARD = 32  # windows of what a headend said: one for each of its instances that was heard


class Memory(msgspec.Struct):
    """The file. `until`: the first number that was never reserved. `known`: the headend has acknowledged this epoch."""

    number: int
    salt: str
    until: int = 0
    known: bool = False
    schema: str = ""  # the schema of series that the headend has acknowledged in this epoch
    heard: dict[str, str] = {}  # what was seen of the other side, so that nothing of it is taken twice


class Keeper:
    """`later` runs a function on the event loop's thread: writes are made beside it."""

    def __init__(self, state: Path, headend: bytes, unix: int, later: Callable[..., object]) -> None:
        """Blocks: reads, and begins a new epoch where nothing is kept."""
        self._file = state / f"narrow-{hashlib.sha256(headend).hexdigest()[:8]}.json"
        self._later = later
        self._lock = threading.Lock()
        kept = _load(self._file)
        self.begun = kept is None
        self.memory = kept or Memory(_number(unix), os.urandom(EPOCH_SALT_BYTES).hex())
        if kept is None:
            self.write()

    @property
    def epoch(self) -> Epoch:
        return Epoch(self.memory.number, bytes.fromhex(self.memory.salt))

    def renew(self, unix: int) -> None:
        """Another epoch, above the last: the headend does not know this one any more, or it is used up. Blocks."""
        number = max(self.memory.number + 1, _number(unix))
        self.memory = Memory(number, os.urandom(EPOCH_SALT_BYTES).hex())  # the other side counts anew, too
        self.write()

    def acknowledged(self) -> None:
        """The headend knows this epoch: it need not be announced at every start."""
        if not self.memory.known:
            self.memory.known = True
            self.save()

    def save(self) -> None:
        """Soon, beside the loop."""
        threading.Thread(target=self.write, name="narrow memory", daemon=True).start()

    def reserve(self, until: int, done: Callable[[int], None]) -> None:
        """Writes down that all below `until` may be used; `done` hears of what is on disk, on the loop."""
        before, self.memory.until = self.memory.until, until

        def told(written: bool) -> None:
            if not written:
                self.memory.until = before
            done(self.memory.until)

        threading.Thread(target=self._reserve, args=(told,), name="narrow counter", daemon=True).start()

    def reserve_now(self, until: int) -> int:
        """The same for the start, where waiting is right."""
        before, self.memory.until = self.memory.until, until
        if not self.write():
            self.memory.until = before
        return self.memory.until

    def hear(self, who: str, window: bytes) -> None:
        """Kept with the next write: a crash forgets the newest at most, and what those said is judged by itself."""
        heard = self.memory.heard
        heard.pop(who, None)
        heard[who] = window.hex()
        while len(heard) > MOST_HEARD:
            del heard[next(iter(heard))]

    def _reserve(self, told: Callable[[bool], None]) -> None:
        written = self.write()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody needs a number any more
            self._later(told, written)

    def write(self) -> bool:
        """Blocks. Whether it is on disk."""
        with self._lock:
            try:
                replace(self._file, msgspec.json.encode(self.memory))
            except OSError as wrong:
                log.warning("numbers of narrow messages cannot be reserved: %s", wrong)
                return False
            return True


def open_private(file: Path) -> bytes:
    """The station's X25519 key, made when there is none. LocalError or OSError."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from agent.keys import check_private

    if not file.exists():
        replace(file, X25519PrivateKey.generate().private_bytes_raw().hex().encode() + b"\n")
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        check_private(os.fstat(handle), file)
        text = os.read(handle, 2 * KEY_BYTES + 2).strip()
    finally:
        os.close(handle)
    try:
        key = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise LocalError("key-format", f"{file} is not {2 * KEY_BYTES} hexadecimal digits")
    return key


def _number(unix: int) -> int:
    """Rising with time; a clock that stands at nothing is told apart by the salt."""
    return max(1, min(unix, (1 << 32) - 1))


def _load(file: Path) -> Memory | None:
    try:
        with file.open("rb") as stream:
            kept: Any = msgspec.json.decode(stream.read(MOST_FILE), type=Memory)
        sound = 0 < kept.number < 1 << 32 and len(bytes.fromhex(kept.salt)) == EPOCH_SALT_BYTES and kept.until >= 0
    except (OSError, ValueError):  # msgspec's errors are ValueErrors
        return None
    return kept if sound else None
