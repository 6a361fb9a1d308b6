"""The platform of the demonstration: the reference subscriber, and a publisher of warnings, on one connection."""

import logging
import threading
import time
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.cli.broker import expiring
from agent.listen import Tracker
from protocols.envelope import DEFAULT_ROOT, warning

log = logging.getLogger(__name__)
WAIT = 10.0  # seconds for the broker's answer


class Platform:
    """Keeps a tracker fed; publishes retained warnings. Used as a context."""

    def __init__(self, port: int, version: str) -> None:
        self.tracker = Tracker(root=DEFAULT_ROOT)
        self.events: list[dict[str, Any]] = []
        self._five = version == "5"
        self._port = port
        self._subscribed = threading.Event()
        protocol = mqtt.MQTTv5 if self._five else mqtt.MQTTv311
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "platform", protocol=protocol)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        if not self._subscribed.wait(WAIT):
            raise TimeoutError("the broker did not take the subscription")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def warn(self, area: str, issuer: int, seq: int, sealed: bytes, expires: int) -> float:
        """Publish a sealed alert; returns the moment (monotonic seconds) it was handed over."""
        properties = expiring(expires - int(time.time())) if self._five else None
        topic = warning(DEFAULT_ROOT, area, str(issuer), seq)
        at = time.monotonic()
        self._client.publish(topic, sealed, qos=1, retain=True, properties=properties)
        return at

    def steps(self, kind: str) -> list[dict[str, Any]]:
        """Acknowledgements of one kind, in the order they came."""
        return [event for event in self.events if event.get("type") == kind]

    def _on_connect(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(f"{DEFAULT_ROOT}/+/{kind}", 1) for kind in ("readings", "events", "status")])

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            for item in self.tracker.take(message.topic, message.payload):
                event = getattr(item, "event", None)
                if event:
                    self.events.append(event)
        except Exception:
            log.exception("the subscriber met a message it cannot take")
