"""The table at the head of a packed body: which series, in which units, and which of them stand in a row together.

It is short text, deflated. A station's tables hardly ever change, so both directions are remembered.
"""

import zlib
from dataclasses import dataclass
from functools import lru_cache

from protocols.errors import LocalError, RemoteError

Series = tuple[str, str]  # name, unit
Shape = tuple[int, ...]  # the series of one row, in order, as indexes

MAX_SERIES = 1024  # in one body; a station has tens
MAX_TEXT = 64 * 1024  # bytes of the table, inflated
REMEMBERED = 8  # tables: of 200 series that answer in any order, one takes 60 kB and the next second has another
_RAW = -15  # window bits for a stream without zlib's header and checksum: RFC 1951 alone


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """Compared by identity, so that what is derived from a table can be remembered by it."""

    series: tuple[Series, ...]
    shapes: tuple[Shape, ...]


@lru_cache(maxsize=REMEMBERED)
def remembered(series: tuple[Series, ...], shapes: tuple[Shape, ...]) -> Table:
    """The one table of these series and shapes."""
    return Table(series, shapes)


@lru_cache(maxsize=REMEMBERED)
def encode(table: Table) -> bytes:
    """Shapes are left out where there is one and it holds every series in order."""
    series, shapes = table.series, table.shapes
    if len(series) > MAX_SERIES:
        raise LocalError("packed.series", f"{len(series)} series")
    for name, unit in series:
        if not (name.isprintable() and unit.isprintable() and name and unit) or " " in name + unit:
            raise LocalError("packed.name", f"{name!r} {unit!r}")
    lines = [" ".join(word for pair in series for word in pair)]
    if shapes != (tuple(range(len(series))),):
        lines += [" ".join(map(str, shape)) for shape in shapes]
    text = "\n".join(lines).encode()
    if len(text) > MAX_TEXT:
        raise LocalError("packed.table", f"{len(text)} bytes")
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW)
    return packer.compress(text) + packer.flush()


@lru_cache(maxsize=REMEMBERED)
def decode(data: bytes) -> Table:
    lines = _inflate(data).split("\n")
    words = lines[0].split(" ")
    series = tuple(zip(words[::2], words[1::2], strict=False))
    if len(words) % 2 or not all(words) or not lines[0].isprintable() or len(series) > MAX_SERIES:
        raise RemoteError("packed.table", "names and units do not pair")
    if len(set(series)) < len(series):
        raise RemoteError("packed.table", "a series stands twice")
    shapes = tuple(_shape(line, len(series)) for line in lines[1:])
    return remembered(series, shapes or (tuple(range(len(series))),))


def _shape(line: str, most: int) -> Shape:
    words = line.split(" ")
    if not all(word.isascii() and word.isdigit() and len(word) <= 4 for word in words):
        raise RemoteError("packed.table", f"shape {line[:40]!r}")
    shape = tuple(map(int, words))
    if max(shape) >= most or len(set(shape)) < len(shape):
        raise RemoteError("packed.table", f"shape {line[:40]!r}")
    return shape


def _inflate(data: bytes) -> str:
    unpacker = zlib.decompressobj(_RAW)
    try:
        text = unpacker.decompress(data, MAX_TEXT)
        if not unpacker.eof or unpacker.unused_data:
            raise RemoteError("packed.table", "not one whole deflate stream")
        return text.decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise RemoteError("packed.table", str(error)) from error
