"""Every SQL statement on blocks and small tables. Knows the schema; no policy, no threads, no routes."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from buffer.ledger import LogRow
from buffer.model import Lane
from buffer.schema import MOST_NUMBER, Database, Row, key_of, one

SELECT = "SELECT key, log, span, flags, crc, body FROM block"


def insert_blocks(db: Database, rows: Iterable[Row]) -> None:
    db.executemany("INSERT INTO block (key, log, span, flags, crc, body) VALUES (?, ?, ?, ?, ?, ?)", rows)


def replace_blocks(db: Database, rows: Sequence[Row]) -> None:
    """Deleted and inserted: an UPDATE to something smaller would leave every page as empty as it made it."""
    delete_blocks(db, [row.key for row in rows])
    insert_blocks(db, rows)


def delete_blocks(db: Database, keys: Iterable[int]) -> None:
    db.executemany("DELETE FROM block WHERE key = ?", [(key,) for key in keys])


def write_logs(db: Database, rows: Iterable[LogRow]) -> None:
    db.executemany("INSERT OR REPLACE INTO log (ordinal, id, state, crc) VALUES (?, ?, ?, ?)", rows)


def delete_log(db: Database, ordinal: int) -> None:
    db.execute("DELETE FROM log WHERE ordinal = ?", (ordinal,))


def read_logs(db: Database) -> list[LogRow]:
    rows = db.execute("SELECT ordinal, id, state, crc FROM log ORDER BY ordinal").fetchall()
    if any(not isinstance(row[1], bytes) or len(row[1]) != 8 for row in rows):
        raise sqlite3.DatabaseError("a log without an id")
    return [LogRow(*row) for row in rows]


def read_blocks(
    db: Database, lane: int, ordinal: int, first: int, last: int, *, max_bytes: int, max_blocks: int
) -> tuple[list[Row], bool]:
    """Blocks that touch first..last, ascending, and whether that is all of them. At least one, whatever its size."""
    start, end = covering_key(db, lane, ordinal, first), key_of(lane, ordinal, last)
    cursor = db.execute(
        f"{SELECT} WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?",
        (start, end, max_blocks + 1),
    )
    rows: list[Row] = []
    size = 0
    try:
        for found in cursor:
            row = _believable(Row(*found))
            start = _in_order(row.key, start, end)
            size += len(row.body)
            if len(rows) == max_blocks or (rows and size > max_bytes):
                return rows, False
            rows.append(row)
    finally:
        cursor.close()  # an open cursor would pin the -wal
    return rows, True


def _believable(row: Row) -> Row:
    """A row that fails its checksum keeps its key and nothing else: its columns may hold anything."""
    return row if row.sound else Row(row.key, b"", 0, 0, -1, b"")


def _in_order(key: int, start: int, end: int) -> int:
    """The least key that may follow. Scribbled inner pages can lead a search to the wrong leaves."""
    if not start <= key <= end:
        raise sqlite3.DatabaseError("keys out of order")
    return key + 1


def _whole(value: object) -> int:
    """A column of a damaged row may hold anything."""
    return value if isinstance(value, int) and value >= 0 else 0


class Extent(NamedTuple):
    """A block without its body."""

    key: int
    span: int
    flags: int
    size: int

    @property
    def first(self) -> int:
        return self.key & MOST_NUMBER

    @property
    def last(self) -> int:
        return self.first + self.span


def read_extents(db: Database, lane: int, ordinal: int, first: int, last: int, *, most: int) -> list[Extent]:
    """Blocks that touch first..last, ascending."""
    start, end = covering_key(db, lane, ordinal, first), key_of(lane, ordinal, last)
    rows = db.execute(
        "SELECT key, span, flags, length(body) FROM block WHERE key BETWEEN ? AND ? ORDER BY key LIMIT ?",
        (start, end, most),
    ).fetchall()
    for key, *_ in rows:
        start = _in_order(key, start, end)
    return [Extent(key, _whole(span), _whole(flags), _whole(size)) for key, span, flags, size in rows]


def covering_key(db: Database, lane: int, ordinal: int, number: int) -> int:
    """The key of the block that holds `number`, or where it would be."""
    low, key = key_of(lane, ordinal, 0), key_of(lane, ordinal, number)
    found = db.execute(
        "SELECT key, span FROM block WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1", (low, key)
    ).fetchone()
    return int(found[0]) if found and found[0] + _whole(found[1]) >= key else key


def tail(db: Database, lane: int, ordinal: int) -> int:
    """The highest number stored in one lane of a log; 0 when there is none."""
    found = db.execute(
        "SELECT key, span FROM block WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1",
        (key_of(lane, ordinal, 0), key_of(lane, ordinal, MOST_NUMBER)),
    ).fetchone()
    return (int(found[0]) & MOST_NUMBER) + _whole(found[1]) if found else 0


def bytes_beyond(db: Database, lane: int, ordinal: int, number: int) -> int:
    return one(
        db,
        "SELECT sum(length(body)) FROM block WHERE key BETWEEN ? AND ?",
        key_of(lane, ordinal, number + 1),
        key_of(lane, ordinal, MOST_NUMBER),
    )


def highest_ordinal(db: Database) -> int:
    """Over logs and blocks: a damaged log row must not let its ordinal be drawn again."""
    highest = one(db, "SELECT max(ordinal) FROM log")
    for lane in Lane:
        found = one(
            db,
            "SELECT max(key) FROM block WHERE key BETWEEN ? AND ?",
            key_of(lane, 0, 0),
            key_of(lane + 1, 0, 0) - 1,
        )
        highest = max(highest, Row(found, b"", 0, 0, 0, b"").ordinal if found else 0)
    return highest


def first_of(db: Database, ordinal: int) -> Row | None:
    """Any block of a log, to learn the log's id from when its own row is damaged."""
    for lane in Lane:
        found = db.execute(
            f"{SELECT} WHERE key BETWEEN ? AND ? LIMIT 1",
            (key_of(lane, ordinal, 0), key_of(lane, ordinal, MOST_NUMBER)),
        ).fetchone()
        if found:
            return Row(*found)
    return None


def write_meta(db: Database, changes: Mapping[str, bytes]) -> None:
    db.executemany("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", list(changes.items()))


def read_meta(db: Database) -> dict[str, bytes]:
    rows = db.execute("SELECT key, value FROM meta").fetchall()
    return {key: value for key, value in rows if isinstance(key, str) and isinstance(value, bytes)}


def write_mark(db: Database, at: int, ordinal: int, numbers: Sequence[int]) -> None:
    db.execute(
        "INSERT OR REPLACE INTO mark (at, ordinal, numbers) VALUES (?, ?, ?)", (at, ordinal, json.dumps(numbers))
    )


def latest_mark(db: Database) -> int:
    return one(db, "SELECT max(at) FROM mark")


def mark_before(db: Database, at: int) -> tuple[int, list[int]] | None:
    """The newest mark not after `at`: (ordinal, last number of each lane)."""
    found = db.execute("SELECT ordinal, numbers FROM mark WHERE at <= ? ORDER BY at DESC LIMIT 1", (at,)).fetchone()
    try:
        ordinal, numbers = found
        return int(ordinal), [int(number) for number in json.loads(numbers)]
    except (TypeError, ValueError):  # no mark so old, or a damaged one: nothing expires by it
        return None


def drop_marks(db: Database, before: int) -> None:
    db.execute("DELETE FROM mark WHERE at < ?", (before,))


def used_bytes(db: Database) -> int:
    return (one(db, "PRAGMA page_count") - one(db, "PRAGMA freelist_count")) * one(db, "PRAGMA page_size")


def file_bytes(db: Database) -> int:
    return one(db, "PRAGMA page_count") * one(db, "PRAGMA page_size")


def all_rows(db: Database, after: int, most: int) -> Iterator[Row]:
    """Blocks in key order, for whoever walks the whole file in steps."""
    for found in db.execute(f"{SELECT} WHERE key > ? ORDER BY key LIMIT ?", (after, most)).fetchall():
        yield Row(*found)
