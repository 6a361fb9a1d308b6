"""What a siren's relay is told, and what cannot be right of it: bus, board, channel, and how long it may sound. Drives nothing."""

import math
from collections.abc import Iterable
from typing import Literal, Protocol

import msgspec

from drivers.actuators import patterns
from drivers.actuators.board import Board, find, load
from drivers.actuators.limits import Allowance
from drivers.actuators.patterns import Pattern
from drivers.api import Context, Problem
from drivers.values import Duration


class RelayConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`channel` as printed on the board, from 1. `shot` is how long the siren can outlive the agent."""

    name: str
    bus: str
    board: str
    unit: int = 1
    channel: int = 1
    kind: Literal["siren", "lamp"] = "siren"
    shot: Duration = Duration(3.0)
    timeout: Duration = Duration(0.3)
    max_on: Duration = Duration(180.0)
    max_on_per_hour: Duration = Duration(600.0)
    shared: bool = False
    patterns: dict[str, Pattern] = {}


class Timing(Protocol):
    """What a relay of any make is told: see `RelayConfig`."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def shot(self) -> float: ...
    @property
    def max_on(self) -> float: ...
    @property
    def max_on_per_hour(self) -> float: ...


def allowance_of(config: Timing) -> Allowance:
    """A lamp may stand as long as its warning: nobody tires of it, and no motor burns."""
    endless = config.kind == "lamp"
    return Allowance(math.inf, math.inf) if endless else Allowance(config.max_on, config.max_on_per_hour)


def check(config: RelayConfig, context: Context) -> Iterable[Problem]:
    if config.bus not in context.buses:
        yield Problem("bus", "actuator.bus_unknown", {"bus": config.bus, "known": ", ".join(context.buses)})
    if not 1 <= config.unit <= 247:
        yield Problem("unit", "actuator.unit", {"unit": config.unit})
    for name, fault in patterns.faults(config.patterns):
        yield Problem(f"patterns.{name}", f"actuator.pattern_{fault}", {"pattern": name})
    path = find(config.board, context.profiles)
    if path is None:
        yield Problem("board", "actuator.board_unknown", {"board": config.board})
        return
    try:
        board = load(path)
    except (OSError, ValueError) as wrong:
        yield Problem("board", "actuator.board_broken", {"board": str(path), "why": str(wrong)})
        return
    yield from _ranges(config, board)


def _ranges(config: RelayConfig, board: Board) -> Iterable[Problem]:
    if not 1 <= config.channel <= board.channels:
        yield Problem("channel", "actuator.channel", {"channel": config.channel, "most": board.channels})
    yield from limits(config, board.longest())
    # Three requests (off, arm, look) must fit between two re-arms, or the relay would drop out between them.
    if not 0.02 <= config.timeout <= config.shot / 3:
        yield Problem("timeout", "actuator.timeout", {"timeout": float(config.timeout), "most": config.shot / 3})


def limits(config: Timing, longest: float = math.inf) -> Iterable[Problem]:
    """What is wrong with the times of a relay whose own timer runs `longest` seconds at most.

    5 s of silence is promised after the agent's death; a timer and the last write have their own delays.
    """
    most = min(4.5, longest)
    if not 0.6 <= config.shot <= most:
        yield Problem("shot", "actuator.shot", {"shot": float(config.shot), "least": 0.6, "most": most})
    if not 1 <= config.max_on <= 600:
        yield Problem("max_on", "actuator.max_on", {"max_on": float(config.max_on), "most": 600})
    if not config.max_on <= config.max_on_per_hour <= 3600:
        yield Problem("max_on_per_hour", "actuator.max_on_per_hour", {"least": float(config.max_on), "most": 3600})


def conflicts(relays: Iterable[RelayConfig], sensor_buses: Iterable[str]) -> Iterable[tuple[str, Problem]]:
    """What only shows when all instances lie side by side: (actuator's name, problem)."""
    polled = set(sensor_buses)
    owner: dict[tuple[str, int, int], str] = {}
    for relay in relays:
        if relay.bus in polled and not relay.shared:
            yield relay.name, Problem("bus", "actuator.bus_shared", {"bus": relay.bus})
        place = (relay.bus, relay.unit, relay.channel)
        if place in owner:
            facts = {"channel": relay.channel, "other": owner[place]}
            yield relay.name, Problem("channel", "actuator.channel_taken", facts)
        owner.setdefault(place, relay.name)
