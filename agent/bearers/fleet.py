"""The bearers of a configuration, put together: drivers, what each platform sends by them, what they bring down. Decides
nothing itself. Imported only where there is a `[[bearer]]`.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agent.bearers import proven
from agent.bearers.beacon_fire import BeaconFire
from agent.bearers.config import NarrowConfig, headend_of, public_key, route_of
from agent.bearers.dispatch import Dispatch
from agent.bearers.hearing import frame_of
from agent.bearers.hints import Hints
from agent.bearers.keeper import Keeper
from agent.bearers.letters import Letters
from agent.bearers.line import Line
from agent.bearers.opening import open_key, open_line, policy_of, recall, saved, schema_of
from agent.bearers.pact import Pact
from agent.bearers.relays import Relaying
from agent.bearers.stock import Stock
from agent.bearers.urgency import top_level
from agent.bearers.wide import Uplink, Wide
from agent.config import Config
from agent.links.downlink import Command
from agent.record import Recorder
from agent.supervisor import Supervisor, Work
from buffer.model import Lane
from drivers.api import Context, Datagram, SeriesSpec
from protocols.errors import LocalError
from protocols.narrow import command, keys
from protocols.narrow.header import Kind

log = logging.getLogger(__name__)

KEPT = "bearers"  # the buffer's key: what was spent and proven
KEEP_EVERY = 60.0  # seconds
WATCH = 5.0  # seconds between looks at how many bearers are proven
JUNK_WINDOW = 600  # seconds: six lines an hour for a bearer, whatever comes
HINT = 30.0  # seconds between looks at modems' clocks
DAY = 86_400.0
TIMELY = 120.0  # seconds: an answer that came so soon after our hello tells the present

OnWarning = Callable[[str, bytes, bool, Callable[[], None]], None]
OnTrust = Callable[[str, str, bytes, bool, Callable[[], None]], None]


class OnCommand(Protocol):
    def take(self, command: Command, done: Callable[[], None], /) -> None: ...


@dataclass(frozen=True, slots=True)
class House:
    """What the rest of the station gives: `warning` and `trust` as `agent.links.downlink` has them, `commands` by route."""

    uplinks: Sequence[Uplink]
    commands: Mapping[str, OnCommand]
    series: Mapping[str, SeriesSpec]
    warning: OnWarning | None
    trust: OnTrust | None
    genuine: Callable[[bytes], bool]
    standing: Callable[[], Iterable[str]]


class Fleet:
    """Blocks when made: keys and counters are read. `now` is the loop's time."""

    def __init__(
        self, config: Config, recorder: Recorder, context: Context, house: House, now: Callable[[], float]
    ) -> None:
        self._config, self._recorder, self._house, self._now = config, recorder, house, now
        self._buffer, self._clock = recorder.buffer, recorder.clock
        self._narrow = config.narrow or NarrowConfig()
        self._schema = schema_of(house.series, self._narrow.series)
        self.fire = BeaconFire(self._warning, self._trust, house.genuine)
        self._hints = Hints(self._clock)
        self._watch = proven.Watch()
        self._routes = [route.name for route in config.routes]
        self._loop = asyncio.get_running_loop()
        self.lines = {table.name: open_line(table, config.station.id, context) for table in config.bearers}
        self.dispatches: dict[str, Dispatch] = {}
        self._private = self._open_key()
        for uplink in house.uplinks:
            self._open_dispatch(uplink)
        relaying = [line for line in self.lines.values() if line.table.common.relay]
        self.relaying = Relaying(relaying, config.station.id, self.fire, now)
        recall(self.lines.values(), self._buffer.meta(KEPT), self._clock, now())
        self._buffer.subscribe(self._committed)
        self._obeying: set[asyncio.Task[None]] = set()
        self.parts: dict[str, Work] = {}  # further work to be kept running, by name

    def start(self, house: Supervisor) -> None:
        for line in self.lines.values():
            house.keep(f"bearer {line.name}", line.bearer.run)
            house.keep(f"bearer {line.name} heard", lambda line=line: self._listen(line))  # type: ignore[misc]  # mypy cannot type a default in a lambda
        for route, dispatch in self.dispatches.items():
            house.keep(f"narrow {route}", dispatch.run)
        if self.relaying.lines:
            house.keep("relay", self.relaying.run)
        for name, work in self.parts.items():
            house.keep(name, work)
        house.keep("bearers", self._look_after)

    def status(self) -> dict[str, Any]:
        """By bearer."""
        now, day = self._now(), self._day()
        return {name: line.status(now, day, self._queue(name)) for name, line in self.lines.items()}

    def narrow(self) -> dict[str, Any]:
        """By platform."""
        key = "" if self._private is None else keys.public_of(self._private).hex()
        return {route: {"key": key} | dispatch.status() for route, dispatch in self.dispatches.items()}

    def wide(self, route: str) -> dict[str, Any]:
        """What is thought of a platform's MQTT as a bearer."""
        dispatch = self.dispatches.get(route)
        if dispatch is None:
            return {}
        proof = dispatch.wide.way.proof
        ago = None if proof.last is None else round(self._now() - proof.last)
        return {"state": proof.state.value, "proven_seconds_ago": ago, "success": round(proof.rate, 2)}

    def keep(self) -> None:
        """What was spent and proven, for the next start."""
        self._buffer.set_meta(KEPT, saved(self.lines.values(), self._clock, self._now()))

    # Made once

    def _open_key(self) -> bytes | None:
        if not any(headend_of(line.table.common, self._narrow) for line in self.lines.values()):
            return None
        try:
            return open_key(self._config.state)
        except (OSError, LocalError) as wrong:
            log.error("nothing goes up by narrow bearers: %s", wrong)  # noqa: TRY400 - the reason says it all
            self._recorder.event("bearers.no_key", {"why": str(wrong)})
            return None

    def _open_dispatch(self, uplink: Uplink) -> None:
        mine = {name: line for name, line in self.lines.items() if self._leads_to(line, uplink.name)}
        if not mine or self._private is None:
            return
        public = public_key(self._config.base / headend_of(next(iter(mine.values())).table.common, self._narrow))
        keeper = Keeper(self._config.state, public, self._unix(), self._on_loop)
        pact = Pact(self._config.station.id, self._private, public, keeper, now=self._now, unix=self._unix)
        letters = Letters(
            self._config.station.id,
            uplink.name,
            buffer=self._buffer,
            clock=self._clock,
            pact=pact,
            schema=self._schema,
            standing=self._house.standing,
        )
        self._recorder.watch(letters.add)
        [route] = [route for route in self._config.routes if route.name == uplink.name]
        self.dispatches[uplink.name] = Dispatch(
            uplink.name,
            lines=mine,
            wide=Wide(uplink, int(route.max_message), self._now()),
            stock=Stock(self._buffer, uplink.name),
            letters=letters,
            pact=pact,
            policy=policy_of(self._narrow),
            day=self._day,
            top=top_level(self._narrow.level),
            command=lambda line, said: self._command(uplink.name, line, said),
            time=self._told,
            now=self._now,
        )

    def _leads_to(self, line: Line, route: str) -> bool:
        common = line.table.common
        return bool(headend_of(common, self._narrow)) and route_of(common, self._routes) == route

    # What comes in

    async def _listen(self, line: Line) -> None:
        async for datagram in line.bearer.incoming():
            try:
                self._heard(line, datagram)
            except Exception:  # a bug that one datagram found must not end the listening
                line.counts["broken"] += 1
                log.exception("a datagram by %s could not be judged", line.name)
            await asyncio.sleep(0)  # everybody else on the loop has a turn

    def _heard(self, line: Line, datagram: Datagram) -> None:
        frame = frame_of(line, datagram)
        if frame is None:
            return
        if frame.kind is Kind.SEALED:
            self.fire.take(line, datagram.sender, frame, self._now())
            return
        dispatch = next((one for one in self.dispatches.values() if line.name in one.lines), None)
        if dispatch is None:
            line.counts["foreign"] += 1
        else:
            dispatch.hearing.take(line, datagram, frame, self._now())
            dispatch.wake()

    def _warning(self, bearer: str, data: bytes) -> None:
        if self._house.warning is not None:
            self._house.warning(bearer, data, False, _nothing)

    def _trust(self, kind: str, bearer: str, data: bytes) -> None:
        if self._house.trust is not None:
            self._house.trust(kind, bearer, data, False, _nothing)

    def _command(self, route: str, line: Line, said: command.Command) -> None:
        if line.table.common.commands and route in self._house.commands:
            task = asyncio.create_task(self._obey(route, said))
            self._obeying.add(task)
            task.add_done_callback(self._obeying.discard)

    async def _obey(self, route: str, said: command.Command) -> None:
        """Once: that it came is on disk before it is obeyed."""
        if await self.dispatches[route].pact.written():
            taken = Command(said.verb, said.payload, "", said.correlation)
            self._house.commands[route].take(taken, _nothing)

    def _told(self, unix_ms: int, after: float | None) -> None:
        """The headend's clock, for want of a better."""
        if not self._clock.trusted or self._clock.borrowed:
            self._clock.hear(unix_ms // 1000, proven=after is not None and after <= TIMELY)

    # What passes with time

    async def _look_after(self) -> None:
        hint = keep = self._now()
        tell = hint + JUNK_WINDOW
        try:
            while True:
                now = self._now()
                self._count_proven(now)
                if now >= hint:
                    hint = now + HINT
                    self._hints.look(line.bearer for line in self.lines.values())
                if now >= tell:
                    tell = now + JUNK_WINDOW
                    self._tell_junk()
                if now >= keep:
                    keep = now + KEEP_EVERY
                    self.keep()
                await asyncio.sleep(WATCH)
        finally:
            self.keep()

    def _count_proven(self, now: float) -> None:
        """Fewer than two ways out that were seen to work are an alarm of their own."""
        ways = [line.way for line in self.lines.values()]
        ways += [dispatch.wide.way for dispatch in self.dispatches.values()]
        groups = {way.group for way in ways if way.open and way.proof.proven(now, way.period)}
        self._watch, changed = self._watch.see(len(groups), now)
        if changed:
            kind = "bearers.few" if self._watch.few else "bearers.enough"
            self._recorder.event(kind, {"proven": sorted(groups), "bearers": len(ways)}, Lane.ALARM)

    def _tell_junk(self) -> None:
        """What was worth nothing, once a bearer in ten minutes."""
        for line in self.lines.values():
            reasons = line.junk()
            if reasons:
                self._recorder.event("bearer.junk", {"bearer": line.name, "reasons": reasons, "seconds": JUNK_WINDOW})

    # Small things

    def _committed(self, lane: Lane, _last: int) -> None:
        """On the buffer's thread."""
        if lane in (Lane.ALARM, Lane.EVENT):
            self._on_loop(self._wake)

    def _wake(self) -> None:
        for dispatch in self.dispatches.values():
            dispatch.wake(stock=True)

    def _on_loop(self, function: Callable[..., object], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _queue(self, bearer: str) -> int:
        return sum(dispatch.queue(bearer) for dispatch in self.dispatches.values())

    def _unix(self) -> int:
        return self._clock.read().best

    def _day(self) -> float:
        return self._clock.read().best / DAY


def _nothing() -> None:
    """Nobody waits for this."""
