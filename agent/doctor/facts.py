"""What a check-up looks at: plain facts, with no opinion and no I/O. `None` is what could not be learnt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Clock(NamedTuple):
    """`synchronised`: the kernel's word; `synced_ago` seconds since timesyncd's last; `rtc` Unix seconds of the clock chip."""

    now: float
    source: str
    synchronised: bool | None = None
    synced_ago: float | None = None
    rtc: float | None = None


class Disk(NamedTuple):
    free: int  # bytes for a user without privileges
    size: int
    inodes: int  # free; a file system that has no fixed number says 0 of 0
    inodes_all: int
    wanted: int  # bytes that the buffer may still grow
    writable: bool = True


class Power(NamedTuple):
    """`now` and `since_boot`: words such as `undervoltage`; None where this board says nothing of it."""

    now: tuple[str, ...] | None = None
    since_boot: tuple[str, ...] = ()
    celsius: float | None = None


class Port(NamedTuple):
    path: str
    exists: bool
    usable: bool  # by whoever asks
    holders: tuple[str, ...] = ()  # `name (pid)`
    stable: bool = True  # a name that survives a restart


class Secret(NamedTuple):
    path: str
    mode: int | None  # permission bits; None: it is not there, or not to be seen
    owner: int = 0
    wanted: bool = True  # its absence is a fault


class Listener(NamedTuple):
    protocol: str
    address: str
    port: int
    holder: str = ""  # `name (pid)`, where it is to be seen
    ours: bool = False  # the agent's own


class Broker(NamedTuple):
    """`why` it cannot be reached; `ends` Unix seconds at which its certificate and ours run out."""

    route: str
    host: str
    port: int
    why: str = ""
    ends: float | None = None
    own_ends: float | None = None


class Ring(NamedTuple):
    number: int
    issued: int
    ends: Mapping[str, int] = {}  # Unix seconds, by holder and fingerprint
    why: str = ""  # it is not believed


class Probe(NamedTuple):
    actuator: str
    good: bool
    why: str = ""


class Journal(NamedTuple):
    persistent: bool
    size: int  # bytes on the card


@dataclass(frozen=True, slots=True)
class Facts:
    clock: Clock
    disk: Disk
    years: float | None = None  # until the card is worn out, by forecast
    power: Power = field(default_factory=Power)
    ports: Sequence[Port] = ()
    secrets: Sequence[Secret] = ()
    listeners: Sequence[Listener] = ()
    named: Sequence[tuple[str, int]] = ()  # protocol and port that the configuration opens beyond loopback
    brokers: Sequence[Broker] = ()
    ring: Ring | None = None  # None: the station believes nobody, and is configured so
    status: Mapping[str, Any] | None = None  # a running agent's
    font: bool | None = None  # None: no display is fitted
    voice: bool | None = None  # None: no voice is fitted
    swaps: Sequence[str] = ()
    journal: Journal | None = None
    probes: Sequence[Probe] = ()
