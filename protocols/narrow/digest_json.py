"""A digest as the platform gets it, on `{root}/{station}/digest`: JSON of the schema in docs/platform/schemas/digest.json."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from protocols import units
from protocols.narrow.digest import Digest, Extreme, Newest
from protocols.narrow.schema import Schema, Series
from protocols.quality import GOOD

VERSION = 1


def as_json(digest: Digest, schema: Schema, *, station: str, bearer: str, received: float) -> dict[str, Any]:
    """`received` (Unix seconds, the headend's clock) stands in for the station's time where its clock is not trusted."""
    said: dict[str, Any] = {
        "version": VERSION,
        "station": station,
        "bearer": bearer,
        "schema": digest.schema.hex(),
        "at": _time(digest.at if digest.trusted else received),
        "trusted": digest.trusted,
        "received": _time(received),
        "window": digest.window,
    }
    if not digest.trusted:
        said["boot_seconds"] = digest.at
    return said | {"series": [dict(_series(schema.series[place], one)) for place, one in sorted(digest.series.items())]}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _series(series: Series, newest: Newest) -> Iterator[tuple[str, Any]]:
    """Units as in `readings`: SenML's name where there is one."""
    name, shift = units.outside(series.unit)
    yield from {"n": series.name, "u": name, "v": units.shifted(newest.value, shift), "age": newest.age}.items()
    if newest.quality != GOOD:
        yield "q", newest.quality
    for end, extreme in (("min", newest.low), ("max", newest.high)):
        if extreme is not None:
            yield end, _extreme(extreme, shift)
    if newest.seen is not None:
        yield "count", newest.seen


def _extreme(extreme: Extreme, shift: int) -> Mapping[str, float]:
    return {"v": units.shifted(extreme.value, shift), "age": extreme.age}
