"""What goes into a session with a BeiDou module and what comes out of it, besides bytes."""

from typing import NamedTuple

from protocols.rdss_content import Coding
from protocols.rdss_request import Bss


class Outcome(NamedTuple):
    """What became of a message: `sent` True, False, or None where nobody knows; `wait` seconds, None: never as it is."""

    sent: bool | None
    reason: str = ""
    wait: float | None = 0.0


class Incoming(NamedTuple):
    data: bytes
    sender: str
    broadcast: bool = False


class Held(NamedTuple):
    """Nothing may be sent before this machine time: to be kept over a restart."""

    until: float


class Standing(NamedTuple):
    """The module as a whole: `ready` is good; else `silent` or `no-card`."""

    word: str


class Clock(NamedTuple):
    """A time that the module said: Unix seconds, or seconds of the day."""

    unix: float | None
    day_second: float | None = None


class Options(NamedTuple):
    """What the configuration may set. `protocol`: 2.1, rsmc or auto. `coding` None: mixed for 2.1, decimal for BD-3."""

    protocol: str = "auto"
    coding: Coding | None = None
    point: int = 2  # Lf1, the regional service
    confirm: bool = False
    swapped: bool = False
    beams: Bss | None = None
    position: tuple[float, float, float] | None = None  # degrees, degrees, metres
    most: int = 0  # bytes of a datagram; 0 is what the card may
