"""NMEA 0183 instruments by profile: one Source listens to one stream and gives the newest value of each series per beat.

An instrument speaks when it likes, mostly ten times as often as anybody wants to know; what it says between two beats
is overtaken by what it says last.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drivers import address as addresses
from drivers.address import Address
from drivers.api import Context, Emit, Factory, Problem, SeriesSpec, Told
from drivers.condition import Condition
from drivers.pace import Fast, Pace, check_pace
from drivers.pump import pump
from drivers.sensors.names import Naming, check_names
from drivers.sensors.nmea_profile import NmeaProfile, open_nmea
from drivers.stream import open_stream
from drivers.values import Duration
from protocols.errors import LocalError, RemoteError
from protocols.framing import Event, Flaw
from protocols.nmea import NmeaStream, Sentence
from protocols.nmea_decode import decode
from protocols.nmea_map import Pick
from protocols.nmea_time import TIMED, ReceiverTime
from protocols.quality import NOT_EVALUATED, Flag, Reason, quality
from protocols.reading import Reading

SCHEMES = ("serial", "tcp", "replay", "sim")
BURST = 0.2  # seconds in which an instrument says all it has to say, once it has begun
STALE_LEAST = 10.0  # seconds of silence that are a fault, or three beats where those are longer
REOPEN_FIRST, REOPEN_MOST = 0.25, 30.0  # seconds between attempts to open the port, doubling
READ_PATIENCE = 3.0  # seconds that a technician waits: instruments speak once a second or two
RECORDED = 20  # lines that were no sentence, kept for the next report
MOST_SHOWN = 64  # bytes of one of them
BUILD_YEAR = 2026  # no date before it is believed, nor more than twenty years after


class NmeaConfig(Naming, forbid_unknown_fields=True, kw_only=True):
    """`[[sensor]] driver = "nmea"`: one instrument on a port of its own. `checksum = false` believes sentences without, but no
    time that they tell; `time = false` believes none at all.
    """

    name: str
    port: str
    profile: str
    interval: Duration | None = None
    stale: Duration | None = None
    checksum: bool = True
    time: bool = True
    fast: Fast | None = None


class NmeaSource:
    """See `drivers.api.Source`."""

    def __init__(self, config: NmeaConfig, profile: NmeaProfile, address: Address, context: Context) -> None:
        self.name = config.name
        self.interval = float(profile.defaults.interval if config.interval is None else config.interval)
        self.pace = Pace(self.interval, context.station_time)
        self._stale = float(config.stale or max(STALE_LEAST, 3 * self.interval))
        self._checksum = config.checksum
        self._address, self._base, self._now = address, context.base, context.now
        wanted = [one for one in profile.series if one.name not in config.omit]
        self._called = {one.name: config.called(one.name) for one in wanted}
        self._series = {self._called[one.name]: config.bounded(one.name, one.spec(one.step)) for one in wanted}
        self._picks = _by_sentence([one.pick() for one in wanted])
        self._newest: dict[str, tuple[int, float]] = {}  # series of the profile -> boot ms, value
        self._heard = asyncio.Event()
        self._heard_at = 0.0
        self._listening = False
        self._counters: Counter[str] = Counter()
        self._flaws: deque[str] = deque(maxlen=RECORDED)
        played = address.scheme in ("replay", "sim")
        self._time = ReceiverTime() if config.time and config.checksum and not played else None
        self._quality = quality(Flag.NOT_EVALUATED, Reason.SIMULATED) if played else NOT_EVALUATED
        self._condition = Condition(config.name, context.report, context.now, {"port": address.label})

    @property
    def series(self) -> Mapping[str, SeriesSpec]:
        return self._series

    async def run(self, emit: Emit) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._beat(emit))

    async def read_once(self) -> Sequence[Reading]:
        since = self._now()
        listening = None if self._listening else asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(READ_PATIENCE):
                while len(self._since(since)) < len(self._called):
                    await self._next()
        except TimeoutError:
            pass  # what has come is what there is
        finally:
            if listening is not None:
                listening.cancel()
        readings = self._since(since)
        if not readings:
            raise RemoteError(self._condition.reason or "silent", self.name)
        return readings

    def time(self) -> Told | None:
        """See `drivers.api.Timekeeper`."""
        said = self._time.newest if self._time is not None else None
        return None if said is None else Told(said.unix_ms, said.at)

    def status(self) -> Mapping[str, Any]:
        return {**self._condition.status(), "counters": dict(self._counters)}

    async def _listen(self) -> None:
        """Keep the stream open; a port that vanishes is tried again, ever less often."""
        self._listening = True
        wait = REOPEN_FIRST
        try:
            while True:
                try:
                    await self._attend()
                except OSError as wrong:
                    self._counters["port"] += 1
                    self._flaws.append(wrong.strerror or str(wrong))
                    self._condition.failed("port", self._frames, at_once=True)
                wait = REOPEN_FIRST if self._condition.state == "up" else min(2 * wait, REOPEN_MOST)
                await asyncio.sleep(wait)
        finally:
            self._listening = False

    async def _attend(self) -> None:
        stream = await open_stream(self._address, self._base)
        try:
            await pump(stream, NmeaStream(checksum=self._checksum), self._take)
        finally:
            stream.close()

    def _take(self, event: Event) -> None:
        if isinstance(event, Flaw):
            self._counters[event.reason] += 1
            self._flaws.append(event.data[:MOST_SHOWN].decode("ascii", "backslashreplace"))
        elif isinstance(event, Sentence) and (event.kind in self._picks or self._tells_time(event)):
            self._understand(event)

    def _tells_time(self, sentence: Sentence) -> bool:
        return self._time is not None and sentence.talker != "P" and sentence.kind in TIMED

    def _understand(self, sentence: Sentence) -> None:
        try:
            decoded = decode(sentence, BUILD_YEAR)
        except RemoteError as wrong:
            self._counters[wrong.reason] += 1
            return
        at = self._now()
        if self._time is not None and self._tells_time(sentence):
            self._time.take(sentence.kind, decoded, at)
        if sentence.kind in self._picks:
            self._keep(sentence.kind, decoded, at)

    def _keep(self, kind: str, decoded: Mapping[str, Any], at: int) -> None:
        """The newest of each series that is made of this sentence."""
        self._counters["ok"] += 1
        for pick in self._picks[kind]:
            try:
                for value in pick.values(decoded):
                    self._newest[pick.name] = at, value
            except RemoteError as wrong:
                self._counters[wrong.reason] += 1
        self._heard_at = time.monotonic()
        self._heard.set()
        self._condition.succeeded()

    async def _next(self) -> None:
        self._heard.clear()
        await self._heard.wait()

    async def _beat(self, emit: Emit) -> None:
        """The first values at once, then at whole multiples of the interval."""
        since, self._heard_at = self._now(), time.monotonic()
        try:
            async with asyncio.timeout(self._stale):
                await self._next()
            await asyncio.sleep(BURST)
        except TimeoutError:
            pass  # `_watch` says so
        while True:
            started = time.monotonic()
            readings, since = self._since(since), self._now() + 1
            if readings:
                emit(readings)
            self._watch(started)
            await self.pace.beat(started)

    def _since(self, since: int) -> list[Reading]:
        """What has been heard from then on, as of the newest of it."""
        fresh = {name: value for name, (at, value) in self._newest.items() if at >= since}
        at = max((self._newest[name][0] for name in fresh), default=since)
        called = ((self._called[name], value) for name, value in fresh.items())
        return [Reading(name, at, value, self._series[name].unit, self._quality) for name, value in called]

    def _watch(self, now: float) -> None:
        if now - self._heard_at >= self._stale and self._condition.state != "down":
            self._condition.failed("garbage" if self._flaws else "silent", self._frames, at_once=True)

    def _frames(self) -> list[str]:
        """The last lines that were no sentences, for a report; the next one starts afresh."""
        frames = list(self._flaws)
        self._flaws.clear()
        return frames


def _by_sentence(picks: Sequence[Pick]) -> dict[str, list[Pick]]:
    found: dict[str, list[Pick]] = {}
    for pick in picks:
        found.setdefault(pick.kind, []).append(pick)
    return found


def _create(config: NmeaConfig, context: Context) -> NmeaSource:
    profile, problems = open_nmea(config.profile, context.profiles)
    address, wrong = addresses.parse(config.port, "port", SCHEMES)
    if profile is None or address is None:
        raise LocalError("profile", "; ".join(f"{one.key} {one.code}" for one in (*problems, *wrong)))
    return NmeaSource(config, profile, address, context)


def _check(config: NmeaConfig, context: Context) -> Iterator[Problem]:
    address, problems = addresses.parse(config.port, "port", SCHEMES)
    yield from problems
    if address is not None:
        yield from addresses.missing(address, "port", context.base)
    yield from check_pace(config.interval, config.fast)
    profile, problems = open_nmea(config.profile, context.profiles)
    yield from problems
    if profile is not None:
        yield from check_names(config, [one.name for one in profile.series])


FACTORY = Factory(NmeaConfig, _create, _check)
