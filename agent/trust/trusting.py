"""The unhurried half of trust: beacons and key-sets as they come, silence and expiry as time passes.

Apart from the warnings' own line, so that a flood here delays none of them. What is believed stands in `protocols.beacon` and
`protocols.keyring`; what follows from it in `agent.trust.beacons` and `agent.trust.keyrings`.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

from agent.links.downlink import Done
from agent.trust.beacons import Beacons
from agent.trust.keyrings import Keyrings
from agent.trust.keyset import MOST_BYTES
from protocols import beacon
from protocols.alert import ClockReading, Refusal
from protocols.cose import OVERHEAD

log = logging.getLogger(__name__)

LARGEST = {"beacon": beacon.MAX_PAYLOAD + OVERHEAD, "keyset": MOST_BYTES}  # bytes
MOST_WAITING = {
    "beacon": 128,
    "keyset": 4,
}  # two beacons of every issuer there can be; a key-set is rare, and kept by the broker
PACE = 0.01  # seconds between two at least
SHARE = 9  # times what the last one cost is waited: a flood of forgeries takes a tenth of a processor
LOOK = 30.0  # seconds between looks at what time has brought


class Clock(Protocol):
    def read(self) -> ClockReading: ...


class _Message(NamedTuple):
    kind: str
    bearer: str
    data: bytes
    retained: bool


class Trusting:
    """`hear` is an `agent.links.downlink.OnTrust`, `junk(reason, bearer)` counts what is worth nothing; `run` for ever."""

    def __init__(self, *, keyrings: Keyrings, beacons: Beacons, clock: Clock, junk: Callable[[str, str], None]) -> None:
        self.keyrings, self.beacons = keyrings, beacons
        self._clock, self._junk = clock, junk
        self._waiting: dict[str, deque[_Message]] = {kind: deque() for kind in LARGEST}
        self._some = asyncio.Event()

    def hear(self, kind: str, bearer: str, data: bytes, retained: bool, done: Done) -> None:
        """The broker keeps these, so that it is told at once: nothing here may hold up a warning's acknowledgement."""
        done()
        line = self._waiting[kind]
        if len(data) > LARGEST[kind] or len(line) >= MOST_WAITING[kind]:
            self._junk("oversize" if len(data) > LARGEST[kind] else "flooded", bearer)
        elif data:  # an empty one only says that the broker has forgotten it
            line.append(_Message(kind, bearer, data, retained))
            self._some.set()

    async def run(self) -> None:
        looking = asyncio.create_task(self._look())
        try:
            while True:
                await self._some.wait()
                began = time.perf_counter()
                self._one()
                await asyncio.sleep(max(PACE, SHARE * (time.perf_counter() - began)))
        finally:
            looking.cancel()

    def status(self) -> Mapping[str, Any]:
        ring = self.keyrings.current
        return {
            "keyset": {"number": ring.number, "issued": ring.issued},
            "issuers": self.beacons.status(),
            "silent": self.beacons.silent,
        }

    @property
    def verbs(self) -> dict[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]]:
        """For `agent.control`: a technician brings a key-set."""
        return {"keyset": self._bring}

    async def _bring(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            data = bytes.fromhex(str(request.get("data")))
        except ValueError:
            return {"error": "keyset-malformed"}
        found = self.keyrings.take(data, "bench")
        await self.keyrings.written()
        if isinstance(found, Refusal):
            return {"error": found.reason, "detail": found.detail}
        return {"number": found.number}

    async def _look(self) -> None:
        while True:
            self.keyrings.tick(self._clock.read())
            self.beacons.tick()
            await asyncio.sleep(LOOK)

    def _one(self) -> None:
        """Key-sets first: they decide whom the beacons behind them are believed from."""
        line = next((self._waiting[kind] for kind in ("keyset", "beacon") if self._waiting[kind]), None)
        if line is None:
            self._some.clear()
            return
        message = line.popleft()
        try:
            refused = self._take(message)
        except Exception:  # a bug that one message found must not end the listening
            log.exception("a %s could not be judged", message.kind)
            refused = "broken"
        if refused:
            self._junk(refused, message.bearer)

    def _take(self, message: _Message) -> str:
        """Why it is worth nothing; empty if it was taken."""
        if message.kind == "keyset":
            found = self.keyrings.take(message.data, message.bearer)
            return found.reason if isinstance(found, Refusal) else ""
        told = beacon.verify(message.data, self.keyrings.current, self._clock.read())
        if isinstance(told, Refusal):
            return told.reason
        self.beacons.take(message.bearer, told, retained=message.retained)
        return ""
