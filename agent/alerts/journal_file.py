"""The journal's file: appended frames, one thread, one promise: when the future of a `write` is done, its entries survive a
power cut.

A small file of its own, apart from the buffer, so that no backlog and no full database stands between a warning and
its siren. It never refuses to open: what is torn or damaged is passed over and reported, what cannot be read at all is
set aside.

A file is `MAGIC`, then frames: length (u32 LE), CRC-32 of the body (u32 LE), body (msgpack list of entries). A frame is
found again after a damaged one because every frame begins with `MARK`.
"""

import contextlib
import os
import queue
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agent.alerts.journal import Journal
from agent.alerts.journal_entries import Entry

MAGIC = b"fengsui-journal 1\n"
MARK = b"\xf5\x1e"
HEAD = struct.Struct("<2sII")
IN_A_FRAME = 256  # entries of a rewritten journal
MAX_FRAME = 1 << 20  # bytes; the largest has 64 alerts in force with 4 KiB of text each
MAX_FILE = 32 << 20  # bytes read at start; with every issuer at its bound a journal has 10 MB, usually some kB
COMPACT_AT = 256 << 10  # bytes; below, rewriting costs more flash than it saves
MOST_WAITING = 256  # writes, while the disk hangs; what is beyond is remembered in RAM and written with the next

Report = Callable[[str, Mapping[str, Any]], None]

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Entry])


class _Write(NamedTuple):
    journal: Journal  # as it stands with these entries
    missed: int  # writes that found no room before this one
    body: bytes
    wrong: str  # why one of its entries cannot be written
    done: Future[None]


class JournalFile:
    """Opened by `open`, which blocks and starts the thread. `journal` is what has been written or will be."""

    def __init__(self, path: Path, journal: Journal, report: Report) -> None:
        self.journal = journal
        self._path = path
        self._report = report
        self._work: queue.Queue[_Write | None] = queue.Queue(MOST_WAITING)
        self._missed = 0
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        # The thread's own:
        self._file = -1
        self._size = 0
        self._holds = -1  # the count of missed writes that the file includes; -1: it has to be written anew
        self._failing = False

    @classmethod
    def open(cls, path: Path, report: Report = lambda _type, _fields: None) -> "JournalFile":
        store = cls(path, read(path, report), report)
        store._thread.start()
        store.write(())  # what the file holds is rewritten now, so that the first warning need not pay for it
        return store

    def write(self, entries: Sequence[Entry]) -> Future[None]:
        """Into the journal at once; the future says when it is on the disk, or why it is not yet. Who cannot wait acts
        all the same: whatever is missing goes to the disk with the next write that succeeds. From one thread only.
        """
        done: Future[None] = Future()
        self.journal = self.journal.fold(entries)
        body, wrong = _encoded(entries)
        try:
            self._work.put_nowait(_Write(self.journal, self._missed, body, wrong, done))
        except queue.Full:
            self._missed += 1
            done.set_exception(OSError("the disk is behind with the journal"))
        return done

    def close(self, timeout: float = 2.0) -> None:
        with contextlib.suppress(queue.Full):
            self._work.put(None, timeout=timeout)
        self._thread.join(timeout)

    # The thread

    def _run(self) -> None:
        open_ = True
        while open_ and (write := self._work.get()) is not None:
            batch, open_ = _gathered(self._work, write)
            error = self._try(batch)
            for one in batch:
                _settle(one.done, error or (OSError(one.wrong) if one.wrong else None))
            if error is None and self._size > COMPACT_AT:
                self._compact(batch[-1])
        if self._file >= 0:
            os.close(self._file)

    def _try(self, batch: Sequence[_Write]) -> OSError | None:
        """Everything that waits, with one sync."""
        last = batch[-1]
        try:
            if self._holds != last.missed:
                self._rewrite(last, snapshot(last.journal))
            else:
                self._append(b"".join(one.body for one in batch))
        except OSError as error:
            self._holds = -1
            self._say(failing=True, error=error.strerror or str(error))
            return error
        self._say(failing=False)
        return None

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        os.fdatasync(self._file)
        self._size += len(data)

    def _compact(self, last: _Write) -> None:
        """Rewrite when that halves the file. The promise is kept already: a failure only waits for the next time."""
        body = snapshot(last.journal)
        if len(body) * 2 < self._size:
            with contextlib.suppress(OSError):
                self._rewrite(last, body)

    def _rewrite(self, last: _Write, body: bytes) -> None:
        """The whole journal into a new file that takes the old one's name when it is complete."""
        self._holds = -1
        fresh = self._path.with_suffix(".new")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._file, old = file, self._file
        if old >= 0:
            os.close(old)
        self._size = 0
        self._append(MAGIC + body)
        fresh.rename(self._path)
        _sync_directory(self._path.parent)
        self._holds = last.missed

    def _say(self, *, failing: bool, **facts: str) -> None:
        """Once per change of state."""
        if failing != self._failing:
            self._failing = failing
            self._report("journal.failing" if failing else "journal.writing", {"path": str(self._path), **facts})


def frame(entries: Iterable[Entry]) -> bytes:
    body = _ENCODER.encode(list(entries))
    return HEAD.pack(MARK, len(body), zlib.crc32(body)) + body


def _encoded(entries: Sequence[Entry]) -> tuple[bytes, str]:
    """A frame of them, and why one is missing in it. An entry that cannot be written is our mistake; it must cost neither the
    siren nor the entries beside it.
    """
    try:
        return frame(entries), ""
    except (ValueError, TypeError, OverflowError) as wrong:
        alone = [entry for entry in entries if _can_be_written(entry)]
        return frame(alone), f"an entry cannot be written: {wrong}"[:200]


def _can_be_written(entry: Entry) -> bool:
    try:
        frame([entry])
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def snapshot(journal: Journal) -> bytes:
    """The whole journal, as few frames."""
    entries = journal.entries()
    return b"".join(_encoded(entries[start : start + IN_A_FRAME])[0] for start in range(0, len(entries), IN_A_FRAME))


def read(path: Path, report: Report) -> Journal:
    """What the file says, as far as it can be read. Reports what could not."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return Journal()
    except OSError as error:
        return _set_aside(path, report, error.strerror or str(error))
    if len(data) > MAX_FILE or not data.startswith(MAGIC):
        return _set_aside(path, report, "not a journal")
    journal, lost = replay(data)
    if lost:
        report("journal.damaged", {"path": str(path), "bytes": lost})
    return journal


def replay(data: bytes) -> tuple[Journal, int]:
    """The journal that the frames fold to, and how many bytes were passed over (a torn tail, bad blocks)."""
    journal, offset, lost = Journal(), len(MAGIC), 0
    while offset < len(data):
        entries, end = _frame_at(data, offset)
        if entries is None:
            found = data.find(MARK, offset + 1)
            end = len(data) if found < 0 else found
            lost += end - offset
        else:
            journal = journal.fold(entries)
        offset = end
    return journal, lost


def _frame_at(data: bytes, offset: int) -> tuple[list[Entry] | None, int]:
    if len(data) - offset < HEAD.size:
        return None, len(data)
    mark, length, crc = HEAD.unpack_from(data, offset)
    body = data[offset + HEAD.size : offset + HEAD.size + length]
    if mark != MARK or length > MAX_FRAME or len(body) != length or zlib.crc32(body) != crc:
        return None, offset
    try:
        return _DECODER.decode(body), offset + HEAD.size + length
    except msgspec.DecodeError:  # written by a newer version: passed over, as damage is
        return None, offset


def _gathered(work: "queue.Queue[_Write | None]", first: _Write) -> tuple[list[_Write], bool]:
    """What else waits already, and whether there is more to come."""
    batch = [first]
    while True:
        try:
            item = work.get_nowait()
        except queue.Empty:
            return batch, True
        if item is None:
            return batch, False
        batch.append(item)


def _settle(done: Future[None], error: OSError | None) -> None:
    if not done.set_running_or_notify_cancel():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def _set_aside(path: Path, report: Report, why: str) -> Journal:
    """No marks, then; the rules for a station without marks apply until the clock is trusted."""
    aside = path.with_suffix(".bad")
    with contextlib.suppress(OSError):
        path.replace(aside)
    report("journal.unreadable", {"path": str(path), "aside": str(aside), "error": why})
    return Journal()


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
