"""Narrow bearers: what a day of weather weighs on them, how long an alarm takes, and what a decision costs."""

import json
import random
import time
import zlib
from dataclasses import replace
from statistics import median

from agent.bearers.lanes import Backlog, Load, Message, Waiting
from agent.bearers.proven import Proof, State
from agent.bearers.schedule import choose
from agent.bearers.way import Way
from benchmarks.report import Figure, Measured, Value, measures
from protocols.narrow import detail
from protocols.narrow.context import Contexts
from tests.support.ether import DAY, Air, Ether, beidou, mqtt, sbd
from tests.support.narrow_series import CONTEXT, SIX_SCHEMA, six_at_five_minutes

TAG = 8  # bytes, one a message
PIECE_HEAD = 5  # bytes of each datagram of a message in pieces
PEER = "JSON rows, zlib -9"


def pieces(size: int, mtu: int) -> int:
    return -(-(size + TAG) // (mtu - PIECE_HEAD))


@measures(
    5,
    Figure("narrow-day: six series at five minutes, lossless", "bytes/reading", "≤ 0.70", PEER),
    Figure("narrow-day: in BeiDou-2 messages of 77 bytes", "messages", "≤ 18", PEER),
    Figure("narrow-day: in SBD messages of 340 bytes", "messages", "≤ 4", PEER),
)
def narrow_day() -> Measured:
    day = six_at_five_minutes()
    readings = sum(map(len, day))
    body = detail.pack(SIX_SCHEMA, CONTEXT, 1, day)
    found = detail.unpack(body, Contexts(), {SIX_SCHEMA.id: SIX_SCHEMA}.get).numbers
    assert [sorted(row) for row in found] == [sorted(row) for row in day], "not a bit may be missing"
    rows = [{"t": row[0].at, **{reading.series: reading.value for reading in row}} for row in day]
    peer = len(zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 9))
    return {
        "narrow-day: six series at five minutes, lossless": Value(len(body) / readings, peer / readings),
        "narrow-day: in BeiDou-2 messages of 77 bytes": Value(pieces(len(body), 77), pieces(peer, 77)),
        "narrow-day: in SBD messages of 340 bytes": Value(pieces(len(body), 340), pieces(peer, 340)),
    }


ALARMS = 2000
DEAD = [(0.0, float("inf"))]


def acknowledged(*others: Way, top: bool) -> float:
    """The 95th percentile, in simulated seconds, with the public network dead."""
    airs = {"mqtt": Air(outages=DEAD), "beidou": Air(0.045), "sbd": Air(0.02)}
    ether, chance = Ether([mqtt(), beidou(), *others], airs, seed=1), random.Random(2)
    for nth in range(ALARMS):
        ether.raise_at(3600.0 + nth * 600 + chance.uniform(0, 60), f"alarm {nth}", top=top)
    log = ether.run(7200.0 + ALARMS * 600)
    assert log.acknowledged.keys() == log.raised.keys()
    delays = sorted(log.acknowledged[key] - message.since for key, message in log.raised.items())
    return delays[int(len(delays) * 0.95)]


@measures(
    5,
    Figure("alarm by BeiDou alone (4.5 % loss, 60 s slots), acknowledged, p95", "s simulated", "≤ 130"),
    Figure("the same of the top level", "s simulated", "≤ 130"),
    Figure("alarm by BeiDou and SBD, acknowledged, p95", "s simulated", "≤ 60"),
    Figure("alarm of the top level by BeiDou and SBD", "s simulated", "≤ 60"),
)
def narrow_alarm() -> Measured:
    return {
        "alarm by BeiDou alone (4.5 % loss, 60 s slots), acknowledged, p95": acknowledged(top=False),
        "the same of the top level": acknowledged(top=True),
        "alarm by BeiDou and SBD, acknowledged, p95": acknowledged(sbd(), top=False),
        "alarm of the top level by BeiDou and SBD": acknowledged(sbd(), top=True),
    }


@measures(5, Figure("schedule: a decision, 10 bearers, 1,000,000 records waiting", "ms", "≤ 1"))
def schedule() -> Measured:
    ways = [replace(beidou() if nth % 2 else sbd(), name=f"b{nth}") for nth in range(9)]
    ways = [replace(way, proof=Proof(state=State.UP, last=0.0)) for way in (mqtt(), *ways)]
    messages = [Message(f"a{nth}", Load.ALARM, 40, float(nth), top=nth == 0) for nth in range(5)]
    messages += [Message(f"e{nth}", Load.EVENT, 150, float(nth)) for nth in range(5)]
    waiting = Waiting(1_000_000, 0.0)
    backlog = Backlog(tuple(messages), digest=True, detail=waiting, telemetry=waiting, bulk=waiting)
    taken = []
    for nth in range(2000):
        start = time.perf_counter()
        choose(ways, backlog, 30.0 + nth, 20_000 + nth / DAY)
        taken.append(time.perf_counter() - start)
    return {"schedule: a decision, 10 bearers, 1,000,000 records waiting": median(taken) * 1000}
