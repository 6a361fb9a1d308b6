"""Readings sorted into rows and columns by a schema, and back. Knows no bits.

A **row** is readings of one instant within one number, no series twice; its **shape** the places of its series in the
schema, ascending, which is also the order in which they come back.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from protocols.errors import LocalError
from protocols.narrow.schema import Schema
from protocols.reading import Reading

MAX_ROWS = 4096
MAX_READINGS = 32_768  # bounds what a hostile body of a few bytes can ask for

Shape = tuple[int, ...]


class Column(NamedTuple):
    values: list[float]
    qualities: list[int]


@dataclass(slots=True)
class Grid:
    """`counts` has the rows of each number, `order` the shape of each row, `times` its instant; a column has an entry for
    each row that its series is in.
    """

    counts: list[int] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    columns: dict[int, Column] = field(default_factory=dict)

    def times_by_shape(self) -> Iterator[list[int]]:
        for shape in range(len(self.shapes)):
            yield [at for at, its in zip(self.times, self.order, strict=True) if its == shape]

    def lengths(self) -> dict[int, int]:
        """How many entries the column of each series has."""
        rows, found = Counter(self.order), Counter[int]()
        for shape, places in enumerate(self.shapes):
            found.update(dict.fromkeys(places, rows[shape]))
        return dict(found)

    def common_quality(self) -> int | None:
        found = {quality for column in self.columns.values() for quality in column.qualities}
        return found.pop() if len(found) == 1 else None

    def put(self, place: int, values: list[float], qualities: list[int]) -> None:
        self.columns[place] = Column(values, qualities)


def gather(schema: Schema, numbers: Sequence[Sequence[Reading]]) -> Grid:
    """LocalError for a series that the schema does not name."""
    grid, shapes = Grid(), dict[Shape, int]()
    for readings in numbers:
        before = len(grid.times)
        for at, row in _rows(schema, readings):
            grid.times.append(at)
            grid.order.append(shapes.setdefault(tuple(row), len(shapes)))
            for place, reading in row.items():
                column = grid.columns.setdefault(place, Column([], []))
                column.values.append(reading.value)
                column.qualities.append(reading.quality)
        grid.counts.append(len(grid.times) - before)
    grid.shapes = list(shapes)
    if sum(len(column.values) for column in grid.columns.values()) > MAX_READINGS:
        raise LocalError("detail.rows", f"more than {MAX_READINGS} readings")
    return grid


def spread(schema: Schema, grid: Grid) -> list[list[Reading]]:
    """The readings of each number."""
    cells = {place: zip(*column, strict=True) for place, column in grid.columns.items()}
    rows = iter(zip(grid.order, grid.times, strict=True))
    numbers = []
    for count in grid.counts:
        readings = []
        for shape, at in [next(rows) for _ in range(count)]:
            for place in grid.shapes[shape]:
                name, unit, *_ = schema.series[place]
                value, quality = next(cells[place])
                readings.append(Reading(name, at, value, unit, quality))
        numbers.append(readings)
    return numbers


def _rows(schema: Schema, readings: Sequence[Reading]) -> Iterator[tuple[int, dict[int, Reading]]]:
    row: dict[int, Reading] = {}
    for reading in readings:
        place = schema.places.get((reading.series, reading.unit))
        if place is None:
            raise LocalError("detail.series", f"{reading.series} {reading.unit}")
        if row and (place in row or reading.at != next(iter(row.values())).at):
            yield _sorted(row)
            row = {}
        row[place] = reading
    if row:
        yield _sorted(row)


def _sorted(row: dict[int, Reading]) -> tuple[int, dict[int, Reading]]:
    places = dict(sorted(row.items()))
    return next(iter(places.values())).at, places
