"""Our rows out of the pages of an SQLite file, without SQLite: it refuses a file whose first page is gone, we need not.

Every row carries a checksum over its key and its log's id, so whatever passes is believed, wherever it was found:
table leaves, -wal frames, pages that are free. Format: https://sqlite.org/fileformat2.html
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from buffer.ledger import LogRow
from buffer.schema import PAGE, Row

LEAF = 0x0D
WAL_HEADER, FRAME_HEADER = 32, 24
LARGEST = PAGE - 35  # of a payload that fits its leaf
SMALLEST = (PAGE - 12) * 32 // 255 - 23  # what stays in the leaf of one that does not
MOST_PAYLOAD = 2 << 20  # bytes; a body is at most 1 MiB
SIGNED = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type: bytes of a two's complement integer


class Damaged(ValueError):
    """These bytes are no record."""


class Cell(NamedTuple):
    key: int
    size: int  # of the whole payload
    local: bytes
    overflow: int  # page number; 0 for none


class Carver:
    """One set-aside database with its -wal, page by page."""

    def __init__(self, path: Path) -> None:
        self._files = [_opened(path), _opened(path.with_name(path.name + "-wal"))]
        self._frames = self._index_frames()
        self.pages = self._size(0) // PAGE + len(self._frames)

    def close(self) -> None:
        for fd in self._files:
            if fd is not None:
                os.close(fd)
        self._files = [None, None]

    def rows(self, page: int) -> Iterator[Row | LogRow]:
        """The sound rows of the page with this index: first those of the file, then those of the -wal."""
        in_file = self._size(0) // PAGE
        data = self._read(0, page * PAGE) if page < in_file else self._read(1, self._frames[page - in_file][1])
        for cell in cells(data, 100 if page == 0 and in_file else 0):
            with suppress(Damaged):
                yield from self._sound(cell)

    def _sound(self, cell: Cell) -> Iterator[Row | LogRow]:
        for newest in (True, False):  # the -wal may hold a newer page of the chain, or one that was never committed
            row = row_from(cell.key, record(self._payload(cell, newest=newest)))
            if isinstance(row, LogRow) or (row and row.sound):
                yield row
                return

    def _payload(self, cell: Cell, *, newest: bool) -> bytes:
        payload, page = cell.local, cell.overflow
        for _ in range(MOST_PAYLOAD // PAGE):
            if len(payload) >= cell.size or not page:
                break
            data = self._page(page, newest=newest)
            page, payload = int.from_bytes(data[:4], "big"), payload + data[4:]
        return payload[: cell.size]

    def _page(self, number: int, *, newest: bool) -> bytes:
        frames = [offset for page, offset in self._frames if page == number] if newest else []
        return self._read(1, frames[-1]) if frames else self._read(0, (number - 1) * PAGE)

    def _index_frames(self) -> list[tuple[int, int]]:
        """(page number, offset of its image) of every frame that was ever written and is not zeros."""
        step = FRAME_HEADER + PAGE
        offsets = range(WAL_HEADER, self._size(1) - FRAME_HEADER, step)
        pages = ((int.from_bytes(self._read(1, offset, 4), "big"), offset + FRAME_HEADER) for offset in offsets)
        return [(page, offset) for page, offset in pages if page]

    def _size(self, which: int) -> int:
        fd = self._files[which]
        return os.fstat(fd).st_size if fd is not None else 0

    def _read(self, which: int, offset: int, size: int = PAGE) -> bytes:
        """Zeros for what the disk can't read: they are no page and no record."""
        fd = self._files[which]
        with suppress(OSError, OverflowError, ValueError):
            if fd is not None:
                return os.pread(fd, size, offset).ljust(size, b"\0")
        return bytes(size)


def cells(page: bytes, start: int = 0) -> Iterator[Cell]:
    """What a table leaf holds; nothing for any other page."""
    if len(page) < PAGE or page[start] != LEAF:
        return
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    for at in range(start + 8, min(start + 8 + 2 * count, PAGE - 1), 2):
        with suppress(Damaged):
            yield cell(page, int.from_bytes(page[at : at + 2], "big"))


def cell(page: bytes, at: int) -> Cell:
    size, at = varint(page, at)
    key, at = varint(page, at)
    if not 0 < size <= MOST_PAYLOAD:
        raise Damaged("payload size")
    local = size if size <= LARGEST else _spilled(size)
    overflow = 0 if local == size else int.from_bytes(page[at + local : at + local + 4], "big")
    return Cell(key, size, page[at : at + local], overflow)


def _spilled(size: int) -> int:
    local = SMALLEST + (size - SMALLEST) % (PAGE - 4)
    return local if local <= LARGEST else SMALLEST


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(9):
        if at >= len(data):
            raise Damaged("varint runs off the page")
        byte = data[at]
        at += 1
        if n == 8:
            return (value << 8) | byte, at
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:
            return value, at
    raise Damaged("varint")


def record(payload: bytes) -> list[int | bytes | None]:
    """The columns. Text comes as its bytes; a float, which we never write, is damage."""
    end, at = varint(payload, 0)
    columns: list[int | bytes | None] = []
    body = end
    while at < end:
        kind, at = varint(payload, at)
        size = SIGNED.get(kind, (kind - 12) // 2 if kind >= 12 else 0)
        if body + size > len(payload) or kind in (7, 10, 11) or len(columns) > 8:
            raise Damaged("record")
        columns.append(_column(kind, payload[body : body + size]))
        body += size
    return columns


def _column(kind: int, data: bytes) -> int | bytes | None:
    if kind in SIGNED:
        return int.from_bytes(data, "big", signed=True)
    return {0: None, 8: 0, 9: 1}.get(kind, data)


def row_from(key: int, columns: Sequence[int | bytes | None]) -> Row | LogRow | None:
    """A row of table block or of table log, told apart by their columns; the first is always NULL, the key itself."""
    match columns:
        case [None, bytes(log), int(span), int(flags), int(crc), bytes(body)]:
            return Row(key, log, span, flags, crc, body)
        case [None, bytes(log), bytes(state), int(crc)] if len(log) == 8:
            return _log_row(key, log, state, crc)
    return None


def _log_row(key: int, log: bytes, state: bytes, crc: int) -> LogRow | None:
    try:
        row = LogRow(key, log, state.decode(), crc)
        row.checked()
    except ValueError:
        return None
    return row


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
