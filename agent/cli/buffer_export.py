"""`fengsui buffer export`: readings as CSV, JSON lines, or a table of a SQLite file. One at a time: a buffer may hold more
than memory does.
"""

import argparse
import csv
import itertools
import json
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TextIO

from agent.cli.buffer_rows import Row, rows, since, wall_of, wanted
from agent.cli.common import complain
from buffer.model import Lane
from buffer.reader import Reader

COLUMNS = ("time", "trusted", "series", "value", "unit", "quality", "log", "number", "boot", "at")
KEY = ("log", "number", "series", "at")


def export(options: argparse.Namespace, reader: Reader) -> int:
    try:
        after = None if options.since is None else since(options.since, time.time_ns() // 1_000_000)
    except ValueError:
        complain("buffer.since", value=options.since)
        return 2
    found = _wanted(reader, options.series, after)
    if options.db:
        return _to_database(options.db, found)
    write = _jsonl if options.jsonl else _csv
    if options.out is None:
        write(found, sys.stdout)
        return 0
    with options.out.open("w", encoding="utf-8", newline="") as out:
        write(found, out)
    return 0


def _wanted(reader: Reader, series: list[str], after_ms: int | None) -> Iterator[Row]:
    wall = wall_of(reader.meta().get("clock"))
    for block in reader.blocks(Lane.TELEMETRY):
        for row in rows(block, wall):
            if "series" in row and wanted(row, series, after_ms):
                yield {name: row[name] for name in COLUMNS}


def _csv(found: Iterable[Row], out: TextIO) -> None:
    table = csv.DictWriter(out, COLUMNS)
    table.writeheader()
    table.writerows(found)


def _jsonl(found: Iterable[Row], out: TextIO) -> None:
    out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in found)


def _to_database(file: Path, found: Iterator[Row]) -> int:
    """A table to query; exported twice, a reading stands there once."""
    from sqlite_utils import Database

    first = next(found, None)
    with closing(sqlite3.connect(file)) as connection:
        if first is not None:
            table = Database(connection).table("reading", pk=KEY)
            table.insert_all(itertools.chain([first], found), ignore=True, batch_size=1000)
            table.create_index(["series", "time"], if_not_exists=True)
            connection.commit()
    return 0
