"""A platform's commands, wired to the links of its route. Decides nothing."""

import contextlib
from typing import TYPE_CHECKING, Any

from paho.mqtt.packettypes import PacketTypes

from agent.links.commands import Commands, Verb
from agent.links.mqtt import Link, LinkDown
from agent.links.mqtt_words import Flight, blank
from agent.links.resend import Resend
from agent.links.route import RouteConfig
from agent.links.uplink_encode import EVENTS, Encode
from agent.links.uplink_send import HEAD
from buffer.model import Lane
from buffer.store import Buffer
from drivers.api import Report
from protocols import envelope, resend

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from agent.links.uplink import Uplink


def commands_of(
    route: RouteConfig,
    *,
    station: str,
    buffer: Buffer,
    encode: Encode,
    record: Report,
    uplink: "Callable[[], Uplink]",
) -> Commands:
    """`uplink` is asked for when something has to be sent: it is made with these commands in its hands."""
    ways = Ways(route, station, uplink)
    resender = Resend(
        route.name,
        station=station,
        buffer=buffer,
        encode=encode,
        way=ways,
        metered=route.metered,
        no_subscribers_ok=route.no_subscribers_ok,
    )
    return Commands(station, {resend.VERB: Verb(resender.obey)}, record=record, respond=ways.respond)


class Ways:
    """What a command sends over a route, beside everything that the route sends by itself."""

    def __init__(self, route: RouteConfig, station: str, uplink: "Callable[[], Uplink]") -> None:
        self._uplink = uplink
        self._five = route.version == "5"
        events, readings = (envelope.up(route.root, station, kind) for kind in ("events", "readings"))
        self._topics = {lane: events if lane in EVENTS else readings for lane in Lane}

    def connected(self, lane: Lane) -> bool:
        return self._link(lane).connected

    def send(self, lane: Lane, payload: bytes, content_type: str) -> Flight:
        """LinkDown without a connection; ValueError for more than the server takes at once."""
        link, topic = self._link(lane), self._topics[lane]
        if link.connection and len(payload) + len(topic) + HEAD > link.connection.granted.maximum_packet:
            raise ValueError(f"{len(payload)} bytes")
        return link.publish(topic, payload, properties=self._properties(ContentType=content_type))

    def respond(self, topic: str, correlation: bytes, payload: bytes) -> None:
        """Lost with the link: the event is the answer that lasts."""
        words: dict[str, Any] = {"ContentType": "application/json"}
        if correlation:
            words["CorrelationData"] = correlation
        with contextlib.suppress(LinkDown):
            flight = self._uplink().urgent.publish(topic, payload, properties=self._properties(**words))
            flight.done.add_done_callback(_heard)

    def _link(self, lane: Lane) -> Link:
        uplink = self._uplink()
        return uplink.urgent if lane in EVENTS else uplink.telemetry

    def _properties(self, **words: Any) -> Any:
        if not self._five:
            return None
        properties: Any = blank(PacketTypes.PUBLISH)
        for name, value in words.items():
            setattr(properties, name, value)
        return properties


def _heard(done: "asyncio.Future[int]") -> None:
    """Nobody minds how it ended."""
    if not done.cancelled():
        done.exception()
