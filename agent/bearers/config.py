"""`[[bearer]]` and `[narrow]`: what every bearer is told beside its driver's own keys, and what cannot be.

A bearer's table holds the driver's keys and the common ones; a key that both know (`cost`) goes to both. Reads key files
only to say beforehand what is wrong with them.
"""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agent.spot.rules import LevelName
from drivers import registry
from drivers.api import Context, Factory, Problem
from drivers.collect import collect
from drivers.values import Duration

HOUR = 3600.0  # seconds
LONGEST_PATIENCE = 20.0  # seconds an alarm may wait for its acknowledgement before another bearer carries it too
MOST_BEARERS = 16  # and as many lines of messages to be judged, beside the routes'
KEY_DIGITS = 64  # of an X25519 key in hexadecimal (RFC 7748: 32 bytes)
MOST_KEY_FILE = 256  # bytes
ANYBODY = "*"


class NarrowConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What all narrow bearers of a station have in common. `series` in the order in which they matter; none: all, as the
    sensors give them. `level`: alarms from this level on leave by two independent bearers at once.
    """

    headend: str = ""
    series: list[str] = []
    level: LevelName = "red"
    patience: Duration = Duration(LONGEST_PATIENCE)
    alarm_deadline: Duration = Duration(120.0)
    event_deadline: Duration = Duration(HOUR)
    digest_every: Duration = Duration(0.0)
    paid_digest_every: Duration = Duration(900.0)
    detail_after: Duration = Duration(600.0)


class BearerConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`route` is the platform it leads to; `group` names what fails together (two modems of one network); `period`: idle
    for so long it is proven by its cheapest round trip; `allow`: who is heard beside the headend's own address.
    """

    name: str
    route: str = ""
    headend: str = ""
    group: str = ""
    cost: float = 0.0
    daily_budget: float = 0.0
    daily_messages: int = 0
    period: Duration = Duration(12 * HOUR)
    warnings: bool = True
    commands: bool = True
    relay: bool = False
    allow: list[str] = []


@dataclass(frozen=True, slots=True)
class BearerTable:
    """A `[[bearer]]`: its driver with its own table, and the common one."""

    driver: str
    factory: Factory
    config: Any
    common: BearerConfig

    @property
    def name(self) -> str:
        return self.common.name


def parse(table: Mapping[str, Any]) -> tuple[BearerTable | None, list[Problem]]:
    """One table, or everything that is wrong with its keys."""
    rest = dict(table)
    driver = rest.pop("driver", "")
    factory = registry.resolve(registry.BEARERS, str(driver))
    if isinstance(factory, Problem):
        return None, [factory]
    own, shared = _keys(factory.config), _keys(BearerConfig)
    problems = [_unknown(key, {*own, *shared, "driver"}) for key in rest if key not in own and key not in shared]
    config, wrong = collect(factory.config, {key: value for key, value in rest.items() if key in own})
    common, also = collect(BearerConfig, {key: value for key, value in rest.items() if key in shared})
    problems += [*wrong, *(one for one in also if one not in wrong)]
    if problems or common is None or config is None:
        return None, problems
    return BearerTable(str(driver), factory, config, common), []


def check_bearers(
    bearers: Sequence[BearerTable],
    narrow: NarrowConfig,
    *,
    routes: Collection[str],
    series: Collection[str],
    base: Path,
    context: Context,
) -> Iterator[tuple[str, Iterable[Problem]]]:
    """By table: what must hold for each, between them, and with the rest of the station."""
    yield "narrow", _narrow(narrow, series, base)
    if len(bearers) > MOST_BEARERS:
        yield "", [Problem("bearer", "bearer.many", {"count": len(bearers), "most": MOST_BEARERS})]
    yield from _two_headends(bearers, narrow, list(routes))
    for one in bearers:
        yield f"bearer {one.name}", [*_bearer(one.common, routes, base), *one.factory.check(one.config, context)]


def advise(bearers: Sequence[BearerTable], narrow: NarrowConfig) -> Iterator[tuple[str, Problem]]:
    """What will work and is still worth a sentence."""
    for one in bearers:
        if not headend_of(one.common, narrow):
            yield f"bearer {one.name}", Problem("headend", "bearer.no_headend")


def route_of(bearer: BearerConfig, routes: Sequence[str]) -> str:
    """The platform a bearer leads to: named, or the only one there is."""
    return bearer.route or (routes[0] if len(routes) == 1 else "")


def headend_of(bearer: BearerConfig, narrow: NarrowConfig) -> str:
    return bearer.headend or narrow.headend


def public_key(file: Path) -> bytes:
    """A headend's key. OSError when the file cannot be read, ValueError when it holds none."""
    with file.open("rb") as stream:
        text = stream.read(MOST_KEY_FILE).strip()
    key = bytes.fromhex(text.decode("ascii"))
    if len(text) != KEY_DIGITS or not any(key):
        raise ValueError(file)
    return key


def _two_headends(
    bearers: Sequence[BearerTable], narrow: NarrowConfig, routes: Sequence[str]
) -> Iterator[tuple[str, Iterable[Problem]]]:
    """A message is sealed once, for one key, whichever bearers carry it."""
    first: dict[str, BearerTable] = {}
    for one in bearers:
        key, route = headend_of(one.common, narrow), route_of(one.common, routes)
        other = first.setdefault(route, one) if key else one
        if key and headend_of(other.common, narrow) != key:
            yield f"bearer {one.name}", [Problem("headend", "bearer.two_headends", {"other": other.name})]


def _narrow(narrow: NarrowConfig, series: Collection[str], base: Path) -> Iterator[Problem]:
    yield from _ranges(
        narrow,
        ("patience", 1.0, LONGEST_PATIENCE),
        ("alarm_deadline", 10.0, HOUR),
        ("event_deadline", 60.0, 86_400.0),
        ("digest_every", 0.0, 86_400.0),
        ("paid_digest_every", 60.0, 86_400.0),
        ("detail_after", 0.0, 86_400.0),
    )
    yield from _key_file("headend", narrow.headend, base)
    for name in narrow.series:
        if series and name not in series:
            yield Problem("series", "bearer.series", {"series": name, "known": ", ".join(sorted(series))})


def _bearer(bearer: BearerConfig, routes: Collection[str], base: Path) -> Iterator[Problem]:
    if bearer.route and bearer.route not in routes:
        yield Problem("route", "bearer.route", {"value": bearer.route, "known": ", ".join(routes)})
    elif not bearer.route and len(routes) != 1:
        yield Problem("route", "bearer.which_route", {"known": ", ".join(routes)})
    if bearer.name in routes:
        yield Problem("name", "bearer.name", {"value": bearer.name})
    yield from _key_file("headend", bearer.headend, base)
    yield from _ranges(
        bearer,
        ("period", 600.0, 7 * 86_400.0),
        ("daily_budget", 0.0, 1e6),
        ("daily_messages", 0, 1_000_000),
        ("cost", 0.0, 1e6),
    )


def _key_file(key: str, name: str, base: Path) -> Iterator[Problem]:
    if not name:
        return
    try:
        public_key(base / name)
    except OSError as wrong:
        yield Problem(key, "bearer.key_unreadable", {"file": base / name, "why": wrong.strerror})
    except ValueError:
        yield Problem(key, "bearer.key", {"file": base / name, "digits": KEY_DIGITS})


def _ranges(table: msgspec.Struct, *limits: tuple[str, float, float]) -> Iterator[Problem]:
    for key, least, most in limits:
        value = getattr(table, key)
        if not least <= value <= most:
            yield Problem(key, "value.range", {"value": value, "least": least, "most": most})


def _keys(kind: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def _unknown(key: str, known: Collection[str]) -> Problem:
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return Problem(key, "config.unknown_key_near", {"near": near[0]})
    return Problem(key, "config.unknown_key", {"known": ", ".join(sorted(known))})
