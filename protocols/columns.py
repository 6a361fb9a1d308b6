"""The packed body of the telemetry lane: readings as columns of small numbers, lossless.

Knows readings and the parts of a body; time here is boot time, and nothing here knows what the wall says.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocols import forms, table
from protocols.errors import LocalError, ProtocolError
from protocols.quality import Flag
from protocols.reading import Reading
from protocols.sheet import BOOT_BYTES, MAX_READINGS, MIXED, VERSION, Column, Sheet, close, lay_open

__all__ = ["VERSION", "Rows", "merge", "pack", "thin", "unpack"]

MERGED_MOST = 8192  # readings in a merged body: about 6 kB, half of the smallest window in flight


class Rows(NamedTuple):
    boot: bytes
    readings: list[Reading]


def pack(boot: bytes, rows: Sequence[Reading]) -> bytes:
    """Readings in the order given; LocalError for what cannot be kept exactly (none at all, a value that is not finite)."""
    if not 0 < len(rows) <= MAX_READINGS:
        raise LocalError("packed.rows", f"{len(rows)} readings")
    return close(_Grouping(rows).sheet(boot))


def unpack(body: bytes) -> Rows:
    """The readings of a body, as they were packed; RemoteError for anything but a whole body of this version."""
    sheet = lay_open(body)
    return Rows(sheet.boot, list(_readings(sheet)))


def merge(bodies: Sequence[bytes]) -> bytes | None:
    """One body with the readings of all, in order; None where they are not of one boot, not ours, or together too long."""
    if not bodies or len({body[: 1 + BOOT_BYTES] for body in bodies}) != 1:
        return None
    try:
        readings = [reading for body in bodies for reading in unpack(body).readings]
        return pack(bodies[0][1 : 1 + BOOT_BYTES], readings) if len(readings) <= MERGED_MOST else None
    except ProtocolError:
        return None


def thin(body: bytes) -> bytes | None:
    """About half the readings: every other row goes, but for what stays in any case (`_kept`); None when nothing more can go."""
    try:
        boot, readings = unpack(body)
    except ProtocolError:
        return None
    kept = _kept(readings)
    rows = {instant: number for number, instant in enumerate(dict.fromkeys(reading.at for reading in readings))}
    left = [r for place, r in enumerate(readings) if place in kept or rows[r.at] % 2 == 0]
    return pack(boot, left) if len(left) < len(readings) else None


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
    """Readings sorted into rows, shapes and columns as they come."""

    def __init__(self, rows: Sequence[Reading]) -> None:
        self.series: dict[table.Series, int] = {}
        self.shapes: dict[table.Shape, int] = {}
        self.values: list[list[float]] = []
        self.qualities: list[list[int]] = []
        self.order: list[int] = []
        self.times: list[int] = []
        row: dict[int, None] = {}
        instant = rows[0].at
        for name, at, value, unit, quality in rows:
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
        return Sheet(boot, names, self.order, self.times, common, columns)

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
