"""Stored blocks as rows that a person or a spreadsheet can read: one a reading, one an event. Opens nothing.

Wall time is made from the saved anchors, as the station makes it when it sends; a row says whether it is to be trusted.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from agent.clock import Clock
from agent.sampling import named
from buffer.model import Block, Lane
from drivers.values import Duration, decode
from protocols import columns, event
from protocols.errors import RemoteError
from protocols.event import iso
from protocols.reading import Reading

Row = dict[str, Any]
Wall = Callable[[bytes, int], tuple[int, bool]]
EVENTS = (Lane.ALARM, Lane.EVENT)


def wall_of(saved: bytes | None) -> Wall:
    """The anchors a station has saved. The boot id is nobody's, so that none of them is overwritten by this computer's."""
    return Clock("none", boot=bytes(8), saved=saved).wall


def since(text: str, now_ms: int) -> int:
    """`7d` (so long ago) or `2026-05-01T00:00Z` as Unix milliseconds; ValueError for anything else."""
    try:
        return now_ms - round(float(decode(Duration, text)) * 1000)
    except ValueError:
        moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def rows(block: Block, wall: Wall) -> Iterator[Row]:
    """Everything a block holds. What this program cannot read is a row too: with its size, and why."""
    try:
        yield from _events(block, wall) if block.lane in EVENTS else _readings(block, wall)
    except RemoteError as wrong:
        unread = {"unreadable": wrong.reason, "bytes": len(block.body), "last": block.last}
        yield _place(block, block.first) | unread


def wanted(row: Row, series: list[str], after_ms: int | None) -> bool:
    """`series` are patterns as `river.*`; none of them means all."""
    if series and not any(fnmatchcase(row.get("series", ""), pattern) for pattern in series):
        return False
    return after_ms is None or row.get("unix_ms", 0) >= after_ms


def _readings(block: Block, wall: Wall) -> Iterator[Row]:
    boot, numbers = columns.unpack(block.body)
    for number, readings in enumerate(numbers, block.first):
        for reading in readings:
            yield _place(block, number) | _time(boot, reading.at, wall) | _value(reading)


def _value(reading: Reading) -> Row:
    facts = {"series": reading.series, "value": reading.value, "unit": reading.unit}
    return facts | {"quality": named(reading.quality)}


def _events(block: Block, wall: Wall) -> Iterator[Row]:
    found = event.decode(block.body)
    boot, at = found.pop("boot", ""), found.pop("at", 0)
    try:
        time = _time(bytes.fromhex(boot), int(at), wall)
    except (TypeError, ValueError) as error:
        raise RemoteError("event.shape", str(error)) from error
    yield _place(block, block.first) | time | found


def _place(block: Block, number: int) -> Row:
    return {"log": block.log, "lane": block.lane.name.lower(), "number": number}


def _time(boot: bytes, at: int, wall: Wall) -> Row:
    unix_ms, trusted = wall(boot, at)
    return {"time": iso(unix_ms), "trusted": trusted, "boot": boot.hex(), "at": at, "unix_ms": unix_ms}
