"""A route on a real buffer, as the station wires it, with nothing but the platform's address to say."""

import asyncio
import json
import random
import time
from contextlib import asynccontextmanager

from agent.links.downlink import Downlink
from agent.links.route import RouteConfig
from agent.links.uplink import Uplink
from agent.links.uplink_encode import encoder
from buffer.model import Lane, RouteSpec
from buffer.store import Buffer
from protocols import columns, event
from protocols.alert import ClockReading
from protocols.reading import Reading

BOOT = b"bootboot"
STATION = "s1"
NOW = 1_795_000_000  # Unix seconds of a trusted clock
WITHIN = 60.0  # seconds: generous, no figure


def wall(_boot, at):
    return NOW * 1000 + at, True


def open_buffer(directory, *names):
    return Buffer.open(directory / "buffer.db", routes=[RouteSpec(name) for name in names or ("p",)])


def telemetry(at, series=4):
    return columns.pack(BOOT, [Reading(f"river.s{i}", at, 1.5 + i, "m", 1) for i in range(series)])


def happened(kind, at, **fields):
    return event.encode(kind, BOOT, at, fields)


def fill(buffer, count, lane=Lane.TELEMETRY, start=0):
    for at in range(start, start + count):
        body = telemetry(at * 1000) if lane is Lane.TELEMETRY else happened("test", at * 1000, n=at)
        last = buffer.append(lane, body)
    buffer.flush().result(30)
    return last.number


def make(buffer, url, reports=None, *, directory, on_warning=None, on_command=None, areas=(), **changes):
    """Linger is short here; everything else is as shipped."""
    route = RouteConfig(**({"name": "p", "url": url, "linger": 0.05} | changes))

    def report(kind, facts):
        if reports is not None:
            reports.append((kind, dict(facts)))

    downlink = Downlink(
        f"mqtt:{route.name}",
        root=route.root,
        station=STATION,
        areas=areas,
        on_warning=on_warning,
        on_command=on_command,
        report=report,
    )
    return Uplink(
        route,
        station=STATION,
        base=directory,
        buffer=buffer,
        encode=encoder(STATION, route.format, wall),
        clock=lambda: ClockReading(NOW, NOW, trusted=True),
        status=lambda session: json.dumps({"state": "online", "session": session}).encode(),
        offline=lambda session: json.dumps({"state": "offline", "session": session}).encode(),
        report=report,
        random=random.Random(1).random,
        downlink=downlink,
    )


@asynccontextmanager
async def running(uplink):
    task = asyncio.ensure_future(uplink.run())
    try:
        yield uplink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition, within=WITHIN):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "did not come about"
        await asyncio.sleep(0.01)


def pending(buffer, route="p"):
    return sum(each.numbers for each in buffer.backlog(route))
