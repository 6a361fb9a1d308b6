"""The interfaces between the agent and its machines, and what a driver is given to work with.

A driver module publishes one `Factory` per kind of device. Time, reports and buses are handed in; a driver never looks
for them itself, so that each one runs alone in a test.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from protocols.reading import Reading

Emit = Callable[[Sequence[Reading]], None]
"""Takes all readings of one instant of one device; called on the event loop, returns at once."""

Report = Callable[[str, Mapping[str, Any]], None]
"""`report(type, fields)`: something the platform should hear of, once per change of state (`device.down`, `device.up`)."""


StationTime = Callable[[], float | None]
"""Seconds of the station's own time (Unix time and the zone's offset); None while no clock is to be believed."""


def boot_ms() -> int:
    """Milliseconds of CLOCK_BOOTTIME: runs through suspend, never steps (clock_gettime(2))."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration: the key it stands under, a stable code, and the facts for its sentence."""

    key: str
    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Verdict(Enum):
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an action. `reason` is a stable code; `evidence` is what was seen (coil read back, bytes echoed)."""

    verdict: Verdict
    reason: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    repetition: int = 0  # above 1: no more than a voice's word that it begins to say it for the so-many-th time


@dataclass(frozen=True, slots=True)
class SeriesSpec:
    """What a series is and what is plausible for it; all from the profile, overridable in the configuration.

    `span` is what the sensor can report (outside: bad), `expect` what the site can see (outside: suspect), both in
    `unit`; `rate` the largest believable change per second; `flat` (tolerance, seconds): less movement than the
    tolerance for longer is suspect, and bad after a third number. `step` is the resolution of a value in `unit` (0 where unknown). `lan`: its readings
    come from devices on a network, where anybody could say them, and never sound a siren alone. `spike`: farther from the
    median of the last five than this is suspect.
    """

    unit: str
    span: tuple[float, float] | None = None
    expect: tuple[float, float] | None = None
    rate: float | None = None
    flat: tuple[float, ...] | None = None
    step: float = 0.0
    lan: bool = False
    spike: float | None = None


class Source(Protocol):
    """A device or group of devices that makes readings, polled or pushed. `run` returns only when cancelled."""

    @property
    def name(self) -> str: ...
    @property
    def series(self) -> Mapping[str, SeriesSpec]: ...
    async def run(self, emit: Emit) -> None: ...
    async def read_once(self) -> Sequence[Reading]:
        """One sample now, for a technician; goes before polling. OSError or RemoteError when the device does not answer."""
        ...

    def status(self) -> Mapping[str, Any]:
        """`state` (up, down, unknown), `since` (boot ms), and counters by reason; JSON-ready."""
        ...


@dataclass(frozen=True, slots=True)
class Action:
    """What an actuator is asked to do: `pattern` a named signal, `text` what is shown or spoken (never unescaped).

    A voice says it `repeat` times: the recorded `clips` one after the other if all of them are there, else the text.
    """

    kind: str  # "siren" | "display" | "voice" | "lamp"
    pattern: str = ""
    text: str = ""
    level: str = ""  # "red" | "orange" | "yellow" | "blue"; "" where none is meant
    exercise: bool = False
    key: str = ""  # whose action this is (the alert's identity), for evidence and logs
    clips: tuple[str, ...] = ()
    repeat: int = 1
    area: str = ""  # for whom, in names; "" where it is the place itself


class Actuator(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    async def perform(self, action: Action, until: float, started: Callable[[Outcome], None]) -> Outcome:
        """Act until `until` (time.monotonic seconds), then fall silent. `started` is called with evidence when the device is
        seen to act, or to fail; after a failure once more when it is seen to act after all; and by a voice with each further
        `repetition` as it begins. A second call replaces the first. Cancellation silences.
        """
        ...

    async def silence(self) -> Outcome: ...
    async def probe(self) -> Outcome:
        """Inaudible and invisible: does the device answer?"""
        ...

    def status(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Traits:
    """What a bearer is good for. The scheduler chooses by these and by what it has seen, never by a bearer's name.

    `cost` is that of one unit of `credit` bytes, begun units counted whole (Iridium SBD: 50); `credit = 0` is a price per
    message. `latency` is the usual time to the other side in seconds. `guard` is what the law or the network allows
    beyond `min_interval`: seconds of airtime in any hour (0: no such rule).
    """

    mtu: int  # bytes of one datagram at most
    min_interval: float = 0.0  # seconds between the beginnings of two sends
    cost: float = 0.0  # in the currency of the configuration
    credit: int = 0  # bytes
    latency: float = 1.0  # seconds
    duplex: bool = True  # it can hear, too
    broadcast: bool = False  # one transmission reaches every station in range
    guard: float = 0.0  # seconds of airtime in an hour


class Accepted(NamedTuple):
    """The device or network took it: sent, and no more than that. Only the other side's own word is delivery."""

    reference: str = ""


class Unknown(NamedTuple):
    """It may have gone out: to be sent again is to risk a repeat, which the other side tells apart."""

    reason: str


class Declined(NamedTuple):
    """It did not go out. `retry_after` in seconds, the device's own wait where it says one; None: never as it is."""

    reason: str
    retry_after: float | None = 0.0


Sent = Accepted | Unknown | Declined


class Datagram(NamedTuple):
    """What came in: whole, from one sender as the bearer names it (card number, IMEI, telephone number; "" unknown)."""

    data: bytes
    sender: str = ""
    at: int = 0  # boot milliseconds of its arrival
    broadcast: bool = False


class Bearer(Protocol):
    """A technology that carries datagrams. It never looks into them, and never knows what is urgent.

    `run` keeps the device open and fit; it returns only when cancelled. `send` waits its turn (one at a time) and never
    longer than the device's own longest session; cancelling it leaves the device usable. Traits may change at run time
    (a BeiDou card says its own rate and length).
    """

    @property
    def name(self) -> str: ...
    @property
    def traits(self) -> Traits: ...
    async def run(self) -> None: ...
    async def send(self, data: bytes, to: str = "") -> Sent:
        """`to`: the other side as the bearer names it; "" is the one in the configuration."""
        ...

    def incoming(self) -> AsyncIterator[Datagram]:
        """Ends never; at most a bounded number wait, the oldest is dropped and counted."""
        ...

    def status(self) -> Mapping[str, Any]:
        """`state` (up, down, unknown: of the device, not of the other side), `since` (boot ms), `signal` (0..100 or
        None), `ready_in` (seconds until the next send may begin), counters by reason; JSON-ready.
        """
        ...


class Told(NamedTuple):
    """What a device says the time is: it was `unix_ms` at boot time `at` (ms), give or take `error` ms."""

    unix_ms: int
    at: int
    error: int = 1000


class Timekeeper(Protocol):
    """A bearer or sensor that can tell the time (BeiDou, Iridium, GNSS), too. Asked now and then, never waited for."""

    @property
    def name(self) -> str: ...

    def time(self) -> Told | None:
        """The newest it has heard; None before it has heard any."""
        ...


class Keep(Protocol):
    """Starts a coroutine that is run for ever with back-off; given to drivers that need a pump of their own."""

    def __call__(self, name: str, work: Callable[[], Awaitable[None]]) -> None: ...


class Lan(NamedTuple):
    """Where wireless nodes of the station's own may reach it: an address of this computer or the interface that has one,
    and what for. Named in the configuration, or there is none.
    """

    purpose: str
    address: str = ""
    interface: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a driver gets from its station."""

    base: Path  # relative file names in the configuration start here
    report: Report
    buses: Mapping[str, Any] = field(default_factory=dict)  # name -> drivers.bus.Bus
    now: Callable[[], int] = boot_ms
    profiles: tuple[Path, ...] = ()  # directories of profiles beside the shipped ones
    state: Path | None = None  # where a driver may keep a small file that must survive; None: nothing is kept
    lan: Lan | None = None  # None: no driver listens on any network
    station_time: StationTime = lambda: None  # what sampling is aligned to


@dataclass(frozen=True, slots=True)
class Factory:
    """One kind of driver: its configuration's type, how it is made, and what can be said wrong about it beforehand.

    `check` opens nothing that would disturb a device; it may look whether a file or port exists. `parts` are the typed tables
    of the devices that one is made of.
    """

    config: type[msgspec.Struct]
    create: Callable[[Any, Context], Any]
    check: Callable[[Any, Context], Iterable[Problem]] = lambda _config, _context: ()
    parts: Callable[[Any], Iterable[Any]] = lambda _config: ()
