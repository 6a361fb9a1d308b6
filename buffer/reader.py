"""Looking into a buffer's file from outside, also while an agent owns it: read-only, short reads, nothing of the agent.

What `fengsui buffer` is made of. A reader never writes, never checkpoints and holds no transaction between two steps.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote

from buffer import tables
from buffer.ledger import Log, LogRow
from buffer.model import Block, Lane
from buffer.schema import NUMBER_BITS, ORDINAL_BITS, Row, key_of, one

STEP = 256  # rows read at a time


class Verdict(NamedTuple):
    """What verify() found."""

    blocks: int
    numbers: int
    bytes: int
    unsound: tuple[tuple[str, str, int], ...]  # (log, lane, first number) of blocks that fail their checksum
    overlapping: int
    errors: tuple[str, ...]  # what SQLite itself says of the file
    logs: int
    unsound_logs: int

    @property
    def sound(self) -> bool:
        return not (self.unsound or self.overlapping or self.errors or self.unsound_logs)


class FileStats(NamedTuple):
    """The file's own account, some seconds behind the agent's."""

    file_bytes: int
    used_bytes: int
    wal_bytes: int
    schema: int
    logs: tuple[Log, ...]


class Reader(AbstractContextManager["Reader"]):
    """Raises sqlite3.DatabaseError or FileNotFoundError when there is nothing to read.

    A file whose agent was killed before it made the tables is a buffer that holds nothing.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"no buffer at {self.path}")
        self._db = _open(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def stats(self) -> FileStats:
        wal = self.path.with_name(self.path.name + "-wal")
        return FileStats(
            tables.file_bytes(self._db),
            tables.used_bytes(self._db),
            wal.stat().st_size if wal.exists() else 0,
            one(self._db, "PRAGMA user_version"),
            tuple(self.logs()),
        )

    def logs(self) -> Iterator[Log]:
        """Oldest first. A log whose state is damaged comes without books."""
        for row in tables.read_logs(self._db) if self._begun else ():
            yield _log_of(row)[0]

    def meta(self) -> dict[str, bytes]:
        return tables.read_meta(self._db) if self._begun else {}

    @property
    def _begun(self) -> bool:
        """The tables come in one transaction, all of them."""
        return self._db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None

    def blocks(self, lane: Lane | None = None, *, after: int = 0) -> Iterator[Block]:
        """Sound blocks, most urgent lane and oldest first; read in steps, so the agent is never in the way."""
        for row in self._rows(lane, after):
            if row.sound:
                yield row.block

    def tail(self, lane: Lane, many: int = 10) -> list[Block]:
        """The newest sound blocks of one lane, oldest first."""
        if not self._begun:
            return []
        low, high = key_of(lane, 0, 0), key_of(lane + 1, 0, 0) - 1
        rows = self._db.execute(
            f"{tables.SELECT} WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT ?", (low, high, many)
        )
        return [row.block for row in map(Row._make, rows.fetchall()[::-1]) if row.sound]

    def verify(self) -> Verdict:
        """Reads every row and checks every checksum, then asks SQLite. Takes as long as reading the file does."""
        blocks = numbers = size = overlapping = 0
        unsound: list[tuple[str, str, int]] = []
        errors: list[str] = []
        end = -1
        try:
            for row in self._rows(None, 0):
                if not row.sound:
                    unsound.append((_name(row.log), row.lane.name.lower(), row.first))
                    continue
                blocks, numbers, size = blocks + 1, numbers + row.span + 1, size + len(row.body)
                overlapping += row.key <= end
                end = row.key + row.span
            errors = [text for (text,) in self._db.execute("PRAGMA quick_check(20)").fetchall() if text != "ok"]
        except sqlite3.DatabaseError as error:
            errors.append(str(error))
        logs = [_log_of(row)[1] for row in self._log_rows(errors)]
        return Verdict(blocks, numbers, size, tuple(unsound), overlapping, tuple(errors), len(logs), logs.count(False))

    def _log_rows(self, errors: list[str]) -> list[LogRow]:
        try:
            return tables.read_logs(self._db) if self._begun else []
        except sqlite3.DatabaseError as error:
            errors.append(str(error))
            return []

    def _rows(self, lane: Lane | None, after: int) -> Iterator[Row]:
        if not self._begun:
            return
        last = (1 << (2 + ORDINAL_BITS + NUMBER_BITS)) - 1
        key, end = (
            (max(after, 0), last) if lane is None else (max(after, key_of(lane, 0, 0)), key_of(lane + 1, 0, 0) - 1)
        )
        while rows := self._db.execute(
            f"{tables.SELECT} WHERE key > ? AND key <= ? ORDER BY key LIMIT ?", (key, end, STEP)
        ).fetchall():
            yield from map(Row._make, rows)
            key = rows[-1][0]


def _open(path: Path) -> sqlite3.Connection:
    """Where the folder can't be written and no agent runs, SQLite needs to be told that nobody will write."""
    where = f"file:{quote(str(path.absolute()))}"
    for uri in (f"{where}?mode=ro", f"{where}?mode=ro&immutable=1"):
        db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=1.0)
        try:
            db.execute("SELECT 1 FROM sqlite_schema").fetchall()
        except sqlite3.OperationalError:
            db.close()
        else:
            return db
    raise sqlite3.OperationalError(f"{path} can't be opened for reading")


def _log_of(row: LogRow) -> tuple[Log, bool]:
    log = Log(_name(row.id), row.ordinal)
    try:
        log.decode(row.checked())
    except ValueError:
        return log, False
    return log, True


def _name(log: object) -> str:
    return log.hex() if isinstance(log, bytes) else "?"
