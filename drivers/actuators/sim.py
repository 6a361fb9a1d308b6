"""A siren or display that only remembers what it did: for tests, for the demo, and for a station without one.

With `file` each change of state is also a line of JSON there, so that another process can watch. Its faults (`dead`,
`hang`, `mismatch`) are those of real devices, so that the loop above can be shown one.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from drivers.actuators.turn import Over, Started, Turn
from drivers.api import Action, Context, Factory, Outcome, Problem, Verdict, boot_ms
from drivers.values import Duration

REMEMBERED = 1000  # changes of state kept in memory; a demo makes some tens
LONGEST_FILE = 16 << 20  # bytes; then it is written no more
EVIDENCE = {"simulated": True}

Monotonic = Callable[[], float]


class SimConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: str
    kind: Literal["siren", "display", "voice", "lamp"] = "siren"
    file: str = ""
    fault: Literal["", "dead", "hang", "mismatch"] = ""
    delay: Duration = Duration(0.0)
    max_on: Duration = Duration(180.0)


class Sim:
    """`log` holds the changes: `on`, at boot ms `at` and at `monotonic` seconds, and the action's own words."""

    def __init__(self, config: SimConfig, file: Path | None = None, now: Monotonic = time.monotonic) -> None:
        self.name, self.kind = config.name, config.kind
        self.log: deque[dict[str, Any]] = deque(maxlen=REMEMBERED)
        self._config, self._file, self._now = config, file, now
        self._turn: Turn | None = None
        self._on = False

    async def perform(self, action: Action, until: float, started: Started) -> Outcome:
        self._end("replaced")
        turn = self._turn = Turn(action, started, self._now())
        try:
            await self._act(turn, until)
        except Over:
            return self._result(turn)
        finally:
            if self._turn is turn:
                self._end("ended")
        return self._result(turn)

    async def silence(self) -> Outcome:
        self._end("silenced")
        return Outcome(Verdict.DONE, evidence=EVIDENCE)

    async def probe(self) -> Outcome:
        if self._config.fault in ("dead", "hang"):
            return Outcome(Verdict.FAILED, "sim_dead")
        return Outcome(Verdict.DONE, evidence=EVIDENCE)

    def status(self) -> Mapping[str, Any]:
        state = "down" if self._config.fault else "up"
        return {"state": state, "sounding": self._turn is not None, "changes": len(self.log)}

    async def _act(self, turn: Turn, until: float) -> None:
        fault = self._config.fault
        if fault == "hang":
            await asyncio.Event().wait()
        if self._config.delay:
            await turn.rest(self._config.delay)
        if fault == "dead":
            turn.tell(Verdict.FAILED, "sim_dead")
        else:
            self._on = True
            self._note(turn.action)
            turn.tell(*((Verdict.FAILED, "sim_mismatch") if fault == "mismatch" else (Verdict.DONE, "")), EVIDENCE)
        left = until - turn.begin
        await turn.rest(left if self.kind == "display" else min(left, self._config.max_on))

    def _end(self, why: str) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.end(why)
        if turn is not None and self._on:
            self._on = False
            self._note(turn.action)

    def _result(self, turn: Turn) -> Outcome:
        verdict = Verdict.DONE if turn.said is Verdict.DONE else Verdict.FAILED
        evidence = {**EVIDENCE, "seconds": round(self._now() - turn.begin, 1), "ended": turn.why}
        return Outcome(verdict, "" if verdict is Verdict.DONE else f"sim_{self._config.fault}", evidence)

    def _note(self, action: Action) -> None:
        entry = {"at": boot_ms(), "monotonic": time.monotonic(), "actuator": self.name, "on": self._on}
        self.log.append(entry | msgspec.to_builtins(action) | {"clips": list(action.clips)})
        if self._file is not None:
            self._write(self._file, self.log[-1])

    def _write(self, file: Path, entry: Mapping[str, Any]) -> None:
        """A simulator's notebook that can't be written is no reason to fail."""
        try:
            with file.open("a", encoding="utf-8") as out:
                if out.tell() < LONGEST_FILE:
                    out.write(json.dumps(entry, ensure_ascii=False) + "\n")
        except OSError:
            self._file = None


def create(config: SimConfig, context: Context) -> Sim:
    return Sim(config, context.base / config.file if config.file else None)


def check(config: SimConfig, context: Context) -> Iterable[Problem]:
    if config.file and not (context.base / config.file).parent.is_dir():
        yield Problem("file", "actuator.no_directory", {"file": config.file})


FACTORY = Factory(SimConfig, create, check)
