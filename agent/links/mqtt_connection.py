"""One MQTT connection, from CONNECT to its end, driven by the event loop. Never reused: a new one has a new paho client.

paho's own reconnecting, queueing and threads are not used, because each of them loses or repeats what the buffer holds
safely (docs/decisions/0050). It keeps here what a codec keeps: framing, message ids, the ping. Knows nothing of routes,
numbers or back-off; how it ended is said once, by `ended`.
"""

import asyncio
import functools
import logging
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.later import later
from agent.links.mqtt_words import (
    Flight,
    Granted,
    Inbound,
    LinkDown,
    Options,
    Receive,
    Will,
    as_link_down,
    blank,
    server_says,
    slug,
)
from agent.links.tls import credentials
from drivers.within import within

with later("urllib.request"):  # for proxies, which are never asked for here: 3 MiB
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

TICK = 1.0  # seconds between looks at pings and patience
CONNECT_TIMEOUT = 10.0  # seconds for TCP, for each step of TLS, and for CONNACK
TCP_USER_TIMEOUT_MS = 10_000  # unacknowledged bytes for so long end the connection: 11 s instead of 58 s, measured
# An idle link is given up after 1.5 keep-alives of silence: MQTT 5 §3.1.2.10 gives the server the same measure of us.
SILENCE = 1.5
LARGEST_INBOUND = 64 * 1024  # bytes of payload: more is never a warning or a command
INBOUND_HEAD = 1024  # topic and properties beside it
RECEIVE_MAXIMUM = 64  # unacknowledged warnings and commands that the server may send: our verification queue's bound
STUCK = 3.0  # patiences: one message overtaken by the acknowledgements of later ones for so long is lost


class Connection:
    """`await open()`, then publish and subscribe until `ended` says why it is over."""

    def __init__(self, options: Options, *, will: Will | None = None, receive: Receive | None = None) -> None:
        self.options = options
        self.granted = Granted()
        self._will = will
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[LinkDown] = self._loop.create_future()
        self._connack: asyncio.Future[None] = self._loop.create_future()
        self._flights: dict[int, Flight] = {}
        self._subscribing: dict[int, asyncio.Future[list[int]]] = {}
        self._socket: Any = None
        self._untimed = False
        self._heard = self._moved = self._loop.time()
        self._client = self._make_client()

    @property
    def alive(self) -> bool:
        """Whether the server has let us in and nothing has ended it since."""
        return self._connack.done() and not self.ended.done()

    async def open(self) -> None:
        """Connect and wait for CONNACK; LinkDown when that fails."""
        try:
            await in_thread(self._connect)
            self._attach()
            await within(self._connack, CONNECT_TIMEOUT)
        except BaseException as error:
            down = as_link_down(error)
            self.drop(down.reason, down.detail)
            if isinstance(error, Exception) and down is not error:
                raise down from error
            raise

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, properties: Properties | None = None
    ) -> Flight:
        """QoS 1, always. LinkDown at once when the connection is over."""
        if self.ended.done():
            raise self.ended.result()
        info = self._client.publish(topic, payload, 1, retain and self.granted.retain, properties)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise LinkDown("local", info.rc.name)
        now = self._loop.time()
        if not self._flights:
            self._moved = now
        flight = Flight(info.mid, len(topic) + len(payload), now, self._loop.create_future())
        self._flights[info.mid] = flight
        return flight

    async def subscribe(self, filters: Sequence[str]) -> dict[str, int]:
        """The server's answer per filter: a granted QoS, or a refusal from 0x80 (MQTT 5 §3.9.3; 3.1.1 says 0x80 for any)."""
        result, mid = self._client.subscribe([(each, 1) for each in filters])
        if result != MQTTErrorCode.MQTT_ERR_SUCCESS or mid is None:
            raise LinkDown("local", result.name)
        answer: asyncio.Future[list[int]] = self._loop.create_future()
        self._subscribing[mid] = answer
        try:
            codes = await within(answer, self.options.patience)
        except TimeoutError:
            self.drop("no-suback")
            raise LinkDown("no-suback") from None
        finally:
            self._subscribing.pop(mid, None)
        return dict(zip(filters, codes, strict=False))

    def unsubscribe(self, topics: Sequence[str]) -> None:
        """Nobody waits for the answer."""
        self._client.unsubscribe(list(topics))

    def tick(self) -> None:
        """Once a second: pings, and whether the other end is still believed."""
        if self.ended.done() or self._socket is None:
            return
        now = self._loop.time()
        self._guarded(self._client.loop_misc)
        patience = self.options.patience
        if now - self._heard > SILENCE * self._client.keepalive - TICK > 0:
            self.drop("silent", f"nothing heard for {now - self._heard:.0f} s")
        elif self._flights and now - self._moved > patience:
            self.drop("no-puback", f"{len(self._flights)} messages for {now - self._moved:.0f} s")
        elif self._flights and now - next(iter(self._flights.values())).sent > STUCK * patience:
            self.drop("no-puback", "one message was passed over")

    def drop(self, reason: str, detail: str = "") -> None:
        """End it now, with RST: what lies in the kernel's buffer must not arrive after we have given it up."""
        if self._socket is not None:
            with_linger(self._socket)
        self._end(LinkDown(reason, detail))

    async def close(self) -> None:
        """End it politely: DISCONNECT, so that the server forgets the will."""
        if not self.ended.done():
            self._guarded(self._client.disconnect)
            self._guarded(self._client.loop_write)
        self._end(LinkDown("closed-by-us"))

    def _make_client(self) -> Client:
        options = self.options
        five = options.version == "5"
        client = Client(
            CallbackAPIVersion.VERSION2,
            options.client_id,
            clean_session=None if five else options.clean,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT
        client.max_inflight_messages_set(0)  # no queue inside paho: the window above it decides
        client.on_socket_open = self._on_socket_open
        if self._will is not None:
            will_properties = blank(PacketTypes.WILLMESSAGE) if five else None
            if will_properties is not None:
                will_properties.WillDelayInterval = self._will.delay
            client.will_set(self._will.topic, self._will.payload, 1, options.retain, will_properties)
        return client

    def _connect(self) -> None:
        """In a thread: DNS, TCP, TLS, and CONNECT written."""
        options, client = self.options, self._client
        if options.tls is not None:
            client.tls_set_context(options.tls.context())
        if options.credentials is not None:
            found = credentials(options.credentials)
            client.username_pw_set(found.username, found.password)
        if options.version != "5":
            client.connect(options.host, options.port, options.keepalive)
            return
        properties = blank(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = options.session_expiry
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = LARGEST_INBOUND + INBOUND_HEAD
        client.connect(options.host, options.port, options.keepalive, clean_start=options.clean, properties=properties)

    def _on_socket_open(self, _client: Client, _data: Any, opened: Any) -> None:
        """In the same thread, after TLS and before CONNECT. Raising here keeps the password from being sent."""
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
        opened.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, LARGEST_INBOUND
        )  # paho reads at most 100 of them at once
        if self.options.congestion:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, self.options.congestion.encode())
        if self.options.tls is not None:
            try:
                self._untimed = self.options.tls.judge(opened)
            except ssl.SSLError:
                opened.close()
                raise
        self._socket = opened

    def _attach(self) -> None:
        """From here on the event loop reads and writes, and every callback runs in it."""
        if self._client.socket() is None:
            raise LinkDown("lost", "while sending CONNECT")
        self._heard = self._loop.time()
        client = self._client
        client.suppress_exceptions = True  # ours are caught before paho sees them; a second fence costs nothing
        client.on_connect = self._caught(self._on_connect)
        client.on_disconnect = self._caught(self._on_disconnect)
        client.on_publish = self._caught(self._on_publish)
        client.on_subscribe = self._caught(self._on_subscribe)
        client.on_message = self._caught(self._on_message)
        client.on_socket_close = self._caught(lambda _client, _data, _sock: self._detach())
        client.on_socket_register_write = self._caught(lambda _c, _d, sock: self._loop.add_writer(sock, self._writable))
        client.on_socket_unregister_write = self._caught(self._no_writer)
        self._loop.add_reader(self._socket, self._readable)
        if client.want_write():
            self._loop.add_writer(self._socket, self._writable)

    def _no_writer(self, _client: Client, _data: Any, quiet: Any) -> None:
        self._loop.remove_writer(quiet)

    def _detach(self) -> None:
        if self._socket is not None and self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        if self.ended.done():
            return
        self._heard = self._loop.time()
        self._guarded(self._client.loop_read)
        self._bound_inbound()
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.fileno() >= 0 and self._socket.pending():
            self._loop.call_soon(self._readable)  # decrypted already: the selector would not say

    def _writable(self) -> None:
        self._guarded(self._client.loop_write)

    def _bound_inbound(self) -> None:
        """A 3.1.1 server may send 256 MB. What is too long is cut while it arrives, and refused as a whole afterwards."""
        packet = self._client._in_packet["packet"]  # noqa: SLF001 - paho has no other way to bound a packet
        if len(packet) > LARGEST_INBOUND + INBOUND_HEAD:
            del packet[LARGEST_INBOUND + INBOUND_HEAD :]

    def _on_connect(
        self, _client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if self._connack.done():
            return
        if reason.is_failure:
            self._end(LinkDown(f"refused.{slug(reason)}", server_says(properties)))
            return
        self.granted = Granted(
            session_present=flags.session_present,
            receive_maximum=getattr(properties, "ReceiveMaximum", 65_535),
            maximum_packet=getattr(properties, "MaximumPacketSize", 268_435_455),
            maximum_qos=getattr(properties, "MaximumQoS", 2),
            retain=bool(getattr(properties, "RetainAvailable", 1)),
            untimed=self._untimed,
        )
        self._connack.set_result(None)

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._end(LinkDown(f"server.{slug(reason)}", server_says(properties)))
        else:
            self._end(LinkDown("lost", "" if reason.value in {0, 0x80} else str(reason)))

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Properties) -> None:
        flight = self._flights.pop(mid, None)
        self._moved = self._loop.time()
        if flight is not None and not flight.done.done():
            flight.done.set_result(reason.value)

    def _on_subscribe(
        self, _client: Client, _data: Any, mid: int, reasons: Sequence[ReasonCode], _properties: Properties
    ) -> None:
        answer = self._subscribing.get(mid)
        if answer is not None and not answer.done():
            answer.set_result([reason.value for reason in reasons])

    def _on_message(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        mid, qos = message.mid, message.qos

        def ack() -> None:
            if not self.ended.done():
                self._guarded(functools.partial(client.ack, mid, qos))

        if self._receive is None:
            ack()
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        properties = message.properties
        response = getattr(properties, "ResponseTopic", "")
        correlation = getattr(properties, "CorrelationData", b"")
        self._receive(Inbound(topic, bytes(message.payload), bool(message.retain), response, correlation, ack))

    def _caught(self, callback: Callable[P, None]) -> Callable[P, None]:
        """A callback's exception ends this connection instead of whatever called it."""

        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            self._guarded(functools.partial(callback, *args, **kwargs))

        return call

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:
            log.exception("MQTT connection to %s failed inside", self.options.host)
            self._loop.call_soon(self.drop, "internal", type(error).__name__)

    def _end(self, down: LinkDown) -> None:
        if self.ended.done():
            return
        self.ended.set_result(down)
        self._detach()
        self._client.on_socket_close = None
        self._client.on_socket_register_write = None
        self._client.on_socket_unregister_write = None
        if self._socket is not None:
            self._socket.close()
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            _fail(flight.done, down)
        for answer in self._subscribing.values():
            _fail(answer, down)
        _fail(self._connack, down)


def _fail(future: asyncio.Future[Any], down: LinkDown) -> None:
    if not future.done():
        future.set_exception(down)
        future.exception()  # whoever is not interested need not ask


def with_linger(connected: Any) -> None:
    try:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        return  # closed already


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread of its own, one that a process which ends does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(put: Callable[[Any], None], value: Any) -> None:
        if not done.done():
            put(value)

    def run() -> None:
        try:
            outcome: tuple[Callable[[Any], None], Any] = (done.set_result, work())
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            outcome = (done.set_exception, error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="mqtt-connect", daemon=True).start()
    return await done
