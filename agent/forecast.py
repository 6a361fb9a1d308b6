"""What a configuration will cost: megabytes a month of each route, years of the card. Plain rows; opens nothing.

Some minutes of the configured sensors are made up (each value wanders by the sensor's own resolution) and put through the
real encoders in the windows and messages the station would use. What stands around a message is counted as RFCs have it.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.config import Config
from agent.links.route import RouteConfig
from agent.links.uplink_encode import encoder
from agent.links.uplink_send import HEAD
from agent.links.window import LEAST_MESSAGE
from buffer.model import Block, Lane
from drivers.api import Context, SeriesSpec
from protocols import columns, envelope
from protocols.quality import GOOD
from protocols.reading import Reading

MONTH, DAY = 30 * 86_400.0, 86_400.0  # seconds
MINUTES = 10  # made up and encoded
MOST_READINGS = 20_000  # of which a forecast is made; a quick sensor gets a shorter spell
DEFAULT_INTERVAL = 10.0  # seconds, where a driver does not say
SEGMENT = 1448  # bytes of a TCP segment on Ethernet with timestamps
PACKET = 52  # bytes of IPv4 and TCP headers with timestamps (RFC 791, RFC 9293, RFC 7323)
PUBACK = 4  # bytes (MQTT 5 §3.4); 3.1.1 has as many
PING = 4  # bytes of PINGREQ and PINGRESP
TLS_RECORD = 22  # bytes around each record (RFC 8446 §5.2 with an AES-GCM tag)
STATUS, STATUS_PART = 900, 45  # bytes of a status, and of each sensor, actuator and route in it
# Measured on ext4 with the shipped settings (/proc/self/io write_bytes): a synced commit of one row, whatever is in it; and
# how often a body is written in all (-wal, checkpoint, merging, checkpoint again).
COMMIT_BYTES, BODY_WRITES = 5_300, 4
INSIDE = 4  # bytes a card's controller writes for one byte of small synced writes; assumed, cards differ from 2 to 10
BOOT = b"forecast"
START = 1_800_000_000_000  # Unix ms: thirteen digits, as for the next two centuries


@dataclass(frozen=True, slots=True)
class Sensor:
    interval: float
    series: Mapping[str, SeriesSpec]


def forecast(config: Config) -> dict[str, Any]:
    """`route`: a row each; `flash`: one row."""
    spell = Spell(config)
    return {"route": [_route(config, route, spell) for route in config.routes], "flash": _flash(config, spell)}


class Spell:
    """Some minutes of a station: the bodies it would store, one for each commit window."""

    def __init__(self, config: Config) -> None:
        self.window = max(float(config.buffer.commit_interval), 0.001)
        sensors = list(_sensors(config))
        rate = sum(len(sensor.series) / sensor.interval for sensor in sensors)
        self.seconds = min(MINUTES * 60.0, MOST_READINGS / rate) if rate else MINUTES * 60.0
        self.seconds = max(self.seconds, *(sensor.interval for sensor in sensors), self.window) if sensors else 60.0
        windows: dict[int, list[Reading]] = {}
        for sensor in sensors:
            for at, readings in _samples(sensor, self.seconds):
                windows.setdefault(int(at / self.window), []).extend(readings)
        self.readings = sum(map(len, windows.values()))
        self.bodies = [(at * self.window, columns.pack(BOOT, found)) for at, found in sorted(windows.items())]

    @property
    def body_bytes(self) -> int:
        return sum(len(body) for _, body in self.bodies)


def _sensors(config: Config) -> Iterator[Sensor]:
    lan = config.lan.lan() if config.lan is not None else None
    context = Context(config.base, lambda _kind, _fields: None, {bus.name: bus for bus in config.buses}, lan=lan)
    for made in config.sensors:
        try:
            source = made.factory.create(made.config, context)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # its own check has said why
        interval = float(getattr(source, "interval", None) or DEFAULT_INTERVAL)
        yield Sensor(interval, dict(source.series))


def _samples(sensor: Sensor, seconds: float) -> Iterator[tuple[float, list[Reading]]]:
    values = {name: _walk(name, spec) for name, spec in sensor.series.items()}
    for n in range(max(1, int(seconds / sensor.interval))):
        at = n * sensor.interval
        yield (
            at,
            [
                Reading(name, round(at * 1000), next(values[name]), spec.unit, GOOD)
                for name, spec in sensor.series.items()
            ],
        )


def _walk(name: str, spec: SeriesSpec) -> Iterator[float]:
    """Around the middle of what the site can see, a few steps of the resolution each time. The same at every check."""
    chance = random.Random(name)  # noqa: S311 - made-up values, the same at every check
    low, high = spec.expect or spec.span or (0.0, 100.0)
    step = spec.step or 0.1
    value = round((low + high) / 2 / step)
    while True:
        yield round(value * step, 6)
        value += chance.choice((-2, -1, 0, 0, 0, 1, 2))


# Routes


def _route(config: Config, route: RouteConfig, spell: Spell) -> dict[str, Any]:
    encode = encoder(config.station.id, route.format, lambda _boot, at: (START + at, True))
    topic = len(envelope.up(route.root, config.station.id, "readings"))
    sizes = [len(encode(Lane.TELEMETRY, group, 1, "live")[0]) for group in _messages(spell, route, encode)]
    live = sum(_on_the_wire(size + topic + HEAD, route) for size in sizes) / spell.seconds * MONTH
    idle = _idle(config, route) * MONTH
    readings = spell.readings / spell.seconds * MONTH
    return {
        "route": route.name,
        "format": route.format,
        "megabytes": round((live + idle) / 1e6, 1),
        "idle_megabytes": round(idle / 1e6, 1),
        "bytes_per_reading": round(live / readings, 1) if readings else 0.0,
        "messages_a_day": round(len(sizes) / spell.seconds * DAY),
    }


def _messages(spell: Spell, route: RouteConfig, encode: Any) -> Iterator[list[Block]]:
    """Live telemetry lingers, then goes in messages of about the smallest size: a quiet link has no reason for larger."""
    blocks = [(at, Block("0" * 16, Lane.TELEMETRY, n, n, body)) for n, (at, body) in enumerate(spell.bodies, 1)]
    growth = _growth(blocks, encode)
    group: list[Block] = []
    began = size = 0.0
    for at, block in blocks:
        grown = len(block.body) * growth
        if group and (at - began >= float(route.linger) or size + grown > LEAST_MESSAGE):
            yield group
            group, size = [], 0.0
        began = at if not group else began
        group.append(block)
        size += grown
    if group:
        yield group


def _growth(blocks: Sequence[tuple[float, Block]], encode: Any) -> float:
    """Payload bytes for a byte of body."""
    some = [block for _, block in blocks[:20]]
    body = sum(len(block.body) for block in some)
    return len(encode(Lane.TELEMETRY, some, 1, "live")[0]) / body if body else 1.0


def _idle(config: Config, route: RouteConfig) -> float:
    """Bytes a second of status and keep-alive."""
    parts = len(config.sensors) + len(config.actuators) + len(config.routes)
    status = _on_the_wire(STATUS + STATUS_PART * parts + HEAD, route) / float(route.status_interval)
    urgent, telemetry = route.keepalives()
    ping = PING + 3 * PACKET + (2 * TLS_RECORD if route.url.startswith("mqtts") else 0)
    busy = min(float(route.linger), 3600.0) < telemetry and bool(config.sensors)
    return status + ping / urgent + (0 if busy else ping / telemetry)


def _on_the_wire(size: int, route: RouteConfig) -> int:
    """A publish, its acknowledgement, and TCP's own of both."""
    secure = 2 * TLS_RECORD if route.url.startswith("mqtts") else 0
    packets = -(-size // SEGMENT) + 2
    return size + PUBACK + packets * PACKET + secure


# The card


def _flash(config: Config, spell: Spell) -> dict[str, Any]:
    commits = len(spell.bodies) / spell.seconds
    written = commits * COMMIT_BYTES + BODY_WRITES * spell.body_bytes / spell.seconds
    readings = spell.readings / spell.seconds
    endurance = float(config.buffer.endurance)
    return {
        "megabytes": round(written * DAY / 1e6),
        "bytes_per_reading": round(written / readings) if readings else 0,
        "endurance": round(endurance / 1e12, 1),
        "years": round(endurance / (written * INSIDE * DAY * 365), 1) if written else None,
    }
