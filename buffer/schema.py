"""The file's format: pragmas, numbered migrations, the block's key and checksum. Knows SQL and bytes, no policy."""

import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from zlib import crc32

from buffer.model import Block, Lane

APPLICATION_ID = 0x66656E67  # "feng", so that file(1) and salvage know whose file it is
VERSION = 1
MIGRATIONS = Path(__file__).with_name("schema")  # one numbered file a version
PAGE = 1024  # bytes; least written per reading in the measurements of docs/reliability.md
ORDINAL_BITS, NUMBER_BITS = 25, 36  # a start every 2 s for two years; 100 numbers a second for 21 years
MOST_ORDINAL = (1 << ORDINAL_BITS) - 1
MOST_NUMBER = (1 << NUMBER_BITS) - 1
KEEP, LEVEL_SHIFT = 1, 1  # block.flags


class Cursor(Protocol):
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...
    def close(self) -> None: ...


class Database(Protocol):
    """The few calls the buffer makes, so that the power-cut tests can put another SQLite underneath."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object: ...
    def close(self) -> None: ...
    @property
    def in_transaction(self) -> bool: ...


class NewerSchema(sqlite3.DatabaseError):
    """A later release wrote this file; it is set aside like a damaged one and what we understand is salvaged."""


class Row(NamedTuple):
    """A block as stored."""

    key: int
    log: bytes
    span: int
    flags: int
    crc: int
    body: bytes

    @property
    def lane(self) -> Lane:
        return Lane(self.key >> (ORDINAL_BITS + NUMBER_BITS))

    @property
    def ordinal(self) -> int:
        return (self.key >> NUMBER_BITS) & MOST_ORDINAL

    @property
    def first(self) -> int:
        return self.key & MOST_NUMBER

    @property
    def last(self) -> int:
        return self.first + self.span

    @property
    def sound(self) -> bool:
        try:
            return self.crc == checksum(
                self.log, self.lane, self.first, span=self.span, flags=self.flags, body=self.body
            )
        except (struct.error, TypeError, ValueError):  # a damaged file may hold any type in any column
            return False

    @property
    def block(self) -> Block:
        return Block(self.log.hex(), self.lane, self.first, self.last, self.body, bool(self.flags & KEEP))


def key_of(lane: int, ordinal: int, number: int) -> int:
    return (lane << (ORDINAL_BITS + NUMBER_BITS)) | (ordinal << NUMBER_BITS) | number


def checksum(log: bytes, lane: int, first: int, *, span: int, flags: int, body: bytes) -> int:
    return crc32(body, crc32(struct.pack(">8sBQIB", log, lane, first, span, flags)))


def row_of(log: bytes, ordinal: int, lane: int, first: int, *, last: int, flags: int, body: bytes) -> Row:
    span = last - first
    crc = checksum(log, lane, first, span=span, flags=flags, body=body)
    return Row(key_of(lane, ordinal, first), log, span, flags, crc, body)


def connect(path: Path) -> Database:
    """Autocommit: every transaction in this package is opened and closed in plain sight."""
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)


def prepare(db: Database, max_bytes: int) -> None:
    """Settings that hold for one connection, then the tables if the file is new. Raises sqlite3.DatabaseError."""
    db.execute(f"PRAGMA page_size={PAGE}")
    db.execute("PRAGMA journal_mode=WAL").fetchall()
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA wal_autocheckpoint=0").fetchall()  # the worker checkpoints when nothing urgent waits
    db.execute("PRAGMA mmap_size=0").fetchall()  # a bad page must be an error, not a SIGBUS
    db.execute("PRAGMA cache_size=-2000")
    # Noughts over what is deleted cost a twentieth more writing, and on flash the old page stays where it was all the same.
    db.execute("PRAGMA secure_delete=OFF").fetchall()
    db.execute("PRAGMA temp_store=MEMORY")
    db.execute(f"PRAGMA max_page_count={max_bytes // PAGE}").fetchall()
    _migrate(db)


def _migrate(db: Database) -> None:
    version = one(db, "PRAGMA user_version")
    if version > VERSION:
        raise NewerSchema(f"schema {version} is newer than {VERSION}")
    for step in range(version + 1, VERSION + 1):
        script = (MIGRATIONS / f"{step:04}.sql").read_text(encoding="utf-8")
        db.execute("BEGIN IMMEDIATE")
        for statement in _statements(script):
            db.execute(statement)
        db.execute(f"PRAGMA application_id={APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={step}")
        db.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """executescript() would commit on its own; ours go in one transaction with the version."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def one(db: Database, sql: str, *parameters: Any) -> int:
    """The single integer a query answers with; 0 for NULL."""
    found = db.execute(sql, parameters).fetchone()
    return int(found[0] or 0) if found else 0
