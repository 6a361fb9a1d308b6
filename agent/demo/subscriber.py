"""The platform of the demonstration: the reference subscriber, and a publisher of warnings, on one connection."""

import logging
from typing import Any

import paho.mqtt.client as mqtt

from agent.demo.publisher import Publisher
from agent.subscriber.listen import Tracker
from protocols.envelope import DEFAULT_ROOT

log = logging.getLogger(__name__)


class Platform(Publisher):
    """Keeps the reference subscriber fed as well."""

    def __init__(self, port: int, version: str) -> None:
        super().__init__(port, version)
        self.tracker = Tracker(root=DEFAULT_ROOT)
        self.events: list[dict[str, Any]] = []
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = self._on_message

    def steps(self, kind: str) -> list[dict[str, Any]]:
        """Acknowledgements of one kind, in the order they came."""
        return [event for event in self.events if event.get("type") == kind]

    def _on_connect(self, *_: Any) -> None:
        self._client.subscribe([(f"{DEFAULT_ROOT}/+/{kind}", 1) for kind in ("readings", "events", "status")])

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            for item in self.tracker.take(message.topic, bytes(message.payload)):
                event = getattr(item, "event", None)
                if event:
                    self.events.append(event)
        except Exception:
            log.exception("the subscriber met a message it cannot take")
