"""The packed body of the telemetry lane: readings as columns of small numbers, lossless.

Knows readings and the parts of a body; time here is boot time, and nothing here knows what the wall says.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from protocols import forms, table
from protocols.errors import LocalError, ProtocolError
from protocols.quality import Flag
from protocols.reading import Reading
from protocols.sheet import BOOT_BYTES, MAX_READINGS, MIXED, VERSION, Column, Sheet, close, lay_open

__all__ = ["VERSION", "Rows", "cut", "merge", "merging", "pack", "thin", "unpack"]

MERGED_MOST = 8192  # readings in a merged body: about 6 kB, half of the smallest window in flight


class Rows(NamedTuple):
    """The readings of each number in a body, in order; a thinned number may have none left."""

    boot: bytes
    numbers: list[list[Reading]]

    @property
    def readings(self) -> list[Reading]:
        return [reading for readings in self.numbers for reading in readings]


def pack(boot: bytes, rows: Sequence[Reading]) -> bytes:
    """Readings of one number, in the order given; LocalError for what cannot be kept exactly (none, one that is not finite)."""
    return _pack(boot, [rows])


def unpack(body: bytes) -> Rows:
    """The readings of a body, as they were packed; RemoteError for anything but a whole body of this version."""
    sheet = lay_open(body)
    readings, rows = _readings(sheet), iter(sheet.order)
    sizes = [len(shape) for shape in sheet.table.shapes]
    counts = [sum(sizes[shape] for shape in islice(rows, count)) for count in sheet.counts]
    return Rows(sheet.boot, [list(islice(readings, count)) for count in counts])


def merge(bodies: Sequence[bytes]) -> bytes | None:
    """One body with the numbers of all, in order; None where they are not of one boot, not ours, or together too long."""
    parts = list(_together(bodies))
    if not parts or len(parts) < len(bodies):
        return None
    try:
        return _pack(bodies[0][1 : 1 + BOOT_BYTES], list(chain.from_iterable(parts)))
    except LocalError:
        return None


def merging(bodies: Sequence[bytes]) -> Iterator[tuple[bytes, int] | None]:
    """As many of these bodies as go together, from the first on, in pieces of the work: None after each, at last the body
    and how many stand in it. Ends without one where not even the first is ours.
    """
    parts: list[list[list[Reading]]] = []
    for its in _together(bodies):
        parts.append(its)
        yield None
    while parts:
        try:
            yield _pack(bodies[0][1 : 1 + BOOT_BYTES], list(chain.from_iterable(parts))), len(parts)
        except LocalError:  # together too long
            parts = parts[: len(parts) // 2]
            yield None
        else:
            return


def _together(bodies: Sequence[bytes]) -> Iterator[list[list[Reading]]]:
    """The numbers of each body, up to the first that is of another boot, not ours, or too much for a merged body."""
    readings = 0
    for body in bodies:
        if body[: 1 + BOOT_BYTES] != bodies[0][: 1 + BOOT_BYTES]:
            return
        try:
            its = unpack(body).numbers
        except ProtocolError:
            return
        readings += sum(map(len, its))
        if readings > MERGED_MOST:
            return
        yield its


def cut(body: bytes, numbers: int) -> tuple[bytes, bytes]:
    """Two bodies: the first `numbers` numbers, and the rest. LocalError where one of them would hold no reading."""
    boot, whole = unpack(body)
    return _pack(boot, whole[:numbers]), _pack(boot, whole[numbers:])


def thin(body: bytes) -> bytes | None:
    """About half the readings: every other row goes, but for what stays in any case (`_kept`); None when nothing more can go.

    No number goes, though all its readings may.
    """
    try:
        boot, numbers = unpack(body)
    except ProtocolError:
        return None
    readings = [reading for its in numbers for reading in its]
    kept = _kept(readings)
    rows = {instant: row for row, instant in enumerate(dict.fromkeys(reading.at for reading in readings))}
    stays = iter([place in kept or rows[reading.at] % 2 == 0 for place, reading in enumerate(readings)])
    left = [[reading for reading in its if next(stays)] for its in numbers]
    return _pack(boot, left) if sum(map(len, left)) < len(readings) else None


def _pack(boot: bytes, numbers: Sequence[Sequence[Reading]]) -> bytes:
    if not 0 < sum(map(len, numbers)) <= MAX_READINGS:
        raise LocalError("packed.rows", f"{sum(map(len, numbers))} readings")
    return close(_Grouping(numbers).sheet(boot))


def _kept(readings: Sequence[Reading]) -> set[int]:
    """Places of the lowest, highest and last reading of each series, and of every one that is suspect or worse."""
    low: dict[str, int] = {}
    high: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, (series, _, value, _, _) in enumerate(readings):
        if value < readings[low.setdefault(series, place)].value:
            low[series] = place
        if value > readings[high.setdefault(series, place)].value:
            high[series] = place
        last[series] = place
    doubtful = {place for place, reading in enumerate(readings) if reading.quality & 0xF >= Flag.SUSPECT}
    return doubtful.union(low.values(), high.values(), last.values())


class _Grouping:
    """Readings sorted into rows, shapes and columns as they come. A row ends with its number."""

    def __init__(self, numbers: Sequence[Sequence[Reading]]) -> None:
        self.series: dict[table.Series, int] = {}
        self.shapes: dict[table.Shape, int] = {}
        self.values: list[list[float]] = []
        self.qualities: list[list[int]] = []
        self.counts: list[int] = []
        self.order: list[int] = []
        self.times: list[int] = []
        for readings in numbers:
            before = len(self.order)
            if readings:
                self._take(readings)
            self.counts.append(len(self.order) - before)

    def _take(self, readings: Sequence[Reading]) -> None:
        row: dict[int, None] = {}
        instant = readings[0].at
        for name, at, value, unit, quality in readings:
            index = self._index(name, unit)
            if at != instant or index in row:
                self._end(row, instant)
                row, instant = {}, at
            row[index] = None
            self.values[index].append(value)
            self.qualities[index].append(quality)
        self._end(row, instant)

    def sheet(self, boot: bytes) -> Sheet:
        common = self._common()
        columns = [
            Column(*forms.to_integers(values), None if common else qualities)
            for values, qualities in zip(self.values, self.qualities, strict=True)
        ]
        names = table.remembered(tuple(self.series), tuple(self.shapes))
        return Sheet(boot, names, self.counts, self.order, self.times, common, columns)

    def _index(self, name: str, unit: str) -> int:
        index = self.series.get((name, unit))
        if index is None:
            index = self.series[name, unit] = len(self.values)
            self.values.append([])
            self.qualities.append([])
        return index

    def _end(self, row: dict[int, None], instant: int) -> None:
        self.order.append(self.shapes.setdefault(tuple(row), len(self.shapes)))
        self.times.append(instant)

    def _common(self) -> int:
        """The quality of every reading, if there is one for all."""
        first = self.qualities[0][0]
        one = first > 0 and all(column.count(first) == len(column) for column in self.qualities)
        return first if one else MIXED


def _readings(sheet: Sheet) -> Iterator[Reading]:
    series = sheet.table.series
    values = [iter(forms.to_values(column.form, column.numbers)) for column in sheet.columns]
    qualities = [iter(column.qualities or [sheet.quality] * len(column.numbers)) for column in sheet.columns]
    for shape, at in zip(sheet.order, sheet.times, strict=True):
        for index in sheet.table.shapes[shape]:
            name, unit = series[index]
            yield Reading(name, at, next(values[index]), unit, next(qualities[index]))
