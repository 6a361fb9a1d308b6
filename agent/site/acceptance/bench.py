"""What an acceptance may do: ask the agent, read sensors, wait. The steps know no more of the world, so that a test stands in."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from agent.config import Config
from agent.control import ask_any

Facts = Mapping[str, Any]
LOOK = 1.0  # seconds between two looks at what is waited for


class Bench(Protocol):
    config: Config
    patience: float  # seconds that something is waited for that comes from outside

    def ask(self, do: str, **facts: Any) -> Facts | None: ...
    def read(self) -> list[Facts]: ...
    def now(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...
    def tell(self, code: str, **facts: Any) -> None: ...


class OnSpot:
    """The real one."""

    def __init__(self, config: Config, patience: float, tell: Callable[..., None]) -> None:
        self.config, self.patience, self.tell = config, patience, tell

    def ask(self, do: str, **facts: Any) -> Facts | None:
        return ask_any(self.config.sockets, do, **facts)

    def read(self) -> list[Facts]:
        """By the agent that owns the ports, else from the ports themselves."""
        answer = self.ask("read")
        return list(answer.get("sensors", ())) if answer is not None else asyncio.run(_read(self.config))

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


async def _read(config: Config) -> list[Facts]:
    from agent.sampling import open_sensors, read_all

    async with open_sensors(config) as sensors:
        return list(await read_all(sensors))


def until(bench: Bench, good: Callable[[Facts], bool]) -> Facts | None:
    """The agent's status as soon as it is good, else as it is when patience ends; None where no agent answers."""
    deadline = bench.now() + bench.patience
    while True:
        status = bench.ask("status")
        if status is None or "error" in status or good(status) or bench.now() >= deadline:
            return None if status is None or "error" in status else status
        bench.sleep(LOOK)
