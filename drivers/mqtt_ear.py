"""Hears an MQTT broker near by, and says nothing: one connection, from CONNECT to its end, in the event loop.

MQTT 3.1.1 with a clean session: what was not heard is not asked for later. paho parses and pings; it has no thread, no
queue and no reconnecting here. What is longer than `LARGEST` is cut while it arrives and refused as a whole.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paho.mqtt.client import Client

LARGEST = 4096  # bytes of a payload
HEAD = 512  # bytes of its topic
KEEPALIVE = 30  # seconds; a broker near by answers in milliseconds
CONNECT_TIMEOUT = 10.0  # seconds for TCP, and for each of the two answers
TICK = 1.0  # seconds between looks at the ping
SILENCE = 1.5  # keep-alives without a byte, and the broker is gone (MQTT 3.1.1 §3.1.2.10)

Hear = Callable[[str, bytes, bool], None]
"""`hear(topic, payload, retained)`"""


class Ear:
    """`await listen()`: OSError when it is over, and why."""

    def __init__(self, host: str, port: int, filters: Sequence[str], hear: Hear, login: tuple[str, str] | None) -> None:
        self.heard = False  # the broker has taken the subscriptions
        self._host, self._port, self._filters, self._hear, self._login = host, port, filters, hear, login
        self._last = 0.0
        self._why = ""

    async def listen(self) -> None:
        client = self._client()
        loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(client.connect, self._host, self._port, KEEPALIVE)
        except (OSError, ValueError) as wrong:
            raise OSError(getattr(wrong, "strerror", None) or str(wrong) or type(wrong).__name__) from None
        connection = client.socket()
        if connection is None:
            raise OSError("lost while connecting")
        loop.add_reader(connection, self._readable, client)
        try:
            await self._attend(client)
        finally:
            loop.remove_reader(connection)
            self.heard = False
            client.on_disconnect = None
            client.disconnect()
            if connection.fileno() >= 0:
                connection.close()

    async def _attend(self, client: "Client") -> None:
        began = self._last = time.monotonic()
        while not self._why:
            if client.want_write():
                client.loop_write()
            client.loop_misc()
            await asyncio.sleep(TICK if self.heard else TICK / 50)
            now = time.monotonic()
            if not self.heard and now - began > CONNECT_TIMEOUT:
                raise OSError("no answer to CONNECT or SUBSCRIBE")
            if now - self._last > SILENCE * KEEPALIVE:
                raise OSError("silent")
        raise OSError(self._why)

    def _client(self) -> "Client":
        from paho.mqtt.client import Client  # noqa: PLC0415 - a station without such sensors does not need it
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion  # noqa: PLC0415 - as above

        client = Client(
            CallbackAPIVersion.VERSION2, "", protocol=MQTTProtocolVersion.MQTTv311, reconnect_on_failure=False
        )
        client.connect_timeout = CONNECT_TIMEOUT
        client.suppress_exceptions = True
        if self._login is not None:
            client.username_pw_set(*self._login)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_disconnect = lambda *_: self._end("closed by the broker")
        client.on_message = self._message
        client.on_socket_open = _narrowed
        return client

    def _readable(self, client: "Client") -> None:
        self._last = time.monotonic()
        client.loop_read()
        packet = client._in_packet["packet"]  # noqa: SLF001 - paho has no other way to bound a packet
        if len(packet) > LARGEST + HEAD:
            del packet[LARGEST + HEAD :]

    def _connected(self, client: "Client", _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._end(f"refused: {reason}")
        else:
            client.subscribe([(one, 1) for one in self._filters])

    def _subscribed(self, _client: "Client", _data: Any, _mid: int, reasons: Sequence[Any], _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._end("a subscription was refused")
        else:
            self.heard = True

    def _message(self, _client: "Client", _data: Any, message: Any) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._hear(topic, bytes(message.payload), bool(message.retain))

    def _end(self, why: str) -> None:
        self._why = self._why or why


def _narrowed(_client: "Client", _data: Any, opened: Any) -> None:
    """As much at once as one turn of the loop should have to read."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
