"""A transparent LoRa module as a machine: datagrams go out one at a time, each as long as it is on the air. Pure.

The module says nothing about what it sends; time alone tells that it has. What it hears comes as `lora_frame` says.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocols.framing import Event
from protocols.lora_frame import Frames


class Opened(NamedTuple):
    """The line is there; more cannot be known of a module that only listens."""


class Sent(NamedTuple):
    """The time that the datagram under way takes is over."""


class Transparent:
    """See `protocols.framing.Machine`."""

    def __init__(self, *, rssi: bool = False) -> None:
        self._frames = Frames(rssi=rssi)
        self._until: float | None = None

    @property
    def deadline(self) -> float | None:
        return min((at for at in (self._until, self._frames.deadline) if at is not None), default=None)

    def start(self, now: float) -> Sequence[Event]:
        self._until = None
        return [*self._frames.start(now), Opened()]

    def send(self, datagram: bytes, seconds: float, now: float) -> Sequence[Event]:
        """`seconds`: what the line and the air take together. One after the other: the next only after `Sent`."""
        self._until = now + seconds
        return self._frames.send(datagram)

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        return self._frames.receive(data, now)

    def tick(self, now: float) -> Sequence[Event]:
        done: list[Event] = []
        if self._until is not None and now >= self._until:
            self._until = None
            done.append(Sent())
        return [*done, *self._frames.tick(now)]
