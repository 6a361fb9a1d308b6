"""A siren behind a Modbus relay that falls silent by itself: the board's own one-shot, re-armed while it should sound.

The agent never closes the relay for good. It asks the board to close it for `shot` seconds and asks again every third of
that; when the agent dies, nobody asks, and the board opens it. What is heard is bounded here a second time: per
activation and per hour, whoever asks.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from drivers.actuators import patterns
from drivers.actuators.board import Lease, find, load
from drivers.actuators.coil import FAILURES, Coil
from drivers.actuators.patterns import Pattern
from drivers.actuators.relay_config import RelayConfig, Timing, allowance_of, check
from drivers.actuators.turn import Over, Started, Turn
from drivers.api import Action, Context, Factory, Outcome, Verdict
from protocols.modbus_pdu import Refused

RETRY = 0.1  # seconds after the first write or read-back that failed, doubled each time: a dead relay is no flood
SHORTEST = 0.15  # seconds: a burst's rest below this is not worth a one-shot, and over before it can be read back
RELEASES = 3  # times the coil is written off before the rest is left to the board's timer

Monotonic = Callable[[], float]


class Switch(Protocol):
    """What closes for a while and opens by itself, whatever becomes of us: a board's relay (`coil`), a pin (`pin`)."""

    @property
    def address(self) -> int: ...
    async def hold(self, now: float, seconds: float, *, fresh: bool) -> None: ...
    async def release(self, now: float) -> None: ...
    async def closed(self) -> bool: ...
    def seen_open(self, now: float) -> None: ...


class _Turn(Turn):
    """A performance, with what it counted."""

    def __init__(self, action: Action, started: Started, begin: float) -> None:
        super().__init__(action, started, begin)
        self.misses = 0  # in a row
        self.facts: dict[str, int] = {"bursts": 0, "arms": 0, "mismatches": 0, "failures": 0}


class Relay:
    """The actuator. One performance at a time; a new one takes over without a gap."""

    def __init__(self, config: Timing, coil: Switch, known: Mapping[str, Pattern], now: Monotonic) -> None:
        self.name, self.kind = config.name, config.kind
        self._config, self._coil, self._patterns, self._now = config, coil, known, now
        self._allowance = allowance_of(config)
        self._turn: _Turn | None = None
        self._last: dict[str, Any] = {}
        self._state = "unknown"

    async def perform(self, action: Action, until: float, started: Started) -> Outcome:
        """See `drivers.api.Actuator`. The first write goes out before anything else is looked at."""
        begin = self._now()
        self._end_turn("replaced", begin)
        pattern = self._patterns.get(action.pattern)
        left = min(until - begin, self._allowance.left(action.key, begin))
        if pattern is None:
            return self._refused(started, "pattern_unknown", {"pattern": action.pattern})
        if left <= 0:
            return self._refused(started, "siren_cap", {"used": round(self._allowance.used(begin), 1)})
        turn = self._turn = _Turn(action, started, begin)
        try:
            for start, stop in pattern.bursts(begin, begin + left):
                await self._burst(turn, start, stop)
            if left < until - begin:
                turn.why = "siren_cap"
        except Over:
            return self._result(turn, None)
        except BaseException:  # cancelled, or a bug: silence first, then let it go on
            await self._finish(turn)
            raise
        return self._result(turn, await self._finish(turn))

    async def silence(self) -> Outcome:
        """Off now, whatever is being performed, and looked at."""
        self._end_turn("silenced", self._now())
        return await self._release()

    async def probe(self) -> Outcome:
        """Does the board answer? Reads one coil and writes nothing."""
        try:
            closed = await self._coil.closed()
        except FAILURES as wrong:
            self._state = "down"
            return Outcome(Verdict.FAILED, *_why(wrong))
        self._state = "up"
        return Outcome(Verdict.DONE, evidence={"coil": closed, "address": self._coil.address})

    def status(self) -> Mapping[str, Any]:
        turn = self._turn
        return {
            "state": self._state,
            "sounding": turn is not None,
            "pattern": turn.action.pattern if turn else "",
            "on_last_hour": round(self._allowance.used(self._now()), 1),
            "last": dict(turn.facts) if turn else self._last,
        }

    async def _burst(self, turn: _Turn, start: float, stop: float) -> None:
        """Keep the relay closed from `start` to `stop`: one shot where it fits, else re-armed every third of a shot."""
        if (early := start - self._now()) > 0:
            await turn.rest(early)
        turn.facts["bursts"] += 1
        shot, fresh = self._config.shot, True
        while (left := stop - (now := self._now())) > SHORTEST:
            turn.guard()
            if await self._arm(turn, min(left, shot), fresh=fresh):
                turn.misses, fresh = 0, False
                again = now + shot / 3 if left > shot else stop
            else:
                again = self._now() + min(RETRY * 2**turn.misses, shot / 3)
                turn.misses += 1
            await turn.rest(min(again, stop) - self._now())

    async def _arm(self, turn: _Turn, seconds: float, *, fresh: bool) -> bool:
        """Arm, then look. False when it has to be done again at once."""
        turn.facts["arms"] += 1
        try:
            await self._coil.hold(self._now(), seconds, fresh=fresh)
            turn.guard()
            closed = await self._coil.closed()
        except FAILURES as wrong:
            turn.facts["failures"] += 1
            self._state = "down"
            turn.tell(Verdict.FAILED, *_why(wrong))
            return False
        if not closed:
            turn.facts["mismatches"] += 1
            self._coil.seen_open(self._now())
            turn.tell(Verdict.FAILED, "relay_readback", {"coil": False, "address": self._coil.address})
            return False
        self._state = "up"
        turn.tell(Verdict.DONE, "", {"coil": True, "address": self._coil.address})
        return True

    def _end_turn(self, why: str, now: float) -> None:
        """The running performance writes nothing from here on, and its seconds are counted before another's are."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.end(why)
            self._count(turn, now)

    def _count(self, turn: _Turn, now: float) -> None:
        self._allowance.spent(turn.action.key, turn.begin, now)
        self._last = dict(turn.facts)

    async def _finish(self, turn: _Turn) -> Outcome | None:
        """Fall silent at the end of a performance that still has the relay."""
        if self._turn is not turn:
            return None
        self._turn = None
        self._count(turn, self._now())
        return await self._release()

    async def _release(self) -> Outcome:
        """Write off, look, again where it did not work; after that only the board's timer is left, and it is short.

        Once somebody else has the relay, what is closed is theirs.
        """
        reason, evidence = "", dict[str, Any]()
        for attempt in range(1, RELEASES + 1):
            try:
                await self._coil.release(self._now())
                if self._turn is not None or not await self._coil.closed() or self._turn is not None:
                    return Outcome(Verdict.DONE, evidence={"coil": False, "attempts": attempt})
                reason, evidence = "relay_stuck", {"coil": True}
            except FAILURES as wrong:
                reason, evidence = _why(wrong)
        return Outcome(Verdict.FAILED, reason, evidence)

    def _result(self, turn: _Turn, off: Outcome | None) -> Outcome:
        evidence = {**turn.facts, "seconds": round(self._now() - turn.begin, 1), "ended": turn.why}
        if turn.said is not Verdict.DONE:
            return Outcome(Verdict.FAILED, "relay_never_closed", evidence)
        if off is not None and off.verdict is not Verdict.DONE:
            return Outcome(Verdict.PARTIAL, off.reason, {**evidence, **off.evidence})
        return Outcome(Verdict.DONE, evidence=evidence)

    def _refused(self, started: Started, reason: str, evidence: Mapping[str, Any]) -> Outcome:
        outcome = Outcome(Verdict.REFUSED, reason, evidence)
        started(outcome)
        return outcome


def _why(wrong: Exception) -> tuple[str, dict[str, Any]]:
    """A refusal by the board (wrong profile, no such relay) is another errand for the technician than silence."""
    reason = "relay_refused" if isinstance(wrong, Refused) else "relay_no_answer"
    return reason, {"why": str(wrong)[:200]}


def create(config: RelayConfig, context: Context, now: Monotonic = time.monotonic) -> Relay:
    path = find(config.board, context.profiles)
    if path is None:
        raise ValueError(f"no board profile called {config.board}")
    board = load(path)
    bus = context.buses[config.bus]
    lease = Lease(board.one_shot, now(), left=config.shot)
    coil = Coil(bus, board, unit=config.unit, channel=config.channel, patience=config.timeout, lease=lease)
    return Relay(config, coil, patterns.shipped() | config.patterns, now)


FACTORY = Factory(RelayConfig, create, check)
