"""The files beside the database: the lock, the ballast, the room left, and where damaged files are set aside. No SQL."""

import fcntl
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from buffer.model import Locked

WAL_ROOM = 768 << 10  # bytes: 256 frames of a checkpoint round and as many again while one is late
KEPT = 2  # quarantined files: the last one to look at, and the one before to compare


class OwnerLock:
    """`flock` on a file of its own: SQLite's locks are let go by any close(), and a clone would share them."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._fd: int | None = None

    def take(self) -> None:
        """Locked when another process, or another Buffer of this one, has it; OSError when the disk refuses."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise Locked(f"{self._path} is held by process {owner}: one agent owns one buffer") from None
        self._fd = fd
        with suppress(OSError):  # a full disk: the lock holds all the same
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)

    @property
    def held(self) -> bool:
        return self._fd is not None

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Ballast:
    """Blocks kept so that a full disk can be emptied: deleting rows writes before it frees."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path.with_name(path.name + ".ballast")
        self._size = size

    def set(self) -> bool:
        """Taken only where it leaves at least as much again free."""
        with suppress(OSError):
            if self._path.exists() and self._path.stat().st_size >= self._size:
                return True
            if free(self._path.parent) < 2 * self._size:
                return False
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
            return True
        self.release()
        return False

    def release(self) -> bool:
        with suppress(OSError):
            self._path.unlink()
            return True
        return False


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def inode(path: Path) -> int | None:
    """Tells a file from another of its name; None where there is none."""
    with suppress(OSError):
        return path.stat().st_ino
    return None


def sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def pregrow_wal(path: Path) -> None:
    """A -wal that has its blocks already makes a commit one data write instead of data and file-system journal.
    SQLite takes the zeros for an empty log.
    """
    wal = path.with_name(path.name + "-wal")
    with suppress(OSError), wal.open("ab") as file:
        if file.tell() < WAL_ROOM:
            os.posix_fallocate(file.fileno(), file.tell(), WAL_ROOM - file.tell())


def siblings(path: Path) -> list[Path]:
    """The files that are one database together."""
    return [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]


def set_aside(path: Path) -> Path:
    """Moves the database with its -wal to quarantine/NNNN-time/. OSError when the file system refuses: nothing is deleted."""
    home = path.parent / "quarantine"
    numbers = [generation(old) for old in quarantined(path)]
    place = home / f"{max(numbers, default=0) + 1:04}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    place.mkdir(parents=True)
    for file in siblings(path):
        with suppress(FileNotFoundError):
            file.rename(place / file.name)
    with suppress(OSError):
        (place / (path.name + "-shm")).unlink()  # rebuilt from the -wal, and never worth trusting
    return place


def quarantined(path: Path) -> list[Path]:
    """Oldest first: numbered, since the clock may be wrong."""
    home = path.parent / "quarantine"
    return sorted(p for p in home.glob("[0-9][0-9][0-9][0-9]-*") if p.is_dir()) if home.is_dir() else []


def generation(place: Path) -> int:
    return int(place.name[:4])


def salvaged(place: Path) -> bool:
    return (place / "salvaged").exists()


def mark_salvaged(place: Path) -> None:
    with suppress(OSError):
        (place / "salvaged").touch()


def prune_quarantine(path: Path, most_bytes: int) -> None:
    """Only what was salvaged goes: by count, then by size."""
    import shutil  # noqa: PLC0415 - half a megabyte with its compressors, for what most stations never have

    kept = [place for place in quarantined(path) if salvaged(place)]
    while kept and (len(kept) > KEPT or sum(map(_weight, kept)) > most_bytes):
        shutil.rmtree(kept.pop(0), ignore_errors=True)


def _weight(place: Path) -> int:
    return sum(file.stat().st_size for file in place.iterdir() if file.is_file())
