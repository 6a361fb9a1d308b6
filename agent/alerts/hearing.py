"""Evidence by ear: was the siren, or the voice, heard by a microphone? Off unless `[microphone]` says where one is.

The background is measured now and then while nothing sounds; when an actuator is seen to act, the same band is listened to.
What is recorded is forgotten at once: only its energy is looked at. Nothing here delays or decides anything.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import msgspec

from buffer.model import Lane
from drivers.api import Problem, Report
from drivers.microphone import BLOCK, RATE, Deaf, blocks
from drivers.values import Duration
from protocols.loudness import HIGH, LOW, Band, Hearing, decibels

log = logging.getLogger(__name__)

AUDIBLE = ("siren", "voice")
BACKGROUND = 3.0  # seconds that one measurement takes
REMEMBERED = 3  # measurements: what is loud in one of them is not taken for a siren
SETTLED = 1.0  # of sound is heard: a slammed door is shorter
LONGEST = 15.0  # seconds after the start in which it must be heard: the slowest signal pauses for four
MOST_WARNINGS = 256  # of which is remembered what was heard

Record = Callable[[str, Mapping[str, Any], Lane], object]
Blocks = Callable[[str], AsyncIterator[bytes]]


class MicrophoneConfig(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`device` as `arecord -L` lists it; the band in Hz; how many decibels above the background count as heard."""

    device: str = "default"
    low: float = LOW
    high: float = HIGH
    margin: float = 10.0
    every: Duration = Duration(600.0)

    def check(self) -> Iterator[Problem]:
        if self.device.startswith("-") or not self.device:
            yield Problem("device", "voice.device", {"device": self.device})
        if not 50 <= self.low < self.high <= RATE / 2:
            yield Problem("low", "value.range", {"value": self.low, "least": 50, "most": self.high})
        if not 3 <= self.margin <= 40:
            yield Problem("margin", "value.range", {"value": self.margin, "least": 3, "most": 40})
        if not 60 <= self.every <= 86_400:
            yield Problem("every", "value.range", {"value": self.every, "least": "1min", "most": "1d"})


class Ear:
    """`record` is the acknowledgements' way, `report` the way of a device's faults. `step` hears every acknowledgement."""

    def __init__(
        self,
        config: MicrophoneConfig,
        record: Record,
        report: Report,
        listen: Blocks = blocks,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config, self._record, self._report, self._blocks, self._now = config, record, report, listen, now
        self._backgrounds: deque[list[float]] = deque(maxlen=REMEMBERED)
        self._sounding: dict[str, tuple[str, str]] = {}  # actuator -> alert, channel
        self._done: deque[tuple[str, str]] = deque(maxlen=MOST_WARNINGS)
        self._changed = asyncio.Event()
        self._fault = ""

    def step(self, kind: str, fields: Mapping[str, Any]) -> None:
        """What an actuator was seen to do."""
        name, channel = str(fields.get("actuator")), fields.get("channel")
        if kind == "warning.started" and channel in AUDIBLE:
            self._sounding[name] = str(fields["alert"]), str(channel)
        elif kind in ("warning.ended", "warning.failed"):
            self._sounding.pop(name, None)
        else:
            return
        self._changed.set()

    async def run(self) -> None:
        """For ever: measure the background, and listen when something sounds."""
        due = self._now()
        while True:
            if not self._sounding and self._now() >= due:
                due = self._now() + self._config.every
                await self._measure()
            elif (asked := self._unheard()) is not None:
                self._done.append(asked)
                await self._prove(*asked)
            else:
                await self._rest(due)

    def status(self) -> Mapping[str, Any]:
        quiet = [round(decibels(Hearing(one, 0, 0).background), 1) for one in self._backgrounds]
        return {"background": quiet, "fault": self._fault}

    def _unheard(self) -> tuple[str, str] | None:
        return next((sound for sound in self._sounding.values() if sound not in self._done), None)

    async def _rest(self, due: float) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(max(0.01, due - self._now()) if not self._sounding else None):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _measure(self) -> None:
        """Given up as soon as anything sounds: that would be no background."""
        found: list[float] = []
        try:
            async for energy in self._energies():
                found.append(energy)
                if self._sounding or len(found) * BLOCK >= BACKGROUND:
                    break
        except Deaf as wrong:
            self._say(wrong.reason, wrong.why)
            return
        self._say("")
        if not self._sounding:
            self._backgrounds.append(found)

    async def _prove(self, alert: str, channel: str) -> None:
        """Listen, and say what was heard."""
        background = [energy for one in self._backgrounds for energy in one]
        if not background:
            self._tell("unheard", alert, channel, "no_background", {})
            return
        hearing, began, heard = Hearing(background, self._config.margin, round(SETTLED / BLOCK)), self._now(), False
        try:
            async for energy in self._energies():
                heard = hearing.take(energy)
                over = (alert, channel) not in self._sounding.values()
                if heard or over or self._now() - began >= LONGEST:
                    break
        except Deaf as wrong:
            self._say(wrong.reason, wrong.why)
            self._tell("unheard", alert, channel, wrong.reason, {"why": wrong.why})
            return
        above = decibels(hearing.loudest) - decibels(hearing.background)
        evidence = {"background_db": round(decibels(hearing.background), 1), "above_db": round(above, 1)}
        evidence |= {"seconds": round(self._now() - began, 1)}
        self._tell("heard" if heard else "unheard", alert, channel, "" if heard else "too_quiet", evidence)

    async def _energies(self) -> AsyncIterator[float]:
        band = Band(RATE, self._config.low, self._config.high)
        async for block in self._blocks(self._config.device):
            yield band.energy(block)

    def _tell(self, step: str, alert: str, channel: str, reason: str, evidence: Mapping[str, Any]) -> None:
        """Who else sounded meanwhile is named: one ear cannot tell a siren from a voice."""
        sounding = sorted({other for of, other in self._sounding.values() if of == alert} | {channel})
        fields = {"alert": alert, "channel": channel, "sounding": sounding, "reason": reason, "evidence": evidence}
        self._record(f"warning.{step}", fields, Lane.ALARM)

    def _say(self, reason: str, why: str = "") -> None:
        """Once per change."""
        if reason == self._fault:
            return
        self._fault = reason
        if reason:
            self._report("microphone.down", {"reason": reason, "why": why})
        else:
            self._report("microphone.up", {"reason": reason})
