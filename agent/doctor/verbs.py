"""What the bench may ask of a running agent beside its status: whether the actuators are there, and what becomes of a sealed
message that is handed in. Nothing is believed because it came by this door: a seal is judged as by any bearer.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from agent.alerts.intake import Done
from agent.control import Verb
from agent.spot.drill import tested
from drivers.api import Outcome
from drivers.within import within

BEARER = "bench"
JUDGED_WITHIN = 20.0  # seconds; behind a flood it takes its turn
LARGEST = 16 * 1024  # bytes; the intake itself refuses what no warning can have


class Path(Protocol):
    """The part of `agent.alerts.alerting.Alerting` that is asked."""

    def submit(self, bearer: str, data: bytes, retained: bool, done: Done) -> None: ...
    def status(self) -> Mapping[str, Any]: ...
    async def probe(self) -> dict[str, Outcome]: ...


def verbs(path: Path | None) -> dict[str, Verb]:
    if path is None:
        return {}

    async def probe(_request: Mapping[str, Any]) -> Mapping[str, Any]:
        return tested(await path.probe())

    async def submit(request: Mapping[str, Any]) -> Mapping[str, Any]:
        """`data` in hexadecimal; answers how often each outcome was counted before and after."""
        try:
            data = bytes.fromhex(str(request.get("data"))[: 2 * LARGEST])
        except ValueError:
            return {"error": "malformed"}
        before, judged = dict(path.status()["counts"]), asyncio.Event()
        path.submit(BEARER, data, retained=False, done=judged.set)
        await within(judged.wait(), JUDGED_WITHIN)
        return {"before": before, "after": dict(path.status()["counts"])}

    return {"probe": probe, "submit": submit}
