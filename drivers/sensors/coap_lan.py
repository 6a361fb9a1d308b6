"""Wireless nodes of the station's own that post SenML by CoAP, each with its own key (OSCORE): driver `coap-lan`.

It listens where `[lan]` says and nowhere else. A node may post the series that are named for it and no others, and so
often a minute; whoever proves nothing gets nothing. Which numbers a node has used is on disk before it is answered, so
that nothing recorded on the air is believed a second time after a restart.
"""

import asyncio
import fcntl
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import quote

import msgspec

from drivers.api import Context, Emit, Factory, Lan, Problem, SeriesSpec
from drivers.condition import Condition
from drivers.oscore_files import Marks, check_keys, read_keys
from drivers.sensors.lan_series import LanSeries, check_series, emit_by_instant, readings
from drivers.values import Duration
from protocols.coap_lan import PATH, Answer, Node, Opened, Server
from protocols.errors import LocalError, RemoteError
from protocols.oscore import Window
from protocols.reading import Reading
from protocols.senml_post import Value

PORT = 5683  # IANA
MOST_NODES = 32
WAITING_MOST = 64  # requests whose numbers are being stored; what comes on top is dropped, and comes again
REOPEN = 30.0  # seconds between attempts to listen, where the interface is not there
SIOCGIFADDR = 0x8915  # ioctl: the IPv4 address of an interface (netdevice(7))
Peer = tuple[Any, ...]


class NodeConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`key` a file of its own, mode 0600. `clock`: `utc` believes the node's; else its newest value is as new as its
    arrival. `rate` requests a minute. Silent for `stale` it is a fault.
    """

    name: str
    key: str
    series: dict[str, LanSeries]
    clock: Literal["none", "utc"] = "none"
    rate: float = 60.0
    stale: Duration = Duration(3600.0)


class CoapLanConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "coap-lan"` with a `[[sensor.node]]` for each node."""

    name: str
    node: list[NodeConfig]
    port: int = PORT
    path: str = PATH


class CoapLanSource:
    """See `drivers.api.Source`."""

    def __init__(
        self, config: CoapLanConfig, lan: Lan, context: Context, wall: Callable[[], float] = time.time
    ) -> None:
        self.name = config.name
        self._config, self._lan, self._now, self._wall = config, lan, context.now, wall
        self._by_name = {node.name: node for node in config.node}
        keys = {node.name: read_keys(context.base / node.key) for node in config.node}
        self._server = Server([Node(one.name, keys[one.name], one.rate) for one in config.node], path=config.path)
        self._file = None if context.state is None else context.state / f"coap-lan-{quote(config.name, safe='')}.json"
        self._marks = Marks(None)
        self._conditions = {
            name: Condition(f"{config.name}/{name}", context.report, context.now, {"port": str(config.port)})
            for name in keys
        }
        self._heard = dict.fromkeys(keys, context.now())
        self._newest: dict[str, Reading] = {}
        self._counters: Counter[str] = Counter()
        self._waiting: asyncio.Queue[tuple[Opened, Peer]] = asyncio.Queue(WAITING_MOST)
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def series(self) -> Mapping[str, SeriesSpec]:
        return {one.name: one.spec() for node in self._config.node for one in node.series.values()}

    @property
    def address(self) -> tuple[str, int] | None:
        """Where it listens now."""
        return None if self._transport is None else self._transport.get_extra_info("sockname")[:2]

    async def run(self, emit: Emit) -> None:
        while True:
            try:
                await self._listen(emit)
            except OSError as wrong:
                self._counters["listen"] += 1
                why = wrong.strerror or str(wrong)
                for condition in self._conditions.values():
                    condition.failed("listen", lambda why=why: [why], at_once=True)  # type: ignore[misc]  # mypy cannot type a default in a lambda
            await asyncio.sleep(REOPEN)

    async def read_once(self) -> Sequence[Reading]:
        """Nodes speak when they like: what they said last."""
        if not self._newest:
            raise RemoteError("silent", self.name)
        return list(self._newest.values())

    def status(self) -> Mapping[str, Any]:
        nodes = {name: condition.status() for name, condition in self._conditions.items()}
        states = {one["state"] for one in nodes.values()}
        state = next((one for one in ("down", "unknown", "up") if one in states), "unknown")
        since = max((one["since"] for one in nodes.values()), default=0)
        counters = dict(self._counters + self._server.counts)
        return {"state": state, "since": since, "nodes": nodes, "counters": counters}

    async def _listen(self, emit: Emit) -> None:
        loop = asyncio.get_running_loop()
        self._remember()
        address = self._lan.address or interface_address(self._lan.interface)
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Ear(self._hear), local_addr=(address, self._config.port)
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._serve(emit))
                tasks.create_task(self._watch())
        finally:
            self._transport.close()
            self._transport = None

    def _remember(self) -> None:
        """Which numbers were used before; OSError where that cannot be read, and then nobody is listened to."""
        self._marks = Marks(self._file)
        for name, window in self._marks.kept.items():
            if len(window) != len(Window._fields):
                raise OSError(f"{self._file} is damaged")
            self._server.restore(name, Window(*window))

    def _hear(self, data: bytes, peer: Peer) -> None:
        found = self._server.receive(data, str(peer), asyncio.get_running_loop().time())
        if isinstance(found, Answer):
            self._say(found.data, peer)
        elif found is not None:
            try:
                self._waiting.put_nowait((found, peer))
            except asyncio.QueueFull:
                self._counters["dropped"] += 1

    async def _serve(self, emit: Emit) -> None:
        """What has come in while the last numbers were stored is stored in one go."""
        while True:
            batch = [await self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._store({opened.node: opened.window for opened, _ in batch})
            for opened, peer in batch:
                self._take(opened, peer, emit)

    async def _store(self, windows: Mapping[str, Sequence[int]]) -> None:
        try:
            await asyncio.to_thread(self._marks.store, dict(windows))
        except OSError:  # believed all the same: the marks in memory hold until the next start
            self._counters["unstored"] += 1

    def _take(self, opened: Opened, peer: Peer, emit: Emit) -> None:
        """What is wrong with the values the node is told, and nothing of them is taken."""
        node = self._by_name[opened.node]
        wall = self._wall() if node.clock == "utc" else None
        now = asyncio.get_running_loop().time()
        self._say(self._server.serve(opened, now, lambda values: self._read(node, values, emit), wall), peer)

    def _read(self, node: NodeConfig, values: Sequence[Value], emit: Emit) -> None:
        found, strange = readings(node.series, values, self._now())
        self._counters["strange_series"] += strange
        if not found:
            raise RemoteError("coap.no_series", node.name)
        self._heard[node.name] = self._now()
        self._conditions[node.name].succeeded()
        self._newest |= {one.series: one for one in found}
        emit_by_instant(emit, found)

    def _say(self, data: bytes, peer: Peer) -> None:
        if self._transport is not None:
            self._transport.sendto(data, peer)

    async def _watch(self) -> None:
        """A node that has fallen silent is a fault, said once."""
        while True:
            await asyncio.sleep(min(node.stale for node in self._config.node) / 4)
            for node in self._config.node:
                silent = self._now() - self._heard[node.name] >= node.stale * 1000
                if silent and self._conditions[node.name].state != "down":
                    self._conditions[node.name].failed("silent", at_once=True)


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, hear: Callable[[bytes, Peer], None]) -> None:
        self.datagram_received = hear  # type: ignore[assignment, method-assign]  # the names of its arguments are all that differs

    def error_received(self, _exc: Exception) -> None:
        """A node that is gone; its next request will say otherwise."""


def interface_address(interface: str) -> str:
    """The IPv4 address that an interface has now; OSError where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        answer = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
    return socket.inet_ntoa(answer[20:24])


def create(config: CoapLanConfig, context: Context) -> CoapLanSource:
    if context.lan is None:
        raise LocalError("lan.missing", config.name)
    return CoapLanSource(config, context.lan, context)


def check(config: CoapLanConfig, context: Context) -> Iterator[Problem]:
    if context.lan is None:
        yield Problem("", "lan.missing")
    if not 1 <= config.port <= 65_535:
        yield Problem("port", "value.range", {"value": config.port, "least": 1, "most": 65_535})
    if not 1 <= len(config.node) <= MOST_NODES:
        yield Problem("node", "value.range", {"value": len(config.node), "least": 1, "most": MOST_NODES})
    yield from check_series((node.series for node in config.node), "node")
    names: set[str] = set()
    identities: dict[bytes, str] = {}
    for node in config.node:
        at = f"node[{node.name}]"
        if node.name in names or not node.name:
            yield Problem(f"{at}.name", "lan.node_twice", {"name": node.name})
        names.add(node.name)
        if not 0 < node.rate <= 600 or node.stale <= 0:
            yield Problem(f"{at}.rate", "value.range", {"value": node.rate, "least": 1, "most": 600})
        problems = list(check_keys(context.base / node.key, f"{at}.key"))
        yield from problems
        if not problems:
            identity = read_keys(context.base / node.key).recipient
            if identity in identities:
                yield Problem(f"{at}.key", "lan.same_id", {"id": identity.hex(), "other": identities[identity]})
            identities[identity] = node.name


FACTORY = Factory(CoapLanConfig, create, check)
