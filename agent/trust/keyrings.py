"""The key-set in force: taken from the air or from a file when two of three roots say so and its number grows, kept over
restarts, and watched for keys that expire.

The newest is kept in the state directory, whole or not at all. A number never goes back: the file itself remembers it, and
the buffer's meta (`seen`) does where the file is lost.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agent.alerts.evidence import Record
from agent.trust.keyset import MOST_BYTES
from buffer.model import Lane
from protocols.alert import ClockReading, Refusal
from protocols.keyring import Key, Keyring, fingerprint, open_keyset

log = logging.getLogger(__name__)

DAY = 86_400
AHEAD = (7, 30, 90)  # days before a key's end on which it is announced
OVER = 0  # said of a key that has ended


class Keyrings:
    """`changed(keyring)` hears of a new one at once. `saved` and `save` are for what was announced."""

    def __init__(
        self,
        roots: Sequence[bytes],
        file: Path,
        *,
        record: Record,
        changed: Callable[[Keyring], None] = lambda _ring: None,
        seen: int = 0,
        remember: Callable[[int], object] = lambda _number: None,
        saved: bytes | None = None,
        save: Callable[[bytes], object] = lambda _data: None,
    ) -> None:
        self.current = Keyring()
        self.changed = changed
        self._roots, self._file, self._record = roots, file, record
        self._seen, self._remember = seen, remember
        self._told, self._save = _loaded(saved), save
        self._digest = b""
        self._writing: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    def open(self, files: Iterable[Path]) -> Keyring:
        """The newest key-set among the state's own and `files`; the empty one, which believes nobody, and an event where
        none is believed. Blocks; for the start.
        """
        found: list[tuple[Keyring, bytes]] = []
        refused: list[tuple[Path, Refusal]] = []
        for file in (self._file, *files):
            data = read(file)
            made = Refusal("keyset-unreadable", data) if isinstance(data, str) else self._judge(data)
            if isinstance(made, Refusal):
                refused.append((file, made))
            elif isinstance(data, bytes):
                found.append((made, data))
        if found:
            self._adopt(*max(found, key=lambda one: one[0].number))
        for file, why in refused:
            if not found or (file.exists() and why.reason != "keyset-old"):
                self._refuse(why, str(file))
        if found and self._file_digest() != self._digest:
            self._write(max(found, key=lambda one: one[0].number)[1])
        return self.current

    def take(self, data: bytes, source: str) -> Keyring | Refusal:
        """A key-set from the air or from a bench: in force from the next message, if it is a newer one. On disk soon after;
        when a power cut comes before that, the broker's retained copy brings it again. Whoever brought it hears of a
        refusal; only two roots that contradict themselves are an event of their own.
        """
        if hashlib.sha256(data).digest() == self._digest:
            return self.current
        found = self._judge(data)
        if isinstance(found, Refusal):
            return found
        if found.number == self.current.number:
            found = Refusal("keyset-twice", f"number {found.number} is another key-set here")
            self._refuse(found, source)
        else:
            facts = {"number": found.number, "before": self.current.number, "source": source}
            self._adopt(found, data)
            self._record("keyset.adopted", facts | _difference(found), Lane.EVENT)
            self._write_soon(data)
        return found

    def tick(self, clock: ClockReading) -> None:
        """Announce each key's end 90, 30 and 7 days ahead and when it comes: once each, and by a trusted clock only."""
        if not clock.trusted:
            return
        told = {}
        for key in self.current.keys:
            name, before = key.public.hex()[:16], self._told.get(key.public.hex()[:16])
            now = _stage(key, clock.best)
            if now is not None and (before is None or now < before):
                self._announce(key, now, clock.best)
            if now is not None:
                told[name] = now if before is None else min(now, before)
        if told != self._told:
            self._told = told
            self._save(msgspec.json.encode(told))

    async def written(self) -> None:
        """When everything adopted is on disk, or was reported not to be."""
        if self._writing:
            await asyncio.wait(self._writing)

    def _judge(self, data: bytes) -> Keyring | Refusal:
        return open_keyset(data, self._roots, max(self._seen, self.current.number))

    def _adopt(self, ring: Keyring, data: bytes) -> None:
        self.current, self._digest = ring, hashlib.sha256(data).digest()
        if ring.number > self._seen:
            self._seen = ring.number
            self._remember(ring.number)
        self.changed(ring)

    def _refuse(self, why: Refusal, source: str) -> None:
        log.error("key-set of %s is not believed: %s %s", source, why.reason, why.detail)
        facts = {"reason": why.reason, "detail": why.detail[:200], "source": source}
        self._record("keyring.refused", facts, Lane.EVENT)

    def _announce(self, key: Key, stage: int, now: int) -> None:
        kind = "key.expired" if stage == OVER else "key.expiring"
        facts = {"holder": key.holder, "key": fingerprint(key.public), "days": max(0, (key.not_after - now) // DAY)}
        self._record(kind, facts, Lane.EVENT)

    def _file_digest(self) -> bytes:
        data = read(self._file)
        return hashlib.sha256(data).digest() if isinstance(data, bytes) else b""

    def _write_soon(self, data: bytes) -> None:
        writing = asyncio.create_task(self._store(data))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    async def _store(self, data: bytes) -> None:
        """In the order in which they were adopted, and only the one in force."""
        async with self._one_at_a_time:
            if hashlib.sha256(data).digest() == self._digest:
                await asyncio.to_thread(self._write, data)

    def _write(self, data: bytes) -> None:
        """A revocation must hold also where the disk is full: until the next start at least, and it is said."""
        try:
            replace(self._file, data)
        except OSError as error:
            log.exception("the key-set is in force and could not be stored")
            self._record("keyset.unstored", {"reason": error.strerror or str(error)}, Lane.EVENT)


def read(file: Path) -> bytes | str:
    """The bytes of a file, or why there are none."""
    try:
        with file.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except OSError as error:
        return error.strerror or str(error)


def replace(file: Path, data: bytes) -> None:
    """Old or new, never half, whenever the power fails."""
    fresh = file.with_name(file.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.rename(file)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def expiries(ring: Keyring, now: int) -> Iterator[tuple[Key, int]]:
    """Keys that end within the longest notice, and those that have ended, with the seconds left."""
    return ((key, key.not_after - now) for key in ring.keys if key.not_after - now <= AHEAD[-1] * DAY)


def _stage(key: Key, now: int) -> int | None:
    """The shortest notice that is due: 90, 30, 7, or OVER; None while the end is far."""
    left = key.not_after - now
    if left <= 0:
        return OVER
    return next((days for days in AHEAD if left <= days * DAY), None)


def _difference(ring: Keyring) -> dict[str, Any]:
    return {"keys": len(ring.keys), "holders": [holder.name for holder in ring.holders]}


def _loaded(saved: bytes | None) -> dict[str, int]:
    try:
        return dict(msgspec.json.decode(saved or b"{}", type=dict[str, int]))
    except msgspec.DecodeError:
        return {}  # announced again: better twice than never
