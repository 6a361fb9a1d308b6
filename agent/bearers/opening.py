"""What bearers are made of at a start: lines, key, schema, policy, and what was kept of the last start."""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from agent.bearers.config import BearerTable, NarrowConfig
from agent.bearers.keeper import KEY_FILE, PUBLIC_FILE, open_private
from agent.bearers.lanes import Policy
from agent.bearers.line import Line, way_of
from agent.trust.keyrings import replace
from drivers.api import Bearer, Context, SeriesSpec
from protocols.narrow import header, keys
from protocols.narrow.schema import Schema, schema, series

log = logging.getLogger(__name__)


class Clock(Protocol):
    """The part of `agent.clock.Clock` that is asked."""

    boot: bytes
    now: Callable[[], int]


def open_line(table: BearerTable, station: str, context: Context) -> Line:
    """A radio that all hear names nobody: there a frame says whose it is."""
    bearer: Bearer = table.factory.create(table.config, context)
    address = header.address(station, up=True) if bearer.traits.broadcast else b""
    return Line(table, bearer, way_of(table, bearer.traits, address), address)


def open_key(state: Path) -> bytes:
    """The station's private key, its public half beside it for whoever runs the headend. OSError or LocalError."""
    private = open_private(state / KEY_FILE)
    replace(state / PUBLIC_FILE, keys.public_of(private).hex().encode() + b"\n")
    return private


def saved(lines: Iterable[Line], clock: Clock, now: float) -> bytes:
    """What was spent and proven."""
    ways = {line.name: line.way.save(now) for line in lines}
    return json.dumps({"boot": clock.boot.hex(), "at": clock.now(), "ways": ways}).encode()


def recall(lines: Iterable[Line], kept: bytes | None, clock: Clock, now: float) -> None:
    """As it was before this start; after one of the machine nobody knows how long that was."""
    if not kept:
        return
    try:
        found = json.loads(kept)
        same = found["boot"] == clock.boot.hex()
        elapsed = max(0.0, (clock.now() - found["at"]) / 1000) if same else 0.0
        for line in lines:
            if line.name in found["ways"]:
                line.way = line.way.recall(found["ways"][line.name], now, elapsed)
    except (ValueError, KeyError, TypeError, AttributeError) as wrong:
        log.warning("what was kept of bearers cannot be read and begins anew: %s", wrong)


def schema_of(specs: Mapping[str, SeriesSpec], first: Sequence[str]) -> Schema:
    """The configured series in their order, then all others: detail is complete or it settles nothing."""
    names = [*(name for name in first if name in specs), *(name for name in specs if name not in set(first))]
    return schema(
        series(name, specs[name].unit, step=specs[name].step, span=specs[name].expect or specs[name].span)
        for name in names
    )


def policy_of(narrow: NarrowConfig) -> Policy:
    return Policy(
        patience=float(narrow.patience),
        alarm_deadline=float(narrow.alarm_deadline),
        event_deadline=float(narrow.event_deadline),
        digest_every=float(narrow.digest_every),
        paid_digest_every=float(narrow.paid_digest_every),
        detail_after=float(narrow.detail_after),
    )
