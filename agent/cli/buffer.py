"""`fengsui buffer`: look into a station's buffer, beside a running agent or without one, and save what a damaged one holds."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.common import complain, load_or_say, print_json, with_config, with_json
from agent.cli.facts import named

if TYPE_CHECKING:
    from agent.cli.buffer_rows import Row
    from buffer.reader import Reader

LANES = ("alarm", "event", "telemetry", "bulk")
MOST_TAIL = 100_000  # rows


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "buffer",
        description="Look into the buffer, also while the agent runs; export its readings; save what a damaged file holds.",
        epilog="Exit codes: 0 done; 1 damage was found, or the file cannot be read; 2 wrong options or no such file.",
    )
    actions = verb.add_subparsers(dest="action", metavar="ACTION", required=True)
    stats = _action(actions, "stats", _stats, "what the file holds, by log and lane")
    with_json(stats)
    tail = _action(actions, "tail", _tail, "the newest readings or events")
    tail.add_argument("-n", type=_many, default=10, help="rows (default: 10)")
    tail.add_argument("--lane", choices=LANES, default="telemetry", help="default: telemetry")
    with_json(tail)
    _add_export(_action(actions, "export", _export, "readings as CSV, JSON lines or a SQLite table"))
    verify = _action(actions, "verify", _verify, "check every checksum, and every log's ranges against its rows")
    with_json(verify)
    salvage = actions.add_parser("salvage", help="bring what a damaged file still holds into a new one, keys kept")
    salvage.add_argument("damaged", type=Path, metavar="FILE", help="the damaged file; its -wal is taken too")
    salvage.add_argument("--out", type=Path, required=True, help="the new file")
    with_json(salvage)
    salvage.set_defaults(run=_salvage)


def _action(actions: Any, name: str, run: Any, summary: str) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(name, help=summary, description=summary)
    with_config(action)
    action.add_argument("--file", type=Path, help="the buffer's file (default: the configuration's)")
    action.set_defaults(run=_reading(run))
    return action


def _add_export(export: argparse.ArgumentParser) -> None:
    form = export.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="comma-separated, with a head line (the default)")
    form.add_argument("--jsonl", action="store_true", help="one JSON object a line")
    form.add_argument("--db", type=Path, metavar="FILE", help="table `reading` of a SQLite file, made or added to")
    export.add_argument("--series", action="append", default=[], help="only these; a pattern as river.* (repeatable)")
    export.add_argument("--since", help="a time (2026-05-01T00:00Z) or so long ago (7d, 2h)")
    export.add_argument("--out", type=Path, help="write to this file (default: standard output)")


def _many(text: str) -> int:
    count = int(text)
    if not 0 < count <= MOST_TAIL:
        raise argparse.ArgumentTypeError(f"1 to {MOST_TAIL}")
    return count


def _reading(action: Any) -> Any:
    """The action on an open reader; what is wrong with the file comes out as a sentence."""

    def run(options: argparse.Namespace) -> int:
        import sqlite3

        from buffer.reader import Reader

        file = options.file or _configured(options)
        if file is None:
            return 2
        try:
            with Reader(file) as reader:
                return int(action(options, reader))
        except FileNotFoundError:
            complain("buffer.no_file", file=file)
            return 2
        except (sqlite3.DatabaseError, OSError) as wrong:
            complain("buffer.cannot_read", file=file, why=wrong)
            return 1

    return run


def _configured(options: argparse.Namespace) -> Path | None:
    config = load_or_say(options.config)
    return None if config is None else config.state / config.buffer.file


def _stats(options: argparse.Namespace, reader: "Reader") -> int:
    import sqlite3
    from urllib.parse import quote

    from sqlite_utils import Database

    found = reader.stats()
    with closing(sqlite3.connect(f"file:{quote(str(reader.path.absolute()))}?mode=ro", uri=True)) as connection:
        db = Database(connection)
        counts = {name: db[name].count for name in db.table_names()}
    logs = [
        {"log": log.id, "lane": lane.name.lower(), "closed": log.closed}
        | {"issued": book.last, "bytes": book.bytes}
        | {"pending": {route: book.pending(route) for route in sorted(book.settled)}}
        | {"gone": {reason: ranges.encode(8).decode() for reason, ranges in book.gone.items() if ranges}}
        for log in found.logs
        for lane, book in sorted(log.books.items())
    ]
    facts = found._asdict() | {"file": str(reader.path), "rows": counts, "logs": logs}
    if options.json:
        print_json(facts)
        return 0
    for name in ("file", "file_bytes", "used_bytes", "wal_bytes", "schema", "rows"):
        print(f"{named(name)} = {facts[name]}")
    for row in logs:
        print("  " + ", ".join(f"{named(key)} = {named(value)}" for key, value in row.items()))
    return 0


def _tail(options: argparse.Namespace, reader: "Reader") -> int:
    from agent.cli.buffer_rows import rows, wall_of
    from buffer.model import Lane

    wall = wall_of(reader.meta().get("clock"))
    blocks = reader.tail(Lane[options.lane.upper()], options.n)
    newest = [row for block in blocks for row in rows(block, wall)][-options.n :]
    for row in newest:
        row.pop("unix_ms", None)
        print_json(row) if options.json else print(_line(row))
    return 0


def _line(row: "Row") -> str:
    """Readable, and nothing in it can move a terminal."""
    from agent.catalogue import plain

    time_ = f"{row.get('time', '')}{'' if row.get('trusted') else '?'}"
    if "series" in row:
        return plain(f"{time_:25} {row['series']} = {row['value']} {row['unit']} ({row['quality']})")
    hidden = ("time", "trusted", "boot", "at", "log", "lane", "number", "type")
    facts = " ".join(f"{name}={value}" for name, value in row.items() if name not in hidden)
    return plain(f"{time_:25} {row.get('type', '')} {facts}")


def _export(options: argparse.Namespace, reader: "Reader") -> int:
    from agent.cli.buffer_export import export

    return export(options, reader)


def _verify(options: argparse.Namespace, reader: "Reader") -> int:
    from agent.cli.buffer_check import verify

    found = verify(reader)
    if options.json:
        print_json(found)
    else:
        for name, value in found.items():
            print(f"{named(name)} = {named(value)}")
        complain("buffer.sound" if found["sound"] else "buffer.unsound", file=reader.path)
    return 0 if found["sound"] else 1


def _salvage(options: argparse.Namespace) -> int:
    from agent.cli.buffer_check import salvage

    if not options.damaged.is_file():
        complain("buffer.no_file", file=options.damaged)
        return 2
    if options.out.exists() or not options.out.parent.is_dir():
        complain("buffer.out", file=options.out)
        return 2
    try:
        found = salvage(options.damaged, options.out)
    except OSError as wrong:
        complain("buffer.cannot_read", file=options.damaged, why=wrong)
        return 1
    if options.json:
        print_json(found)
    else:
        complain("buffer.saved", **found)
    return 1 if found["fault"] or not found["numbers"] else 0
