"""What a scan of one RS-485 line takes beside what it must: ten devices among 247 addresses at four speeds, behind a
pseudo-terminal whose replies take the time of the wire, and all of them known in the end.
"""

import asyncio
import time

from benchmarks.report import Figure, Measured, measures
from drivers.profile import find
from drivers.profile_kinds import open_any
from drivers.scan.line import Result, hints, scan_line
from drivers.scan.ports import Port
from drivers.sensors.modbus_profile import ModbusProfile
from drivers.simulated.modbus import PtyBus
from drivers.simulated.profiled import unit_of
from protocols.scan_plan import BAUDS, Plan, forced, settings

DEVICES = (
    "renke-rs-fsxcs-n01", "renke-sn-3001-soil", "qianjia-rain", "dfrobot-sen0492-laser", "dfrobot-sen0482-wind-direction",
    "sl651-level", "icpdas-m-7017c", "surfrad-met", "dfrobot-sen0676-radar", "qdy30a-level",
)  # fmt: skip
TURNAROUND = 0.02  # seconds; makers state 5 to 60 ms
SPREAD = 24  # between addresses


def _profiles() -> dict[str, ModbusProfile]:
    """Those of the ten and what they are told apart from: all that are shipped."""
    from drivers.profile import names

    paths = [path for name in names() if (path := find(name)) is not None]
    found = [open_any(path)[0] for path in paths]
    return {one.name: one for one in found if isinstance(one, ModbusProfile)}


async def _scan(known: dict[str, ModbusProfile], plan: Plan) -> Result:
    units = [unit_of(known[name], 1 + SPREAD * place, TURNAROUND) for place, name in enumerate(DEVICES)]
    async with PtyBus(units, baud=9600, exact=True) as line:
        port = Port(line.path, line.path, "name")
        return await scan_line(port, plan, list(known.values()), lambda *_: None, sdi12=False)


@measures(
    6,
    Figure("scan, 247 addresses at 4 speeds, against what silence and wire force", "x", "≤ 1.2"),
    Figure("scan, 247 addresses at 4 speeds", "s"),
    Figure("devices known of 10 on that bus", "", "10"),
)
def scan() -> Measured:
    known = _profiles()
    plan = Plan(settings(BAUDS, "N"), hints=hints(list(known.values())))
    began = time.perf_counter()
    result = asyncio.run(_scan(known, plan))
    took = time.perf_counter() - began
    best = {one.address: one.candidates[0].profile for one in result.devices if one.candidates}
    right = sum(best.get(str(1 + SPREAD * place)) == name for place, name in enumerate(DEVICES))
    return {
        "scan, 247 addresses at 4 speeds, against what silence and wire force": took / forced(plan),
        "scan, 247 addresses at 4 speeds": took,
        "devices known of 10 on that bus": right,
    }
