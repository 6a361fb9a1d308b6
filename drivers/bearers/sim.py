"""A bearer that exists only here: datagrams between sockets in one directory, lost, late and refused as on a real one.

For tests, and for a demonstration without a modem. Each end is a socket in the directory `air`, named as the others
address it; a file `ADDRESS.gone` beside it takes the modem away. Its chance is seeded, so that a bad day can be repeated.
"""

import asyncio
import os
import random
import socket
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from drivers.api import Accepted, Context, Datagram, Declined, Factory, Problem, Sent, Traits, Unknown
from drivers.values import Duration

MOST_WAITING = 64  # datagrams not yet taken; as a modem's own memory
LOOK = 1.0  # seconds between looks whether the modem is there
TO_ONE, TO_ALL = b"\0", b"\1"  # before each datagram on the socket
EARLY = 0.001  # seconds before its time at which a send still begins: two clocks may differ by their last digit


class SimConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`loss`, `unknown` and `repeat` are shares of what is sent: gone, gone or not without our knowing, and doubled."""

    name: str
    air: str
    address: str = ""
    to: str = "headend"
    mtu: int = 77
    interval: Duration = Duration(60.0)
    latency: Duration = Duration(2.0)
    cost: float = 0.0
    credit: int = 0
    guard: Duration = Duration(0.0)
    duplex: bool = True
    broadcast: bool = False
    signal: int = 80
    loss: float = 0.0
    unknown: float = 0.0
    repeat: float = 0.0
    seed: int = 1


class Sim:
    """`counts`: sent, heard, dropped, and what was refused by reason."""

    def __init__(self, config: SimConfig, context: Context) -> None:
        self.name, self.counts = config.name, Counter[str]()
        self.address = config.address or config.name
        self.traits = Traits(
            mtu=config.mtu,
            min_interval=float(config.interval),
            cost=config.cost,
            credit=config.credit,
            latency=float(config.latency),
            duplex=config.duplex,
            broadcast=config.broadcast,
            guard=float(config.guard),
        )
        self._config, self._now = config, context.now
        self._air = context.base / config.air
        self._chance = random.Random(f"{config.seed}/{self.address}")  # noqa: S311 - to be repeatable is the point
        self._inbox: deque[Datagram] = deque(maxlen=MOST_WAITING)
        self._some = asyncio.Event()
        self._socket: socket.socket | None = None
        self._directory = -1
        self._next = float("-inf")  # loop time of the next send
        self._since = context.now()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                if self._gone != (self._socket is None):
                    self._close(loop) if self._gone else self._open(loop)
                await asyncio.sleep(LOOK)
        finally:
            self._close(loop)

    async def send(self, data: bytes, to: str = "") -> Sent:
        loop = asyncio.get_running_loop()
        if self._socket is None:
            return self._decline("absent", LOOK)
        if len(data) > self.traits.mtu:
            return self._decline("too_long", None)
        early = self._next - loop.time()
        if early > EARLY:
            return self._decline("early", early)
        self._next = loop.time() + self.traits.min_interval
        self.counts["sent"] += 1
        self._launch(loop, data, to or self._config.to)
        if self._chance.random() < self._config.unknown:
            return Unknown("sim")
        return Accepted()

    async def incoming(self) -> AsyncIterator[Datagram]:
        while True:
            while self._inbox:
                yield self._inbox.popleft()
            self._some.clear()
            await self._some.wait()

    def status(self) -> Mapping[str, Any]:
        there = self._socket is not None
        return {
            "state": "up" if there else "down",
            "since": self._since,
            "signal": self._config.signal if there else None,
            "ready_in": self._ready_in(),
            **self.counts,
        }

    @property
    def _gone(self) -> bool:
        return (self._air / f"{self.address}.gone").exists()

    def _ready_in(self) -> float:
        try:
            return round(max(0.0, self._next - asyncio.get_running_loop().time()), 1)
        except RuntimeError:
            return 0.0

    def _launch(self, loop: asyncio.AbstractEventLoop, data: bytes, to: str) -> None:
        """On its way, unless the weather takes it."""
        draw = self._chance.random
        lost, repeated = draw() < self._config.loss, draw() < self._config.repeat
        for _ in range(0 if lost else 1 + repeated):
            loop.call_later(self.traits.latency, self._arrive, data, to)

    def _arrive(self, data: bytes, to: str) -> None:
        everybody = self.traits.broadcast and to in ("", "*")
        ends = [end.stem for end in self._air.glob("*.air")] if everybody else [to]
        for end in ends:
            if end != self.address:
                self._deliver((TO_ALL if everybody else TO_ONE) + data, end)

    def _deliver(self, data: bytes, end: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(data, self._path(end))
        except OSError:  # nobody is there, or they listen too slowly: the ether keeps nothing
            self.counts["unheard"] += 1

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._air.mkdir(parents=True, exist_ok=True)
        self._directory = os.open(self._air, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        (self._air / f"{self.address}.air").unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(self._path(self.address))
        loop.add_reader(self._socket, self._hear)
        self._since = self._now()

    def _close(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._socket is not None:
            loop.remove_reader(self._socket)
            self._socket.close()
            os.close(self._directory)
            (self._air / f"{self.address}.air").unlink(missing_ok=True)
            self._socket, self._since = None, self._now()

    def _path(self, end: str) -> str:
        """By the directory's own number: the name of a socket is at most 107 bytes long (unix(7))."""
        return f"/proc/self/fd/{self._directory}/{end}.air"

    def _hear(self) -> None:
        if self._socket is None:
            return
        try:
            data, sender = self._socket.recvfrom(65536)
        except OSError:
            return
        if not self.traits.duplex:
            return
        self.counts["heard"] += 1
        self.counts["dropped"] += len(self._inbox) == MOST_WAITING
        self._inbox.append(Datagram(data[1:], Path(str(sender)).stem, self._now(), data[:1] == TO_ALL))
        self._some.set()

    def _decline(self, reason: str, retry_after: float | None) -> Declined:
        self.counts[reason] += 1
        return Declined(reason, retry_after)


def check(config: SimConfig, _context: Context) -> Iterable[Problem]:
    for key in ("loss", "unknown", "repeat"):
        share = getattr(config, key)
        if not 0 <= share <= 1:
            yield Problem(key, "value.range", {"value": share, "least": 0, "most": 1})
    if config.mtu < 1:
        yield Problem("mtu", "value.range", {"value": config.mtu, "least": 1, "most": 65_535})
    for key in ("address", "to"):
        if "/" in getattr(config, key):
            yield Problem(key, "bearer.sim_address", {"value": getattr(config, key)})


FACTORY = Factory(SimConfig, Sim, check)
