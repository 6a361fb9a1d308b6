"""What goes down: sealed alerts, beacons and key-sets to the stations they concern, commands to those that are not online.

Text beside a seal stays behind where a bearer would need many datagrams for it. Nothing here is believed or judged: the
station checks every seal; a key-set at hand keeps junk from costing slots.
"""

import asyncio
import json
import logging
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from typing import Any

from agent.headend.addresses import Addresses
from agent.headend.book import Book
from agent.headend.config import HeadendConfig
from agent.headend.desk import Desk
from agent.headend.road import Load, Road
from protocols import seal
from protocols.envelope import Topic
from protocols.errors import LocalError, ProtocolError
from protocols.narrow import command, fragments, sealed
from protocols.narrow.command import Command
from protocols.narrow.fragments import Sending
from protocols.narrow.header import Kind
from protocols.narrow.receipt import Receipt

log = logging.getLogger(__name__)

MOST_DATAGRAMS = 4  # that text may cost on a bearer
MOST_SEALED = 16 * 1024  # bytes
MOST_REMEMBERED = 4096  # sealed bytes that went down already: a retained repeat is no news
MOST_COMMANDS = 64  # under way to stations
MOST_COVERED = 256  # alerts of other instances' that wait for their time
COVER = 20.0  # seconds after which an alert that another instance was given goes by this one too
TWICE = 120.0  # seconds after which an alert goes once more: nobody answers for it


class Down:
    def __init__(
        self,
        config: HeadendConfig,
        addresses: Addresses,
        desks: Mapping[str, Desk],
        roads: Mapping[str, Road],
        book: Book,
        counts: Mapping[str, Counter[str]],
    ) -> None:
        self._config, self._addresses, self._desks = config, addresses, desks
        self._roads, self._book, self._counts = roads, book, counts
        self._seen: dict[bytes, None] = {}
        self.covered = 0  # alerts that another instance was given
        self._covering = 0  # alerts that wait for their time
        self._online: dict[str, bool] = {}
        self._commands: deque[tuple[str, Sending]] = deque(maxlen=MOST_COMMANDS)

    def online(self, station: str) -> bool:
        return self._online.get(station, False)

    def status(self, station: str, payload: bytes) -> None:
        try:
            found = json.loads(payload)
        except ValueError:
            return
        self._online[station] = isinstance(found, dict) and found.get("status") == "online"

    def sealed(self, topic: Topic, text: str, payload: bytes) -> None:
        """An alert, beacon or key-set from the platform; an empty body clears a retained one and says nothing."""
        if not payload or len(payload) > MOST_SEALED or payload in self._seen:
            return
        self._remember(payload)
        if topic.kind == "beacon":
            self._book.keep_beacon(topic.name, text, payload)
            return  # daily, with all others
        self._send(Load.ALERT, topic.owner, payload, again=True)

    def cover(self, topic: Topic, text: str, payload: bytes) -> None:
        """An alert that some instance of the group was given. Where that was another, it goes by us too, a little later: the
        other may be gone without the broker's knowing, and two modems are better than one.
        """
        if len(payload) > MOST_SEALED or payload in self._seen or self._covering >= MOST_COVERED:
            return
        self._covering += 1
        asyncio.get_running_loop().call_later(COVER, self._covered, topic, text, payload)

    def _covered(self, topic: Topic, text: str, payload: bytes) -> None:
        self._covering -= 1
        if payload not in self._seen:
            self.covered += 1
            self.sealed(topic, text, payload)

    def command(self, topic: Topic, message: Any) -> None:
        """To a station that does not hear it over MQTT itself."""
        station, desk = topic.owner, self._desks.get(topic.owner)
        if desk is None or message.retain or self.online(station):
            return
        try:
            body = command.encode(Command(topic.name, message.correlation[: command.MOST_CORRELATION], message.payload))
            sealed_message = desk.seal(Kind.COMMAND, body)
        except LocalError as wrong:
            log.warning("the command %s for %s cannot go by a narrow bearer: %s", topic.name, station, wrong)
            return
        if sealed_message is None:
            return
        for road, to, named in self._ways(station):
            try:
                sending = Sending(sealed_message, road.bearer.traits.mtu, address=named)
            except LocalError:
                continue  # too long for this one
            self._commands.append((station, sending))
            road.begin(Load.COMMAND, to, sending)

    def settle(self, station: str, receipt: Receipt) -> None:
        """A station's word on a message of ours."""
        for name, sending in self._commands:
            if name == station:
                sending.hear(receipt)

    async def remind(self) -> None:
        """Daily, every issuer's newest beacon by every bearer: the way down is proven before the day it is for."""
        while True:
            await asyncio.sleep(self._config.headend.beacons)
            for text, payload in self._book.beacons():
                area = text.rsplit("/", 3)[1]
                self._send(Load.BEACON, area, payload, again=False)

    def _send(self, load: Load, area: str, payload: bytes, *, again: bool) -> None:
        """By every bearer that leads to a station there; once for all where it reaches all."""
        for name, road in self._roads.items():
            wanted = [one for one in self._addresses.concerned(area) if self._addresses.reaches(name, one)]
            if not wanted:
                continue
            datagrams = _datagrams(payload, road.bearer.traits.mtu)
            everybody = road.bearer.traits.broadcast
            for to in [""] if everybody else [self._addresses.to(name, one) for one in wanted]:
                road.put(load, to, datagrams)
                if again:
                    self._later(road, load, to, datagrams)
            self._counts[name]["down.sealed"] += 1

    def _later(self, road: Road, load: Load, to: str, datagrams: list[bytes]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(TWICE, road.put, load, to, datagrams)

    def _ways(self, station: str) -> Iterator[tuple[Road, str, bytes]]:
        for name, road in self._roads.items():
            if self._addresses.reaches(name, station) and road.bearer.traits.duplex:
                yield road, self._addresses.to(name, station), self._addresses.framed(name, station)

    def _remember(self, payload: bytes) -> None:
        self._seen[payload] = None
        while len(self._seen) > MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]


def _datagrams(payload: bytes, mtu: int) -> list[bytes]:
    """With its text where that costs little; nothing comes back, so each goes twice or with parity."""
    try:
        core, _ = seal.uncarry(payload)
    except ProtocolError:
        core = payload
    whole = payload
    try:
        if fragments.pieces_of(len(payload), mtu) > MOST_DATAGRAMS:
            whole = core
        return fragments.one_way(sealed.message(whole), mtu)
    except LocalError:
        return []
