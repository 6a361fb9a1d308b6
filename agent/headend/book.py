"""What a headend must not forget: sessions with stations, what the platform holds of them, what is still to be published.

One SQLite file, WAL and synchronous=FULL: what is acknowledged to a station is on disk before. One thread at a time.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from buffer.ranges import Ranges

SCHEMA = """
CREATE TABLE IF NOT EXISTS station (id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (
  station TEXT NOT NULL, log TEXT NOT NULL, lane TEXT NOT NULL, ranges TEXT NOT NULL, PRIMARY KEY (station, log, lane)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, station TEXT NOT NULL, number INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS beacon (issuer TEXT PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
MOST_OUTBOX = 100_000  # messages a headend keeps while its broker is away; beyond it stations are told to wait
MOST_LOGS = 64  # of one station, whose numbers are remembered; older ones come again and the platform drops them


class Letter(NamedTuple):
    """To be published; `id` 0 before it is kept. `number`: the whole number of the station's message that it was made of."""

    id: int
    topic: str
    payload: bytes
    station: str = ""
    number: int = 0


class Book:
    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA)
        self.waiting = int(self._db.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def close(self) -> None:
        self._db.close()

    @property
    def full(self) -> bool:
        return self.waiting >= MOST_OUTBOX

    def station(self, station: str) -> dict[str, Any]:
        """What was kept of a station; empty for one that is new, or whose row cannot be read."""
        row = self._db.execute("SELECT state FROM station WHERE id = ?", (station,)).fetchone()
        try:
            found = json.loads(row[0]) if row else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def held(self, station: str) -> Iterator[tuple[str, str, Ranges]]:
        """(log, lane, numbers)"""
        for log, lane, text in self._db.execute("SELECT log, lane, ranges FROM held WHERE station = ?", (station,)):
            yield log, lane, Ranges.decode(text.encode())

    def write(
        self,
        stations: Iterable[tuple[str, dict[str, Any]]] = (),
        held: Iterable[tuple[str, str, str, Ranges]] = (),
        letters: Iterable[Letter] = (),
    ) -> list[Letter]:
        """All of it or nothing, on disk when this returns. Letters come back with their ids."""
        with self._transaction():
            rows = [(name, json.dumps(state)) for name, state in stations]
            self._db.executemany("REPLACE INTO station VALUES (?, ?)", rows)
            texts = [(station, log, lane, ranges.encode().decode()) for station, log, lane, ranges in held]
            self._db.executemany("REPLACE INTO held VALUES (?, ?, ?, ?)", texts)
            kept = [one._replace(id=self._put(one)) for one in letters]
        self.waiting += len(kept)
        return kept

    def forget_log(self, station: str, log: str) -> None:
        self._db.execute("DELETE FROM held WHERE station = ? AND log = ?", (station, log))

    def outbox(self, after: int = 0, most: int = 64) -> list[Letter]:
        """Oldest first."""
        rows = self._db.execute("SELECT * FROM outbox WHERE id > ? ORDER BY id LIMIT ?", (after, most))
        return [Letter(*row) for row in rows]

    def published(self, letter: Letter) -> None:
        self._db.execute("DELETE FROM outbox WHERE id = ?", (letter.id,))
        self.waiting -= 1

    def beacons(self) -> list[tuple[str, bytes]]:
        return list(self._db.execute("SELECT topic, payload FROM beacon"))

    def keep_beacon(self, issuer: str, topic: str, payload: bytes) -> None:
        self._db.execute("REPLACE INTO beacon VALUES (?, ?, ?)", (issuer, topic, payload))

    def _put(self, letter: Letter) -> int:
        cursor = self._db.execute("INSERT INTO outbox VALUES (NULL, ?, ?, ?, ?)", letter[1:])
        return int(cursor.lastrowid or 0)

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("ROLLBACK" if kind else "COMMIT")
