"""Passing verified warnings on to neighbouring stations: the loop around `relay`, which decides."""

import asyncio
import random
from collections.abc import Callable, Sequence

from agent.bearers import relay
from agent.bearers.beacon_fire import BeaconFire
from agent.bearers.line import Line
from agent.bearers.relay import Forward, Outlet, Relays
from drivers.api import Declined, Sent
from protocols import seal
from protocols.errors import LocalError, RemoteError
from protocols.narrow import fragments, sealed

AIRTIME = 36.0  # seconds of a bearer's airtime in any hour that are for relaying: one in a hundred
NAP = 5.0  # seconds between looks when nothing is due
MOST_DATAGRAMS = 6  # for a warning with its text; beyond that the text stays behind


class Relaying:
    def __init__(self, lines: Sequence[Line], station: str, fire: BeaconFire, now: Callable[[], float]) -> None:
        self.lines = {line.name: line for line in lines}
        self._station, self._now = station, now
        self._relays = Relays(Outlet(name, AIRTIME, self._airtime(line)) for name, line in self.lines.items())
        self._random = random.Random()  # noqa: S311 - spreads stations that heard it together, hides nothing
        if self.lines:
            fire.relays = self._relays

    def chance(self) -> float:
        return self._random.random()

    async def run(self) -> None:
        while True:
            now = self._now()
            for forward in self._relays.due(now):
                self._relays.settle(forward, await self._send(forward), self._now())
            deadline = self._relays.deadline
            await asyncio.sleep(NAP if deadline is None else min(NAP, max(0.05, deadline - now)))

    async def _send(self, forward: Forward) -> Sent:
        """All of its datagrams, one after the other; declined as a whole only before the first has gone."""
        line = self.lines[forward.bearer]
        gone: Sent | None = None
        for data in self._datagrams(line, forward.sealed, forward.hops):
            sent = await self._one(line, data, patient=gone is not None)
            if isinstance(sent, Declined):
                return gone or sent
            gone = sent
        return gone or Declined("too_long", None)

    async def _one(self, line: Line, data: bytes, *, patient: bool) -> Sent:
        """In the middle of a message a wait is waited for."""
        sent = await line.bearer.send(data)
        while patient and isinstance(sent, Declined) and sent.retry_after is not None:
            await asyncio.sleep(max(0.1, sent.retry_after))
            sent = await line.bearer.send(data)
        return sent

    def _datagrams(self, line: Line, data: bytes, hops: int) -> list[bytes]:
        address = relay.address(self._station, hops)
        for form in (data, _bare(data)):
            try:
                found = fragments.one_way(sealed.message(form), line.mtu, address=address)
            except LocalError:
                continue
            if len(found) <= MOST_DATAGRAMS or form == _bare(data):
                return found
        return []

    def _airtime(self, line: Line) -> Callable[[int], float]:
        """Of a whole message, by the driver's own reckoning where it has one."""
        own: Callable[[int], float] = getattr(line.bearer, "airtime", lambda _length: line.bearer.traits.latency)

        def airtime(length: int) -> float:
            mtu = line.mtu
            count = -(-length // max(1, mtu - relay.ADDRESS_BYTES)) + 1
            return count * own(mtu)

        return airtime


def _bare(data: bytes) -> bytes:
    try:
        return seal.uncarry(data)[0]
    except RemoteError:
        return data
