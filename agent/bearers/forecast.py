"""What narrow bearers will send and cost a day: the scheduler itself, run through one day with the network and one without.

Rows for `fengsui check`. Opens no device; nothing is lost and nothing refused in these days.
"""

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

from agent.bearers.config import NarrowConfig, headend_of, route_of
from agent.bearers.lanes import Backlog, Load, Message, Policy, Waiting
from agent.bearers.line import Line
from agent.bearers.opening import open_line, policy_of, schema_of
from agent.bearers.schedule import choose
from agent.bearers.way import Way
from agent.config import Config
from drivers.api import Accepted, Context, SeriesSpec, Traits
from protocols.errors import LocalError
from protocols.narrow import digest
from protocols.narrow.digest import Digest, Extreme, Newest
from protocols.narrow.schema import Schema

DAY = 86_400.0  # seconds
ALARM = 120  # bytes of an alarm's body
ALARMS = 4  # of a day without the network: a rise, its end, and two acknowledgements
MOST_STEPS = 200_000  # of one day: ten bearers at a second each would be more, and are no narrow bearers
FULL = 1 << 20  # bytes: fills whatever datagram there is
SMALL = 4  # bytes of a proof


def forecast(config: Config, context: Context, series: Mapping[str, SeriesSpec]) -> list[dict[str, Any]]:
    """A row for each bearer that leads to a headend."""
    narrow, routes = config.narrow or NarrowConfig(), [route.name for route in config.routes]
    schema = schema_of(series, narrow.series)
    rows = []
    for route in routes:
        tables = [one for one in config.bearers if route_of(one.common, routes) == route]
        lines = [open_line(one, config.station.id, context) for one in tables if headend_of(one.common, narrow)]
        quiet, outage = (_day(lines, policy_of(narrow), wide=wide, told=bool(series)) for wide in (True, False))
        rows += [_row(line, schema, quiet[line.name], outage[line.name]) for line in lines]
    return rows


def _row(line: Line, schema: Schema, quiet: "Spent", outage: "Spent") -> dict[str, Any]:
    return {
        "bearer": line.name,
        "driver": line.table.driver,
        "quiet_messages": quiet.messages,
        "quiet_money": round(quiet.money, 2),
        "outage_messages": outage.messages,
        "outage_money": round(outage.money, 2),
        "told": _told(schema, line.room) if schema.series else 0,
        "series": len(schema.series),
    }


class Spent:
    """Of one bearer, in one day."""

    def __init__(self) -> None:
        self.messages = 0
        self.money = 0.0


def _day(lines: Sequence[Line], policy: Policy, *, wide: bool, told: bool) -> dict[str, Spent]:
    """Every datagram is answered in its time."""
    spent = {line.name: Spent() for line in lines}
    ways = {line.name: _proven(line.way) for line in lines}
    mqtt = _proven(Way("", Traits(mtu=65_536), wide=True, open=wide))
    answers: list[tuple[float, str]] = []
    alarms = {f"alarm {n}": DAY * (n + 0.5) / ALARMS for n in range(0 if wide else ALARMS)}
    now = 0.0
    for _ in range(MOST_STEPS):
        if now >= DAY:
            break
        while answers and answers[0][0] <= now:
            name = heapq.heappop(answers)[1]
            ways[name] = ways[name].answered(now)
        ways = {name: way.tick(now) for name, way in ways.items()}
        backlog = _backlog(alarms, now, told=told)
        plan = choose([mqtt.answered(now) if wide else mqtt, *ways.values()], backlog, now, now / DAY, policy)
        for order in plan.orders:
            if order.bearer not in ways:
                continue
            way, size = ways[order.bearer], _size(order.load)
            price = way.price(size)
            pieces = way.pieces(ALARM) if order.load is Load.ALARM else 1
            spent[order.bearer].messages += pieces
            spent[order.bearer].money += price.money * pieces
            ways[order.bearer] = way.begin(order.load, size, now / DAY, now).end(Accepted(), now)
            heapq.heappush(answers, (now + 2 * way.traits.latency, order.bearer))
            alarms.pop(order.key, None)
        now = max(now + 1.0, min([plan.look, *(at for at, _ in answers[:1])]))
    return spent


def _proven(way: Way) -> Way:
    return way.answered(0.0)


def _backlog(alarms: Mapping[str, float], now: float, *, told: bool) -> Backlog:
    waiting = tuple(Message(key, Load.ALARM, ALARM, at) for key, at in alarms.items() if at <= now)
    return Backlog(waiting, digest=told, detail=Waiting(1000 if told else 0, 0.0))


def _size(load: Load) -> int:
    return {Load.ALARM: ALARM, Load.PROOF: SMALL}.get(load, FULL)


def _told(schema: Schema, room: int) -> int:
    """How many series a digest of one datagram tells of, each moving over a quarter of its range."""
    made = {place: _moving(place, schema) for place in range(len(schema.series))}
    try:
        body = digest.encode(schema, Digest(schema.id, 1_800_000_000, True, 60, made), room)
    except LocalError:
        return 0
    return len(digest.decode(body, schema).series)


def _moving(place: int, schema: Schema) -> Newest:
    one = schema.series[place]
    span = 2 ** max(one.k - 2, 0)
    low, here, high = (one.value(one.middle + step) for step in (-span // 2, 0, span // 2))
    return Newest(here, 30, low=Extreme(low, 50), high=Extreme(high, 20), seen=1)
