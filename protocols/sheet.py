"""A packed body laid open, and closed again. Specified byte by byte in docs/platform/packed.md.

    01 | boot id, 8 | table length | table | numbers | rows | heads | bits

Heads and bits are those of: rows of each number, shapes of the rows, times of each shape, columns. A **row** is what was
read at one instant, its **shape** the series that stand in it; a row belongs to one number of the log. Values are integers here, times are
boot times, and every count in a body is checked before it costs more than the body itself.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocols import bits, table
from protocols.bits import Head, Reader, read_head, varint
from protocols.errors import LocalError, RemoteError
from protocols.table import Table

VERSION = 1
BOOT_BYTES = 8
MAX_BODY = 64 * 1024  # bytes; as much as the largest message taken from outside
MAX_ROWS = 4096
MAX_NUMBERS = 4096  # of the log, in one body
MAX_READINGS = 65_536  # bounds what a hostile body of a few bytes can ask for
MIXED = 0  # in place of the common quality: each column has its own
_MAX_AT = 1 << 62  # ms either side of boot
_NO_ORDER = Head(0, bits.FLAT, (0,))  # one shape throughout


class Column(NamedTuple):
    """One series: its integers in time, their form (`protocols.forms`), and their qualities (None: the common one)."""

    form: int
    numbers: list[int]
    qualities: list[int] | None


class Sheet(NamedTuple):
    """`counts` has the rows of each number, `order` has the shape of each row, `times` its instant; a column has a number for each row that its series is in."""

    boot: bytes
    table: Table
    counts: list[int]
    order: list[int]
    times: list[int]
    quality: int
    columns: list[Column]


def close(sheet: Sheet) -> bytes:
    """The body; LocalError for what does not fit into one."""
    if len(sheet.boot) != BOOT_BYTES or len(sheet.times) > MAX_ROWS or len(sheet.counts) > MAX_NUMBERS:
        raise LocalError("packed.rows", f"{len(sheet.times)} rows, {len(sheet.counts)} numbers")
    if max(map(abs, sheet.times)) > _MAX_AT:
        raise LocalError("packed.time", "beyond 64 bits")
    names, shapes = table.encode(sheet.table), len(sheet.table.shapes)
    sizes = varint(len(sheet.counts)) + varint(len(sheet.times))
    heads = [bytes((VERSION,)), sheet.boot, varint(len(names)), names, sizes]
    tails: list[str] = []

    def put(numbers: Sequence[int]) -> None:
        head, tail = bits.write(numbers)
        heads.append(head)
        tails.append(tail)

    put(sheet.counts)
    if shapes > 1:
        put(sheet.order)
    for shape in range(shapes):
        put([at for at, its in zip(sheet.times, sheet.order, strict=True) if its == shape])
    heads.append(varint(sheet.quality))
    for form, numbers, qualities in sheet.columns:
        heads.append(bytes((form,)))
        put(numbers)
        if qualities is not None:
            put(qualities)
    body = b"".join(heads) + _bytes("".join(tails))
    if len(body) > MAX_BODY:
        raise LocalError("packed.long", f"{len(body)} bytes")
    return body


def _bytes(tail: str) -> bytes:
    """Text of 0 and 1 as bytes, filled up with zeros."""
    size = -(-len(tail) // 8)
    return (int(tail, 2) << 8 * size - len(tail)).to_bytes(size) if tail else b""


def instants(body: bytes) -> int:
    """How many rows a body says it has, from its head alone; 0 for what is not ours or ends before that."""
    reader = Reader(body)
    try:
        if reader.byte() != VERSION:
            return 0
        reader.take(BOOT_BYTES)
        reader.take(reader.varint())
        reader.varint()
        return reader.varint()
    except RemoteError:
        return 0


def lay_open(body: bytes) -> Sheet:
    """Every part of a body; RemoteError for anything but a whole body of this version."""
    if len(body) > MAX_BODY:
        raise RemoteError("packed.long", f"{len(body)} bytes")
    reader = Reader(body)
    version = reader.byte()
    if version != VERSION:
        raise RemoteError("packed.version", f"format {version}", 0)
    boot = reader.take(BOOT_BYTES)
    names = table.decode(reader.take(reader.varint()))
    numbers, count = reader.varint(), reader.varint()
    if not (0 < numbers <= MAX_NUMBERS and 0 < count <= MAX_ROWS):
        raise RemoteError("packed.rows", f"{count} rows, {numbers} numbers", reader.at)
    counts_head = read_head(reader)
    order_head = read_head(reader) if len(names.shapes) > 1 else _NO_ORDER
    time_heads = [read_head(reader) for _ in names.shapes]
    quality = reader.varint()
    column_heads = [_column_heads(reader, quality) for _ in names.series]
    tail = reader.bits()
    counts, tail = bits.read(counts_head, numbers, tail)
    if min(counts) < 0 or sum(counts) != count:
        raise RemoteError("packed.rows", f"{count} rows, {sum(counts)} in {numbers} numbers")
    order, tail = bits.read(order_head, count, tail)
    rows, lengths = _lengths(names, order)
    times, tail = _times(time_heads, rows, order, tail)
    columns, tail = _columns(column_heads, lengths, tail)
    if len(tail) > 7 or "1" in tail:
        raise RemoteError("packed.rest", f"{len(tail)} bits too many")
    return Sheet(boot, names, counts, order, times, quality, columns)


def _column_heads(reader: Reader, quality: int) -> tuple[int, Head, Head | None]:
    return reader.byte(), read_head(reader), read_head(reader) if quality == MIXED else None


def _lengths(names: Table, order: list[int]) -> tuple[list[int], list[int]]:
    """How many rows each shape has, and how many numbers each series."""
    most = len(names.shapes)
    if min(order) < 0 or max(order) >= most:
        raise RemoteError("packed.shape", f"{most} shapes")
    rows = [0] * most
    for shape in order:
        rows[shape] += 1
    if sum(count * len(series) for count, series in zip(rows, names.shapes, strict=True)) > MAX_READINGS:
        raise RemoteError("packed.rows", f"more than {MAX_READINGS} readings")
    lengths = [0] * len(names.series)
    for count, series in zip(rows, names.shapes, strict=True):
        for index in series:
            lengths[index] += count
    return rows, lengths


def _times(heads: list[Head], rows: list[int], order: list[int], tail: str) -> tuple[list[int], str]:
    by_shape = []
    for head, count in zip(heads, rows, strict=True):
        numbers, tail = bits.read(head, count, tail)
        by_shape.append(iter(numbers))
    times = [next(by_shape[shape]) for shape in order]
    if max(map(abs, times)) > _MAX_AT:
        raise RemoteError("packed.time", "beyond 64 bits")
    return times, tail


def _columns(heads: list[tuple[int, Head, Head | None]], lengths: list[int], tail: str) -> tuple[list[Column], str]:
    columns = []
    for (form, head, quality_head), length in zip(heads, lengths, strict=True):
        numbers, tail = bits.read(head, length, tail)
        qualities = None
        if quality_head:
            qualities, tail = bits.read(quality_head, length, tail)
        columns.append(Column(form, numbers, qualities))
    return columns, tail
