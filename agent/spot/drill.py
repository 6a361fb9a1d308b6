"""A drill asked for at the bench, and the silent self-test. A drill takes the path of the real thing, from decision to
siren; only what is played differs, and any actual alert ends it.

Knows the warning path by what it needs of it. The weekly cap, the window and the yielding are `agent.alerts.policy`'s and
`agent.alerts.local_alarm`'s, as for every exercise.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, get_args

from agent.alerts.conductor import names
from agent.alerts.orders import Decision, Order
from agent.spot.rules import ActionName, LevelName
from buffer.model import Lane
from drivers.api import Actuator, Outcome, Verdict
from drivers.within import within
from protocols.alert import ActionCode, Level, Local, displayable

log = logging.getLogger(__name__)

LEAST, MOST = 5, 300  # seconds of a drill
USUAL = 30
MOST_STEPS = 500  # kept of one drill: ten actuators do not take fifty
PATIENCE = 20.0  # seconds one question for more steps waits: below the control socket's own
ENDING = 10.0  # seconds for the last words of the actuators
FIRST_TEST = 60.0  # seconds after the start until the first self-test: devices have come up by then

Record = Callable[[str, Mapping[str, Any], Lane], object]


class Path(Protocol):
    """The part of `agent.alerts.alerting.Alerting` that a drill needs."""

    watchers: list[Callable[[Sequence[Order]], None]]

    def local(self, alarm: Local) -> Decision: ...
    def end(self, identity: bytes) -> None: ...
    async def probe(self) -> dict[str, Outcome]: ...


class Tap:
    """Hands every acknowledgement on to be signed and kept, and lets others hear it too."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self.listeners: list[Callable[[str, Mapping[str, Any]], None]] = []

    def __call__(self, kind: str, fields: Mapping[str, Any], lane: Lane = Lane.ALARM) -> object:
        for listener in self.listeners:
            try:
                listener(kind, fields)
            except Exception:  # whoever listens in must not keep a word from being written
                log.exception("a listener failed")
        return self._record(kind, fields, lane)


class Drill:
    """One at a time. The verbs of the control socket: `start`, `watch`, `stop`; each answers JSON."""

    def __init__(self, path: Path, actuators: Sequence[Actuator], tap: Tap, record: Record) -> None:
        self._path, self._actuators, self._record = path, actuators, record
        self._alarm: Local | None = None
        self._steps: list[dict[str, Any]] = []
        self._ended = ""
        self._more = asyncio.Event()
        self._closing: asyncio.Task[None] | None = None
        self._number = 0
        self._begun = False
        self._result: dict[str, Any] = {}
        tap.listeners.append(self._hear)
        path.watchers.append(self._watch)

    async def start(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """`event`, `level`, `action`, `plan`, `seconds`, `siren`, and with a siren `sure`: that somebody typed yes."""
        if self._alarm is not None:
            return {"error": "drill.running"}
        self._number += 1
        alarm = _alarm(request, self._number)
        if isinstance(alarm, str):
            return {"error": alarm}
        if alarm.alone and request.get("sure") is not True:
            return {"error": "drill.not_typed"}
        self._alarm, self._steps, self._begun, self._ended, self._result = alarm, [], False, "", {}
        decision = self._path.local(alarm)
        order = next((one for one in decision.orders if one.identity == alarm.identity), None)
        if order is None:
            self._alarm = None
            return {"error": "drill.refused", "reason": decision.outcome}
        withheld = dict(order.withheld)
        self._record(
            "drill.begun", {"alert": alarm.identity.hex(), "siren": alarm.alone, "withheld": withheld}, Lane.EVENT
        )
        return {
            "drill": self._number,
            "channels": names(order.channels),
            "withheld": withheld,
            "seconds": alarm.seconds,
        }

    async def watch(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The steps after number `after`, as soon as there are any; `result` when it is over."""
        after = request.get("after", 0)
        if not isinstance(after, int) or after < 0:
            return {"error": "drill.words"}
        if len(self._steps) <= after and not self._result:
            self._more.clear()
            try:
                await within(self._more.wait(), PATIENCE)
            except TimeoutError:
                return {"steps": [], "result": {}}
        return {"steps": self._steps[after:], "result": self._result if len(self._steps) >= after else {}}

    async def stop(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._alarm is not None:
            self._ended = self._ended or "stopped"
            self._path.end(self._alarm.identity)
        return {"stopped": self._alarm is not None}

    # What is heard of it

    def _hear(self, kind: str, fields: Mapping[str, Any]) -> None:
        if self._alarm is None or fields.get("alert") != self._alarm.identity.hex() or len(self._steps) >= MOST_STEPS:
            return
        self._steps.append({"step": kind, **{name: value for name, value in fields.items() if name != "alert"}})
        self._more.set()

    def _watch(self, orders: Sequence[Order]) -> None:
        """Is it still in force? If not: by time, by hand, or because a real warning came."""
        if self._alarm is None or self._closing is not None:
            return
        stands = any(one.identity == self._alarm.identity for one in orders)
        self._begun = self._begun or stands  # orders of a decision before ours may still be on their way
        if self._begun and not stands:
            real = any(not one.exercise and one.action is not ActionCode.ALL_CLEAR for one in orders)
            self._ended = "yielded" if real else self._ended or "over"
            self._closing = asyncio.get_running_loop().create_task(self._close())

    async def _close(self) -> None:
        """When every actuator has had its last word, or has not in time."""
        deadline = asyncio.get_running_loop().time() + ENDING
        while self._speaking() and asyncio.get_running_loop().time() < deadline:
            self._more.clear()
            try:
                await within(self._more.wait(), 1.0)
            except TimeoutError:
                continue
        self._result = self._judged()
        self._record("drill.done", self._result, Lane.EVENT)
        self._alarm, self._closing = None, None
        self._more.set()

    def _speaking(self) -> set[str]:
        """Actuators that started and have not ended."""
        state: dict[str, str] = {one["actuator"]: one["step"] for one in self._steps if "actuator" in one}
        return {name for name, step in state.items() if step == "warning.started"}

    def _judged(self) -> dict[str, Any]:
        """Good when every actuator of a channel that was to be played was seen to act, and none failed."""
        decided = next((one for one in self._steps if one["step"] == "warning.decided"), {})
        rows = [self._row(one, decided) for one in self._actuators]
        good = all(row["result"] in ("done", "not-asked") for row in rows) and self._ended == "over"
        siren = self._alarm is not None and self._alarm.alone
        short = siren and "siren" not in decided.get("channels", [])
        return {"ok": good and not short, "ended": self._ended, "siren": siren, "actuators": rows}

    def _row(self, actuator: Actuator, decided: Mapping[str, Any]) -> dict[str, Any]:
        mine = [one for one in self._steps if one.get("actuator") == actuator.name]
        failed = next((one for one in mine if one["step"] == "warning.failed"), None)
        row = {"actuator": actuator.name, "channel": actuator.kind, "reason": ""}
        if failed is not None:
            return row | {"result": "failed", "reason": failed["reason"]}
        if any(one["step"] == "warning.started" for one in mine):
            return row | {"result": "done"}
        if actuator.kind in decided.get("channels", []):
            return row | {"result": "silent"}
        return row | {"result": "not-asked", "reason": decided.get("withheld", {}).get(actuator.kind, "")}


def _alarm(request: Mapping[str, Any], number: int) -> Local | str:
    """The exercise as an alarm, or the code of what is wrong with the request."""
    level, action = request.get("level", "red"), request.get("action", "evacuate")
    event, plan, text = (
        request.get(name, usual) for name, usual in (("event", "flash-flood"), ("plan", ""), ("text", ""))
    )
    seconds = request.get("seconds", USUAL)
    if level not in get_args(LevelName) or action not in get_args(ActionName):
        return "drill.words"
    if not all(isinstance(word, str) for word in (event, plan, text)):
        return "drill.words"
    if not isinstance(seconds, int) or not LEAST <= seconds <= MOST:
        return "drill.seconds"
    return Local(
        rule=f"drill {number}",
        evidence=(),
        event=displayable(event, 40),
        level=Level[level.upper()],
        action=ActionCode[action.upper()],
        text=displayable(text),
        seconds=seconds,
        alone=request.get("siren") is True,
        plan=plan,
        origin="exercise",
    )


async def self_test(path: Path, record: Record, every: float, first: float = FIRST_TEST) -> None:
    """For ever: ask every actuator whether it is there, and write down what it says. Nothing is heard or seen."""
    await asyncio.sleep(min(first, every))
    while True:
        record("selftest.done", tested(await path.probe()), Lane.EVENT)
        await asyncio.sleep(every)


def tested(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    failed = {name: one.reason for name, one in outcomes.items() if one.verdict is not Verdict.DONE}
    return {"ok": not failed, "actuators": sorted(outcomes), "failed": failed}
