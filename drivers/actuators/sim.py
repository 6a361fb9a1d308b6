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

from drivers.api import Action, Context, Factory, Outcome, Problem, Verdict, boot_ms
from drivers.values import Duration

REMEMBERED = 1000  # changes of state kept in memory; a demo makes some tens
LONGEST_FILE = 16 << 20  # bytes; then it is written no more

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
        self._over: asyncio.Event | None = None

    async def perform(self, action: Action, until: float, started: Callable[[Outcome], None]) -> Outcome:
        self._stop()
        if self._config.fault == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(self._config.delay)
        if self._config.fault == "dead":
            return self._failed(started, "sim_dead")
        over = self._over = asyncio.Event()
        self._note(on=True, action=action)
        if self._config.fault == "mismatch":
            started(Outcome(Verdict.FAILED, "sim_mismatch"))
        else:
            started(Outcome(Verdict.DONE, evidence={"simulated": True}))
        begin = self._now()
        try:
            left = until - begin if self.kind == "display" else min(until - begin, self._config.max_on)
            await asyncio.wait_for(over.wait(), max(0.0, left))
        except TimeoutError:
            pass
        finally:
            if self._over is over:
                self._over = None
                self._note(on=False, action=action)
        return Outcome(Verdict.DONE, evidence={"simulated": True, "seconds": round(self._now() - begin, 1)})

    async def silence(self) -> Outcome:
        sounding = self._over is not None
        self._stop()
        if sounding:
            self._note(on=False, action=Action(self.kind))
        return Outcome(Verdict.DONE, evidence={"simulated": True})

    async def probe(self) -> Outcome:
        if self._config.fault in ("dead", "hang"):
            return Outcome(Verdict.FAILED, "sim_dead")
        return Outcome(Verdict.DONE, evidence={"simulated": True})

    def status(self) -> Mapping[str, Any]:
        return {"sounding": self._over is not None, "changes": len(self.log)}

    def _stop(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over.set()

    def _failed(self, started: Callable[[Outcome], None], reason: str) -> Outcome:
        outcome = Outcome(Verdict.FAILED, reason)
        started(outcome)
        return outcome

    def _note(self, *, on: bool, action: Action) -> None:
        entry = {"at": boot_ms(), "monotonic": time.monotonic(), "actuator": self.name, "on": on}
        self.log.append(entry | msgspec.to_builtins(action))
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
