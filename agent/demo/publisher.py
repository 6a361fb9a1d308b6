"""A publisher of warnings on a connection of its own, for the demonstration and the benchmarks."""

import threading
import time
import uuid
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.cli.broker import expiring
from protocols.alert import Alert
from protocols.envelope import DEFAULT_ROOT, beacon, warning

WAIT = 10.0  # seconds for the broker's answer


def _at_once(_client: mqtt.Client, _data: Any, sock: Any) -> None:
    """No waiting for company: what is measured is the station, not Nagle's algorithm."""
    sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)


class Publisher:
    """Publishes retained warnings; used as a context."""

    def __init__(self, port: int, version: str) -> None:
        self._five = version == "5"
        self._port = port
        self._ready = threading.Event()
        protocol = mqtt.MQTTv5 if self._five else mqtt.MQTTv311
        name = f"platform-{uuid.uuid4().hex[:8]}"
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, name, protocol=protocol)
        self._client.on_connect = self._on_connect
        self._client.on_socket_open = _at_once

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        if not self._ready.wait(WAIT):
            raise TimeoutError("the broker does not answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def warn(self, area: str, alert: Alert, sealed: bytes, *, retain: bool = True) -> float:
        """Publish a sealed alert; returns the moment (monotonic seconds) it was handed over."""
        properties = expiring(alert.expires - int(time.time())) if self._five else None
        topic = warning(DEFAULT_ROOT, area, str(alert.issuer), alert.seq)
        at = time.monotonic()
        self._client.publish(topic, sealed, qos=1, retain=retain, properties=properties)
        return at

    def beacon(self, area: str, issuer: int, sealed: bytes) -> None:
        self._client.publish(beacon(DEFAULT_ROOT, area, str(issuer)), sealed, qos=1, retain=True)

    def _on_connect(self, *_: Any) -> None:
        self._ready.set()
