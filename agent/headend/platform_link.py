"""The headend's connection to the platform's broker: what it publishes, and what it must hear. Decides nothing."""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from paho.mqtt.packettypes import PacketTypes

from agent.clock import BUILD_TIME
from agent.headend.config import HeadendConfig
from agent.links.mqtt import Connection, Link, LinkDown, accepting
from agent.links.mqtt_words import Inbound, blank
from agent.links.uplink import options_of
from protocols import envelope
from protocols.alert import ClockReading
from protocols.errors import RemoteError

Take = Callable[[envelope.Topic, Inbound], None]
QUIET = 5.0  # seconds before a refused message is offered again


class Platform:
    """`publish` waits for the broker's word; `take` gets what comes, and acknowledges it. `see` gets each warning once more, by
    whomever of the group it was taken: a broker goes on giving a dead instance its share (Mosquitto 2.0 keeps it in the session).
    """

    def __init__(
        self, config: HeadendConfig, take: Take, see: Take, report: Callable[[str, Mapping[str, Any]], None]
    ) -> None:
        route, group = config.platform, config.headend.group
        self._root, self._route, self._take, self._see = route.root, route, take, see
        self.foreign = 0
        self._up = asyncio.Event()
        served = [one.id for one in config.stations]
        filters = [f"{route.root}/{station}/{kind}" for station in served for kind in ("readings", "events", "status")]
        shared = [f"$share/{group}/{route.root}/{rest}" for rest in ("warnings/#", "+/command/+")]
        options = options_of(
            route, f"headend-{config.headend.name}", config.base, lambda: ClockReading(BUILD_TIME, BUILD_TIME, True)
        )
        self.link = Link(
            route.name,
            options,
            report=report,
            random=random.random,
            filters=(*shared, *filters),
            receive=self._receive,
        )
        onlooker = replace(options, client_id=f"{options.client_id}-w", clean=True, session_expiry=0)
        self.watch = Link(
            f"{route.name}-watch",
            onlooker,
            report=report,
            random=random.random,
            filters=[f"{route.root}/warnings/#"],
            receive=self._watch,
        )

    async def run(self) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self.link.run(self._serve))
            both.create_task(self.watch.run(_stay))

    async def publish(self, topic: str, payload: bytes) -> None:
        """Returns when the broker has accepted it; tries for ever."""
        while True:
            await self._up.wait()
            try:
                flight = self.link.publish(topic, payload, properties=self._properties(topic))
                if accepting(await flight.done, no_subscribers_ok=self._route.no_subscribers_ok):
                    return
            except LinkDown:
                self._up.clear()
                continue
            await asyncio.sleep(QUIET)

    async def _serve(self, connection: Connection) -> None:
        self._up.set()
        try:
            await asyncio.shield(connection.ended)
        finally:
            self._up.clear()

    def _receive(self, message: Inbound) -> None:
        try:
            topic = envelope.parse(self._root, message.topic)
        except RemoteError:
            self.foreign += 1
            message.ack()
            return
        self._take(topic, message)

    def _watch(self, message: Inbound) -> None:
        """What the broker keeps is no news: it was sent down when it came."""
        message.ack()
        if not message.retain:
            with suppress(RemoteError):
                self._see(envelope.parse(self._root, message.topic), message)

    def _properties(self, topic: str) -> Any:
        if self._route.version != "5":
            return None
        made = blank(PacketTypes.PUBLISH)
        readings = topic.endswith("/readings")
        made.ContentType = envelope.CONTENT_TYPES["json" if readings else "event"]
        return made


async def _stay(connection: Connection) -> None:
    await asyncio.shield(connection.ended)
