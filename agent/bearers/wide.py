"""A platform's MQTT as one of its bearers: the scheduler sees it beside the narrow ones, and it carries by itself."""

from dataclasses import replace
from typing import Protocol

from agent.bearers.way import Way
from drivers.api import Traits

BEAT = (
    20.0  # seconds: a link that stands so long has been answered (it ends itself where nothing answers), and one that
)
# is down so long is not coming back by itself at once
LATENCY = 0.5  # seconds to the platform and back


class Counts(Protocol):
    settled: int


class Uplink(Protocol):
    """The part of `agent.links.uplink.Uplink` that is watched."""

    name: str

    @property
    def counts(self) -> Counts: ...
    @property
    def up(self) -> bool: ...


class Wide:
    def __init__(self, uplink: Uplink, mtu: int, now: float) -> None:
        self.name = uplink.name
        self._uplink = uplink
        self._settled, self._seen, self._changed, self._was = uplink.counts.settled, now, now, False
        self.way = Way(uplink.name, Traits(mtu=mtu, latency=LATENCY), wide=True, open=False)

    def ways(self, now: float) -> list[Way]:
        """As it is now. Down for no longer than a beat, it may be back before a datagram would be anywhere."""
        up = self._uplink.up
        if up is not self._was:
            self._was, self._changed, self._seen = up, now, now
        self.way = replace(self.way.tick(now), open=up or (self.way.open and now - self._changed < BEAT))
        if self._uplink.counts.settled != self._settled:
            self._settled, self._seen = self._uplink.counts.settled, now
            self.way = self.way.answered(now)
        elif now - self._seen >= BEAT:
            self._seen = now
            self.way = self.way.answered(now) if up else replace(self.way, proof=self.way.proof.missed(now))
        return [self.way]
