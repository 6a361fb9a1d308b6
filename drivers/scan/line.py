"""One serial line from beginning to end: listen, look for SDI-12 probes, then ask every Modbus address, then who is it?

A line that speaks by itself is never disturbed. Everything that is sent is a read request.
"""

import asyncio
import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers.scan.identify import Candidate, identify
from drivers.scan.ports import Port, holder
from drivers.scan.prober import Outcome, Prober
from drivers.scan.sdi12 import Probe, find_probes
from drivers.sensors.modbus_profile import ModbusProfile
from protocols.modbus_pdu import Request
from protocols.modbus_plan import Planner
from protocols.overheard import UNKNOWN, Heard, recognise
from protocols.scan_plan import Plan, Setting, Step, allowed, forced, forced_at, silence

SNIFF_BAUDS = (9600, 4800, 19200, 38400, 115200)  # what instruments speak by themselves at
SNIFF = 2.2  # seconds at each speed: two beats of an instrument that speaks once a second
MORE_PATIENCE = 5  # times the timeout, for an address at which something was heard that was no answer
SILENT = Heard("silent")
UNASKED = 3  # frames of units that nobody asked: another master polls them


@dataclass(frozen=True, slots=True)
class Device:
    """`kind`: modbus or sdi12. `address`: unit, or SDI-12 address."""

    kind: str
    address: str
    baud: int
    parity: str = "N"
    candidates: Sequence[Candidate] = ()
    registers: Sequence[tuple[int, int]] = ()
    identity: str = ""


@dataclass(slots=True)
class Result:
    """`state`: scanned, silent (nothing found), held, talking (known traffic), foreign (unknown traffic), failed."""

    port: Port
    state: str = "silent"
    why: str = ""
    heard: Heard = SILENT
    baud: int = 0
    devices: list[Device] = field(default_factory=list)
    requests: int = 0


Tell = Callable[[float, str, dict[str, Any]], None]
"""Seconds that are left, as far as is known; a code of what goes on, with its facts."""


async def scan_line(
    port: Port, plan: Plan, profiles: Sequence[ModbusProfile], tell: Tell, *, sdi12: bool = True, quick: bool = False
) -> Result:
    """What hangs there. `quick`: stop after the first setting at which somebody answered."""
    result = Result(port)
    try:
        prober = Prober(port.device, Setting(plan.settings[0].baud))
    except OSError as wrong:
        held = holder(port.device)
        result.state, result.why = (
            ("held", held) if held or wrong.errno == errno.EBUSY else ("failed", str(wrong.strerror))
        )
        return result
    try:
        await _Line(prober, plan, profiles, tell, result).run(sdi12=sdi12, quick=quick)
    except OSError as gone:
        result.state, result.why = "failed", gone.strerror or str(gone)
    finally:
        result.requests = prober.requests
        prober.close()
    return result


class _Line:
    def __init__(
        self, prober: Prober, plan: Plan, profiles: Sequence[ModbusProfile], tell: Tell, result: Result
    ) -> None:
        self._prober, self._plan, self._profiles = prober, plan, profiles
        self._tell, self._result = tell, result
        self._left = forced(plan)
        self._found: dict[int, None] = {}  # units at this setting, in order
        self._again: dict[Step, None] = {}  # something was heard there
        self._strangers = 0

    async def run(self, *, sdi12: bool, quick: bool) -> None:
        self._prober.set(self._plan.settings[0])
        self._progress("scan.listening", seconds=self._plan.listen)
        heard = await self._prober.listen(self._plan.listen)
        self._left -= self._plan.listen
        if heard:
            await self._recognise(heard)
            return
        if sdi12 and await self._sdi12():
            return
        for setting in self._plan.settings:
            if not self._prober.set(setting):
                self._progress("scan.unfit", baud=setting.baud, parity=setting.parity)
                self._left -= forced_at(self._plan, setting)
                continue
            await self._modbus(setting)
            if self._result.state == "foreign" or (quick and self._result.devices):
                return

    def _progress(self, code: str, **facts: Any) -> None:
        self._tell(self._left, code, facts)

    async def _recognise(self, heard: bytes) -> None:
        """Somebody speaks: at which speed, and what? The first that makes sense, else a stranger's line."""
        result, first = self._result, self._prober.setting
        result.heard, result.baud, result.state = recognise(heard), first.baud, "talking"
        for place, baud in enumerate(SNIFF_BAUDS):
            if result.heard.kind not in (UNKNOWN, "silent"):
                return
            if not self._prober.set(Setting(baud)):
                continue
            self._left = (len(SNIFF_BAUDS) - place) * SNIFF
            self._progress("scan.sniffing", baud=baud)
            result.heard, result.baud = recognise(await self._prober.listen(SNIFF)), baud
        if result.heard.kind in (UNKNOWN, "silent"):
            result.heard, result.baud, result.state = Heard(UNKNOWN), 0, "foreign"

    async def _sdi12(self) -> bool:
        self._progress("scan.sdi12")
        self._prober.set(Setting(9600))
        probes: list[Probe] = await find_probes(self._prober, self._asked_probe)
        for one in probes:
            self._result.devices.append(Device("sdi12", one.address, 9600, identity=one.identity))
        if probes:
            self._result.state = "scanned"
        return bool(probes)

    def _asked_probe(self, left: float, address: str, found: int) -> None:
        """Where probes are nobody looks for Modbus: what is left is their addresses."""
        self._left = left
        self._progress("scan.asking_probe", address=address, found=found)

    async def _modbus(self, setting: Setting) -> None:
        self._found, self._again, self._strangers = {}, {}, 0
        for step in self._plan.steps():
            if step.setting != setting:
                continue
            if step.unit not in self._found:
                self._take(step, await self._prober.ask(step.unit, step.request, self._plan.timeout))
            if self._strangers > UNASKED:
                self._result.state, self._result.heard = "foreign", Heard("modbus-rtu")
                return
            self._left -= silence(setting, self._plan.timeout)
            self._progress(
                "scan.asking", baud=setting.baud, parity=setting.parity, unit=step.unit, found=len(self._found)
            )
        for step in self._again:
            if step.unit not in self._found:
                self._take(step, await self._prober.ask(step.unit, step.request, MORE_PATIENCE * self._plan.timeout))
        for unit in sorted(self._found):
            await self._examine(unit, setting)

    def _take(self, step: Step, outcome: Outcome) -> None:
        """A frame of another unit is its late answer, if it was asked; of one that nobody asked, a stranger's traffic."""
        if outcome.answered or step.unit in outcome.others:
            self._found[step.unit] = None
        for unit in outcome.others - {step.unit}:
            if unit in self._plan.units and unit < step.unit:
                self._found.setdefault(unit)
            elif unit not in self._found:
                self._strangers += 1
        if outcome.noise or outcome.others:
            self._again[step] = None

    async def _examine(self, unit: int, setting: Setting) -> None:
        self._progress("scan.examining", unit=unit, baud=setting.baud, parity=setting.parity)
        candidates, registers = await identify(self._prober, unit, self._profiles, self._plan.timeout)
        self._result.state = "scanned"
        self._result.devices.append(Device("modbus", str(unit), setting.baud, setting.parity, candidates, registers))


def hints(profiles: Sequence[ModbusProfile]) -> list[Step]:
    """Each known device as its maker delivers it, asked for a register that it has: some are silent to any other."""
    found = []
    for profile in profiles:
        block = Planner([one.register() for one in profile.series], profile.planned()).blocks()[0]
        request = Request(block.function, block.address, min(block.count, block.registers[0].width))
        if allowed(request) and (request.function, request.address) != (3, 0):
            found.append(Step(Setting(profile.defaults.baud, profile.defaults.parity), profile.defaults.unit, request))
    return list(dict.fromkeys(found))


async def scan_all(lines: Sequence[Any]) -> list[Result]:
    """Several ports side by side: each is a line of its own."""
    return list(await asyncio.gather(*lines))
