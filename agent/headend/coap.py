"""Stations over CoAP: a datagram is a POST on `up/NAME`, and what waits for a station lies at `down/NAME` until it names it.

Frames prove themselves, so that CoAP needs no key of its own here; a name that nobody has is a stranger's. aiocoap is loaded
when this bearer is made.
"""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from agent.headend.listening import address_of, problems
from drivers.api import Accepted, Context, Datagram, Declined, Factory, Problem, Sent, Traits
from drivers.bearers.common import Inbox

if TYPE_CHECKING:
    from aiocoap import Message  # type: ignore[import-untyped]  # aiocoap has no types

LARGEST = 1024  # bytes of a datagram: one block (RFC 7959), and one packet of IP satellite
MOST_WAITING = 64  # datagrams for one station
MOST_NAMES = 10_000
MOST_NAME = 64  # characters
FULL = 60.0  # seconds until a full box is tried again


class CoapServerConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A station posts to `coap://host/up/NAME` and asks for `coap://host/down/NAME`; `at` names NAME."""

    name: str
    listen: str = "127.0.0.1:5683"
    mtu: int = 512


class CoapServer:
    """See `drivers.api.Bearer`."""

    def __init__(self, config: CoapServerConfig, context: Context) -> None:
        self.name, self.counters = config.name, Counter[str]()
        self.traits = Traits(mtu=config.mtu, latency=2.0)
        self.port = 0
        self._config, self._now = config, context.now
        self._inbox = Inbox(self.counters)
        self._boxes: dict[str, deque[bytes]] = {}
        self._since = context.now()

    async def run(self) -> None:
        import aiocoap
        from aiocoap import resource

        site = resource.Site()
        site.add_resource(["up"], _up(self))
        site.add_resource(["down"], _down(self))
        host, port = address_of(self._config.listen)
        server = await aiocoap.Context.create_server_context(site, bind=(host, port), transports=["udp6"])
        self.port = port
        try:
            await asyncio.Event().wait()
        finally:
            self.port = 0
            await server.shutdown()

    async def send(self, data: bytes, to: str = "") -> Sent:
        """Into the station's box; what is fetched is gone when the station names it."""
        if len(data) > self.traits.mtu:
            return Declined("size", None)
        if to not in self._boxes and len(self._boxes) >= MOST_NAMES:
            return Declined("full", FULL)
        box = self._boxes.setdefault(to, deque())
        if len(box) >= MOST_WAITING:
            return Declined("full", FULL)
        if data not in box:
            box.append(data)
        return Accepted()

    def incoming(self) -> AsyncIterator[Datagram]:
        return self._inbox

    def status(self) -> Mapping[str, Any]:
        state = "up" if self.port else "down"
        return {"state": state, "since": self._since, "signal": None, "ready_in": 0.0, "counters": dict(self.counters)}

    def take(self, name: str, data: bytes) -> bool:
        """A datagram from a station that calls itself so."""
        if not name or not 1 <= len(data) <= LARGEST:
            self.counters["size"] += 1
            return False
        self.counters["heard"] += 1
        self._inbox.put(Datagram(data, name, self._now()))
        return True

    def first(self, name: str, known: Iterable[bytes] = ()) -> bytes:
        """What lies on top; what the station names as known is taken away."""
        box = self._boxes.get(name, deque())
        if box and mark(box[0]) in known:
            box.popleft()
        return box[0] if box else b""


def mark(data: bytes) -> bytes:
    """The ETag of a datagram (RFC 7252 §5.10.6)."""
    return hashlib.sha256(data).digest()[:8]


def _name(request: "Message") -> str:
    """The path behind ours: one segment, the station's name."""
    path = request.opt.uri_path
    return path[0][:MOST_NAME] if len(path) == 1 else ""


def _up(server: CoapServer) -> Any:
    import aiocoap
    from aiocoap import resource

    class Up(resource.Resource, resource.PathCapable):  # type: ignore[misc]  # aiocoap has no types
        async def render_post(self, request: "Message") -> "Message":
            name = _name(request)
            if not server.take(name, request.payload):
                return aiocoap.Message(code=aiocoap.BAD_REQUEST)
            return aiocoap.Message(code=aiocoap.CHANGED)

        render_put = render_post

    return Up()


def _down(server: CoapServer) -> Any:
    import aiocoap
    from aiocoap import resource

    class Down(resource.Resource, resource.PathCapable):  # type: ignore[misc]  # aiocoap has no types
        async def render_get(self, request: "Message") -> "Message":
            data = server.first(_name(request), request.opt.etags)
            answer = aiocoap.Message(code=aiocoap.CONTENT, payload=data)
            if data:
                answer.opt.etag = mark(data)
            return answer

    return Down()


def check(config: CoapServerConfig, _context: Context) -> Iterable[Problem]:
    yield from problems("listen", config.listen)
    if not 16 <= config.mtu <= LARGEST:
        yield Problem("mtu", "value.range", {"value": config.mtu, "least": 16, "most": LARGEST})


FACTORY = Factory(CoapServerConfig, CoapServer, check)
