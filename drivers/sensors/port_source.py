"""What sensors share that have a serial port to themselves: their configuration, names, counters and condition.

The language is handed in: questions to ask (`asked`), or none where the instrument speaks by itself (`overheard`); how bytes
become frames; what a frame says. One sensor owns one port: it is opened for us alone, and a second owner is refused by
the kernel.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from drivers.address import Address, AddressKey
from drivers.api import Context, Problem, SeriesSpec
from drivers.condition import Condition
from drivers.pace import Fast, Pace, check_pace
from drivers.profile import Series
from drivers.sensors.names import Naming
from drivers.values import Duration
from protocols.errors import LocalError
from protocols.framing import Flaw
from protocols.quality import NOT_EVALUATED, Flag, Reason, quality
from protocols.reading import Reading

PLAYED = ("replay", "sim")  # no device at the other end
PORT = AddressKey("port", ("serial", "tcp", *PLAYED))
RECORDED = 20  # frames that were none, kept for the next report
MOST_SHOWN = 64  # bytes of one of them
MOST_TIMEOUT = 60.0  # seconds


class PortDefaults(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """As the instrument leaves its maker."""

    baud: int = 9600
    parity: str = "N"
    bits: int = 8
    stop: int = 1
    interval: Duration = Duration(10.0)


class Defaults(PortDefaults, forbid_unknown_fields=True, kw_only=True):
    timeout: Duration = Duration(1.0)


class PortConfig(Naming, forbid_unknown_fields=True, kw_only=True):
    """What every sensor on a port of its own takes. `stale`: the silence that is a fault of one that speaks by itself."""

    name: str
    port: str
    profile: str
    interval: Duration | None = None
    stale: Duration | None = None
    fast: Fast | None = None


class AskedConfig(PortConfig, forbid_unknown_fields=True, kw_only=True):
    """And one that may be asked."""

    timeout: Duration | None = None


class PortSeries(Series, forbid_unknown_fields=True, kw_only=True):
    """`step`: the resolution, where the instrument's manual has one."""

    step: float = 0.0


class Question(NamedTuple):
    """`data` goes out as it is; `name` says which it is, to whoever reads the answer."""

    name: str
    data: bytes


class Splitter(Protocol):
    def feed(self, data: bytes) -> Sequence[Any]:
        """Whole frames, and `Flaw`s for what is none."""
        ...


class Language(Protocol):
    """`questions` are asked one after the other; none: the instrument speaks when it likes."""

    @property
    def questions(self) -> Sequence[Question]: ...
    def splitter(self) -> Splitter: ...
    def read(self, frame: Any, asked: Question | None) -> tuple[Mapping[str, float], Sequence[str]]:
        """Values by the profile's series names, and why others are not there. RemoteError where the frame is not believed;
        `foreign` where it is not the answer to what was asked.
        """
        ...


class Wanted(NamedTuple):
    """A series of the profile: what the station calls it, and what is plausible for it."""

    called: str
    spec: SeriesSpec


class Setup(NamedTuple):
    """What a sensor's configuration and its profile come to, in its place. `interval` in seconds."""

    config: PortConfig
    context: Context
    address: Address
    wanted: Mapping[str, Wanted]
    interval: float


class PortSource:
    """Half of a `drivers.api.Source`; `run` and `read_once` are its heirs'."""

    def __init__(self, setup: Setup) -> None:
        config, context, address, self._wanted, self.interval = setup
        self.name, self._address = config.name, address
        self._base, self._now = context.base, context.now
        self.pace = Pace(self.interval, context.station_time)
        self._counters: Counter[str] = Counter()
        self._flaws: deque[str] = deque(maxlen=RECORDED)
        played = address.scheme in PLAYED
        self._quality = quality(Flag.NOT_EVALUATED, Reason.SIMULATED) if played else NOT_EVALUATED
        self._condition = Condition(config.name, context.report, context.now, {"port": address.label})

    @property
    def series(self) -> Mapping[str, SeriesSpec]:
        return {one.called: one.spec for one in self._wanted.values()}

    def status(self) -> Mapping[str, Any]:
        return {**self._condition.status(), "counters": dict(self._counters)}

    def _readings(self, values: Mapping[str, float], at: int) -> list[Reading]:
        return [
            Reading(self._wanted[name].called, at, value, self._wanted[name].spec.unit, self._quality)
            for name, value in values.items()
            if name in self._wanted
        ]

    def _count(self, reason: str, shown: str) -> None:
        self._counters[reason] += 1
        self._flaws.append(shown[:MOST_SHOWN])

    def _flawed(self, flaw: Flaw) -> None:
        self._count(flaw.reason, flaw.data[:MOST_SHOWN].decode("ascii", "backslashreplace"))

    def _frames(self) -> list[str]:
        """What was no answer, for a report; the next one starts afresh."""
        frames = list(self._flaws)
        self._flaws.clear()
        return frames


class PortProfile(Protocol):
    @property
    def series(self) -> Sequence[PortSeries]: ...
    @property
    def defaults(self) -> PortDefaults: ...


P = TypeVar("P", bound=PortProfile)


def set_up(config: PortConfig, found: tuple[P | None, Sequence[Problem]], context: Context) -> tuple[P, Setup]:
    """The profile found, and the rest, of a configuration that has been checked; LocalError for one that has not."""
    profile, problems = found
    address, wrong = PORT.parse(config.port)
    if profile is None or address is None:
        raise LocalError("profile", "; ".join(f"{one.key} {one.code}" for one in (*problems, *wrong)))
    interval = profile.defaults.interval if config.interval is None else config.interval
    return profile, Setup(config, context, address, _wanted(config, profile.series), float(interval))


def _wanted(config: PortConfig, series: Sequence[PortSeries]) -> dict[str, Wanted]:
    """The series of a profile that this sensor is to give."""
    return {
        one.name: Wanted(config.called(one.name), config.bounded(one.name, one.spec(one.step)))
        for one in series
        if one.name not in config.omit
    }


def timeout_of(config: AskedConfig, defaults: Defaults) -> float:
    """Seconds."""
    return float(defaults.timeout if config.timeout is None else config.timeout)


def check_port(config: PortConfig, base: Path) -> Iterator[Problem]:
    """What is wrong with a sensor's own keys, whatever its language."""
    yield from PORT.check(config.port, base)
    yield from check_pace(config.interval, config.fast)


def check_asked(config: AskedConfig, base: Path) -> Iterator[Problem]:
    yield from check_port(config, base)
    if config.timeout is not None and not 0 < config.timeout <= MOST_TIMEOUT:
        yield Problem("timeout", "value.range", {"value": config.timeout, "least": "1ms", "most": "60s"})
