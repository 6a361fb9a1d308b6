"""The most memory the agent ever held while a backlog left: its own process, as it is shipped."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from agent.control import ask
from benchmarks.report import Figure, measures
from benchmarks.scene import Scene, scene, until
from benchmarks.station import READINGS, fill

BACKLOG = 1_000_000  # readings
PATIENCE = 120.0  # seconds


@measures(
    3,
    Figure("memory while draining 1,000,000 readings, SenML JSON", "MiB", "≤ 50"),
    Figure("memory while draining 1,000,000 readings, packed", "MiB", "≤ 50"),
)
def memory() -> Mapping[str, float]:
    return {
        "memory while draining 1,000,000 readings, SenML JSON": asyncio.run(_drained("json")),
        "memory while draining 1,000,000 readings, packed": asyncio.run(_drained("packed")),
    }


async def _drained(form: str) -> float:
    async with scene(extra=f'format = "{form}"') as station:
        await asyncio.to_thread(fill, station.agent.database, -(-BACKLOG // READINGS))
        await station.agent.start()
        await until(lambda: _waiting(station) is not None, PATIENCE)
        await until(lambda: _gone(station), PATIENCE, pause=0.2)
        return _most(station.agent.pid)


def _most(pid: int) -> float:
    """MiB, since the process began."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _gone(station: Scene) -> bool:
    left = _waiting(station)
    return left is not None and left < 60


def _waiting(station: Scene) -> int | None:
    answer = ask(station.agent.control, "status", timeout=5.0)
    return int(answer["buffer"]["pending"]["county"]) if answer else None
