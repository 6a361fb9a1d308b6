"""`fengsui buffer verify` and `salvage`: is everything there that should be, and what can be had of a damaged file.

Salvage is the station's own recovery, run on a copy: what it brings home is what the station would.
"""

import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from buffer.model import Lane, Options
from buffer.ranges import Ranges
from buffer.reader import Reader, Verdict
from buffer.store import Buffer

LOOK = 0.05  # seconds between looks whether it is done
ROOM = 4  # times the damaged file: nothing salvaged is shed for space
MOST_NAMED = 100  # ranges or rows in one answer


def verify(reader: Reader) -> dict[str, Any]:
    """Checksums of all rows, SQLite's own check, and the ranges of every log against its rows."""
    verdict = reader.verify()
    missing = [] if verdict.errors else absent(reader)
    return {"sound": verdict.sound and not missing, **_plain(verdict), "missing": missing[:MOST_NAMED]}


def absent(reader: Reader) -> list[dict[str, Any]]:
    """Numbers that a log's state calls stored and that no sound row holds."""
    held: dict[tuple[str, Lane], Ranges] = {}
    logs = list(reader.logs())  # before the rows: what is appended meanwhile is not asked for
    for block in reader.blocks():
        held.setdefault((block.log, block.lane), Ranges()).add(block.first, block.last)
    found = []
    for log in logs:
        for lane, book in log.books.items():
            short = Ranges(book.stored()).difference(held.get((log.id, lane), Ranges()))
            if short:
                place = {"log": log.id, "lane": lane.name.lower(), "numbers": short.count}
                found.append(place | {"ranges": short.encode(MOST_NAMED).decode()})
    return found


def salvage(damaged: Path, out: Path) -> dict[str, Any]:
    """What can be read of `damaged` (and its -wal) into the new file `out`, under the keys it had."""
    place = out.parent / "quarantine" / f"9999-{out.name}"
    place.mkdir(parents=True)
    try:
        for end in ("", "-wal"):
            part = damaged.with_name(damaged.name + end)
            if part.exists():
                shutil.copyfile(part, place / (out.name + end))
        return _bring_home(out, damaged.stat().st_size)
    finally:
        _tidy(out, place)


def _bring_home(out: Path, size: int) -> dict[str, Any]:
    told: list[dict[str, Any]] = []
    options = Options(max_bytes=max(64 << 20, ROOM * size), ballast=0)
    buffer = Buffer.open(out, options=options, report=lambda kind, facts: told.append({"type": kind, **facts}))
    try:
        while buffer.stats().salvaging and not buffer.stats().fault:
            time.sleep(LOOK)
        stats = buffer.stats()
        logs = [info for info in buffer.logs() if any(lane.last for lane in info.lanes.values())]
    finally:
        buffer.close(60.0)
    with closing(sqlite3.connect(out)) as db:
        db.execute("PRAGMA journal_mode=DELETE")  # one file to carry away; an agent makes its own -wal again
    numbers = sum(stats.issued.values()) - sum(stats.gone.values())
    return {"file": str(out), "logs": len(logs), "numbers": numbers, "gone": dict(stats.gone), "fault": stats.fault}


def _tidy(out: Path, place: Path) -> None:
    """Only the salvaged file stays."""
    shutil.rmtree(place, ignore_errors=True)
    for end in (".lock", ".ballast"):
        out.with_name(out.name + end).unlink(missing_ok=True)
    if not any(place.parent.iterdir()):
        place.parent.rmdir()


def _plain(verdict: Verdict) -> dict[str, Any]:
    return verdict._asdict() | {"unsound": [list(each) for each in verdict.unsound[:MOST_NAMED]]}
