"""CoAP over IP satellite and other slow ways: each datagram is one POST, answered when the round trip allows.

What the platform has for the station is observed or asked for, since behind a NAT nobody else can begin. A question is
repeated with a patience of its own; what protects it, if anything, is `coap_words`' business.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from hashlib import sha256
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import msgspec

from drivers.api import Context, Datagram, Declined, Factory, Problem, Sent, Traits, Unknown
from drivers.bearers.coap_client import Client, NoAnswer, Patience
from drivers.bearers.coap_words import ETAG, OCTETS, Clear, Sealed, Shield, etag, outcome, question
from drivers.bearers.common import Inbox, Turn
from drivers.condition import Condition
from drivers.oscore_files import Marks, check_keys, read_keys
from drivers.values import Duration
from protocols import coap_message as coap
from protocols.coap_message import Message
from protocols.errors import LocalError, RemoteError

METHODS = {"post": coap.POST, "put": 3}
SEEN = 8  # datagrams from the other side whose repeats are known
AGAIN_FIRST, AGAIN_MOST = 5.0, 300.0  # seconds between attempts to open a socket, or to observe
RENEW = 900.0  # seconds of an observation: shorter than the memory of most NATs for a peer that is spoken to
LARGEST = 1024  # bytes of a datagram: one block, and with its heads one packet of IP satellite (1280)
CLOSED_AGAIN = 5.0  # seconds


class CoapConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[bearer]] driver = "coap"`. `to` is posted to; `from` is where the other side's datagrams lie: observed, asked for
    every `poll`, or nowhere. `ack_timeout`: as long as a round trip, with room; then doubled `retries` times.
    `key` a file of an OSCORE context.
    """

    name: str
    to: str
    source: str = msgspec.field(name="from", default="")
    downlink: Literal["poll", "observe", "none"] = "poll"
    poll: Duration = Duration(300.0)
    method: Literal["post", "put"] = "post"
    ack_timeout: Duration = Duration(20.0)
    retries: int = 3
    key: str = ""
    mtu: int = 512
    cost: float = 0.0
    credit: int = 0
    latency: float = 2.0

    @property
    def patience(self) -> Patience:
        return Patience(float(self.ack_timeout), self.retries)


class Coap:
    """See `drivers.api.Bearer`."""

    def __init__(self, config: CoapConfig, context: Context) -> None:
        self.name = config.name
        self.counters: Counter[str] = Counter()
        host = urlsplit(config.to).netloc
        self.condition = Condition(config.name, context.report, context.now, {"port": host})
        self._config, self._context = config, context
        self._inbox = Inbox(self.counters)
        self._turn = Turn()
        self._shield: Shield | None = None
        self._client: Client | None = None
        self._sending: asyncio.Task[None] | None = None
        self._seen: deque[bytes] = deque(maxlen=SEEN)
        self._last_tag = b""

    @property
    def traits(self) -> Traits:
        config = self._config
        duplex = config.downlink != "none"
        return Traits(config.mtu, cost=config.cost, credit=config.credit, latency=config.latency, duplex=duplex)

    async def run(self) -> None:
        wait = AGAIN_FIRST
        while True:
            try:
                self._shield = self._shield or _shield(self._config, self._context)
                self._client = await Client.open(self._config.patience)
                await self._listen()
            except (OSError, LocalError) as wrong:
                why = str(wrong) or type(wrong).__name__
                self.counters["socket"] += 1
                self.condition.failed("socket", lambda why=why: [why], at_once=True)  # type: ignore[misc]  # mypy cannot type a default in a lambda
            finally:
                await self._close()
            await asyncio.sleep(wait)
            wait = min(2 * wait, AGAIN_MOST)

    async def send(self, data: bytes, to: str = "") -> Sent:
        """`to`: a URI, else the configured one."""
        if not 1 <= len(data) <= self._config.mtu:
            self.counters["size"] += 1
            return Declined("size", None)

        def begin() -> None:
            if self._client is None:
                self._turn.settle(Declined("socket", CLOSED_AGAIN))
            else:
                self._sending = asyncio.create_task(self._exchange(data, to or self._config.to))

        return await self._turn.take(begin)

    def incoming(self) -> AsyncIterator[Datagram]:
        return self._inbox

    def status(self) -> Mapping[str, Any]:
        shown = {"signal": None, "ready_in": 0.0, "busy": self._turn.busy, "inbox": len(self._inbox)}
        return {**shown, **self.condition.status(), "counters": dict(self.counters)}

    # Up

    async def _exchange(self, data: bytes, to: str) -> None:
        sent: Sent = Unknown("stopped")
        try:
            options = ((coap.CONTENT_FORMAT, coap.uint(OCTETS)),)
            answer = await self._ask(METHODS[self._config.method], to, options, data)
            sent = outcome(answer)
            self.condition.succeeded()
            self._take(answer)
        except RemoteError as wrong:  # somebody answered, and it was not the platform
            sent = Unknown(wrong.reason)
        except (NoAnswer, OSError) as wrong:
            certain = isinstance(wrong, OSError) or wrong.certain
            sent = Declined("unreachable", AGAIN_MOST) if certain else Unknown("no_answer")
            self._silent(str(wrong))
        finally:
            self.counters[sent.reason if isinstance(sent, Declined | Unknown) else "sent"] += 1
            self._turn.settle(sent)

    def _silent(self, why: str) -> None:
        self.counters["silent"] += 1
        self.condition.failed("silent", lambda: [why[:80]])

    async def _ask(
        self, method: int, uri: str, options: Sequence[tuple[int, bytes]] = (), payload: bytes = b""
    ) -> Message:
        """The answer, opened. OSError where a number cannot be stored, RemoteError where it is not the platform's."""
        if self._client is None or self._shield is None:
            raise OSError("closed")
        parts = urlsplit(uri)
        asked = self._shield.ask(question(method, _segments(parts.path), options, payload))
        return self._shield.answer(asked, await self._client.ask(parts.netloc, asked.message))

    # Down

    async def _listen(self) -> None:
        config = self._config
        while True:
            if config.downlink == "none" or not config.source:
                await asyncio.sleep(AGAIN_MOST)
            elif config.downlink == "observe":
                await self._observe()
                await asyncio.sleep(AGAIN_FIRST)
            else:
                more = await self._poll()
                await asyncio.sleep(0 if more else config.poll)

    async def _poll(self) -> bool:
        """One question; whether something new was there, so that there may be more."""
        options = ((ETAG, self._last_tag),) if self._last_tag else ()
        try:
            answer = await self._ask(coap.GET, self._config.source, options)
        except RemoteError as wrong:
            self.counters[wrong.reason] += 1
            return False
        except NoAnswer as wrong:
            self._silent(wrong.why)
            return False
        self.condition.succeeded()
        return self._take(answer)

    async def _observe(self) -> None:
        """Until it ends or is to be renewed: a NAT that has forgotten us says nothing."""
        parts = urlsplit(self._config.source)
        if self._client is None:
            return
        asked = question(coap.GET, _segments(parts.path))
        try:
            async with (
                asyncio.timeout(max(RENEW, 2 * self._config.patience.most)),
                aclosing(self._client.observe(parts.netloc, asked)) as notifications,
            ):
                async for said in notifications:
                    self._notified(said)
        except TimeoutError:
            return
        except NoAnswer as wrong:
            self._silent(wrong.why)

    def _notified(self, answer: Message) -> None:
        self.condition.succeeded()
        self._take(answer)

    def _take(self, answer: Message) -> bool:
        """A datagram that was not seen before."""
        if answer.code >> 5 != 2 or not answer.payload or len(answer.payload) > LARGEST:
            return False
        self._last_tag = etag(answer)
        mark = self._last_tag + sha256(answer.payload).digest()
        if mark in self._seen:
            return False
        self._seen.append(mark)
        self.counters["received"] += 1
        host = urlsplit(self._config.source or self._config.to).netloc
        self._inbox.put(Datagram(answer.payload, host, self._context.now()))
        return True

    async def _close(self) -> None:
        client, self._client = self._client, None
        if self._sending is not None:
            self._sending.cancel()
        self._turn.settle(Unknown("stopped"))
        if client is not None:
            await client.close()


def _segments(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _shield(config: CoapConfig, context: Context) -> Shield:
    if not config.key:
        return Clear()
    file = None if context.state is None else context.state / f"coap-{quote(config.name, safe='')}.json"
    return Sealed(read_keys(context.base / config.key), Marks(file))


def _is_resource(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        rest = parts.query or parts.fragment or parts.port == 0
    except ValueError:  # half of the brackets of an IPv6 address, or no port
        return False
    return parts.scheme == "coap" and bool(parts.hostname) and not rest


def check(config: CoapConfig, context: Context) -> Iterator[Problem]:
    for key, uri in (("to", config.to), ("from", config.source)):
        if (uri or key == "to") and not _is_resource(uri):
            yield Problem(key, "coap.uri", {"uri": uri})
    if config.downlink != "none" and not config.source:
        yield Problem("from", "coap.no_source", {"downlink": config.downlink})
    if config.downlink == "observe" and config.key:
        yield Problem("downlink", "coap.observe_sealed")
    bounds = {"ack_timeout": (1, 120), "retries": (0, 6), "mtu": (16, LARGEST), "poll": (10, 86_400)}
    for name, (least, most) in bounds.items():
        value = getattr(config, name)
        if not least <= value <= most:
            yield Problem(name, "value.range", {"value": value, "least": least, "most": most})
    if config.key:
        yield from check_keys(context.base / config.key, "key")


FACTORY = Factory(CoapConfig, Coap, check)
