"""The headend, wired: bearers, desks, book, platform. Decides nothing itself.

Up: a datagram is opened at its station's desk; what it says is on disk, then with the broker, and only then acknowledged. Down:
alerts, beacons and key-sets to every station they concern by every bearer it has, commands to stations that are not online.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from agent.bearers.keeper import open_private
from agent.headend.addresses import Addresses
from agent.headend.book import Book, Letter
from agent.headend.config import HeadendConfig, Made, StationTable
from agent.headend.desk import Desk, Heard
from agent.headend.down import Down
from agent.headend.holder import Holder
from agent.headend.outbox import Outbox
from agent.headend.platform_link import Platform
from agent.headend.post import Post
from agent.headend.road import Load, Road
from agent.supervisor import Supervisor
from drivers.api import Bearer, Context, Datagram
from protocols import envelope, event, record
from protocols.errors import RemoteError
from protocols.key import parse_key
from protocols.narrow import header, keys
from protocols.narrow.header import Frame, Kind
from protocols.narrow.reassembly import Reassembly

log = logging.getLogger(__name__)

MOST_BYTES = 8 << 20  # of pieces held, of all stations
GAP = 90.0  # seconds without a piece after which what is missing is said unasked: more than a BeiDou slot
LOOKS = 5.0  # seconds between looks for such, and for what is to be written
TO_BE_KEPT = frozenset({Kind.EVENT, Kind.DATA, Kind.DIGEST})


class Headend:
    """`run` until SIGTERM or SIGINT."""

    def __init__(self, config: HeadendConfig) -> None:
        self.config = config
        self.counts: dict[str, Counter[str]] = {}
        self.stop = asyncio.Event()

    async def run(self) -> None:
        config = self.config
        self.book = Book(config.state / "headend.db")
        try:
            self._open()
            async with Supervisor(self._report) as house:
                for road in self.roads.values():
                    house.keep(f"bearer {road.name}", road.bearer.run)
                    house.keep(f"way down {road.name}", road.run)
                    house.keep(f"way up {road.name}", self._listening(road))
                house.keep("platform", self.platform.run)
                house.keep("outbox", self.outbox.run)
                house.keep("receipts", self._gather)
                house.keep("looks", self._look)
                house.keep("beacons", self.down.remind)
                for name in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(name, self.stop.set)
                log.info("headend %s: %d stations, %d bearers", config.headend.name, len(self.desks), len(self.roads))
                await self.stop.wait()
                house.stop()
            self._keep_all()
        finally:
            self.book.close()

    def status(self) -> dict[str, Any]:
        return {
            "platform": self.platform.link.connected,
            "outbox": self.book.waiting,
            "covered": self.down.covered,
            "bearers": {name: {**road.status(), "up": dict(self.counts[name])} for name, road in self.roads.items()},
            "stations": {
                name: {"epoch": desk.session.epoch.number if desk.session else None, "online": self.down.online(name)}
                for name, desk in self.desks.items()
            },
        }

    def _open(self) -> None:
        config = self.config
        private = open_private(config.base / config.headend.key)
        self.reassembly = Reassembly(most_bytes=MOST_BYTES)
        self.desks = {one.id: self._desk(one, private) for one in config.stations}
        self.book.write(
            [(name, desk.save()) for name, desk in self.desks.items()]
        )  # numbers reserved, before any is used
        context = Context(config.base, self._report, state=config.state)
        self.roads = {one.name: Road(_make(one, context)) for one in config.bearers}
        self.posts = {one.name: Post(shared=one.shared) for one in config.bearers}
        self.counts = {name: Counter() for name in self.roads}
        self.addresses = Addresses(config)
        self.down = Down(config, self.addresses, self.desks, self.roads, self.book, self.counts)
        self.platform = Platform(config, self._from_platform, self._seen_by_all, self._report)
        self._disk = asyncio.Lock()
        self.outbox = Outbox(self.book, self._disk, self.posts, self.platform.publish)

    def _desk(self, table: StationTable, private: bytes) -> Desk:
        return Desk(
            table.id,
            self.config.platform.root,
            keys.agree(private, bytes.fromhex(table.key)),
            self.config.headend.instance,
            Holder(self.book.held(table.id)),
            self.reassembly,
            now=time.time,
            random=os.urandom,
            kept=self.book.station(table.id),
        )

    # Up

    def _listening(self, road: Road) -> Callable[[], Coroutine[Any, Any, None]]:
        async def listen() -> None:
            async for datagram in road.bearer.incoming():
                await self._hear(road, datagram)

        return listen

    async def _hear(self, road: Road, datagram: Datagram) -> None:
        counts = self.counts[road.name]
        counts["heard"] += 1
        try:
            frame = header.decode(datagram.data)
        except RemoteError as wrong:
            counts[wrong.reason] += 1
            return
        if self.book.full and frame.kind in TO_BE_KEPT:
            counts["full"] += 1  # the platform is away and the disk has had enough: unopened, the station keeps it
            return
        found = self.addresses.who(road.name, datagram.sender, frame.address)
        if not found:
            counts["unknown-sender"] += 1  # neither answered nor logged: anybody can send these
            return
        heard = Heard("forged")
        for station in found:
            heard = self.desks[station].hear(road.name, datagram.sender, frame, asyncio.get_running_loop().time())
            if heard.reason != "forged":
                break
        counts[heard.reason or heard.kind] += 1
        await self._act(road, station, frame, heard)

    async def _act(self, road: Road, station: str, frame: Frame, heard: Heard) -> None:
        desk = self.desks[station]
        if heard.keep or desk.must_keep:
            for letter in await self._keep(desk, heard.letters):
                self.outbox.expect(letter)
        for one in heard.settled:
            self.down.settle(station, one)
        named = self.addresses.framed(road.name, station)
        answers = [header.encode(answer._replace(address=named)) for answer in heard.answers]
        road.put(Load.ANSWER, self.addresses.to(road.name, station), answers)
        if heard.receipt is not None:
            number = heard.number if heard.number >= 0 else self._number(station, frame.id)
            self.outbox.acknowledge(road.name, station, heard.receipt, number)

    def _number(self, station: str, low: int) -> int:
        session = self.desks[station].session
        window = session.windows.get(0) if session is not None else None
        return next(iter(window.candidates(low))) if window is not None else low

    async def _gather(self) -> None:
        """Receipts wait a moment for company. Numbers they use are on disk before they leave."""
        while True:
            await asyncio.sleep(self.config.headend.gather)
            for name, post in self.posts.items():
                road = self.roads[name]
                parcels = post.collect(self.desks, road.bearer.traits, lambda: int.from_bytes(os.urandom(2)))
                for desk in self.desks.values():
                    if desk.must_keep:
                        await self._keep(desk)
                for parcel in parcels:
                    road.put(Load.ANSWER, self.addresses.to(name, parcel.station), [parcel.data])

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOKS)
            for name, receipt in self.reassembly.stalled(asyncio.get_running_loop().time(), GAP):
                bearer, _, sender = name.sender.partition(" ")
                station = self.addresses.speaker(bearer, sender)
                if station is not None:
                    self.posts[bearer].give(station, receipt, self._number(station, receipt.id))
            await self._keep_held()

    # What came over MQTT

    def _from_platform(self, topic: envelope.Topic, message: Any) -> None:
        """Numbers that came by the wide way are not published again; warnings and commands go down."""
        desk = self.desks.get(topic.owner)
        if topic.kind in ("warning", "beacon", "keyset"):
            self.down.sealed(topic, message.topic, message.payload)
        elif topic.kind == "command":
            self.down.command(topic, message)
        elif desk is not None and topic.kind == "status":
            self.down.status(topic.owner, message.payload)
        elif desk is not None:
            self._came(desk, topic.kind, message.payload)
        message.ack()

    def _seen_by_all(self, topic: envelope.Topic, message: Any) -> None:
        if topic.kind == "warning":
            self.down.cover(topic, message.topic, message.payload)

    def _came(self, desk: Desk, kind: str, payload: bytes) -> None:
        try:
            if kind == "readings":
                key = record.decode(payload).key
            elif kind == "events":
                found = event.decode(payload)
                key = parse_key(str(found.get("station")), str(found.get("id")))
            else:
                return
        except RemoteError:
            return  # outside the contract: `fengsui listen` says so
        if key.station == desk.station:
            desk.holder.add(key)

    # Disk

    async def _keep(self, desk: Desk, letters: list[Letter] | None = None) -> list[Letter]:
        desk.must_keep = False
        state, held = desk.save(), [(desk.station, *one) for one in desk.holder.changed()]
        async with self._disk:
            return await asyncio.to_thread(self.book.write, [(desk.station, state)], held, letters or [])

    async def _keep_held(self) -> None:
        held = [(desk.station, *one) for desk in self.desks.values() for one in desk.holder.changed()]
        if held:
            async with self._disk:
                await asyncio.to_thread(self.book.write, (), held)
        for desk in self.desks.values():
            while desk.holder.forgotten:
                self.book.forget_log(desk.station, desk.holder.forgotten.pop())

    def _keep_all(self) -> None:
        rows = [(name, desk.save()) for name, desk in self.desks.items()]
        self.book.write(rows, [(name, *one) for name, desk in self.desks.items() for one in desk.holder.changed()])

    def _report(self, kind: str, facts: Mapping[str, Any]) -> None:
        with contextlib.suppress(TypeError, ValueError):
            log.info("%s %s", kind, json.dumps(dict(facts), default=str))


def _make(made: Made, context: Context) -> Bearer:
    bearer: Bearer = made.factory.create(made.config, context)
    return bearer
