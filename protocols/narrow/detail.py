"""Packed detail: whole numbers of the telemetry lane, exactly, without a single name. In docs/platform/digest.md.

The sibling of the packed body (`protocols.columns`) for bearers that count bytes: names and units stand in a schema, log
and boot in a context, and both are told once. Pure; behind its head a body is a run of bits.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from protocols import forms
from protocols.errors import LocalError, RemoteError
from protocols.narrow.bitwise import Eye, Pen
from protocols.narrow.context import Context, Contexts, reference
from protocols.narrow.detail_rows import MAX_READINGS, MAX_ROWS, Grid, Shape, gather, spread
from protocols.narrow.schema import ID_BYTES, Schema, Series
from protocols.quality import GOOD
from protocols.reading import Reading

VERSION = 1
MAX_BODY = 32 * 1024  # bytes; as much as fragments can carry
MAX_NUMBERS = 4096
_FULL = 1
_MAX_AT = 1 << 62  # ms either side of boot
_FIRST_K, _COUNT_K, _SIZE_K, _QUALITY_K = 12, 3, 2, 4
_TIME_K, _TIME_STEP = 26, 16  # first time: nine hours of milliseconds; interval: a minute
_VALUE_STEP, _RAW_K = 2, 16
_LARGEST = 1 << 51  # a scaled value below this is found exactly by one rounding (as `protocols.forms`)


class Detail(NamedTuple):
    """The readings of numbers `first` and on, one list each; a thinned number may have none left."""

    context: Context
    first: int
    numbers: list[list[Reading]]


def pack(
    schema: Schema, context: Context, first: int, numbers: Sequence[Sequence[Reading]], *, full: bool = True
) -> bytes:
    """`full`: the other side has not acknowledged this context yet. LocalError for what cannot be told exactly (a series
    that is not in the schema, one that is not finite, too much at once).
    """
    grid = gather(schema, numbers)
    if not (0 < len(numbers) <= MAX_NUMBERS and 0 < len(grid.times) <= MAX_ROWS) or first < 1:
        raise LocalError("detail.rows", f"{len(grid.times)} rows of {len(numbers)} numbers from {first}")
    if max(map(abs, grid.times)) > _MAX_AT:
        raise LocalError("detail.time", "beyond 64 bits")
    pen = Pen()
    pen.number(first - 1, _FIRST_K)
    _write_rows(pen, grid, len(schema.series))
    _write_columns(pen, grid, schema)
    body = bytes((VERSION << 1 | full,)) + reference(context, full=full) + schema.id + pen.bytes()
    if len(body) > MAX_BODY:
        raise LocalError("detail.long", f"{len(body)} bytes")
    return body


def fit(
    schema: Schema,
    context: Context,
    first: int,
    numbers: Sequence[Sequence[Reading]],
    size: int,
    *,
    full: bool = True,
) -> tuple[bytes, int] | None:
    """The longest run of numbers from `first` on that `size` bytes can hold, and how many they are; None: not even one."""
    best, low, high = None, 0, len(numbers)
    while low < high:
        count = (low + high + 1) // 2
        try:
            body = pack(schema, context, first, numbers[:count], full=full)
        except LocalError:
            body = b""
        if body and len(body) <= size:
            best, low = (body, count), count
        else:
            high = count - 1
    return best


def unpack(body: bytes, contexts: Contexts, schemas: Callable[[bytes], Schema | None]) -> Detail:
    """`schemas` looks up an id. RemoteError `context.unknown` or `schema.unknown`: whole, but of something not heard of
    yet; any other: not a body of this version.
    """
    if not body or len(body) > MAX_BODY:
        raise RemoteError("detail.length", f"{len(body)} bytes")
    if body[0] >> 1 != VERSION:
        raise RemoteError("detail.version", str(body[0] >> 1), 0)
    context, at = contexts.read(body, 1, full=bool(body[0] & _FULL))
    key = body[at : at + ID_BYTES]
    schema = schemas(key)
    if schema is None:
        raise RemoteError("schema.unknown", key.hex(), at)
    eye = Eye(body, at + ID_BYTES)
    first = eye.number(_FIRST_K, 1 << 62) + 1
    grid = _read_rows(eye, len(schema.series))
    _read_columns(eye, grid, schema)
    eye.end()
    return Detail(context, first, spread(schema, grid))


# Rows: how many each number has, which series stand in each, and when it was


def _write_rows(pen: Pen, grid: Grid, series: int) -> None:
    pen.number(len(grid.counts) - 1, _COUNT_K)
    single = all(count == 1 for count in grid.counts)
    pen.flag(single)
    if not single:
        pen.sequence(grid.counts, 1, 1, _VALUE_STEP)
    pen.number(len(grid.shapes) - 1, 0)
    for shape in grid.shapes:
        _write_shape(pen, shape, series)
    if len(grid.shapes) > 1:
        pen.sequence(grid.order, 0, 1, _VALUE_STEP)
    start, k = 0, _TIME_K
    for times in grid.times_by_shape():
        pen.sequence(times, start, k, _TIME_STEP)
        start, k = times[0], _TIME_STEP


def _write_shape(pen: Pen, shape: Shape, series: int) -> None:
    whole = len(shape) == series
    pen.flag(whole)
    if whole:
        return
    pen.number(len(shape) - 1, _SIZE_K)
    pen.number(shape[0], _SIZE_K)
    for before, place in pairwise(shape):
        pen.number(place - before - 1, 0)


def _read_rows(eye: Eye, series: int) -> Grid:
    numbers = eye.number(_COUNT_K, MAX_NUMBERS - 1) + 1
    counts = [1] * numbers if eye.flag() else eye.sequence(numbers, 1, 1, _VALUE_STEP)
    if min(counts) < 0 or not 0 < sum(counts) <= MAX_ROWS:
        raise eye.wrong("detail.rows", f"{sum(counts)} rows")
    shapes = [_read_shape(eye, series) for _ in range(eye.number(0, MAX_ROWS - 1) + 1)]
    order = eye.sequence(sum(counts), 0, 1, _VALUE_STEP) if len(shapes) > 1 else [0] * sum(counts)
    if set(order) != set(range(len(shapes))):
        raise eye.wrong("detail.shape", f"{len(shapes)} shapes")
    if sum(len(shapes[shape]) for shape in order) > MAX_READINGS:
        raise eye.wrong("detail.rows", f"more than {MAX_READINGS} readings")
    return Grid(counts, shapes, order, _read_times(eye, order, len(shapes)))


def _read_shape(eye: Eye, series: int) -> Shape:
    if eye.flag():
        return tuple(range(series))
    size, place = eye.number(_SIZE_K, series - 1) + 1, eye.number(_SIZE_K, series - 1)
    shape = [place]
    for _ in range(size - 1):
        shape.append(shape[-1] + 1 + eye.number(0, series))
    if shape[-1] >= series:
        raise eye.wrong("detail.shape", f"series {shape[-1]} of {series}")
    return tuple(shape)


def _read_times(eye: Eye, order: list[int], shapes: int) -> list[int]:
    start, k, by_shape = 0, _TIME_K, []
    for shape in range(shapes):
        times = eye.sequence(order.count(shape), start, k, _TIME_STEP)
        start, k = times[0], _TIME_STEP
        by_shape.append(iter(times))
    found = [next(by_shape[shape]) for shape in order]
    if max(map(abs, found)) > _MAX_AT:
        raise eye.wrong("detail.time", "beyond 64 bits")
    return found


# Columns: what each series was, and how good


def _write_columns(pen: Pen, grid: Grid, schema: Schema) -> None:
    common = grid.common_quality()
    pen.flag(common == GOOD)
    if common != GOOD:
        pen.flag(common is not None)
    if common not in {None, GOOD}:
        pen.number(common or 0, _QUALITY_K)
    for place, column in sorted(grid.columns.items()):
        _write_values(pen, schema.series[place], column.values)
        if common is None:
            pen.sequence(column.qualities, GOOD, 0, _QUALITY_K)


def _write_values(pen: Pen, series: Series, values: list[float]) -> None:
    usual = _in_steps(series, values)
    pen.flag(usual is not None)
    if usual is not None:
        pen.sequence(usual, series.middle, series.k, _VALUE_STEP)
        return
    form, numbers = forms.to_integers(values)
    pen.fixed(form, 7)
    pen.sequence(numbers, 0, _RAW_K, _VALUE_STEP)


def _in_steps(series: Series, values: list[float]) -> list[int] | None:
    """The values as integers of the schema's decimals, if that gives back every bit of them."""
    form, numbers = forms.to_integers(values)
    if form > series.decimals:
        return None
    more = 10 ** (series.decimals - form)
    return [number * more for number in numbers] if max(map(abs, numbers)) * more < _LARGEST else None


def _read_columns(eye: Eye, grid: Grid, schema: Schema) -> None:
    common: int | None = GOOD
    if not eye.flag():
        common = eye.number(_QUALITY_K) if eye.flag() else None
    for place, length in sorted(grid.lengths().items()):
        values = _read_values(eye, schema.series[place], length)
        qualities = [common] * length if common is not None else eye.sequence(length, GOOD, 0, _QUALITY_K)
        if min(qualities) < 0:
            raise eye.wrong("detail.quality")
        grid.put(place, values, qualities)


def _read_values(eye: Eye, series: Series, length: int) -> list[float]:
    if eye.flag():
        return forms.to_values(series.decimals, eye.sequence(length, series.middle, series.k, _VALUE_STEP))
    form = eye.fixed(7)
    return forms.to_values(form, eye.sequence(length, 0, _RAW_K, _VALUE_STEP))
