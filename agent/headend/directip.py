"""Iridium SBD DirectIP: the gateway brings messages over TCP, and takes others. Nothing of it is signed, so that only the
gateway's addresses are listened to.
"""

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from agent.headend.listening import address_of, problems
from drivers.api import Accepted, Context, Datagram, Declined, Factory, Problem, Sent, Traits, Unknown
from drivers.bearers.common import Inbox
from drivers.values import Duration
from drivers.within import within
from protocols import directip
from protocols.errors import ProtocolError

log = logging.getLogger(__name__)

MT_MOST = 270  # bytes that a 9602 or 9603 takes
CREDIT = 50
PATIENCE = 15.0  # seconds for a gateway to say what it has to say
MOST_AT_ONCE = 32  # connections
BUSY = 60.0  # seconds until the gateway's queue is tried again
GATEWAYS = ("12.47.179.0/24",)  # the gateway at Tempe speaks from there (Iridium SBD Developers Guide 3.0 §5.2)


class DirectIpConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`listen`: where the gateway brings messages; `gateway`: where it takes others; `allow`: networks it may speak from.
    `confirm`: the gateway is set to wait for an answer.
    """

    name: str
    listen: str = "127.0.0.1:10800"
    gateway: str = ""
    allow: tuple[str, ...] = GATEWAYS
    confirm: bool = False
    cost: float = 0.0
    interval: Duration = Duration(1.0)


class DirectIp:
    """See `drivers.api.Bearer`; a station is called by its modem's IMEI."""

    def __init__(self, config: DirectIpConfig, context: Context) -> None:
        self.name, self.counters = config.name, Counter[str]()
        self.traits = Traits(
            mtu=MT_MOST, min_interval=float(config.interval), cost=config.cost, credit=CREDIT, latency=30.0
        )
        self.port = 0  # where it listens, once it does
        self._config, self._now = config, context.now
        self._allowed = [ip_network(one) for one in config.allow]
        self._inbox = Inbox(self.counters)
        self._clients = itertools.count(1)
        self._open = 0
        self._since = context.now()

    async def run(self) -> None:
        host, port = address_of(self._config.listen)
        server = await asyncio.start_server(self._accept, host, port, limit=directip.LONGEST)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            await server.serve_forever()

    async def send(self, data: bytes, to: str = "") -> Sent:
        """`to` is an IMEI. Taken into the gateway's queue is all that anybody can know."""
        if not self._config.gateway:
            return Declined("no-gateway", None)
        message = directip.Mt(to, data, (next(self._clients) & 0xFFFFFFFF).to_bytes(4))
        try:
            answer = await within(self._exchange(directip.encode(message)), PATIENCE)
        except (OSError, TimeoutError, EOFError) as wrong:
            return Unknown(type(wrong).__name__)
        except ProtocolError as wrong:
            return Declined(wrong.reason, None) if "length" in wrong.reason else Unknown(wrong.reason)
        if not isinstance(answer, directip.MtConfirmed) or answer.client != message.client:
            return Unknown("answer")
        if answer.queued:
            return Accepted(str(answer.reference))
        reason = directip.MT_STATUSES.get(answer.status, str(answer.status))
        return Declined(reason, BUSY if answer.status in directip.PASSING else None)

    def incoming(self) -> AsyncIterator[Datagram]:
        return self._inbox

    def status(self) -> Mapping[str, Any]:
        state = "up" if self.port else "down"
        return {"state": state, "since": self._since, "signal": None, "ready_in": 0.0, "counters": dict(self.counters)}

    async def _exchange(self, message: bytes) -> directip.Message:
        reader, writer = await asyncio.open_connection(*address_of(self._config.gateway))
        try:
            writer.write(message)
            await writer.drain()
            return await _read(reader)
        finally:
            writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = ip_address(writer.get_extra_info("peername")[0])
        if self._open >= MOST_AT_ONCE or not any(peer in network for network in self._allowed):
            self.counters["stranger" if self._open < MOST_AT_ONCE else "crowded"] += 1
            writer.close()
            return
        self._open += 1
        try:
            await self._take(await within(_read(reader), PATIENCE), writer)
        except (OSError, EOFError, TimeoutError):
            self.counters["broken"] += 1
        except ProtocolError as wrong:
            self.counters[wrong.reason] += 1
        finally:
            self._open -= 1
            writer.close()

    async def _take(self, message: directip.Message, writer: asyncio.StreamWriter) -> None:
        if not isinstance(message, directip.Mo):
            self.counters["unexpected"] += 1
            return
        self.counters["heard"] += 1
        if message.payload:  # a session without one is a modem that looked into its mailbox
            self._inbox.put(Datagram(message.payload, message.imei, self._now()))
        if self._config.confirm:
            writer.write(directip.encode(directip.MoConfirmed(taken=True)))
            await writer.drain()


async def _read(reader: asyncio.StreamReader) -> directip.Message:
    head = await reader.readexactly(directip.HEAD)
    return directip.decode(head + await reader.readexactly(directip.length(head)))


def check(config: DirectIpConfig, _context: Context) -> Iterable[Problem]:
    yield from problems("listen", config.listen)
    if config.gateway:
        yield from problems("gateway", config.gateway)
    for one in config.allow:
        try:
            ip_network(one)
        except ValueError as wrong:
            yield Problem("allow", "config.wrong_value", {"value": one, "why": str(wrong)})


FACTORY = Factory(DirectIpConfig, DirectIp, check)
