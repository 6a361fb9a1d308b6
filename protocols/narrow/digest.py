"""A digest: the most valuable bits about a station that a datagram of a given size can hold. In docs/platform/digest.md.

The newest value of each series, then extremes, then counts, each for as many series as fit, in the schema's order. It
supersedes every older one and settles nothing. Knows numbers of a summary and nothing of how they were gathered.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError
from protocols.narrow.bitwise import STILL, Eye, Pen, best_parameter
from protocols.narrow.schema import ID_BYTES, MOST_SERIES, Schema
from protocols.quality import GOOD, Flag

VERSION = 1
MAX_BODY = 4096  # bytes; 256 series with everything about them take half of it
LONGEST_AGE = 1 << 31  # seconds: what is older was not measured by this program
_LARGEST = 1 << 51  # steps: below this one rounding finds them exactly (as `protocols.forms`); more is not told
_WINDOW_K, _SHOWN_K, _PART_K, _COUNT_K = 8, 4, 3, 6
_AGE_BITS, _REASON_BITS = 7, 7


class Extreme(NamedTuple):
    value: float
    age: int  # seconds before the digest


class Newest(NamedTuple):
    """What a digest says of one series. `low`, `high` and `seen` (how many readings) are None where the digest had no room for them.

    Extremes are those of usable values since the last delivered digest.
    """

    value: float
    age: int  # seconds before the digest
    quality: int = GOOD
    low: Extreme | None = None
    high: Extreme | None = None
    seen: int | None = None


class Digest(NamedTuple):
    """`at` in Unix seconds where a trusted clock says so, else in seconds since the station's boot; `window`: for so many
    seconds extremes and counts go back. `series` by place in the schema; a place without an entry has no value.
    """

    schema: bytes
    at: int
    trusted: bool
    window: int
    series: dict[int, Newest]


def usable(quality: int) -> bool:
    """Whether a value of this quality may be an extreme."""
    return quality & 0xF < Flag.BAD


def schema_of(body: bytes) -> bytes:
    """Which schema a digest is read with."""
    eye = Eye(body[: ID_BYTES + 1])
    _version(eye)
    return eye.octets(ID_BYTES)


def encode(schema: Schema, digest: Digest, size: int, urgent: Sequence[int] = ()) -> bytes:
    """At most `size` bytes; the series at the places `urgent` stand before all others. LocalError if no value fits."""
    writing = _Writing(schema, digest, list(dict.fromkeys(urgent)))
    bits = 8 * min(size, MAX_BODY)
    shown = _most(len(schema.series), lambda count: writing.length(count, 0, 0) <= bits)
    if not shown:
        raise LocalError("digest.size", f"{size} bytes")
    extremes = _most(len(writing.lively(shown)), lambda count: writing.length(shown, count, 0) <= bits)
    counts = _most(len(writing.known(shown)), lambda count: writing.length(shown, extremes, count) <= bits)
    return writing.pen(shown, extremes, counts).bytes()


def decode(body: bytes, schema: Schema) -> Digest:
    """RemoteError for anything but a whole digest of this schema."""
    if len(body) > MAX_BODY:
        raise RemoteError("narrow.long", f"{len(body)} bytes")
    eye = Eye(body)
    _version(eye)
    named = eye.octets(ID_BYTES)
    if named != schema.id:
        raise RemoteError("digest.schema", f"of schema {named.hex()}", 0)
    trusted, at, window = eye.flag(), eye.fixed(32), eye.number(_WINDOW_K, LONGEST_AGE)
    alike = eye.flag()
    order = _read_order(eye, len(schema.series))
    shown = order[: eye.number(_SHOWN_K, len(order))]
    found = _read_newest(eye, schema, shown, alike)
    _read_extremes(eye, schema, found, window)
    _read_counts(eye, found)
    eye.end()
    return Digest(named, at, trusted, window, found)


def _version(eye: Eye) -> None:
    version = eye.fixed(3)
    if version != VERSION:
        raise RemoteError("digest.version", str(version), 0)


def _most(limit: int, fits: Callable[[int], bool]) -> int:
    """The largest count up to `limit` that fits: what fits, fits with less."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _unit(window: int) -> int:
    """Seconds in one step of an extreme's age, so that the whole window is 128 of them at most."""
    return window // (1 << _AGE_BITS) + 1


def _lively(newest: Newest, window: int) -> bool:
    """Whether it moved in the window as far as both sides can tell: only then has it extremes."""
    return newest.age <= window and usable(newest.quality)


class _Writing:
    """A digest about to be written, with fewer and fewer parts until it fits."""

    def __init__(self, schema: Schema, digest: Digest, urgent: list[int]) -> None:
        self.schema, self.digest, self.urgent = schema, digest, urgent
        self.order = urgent + [place for place in range(len(schema.series)) if place not in set(urgent)]
        self.there = {
            place: newest
            for place, newest in digest.series.items()
            if abs(newest.value) * 10 ** schema.series[place].decimals < _LARGEST
        }

    def known(self, shown: int) -> list[int]:
        return [place for place in self.order[:shown] if place in self.there]

    def lively(self, shown: int) -> list[int]:
        return [place for place in self.known(shown) if _lively(self.there[place], self.digest.window)]

    def length(self, shown: int, extremes: int, counts: int) -> int:
        return self.pen(shown, extremes, counts).length

    def pen(self, shown: int, extremes: int, counts: int) -> Pen:
        pen = Pen()
        alike = all(self.there[place].quality == GOOD for place in self.known(shown))
        self._head(pen, alike)
        self._newest(pen, shown, alike)
        self._extremes(pen, self.lively(shown)[:extremes])
        self._counts(pen, self.known(shown)[:counts])
        return pen

    def _head(self, pen: Pen, alike: bool) -> None:
        pen.fixed(VERSION, 3)
        pen.octets(self.schema.id)
        pen.flag(self.digest.trusted)
        pen.fixed(self.digest.at & 0xFFFFFFFF, 32)
        pen.number(self.digest.window, _WINDOW_K)
        pen.flag(alike)
        pen.flag(bool(self.urgent))
        if self.urgent:
            pen.number(len(self.urgent) - 1, 1)
            for place in self.urgent:
                pen.fixed(place, _width(len(self.schema.series)))

    def _newest(self, pen: Pen, shown: int, alike: bool) -> None:
        parameter = best_parameter([self.there[place].age for place in self.known(shown)])
        pen.number(shown, _SHOWN_K)
        pen.fixed(parameter, 4)
        for place in self.order[:shown]:
            newest, series = self.there.get(place), self.schema.series[place]
            pen.flag(newest is not None)
            if newest is None:
                continue
            pen.number(newest.age, parameter)
            pen.signed(series.steps(newest.value) - series.middle, series.k)
            if not alike:
                _write_quality(pen, newest.quality)

    def _extremes(self, pen: Pen, places: list[int]) -> None:
        moves = [self._move(place) for place in places]
        parameter = best_parameter([distance for low, high in moves for distance, _ in (low, high)])
        pen.number(len(places), _PART_K)
        pen.fixed(parameter, 4)
        for ends in moves:
            moved = any(distance for distance, _ in ends)
            pen.flag(moved)
            for distance, age in ends if moved else ():
                pen.number(distance, parameter)
                pen.fixed(age, _AGE_BITS)

    def _move(self, place: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Low and high: how many steps from the newest value, and how long ago in units of the window."""
        series, newest = self.schema.series[place], self.there[place]
        here, unit = series.steps(newest.value), _unit(self.digest.window)
        low, high = (end or Extreme(newest.value, newest.age) for end in (newest.low, newest.high))
        down, up = here - series.steps(low.value), series.steps(high.value) - here
        ages = [min(end.age, self.digest.window) // unit for end in (low, high)]
        return (max(down, 0), ages[0]), (max(up, 0), ages[1])

    def _counts(self, pen: Pen, places: list[int]) -> None:
        counts = [self.there[place].seen or 0 for place in places]
        pen.number(len(counts), _PART_K)
        for before, count in zip([None, *counts], counts, strict=False):
            if before is None:
                pen.number(count, _COUNT_K)
            else:
                pen.signed(count - before, 0)


def _width(series: int) -> int:
    return (series - 1).bit_length()


def _write_quality(pen: Pen, quality: int) -> None:
    pen.flag(quality == GOOD)
    if quality != GOOD:
        pen.fixed(quality & 0xF, 4)
        pen.fixed(quality >> 4 & 0x7F, _REASON_BITS)


def _read_quality(eye: Eye) -> int:
    if eye.flag():
        return GOOD
    flag = eye.fixed(4)
    return flag | eye.fixed(_REASON_BITS) << 4


def _read_order(eye: Eye, series: int) -> list[int]:
    urgent: list[int] = []
    if eye.flag():
        count = eye.number(1, MOST_SERIES - 1) + 1
        urgent = [eye.fixed(_width(series)) for _ in range(count)]
        if len(set(urgent)) < len(urgent) or max(urgent) >= series:
            raise eye.wrong("digest.order", str(urgent))
    first = set(urgent)
    return urgent + [place for place in range(series) if place not in first]


def _read_newest(eye: Eye, schema: Schema, shown: list[int], alike: bool) -> dict[int, Newest]:
    parameter, found = _parameter(eye), {}
    for place in shown:
        if eye.flag():
            series, age = schema.series[place], eye.number(parameter, LONGEST_AGE)
            value = series.value(eye.signed(series.k) + series.middle)
            found[place] = Newest(value, age, GOOD if alike else _read_quality(eye))
    return found


def _parameter(eye: Eye) -> int:
    parameter = eye.fixed(4)
    if parameter == STILL:
        raise eye.wrong("digest.parameter")
    return parameter


def _read_extremes(eye: Eye, schema: Schema, found: dict[int, Newest], window: int) -> None:
    lively = [place for place, newest in found.items() if _lively(newest, window)]
    count = eye.number(_PART_K, len(lively))
    parameter = _parameter(eye)
    unit = _unit(window)
    for place in lively[:count]:
        newest, series = found[place], schema.series[place]
        low = high = Extreme(newest.value, newest.age)
        if eye.flag():
            here = series.steps(newest.value)
            low = Extreme(series.value(here - eye.number(parameter)), eye.fixed(_AGE_BITS) * unit)
            high = Extreme(series.value(here + eye.number(parameter)), eye.fixed(_AGE_BITS) * unit)
        found[place] = newest._replace(low=low, high=high)


def _read_counts(eye: Eye, found: dict[int, Newest]) -> None:
    counts = _counts(eye, eye.number(_PART_K, len(found)))
    for place, count in zip(found, counts, strict=False):
        found[place] = found[place]._replace(seen=count)


def _counts(eye: Eye, many: int) -> Iterator[int]:
    count = 0
    for nth in range(many):
        count = count + eye.signed(0) if nth else eye.number(_COUNT_K)
        if count < 0:
            raise eye.wrong("digest.count", str(count))
        yield count
