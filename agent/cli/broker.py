"""A broker for commands that look on from beside it: `listen` and `warn`. Blocking; verified TLS like the agent's own."""

import argparse
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.links.route import RouteConfig
from agent.links.tls import SecretError, Tls, credentials
from agent.say import say
from protocols.alert import ClockReading

WAIT = 15.0  # seconds for an answer of the broker
MOST_WAITING = 10_000  # messages not yet looked at; the broker is slowed down beyond it


class Refused(OSError):
    """The broker cannot be reached, or does not want us; the message says which."""


class Message(NamedTuple):
    topic: str
    payload: bytes
    retained: bool


def _system_clock() -> ClockReading:
    """A command's user vouches for the computer's clock."""
    now = int(time.time())
    return ClockReading(now, now, trusted=True)


def expiring(seconds: int) -> Properties:
    """MQTT 5: the broker forgets the message when it expires (§3.3.2.3.3)."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.MessageExpiryInterval = max(1, seconds)
    return properties


class Client:
    """`with Client(options, "name") as client:` connects or raises Refused; ValueError for an address or a file of
    the options that cannot be used.
    """

    def __init__(self, options: argparse.Namespace, name: str, *, clean: bool = True) -> None:
        route = RouteConfig(name="command", url=options.broker)
        try:
            self._endpoint = route.endpoint
        except ValueError as wrong:
            raise ValueError(f"{options.broker} is not mqtt://host[:port] or mqtts://host[:port]") from wrong
        self._five = options.mqtt == "5"
        self._connected = threading.Event()
        self._why = ""
        self._messages: queue.Queue[Message] = queue.Queue(MOST_WAITING)
        self._filters: list[tuple[str, int]] = []
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            name,
            clean_session=None if self._five else clean,
            protocol=mqtt.MQTTv5 if self._five else mqtt.MQTTv311,
        )
        self._secure(options)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message

    def _secure(self, options: argparse.Namespace) -> None:
        try:
            if options.credentials:
                secret = credentials(Path(options.credentials))
                self._client.username_pw_set(secret.username, secret.password)
            if self._endpoint.tls:
                ca, cert, key = (Path(name) if name else None for name in (options.ca, options.cert, options.tls_key))
                self._client.tls_set_context(Tls(ca, cert, key, _system_clock).context())
        except SecretError as wrong:
            raise ValueError(say(wrong.code, file=wrong.path)) from wrong
        except OSError as wrong:  # ssl.SSLError is one
            files = " ".join(filter(None, (options.credentials, options.ca, options.cert, options.tls_key)))
            raise ValueError(f"{files}: {wrong.strerror or wrong}") from wrong

    def __enter__(self) -> Self:
        try:
            self._client.connect(self._endpoint.host, self._endpoint.port, keepalive=30)
        except (OSError, ValueError) as wrong:
            raise Refused(str(wrong)) from wrong
        self._client.loop_start()
        if not self._connected.wait(WAIT) or self._why:
            self._client.loop_stop()
            raise Refused(self._why or "no answer")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, filters: Sequence[str]) -> None:
        """Now, and again after every reconnection."""
        self._filters = [(each, 1) for each in filters]
        self._client.subscribe(self._filters)

    def publish(self, topic: str, payload: bytes, *, retain: bool, expiry: int | None = None) -> None:
        """Blocks until the broker has it; Refused when it does not want it (told on MQTT 5 only)."""
        properties = expiring(expiry) if self._five and expiry is not None else None
        told: queue.Queue[Any] = queue.Queue()
        self._client.on_publish = lambda _c, _u, _mid, reason, _p: told.put(reason)
        self._client.publish(topic, payload, qos=1, retain=retain, properties=properties)
        try:
            reason = told.get(timeout=WAIT)
        except queue.Empty:
            raise Refused("no acknowledgement") from None
        if reason.is_failure:
            raise Refused(str(reason))

    def messages(self, seconds: float | None = None) -> Iterator[Message | None]:
        """Messages as they come; None once a second where none came. Ends after `seconds`, if given."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or time.monotonic() < end:
            left = 1.0 if end is None else max(0.0, min(1.0, end - time.monotonic()))
            try:
                yield self._messages.get(timeout=left)
            except queue.Empty:
                yield None

    def _on_connect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._why = str(reason) if reason.is_failure else ""
        if not self._why and self._filters:
            self._client.subscribe(self._filters)
        self._connected.set()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._messages.put(Message(message.topic, bytes(message.payload), message.retain))
