"""A station in the test's own process, so that the test holds what it is made of: its clock, its buffer."""

import asyncio
from contextlib import asynccontextmanager

from agent.config_load import load
from agent.station import Station
from tests.support.station import WITHIN
from tests.support.until import until


@asynccontextmanager
async def living(site):
    """From its configuration until it has ended by itself."""
    config, findings = load(site.write())
    assert config is not None, findings
    agent = Station(config)
    task = asyncio.ensure_future(agent.run())
    await until(lambda: hasattr(agent, "uplinks") or task.done(), WITHIN)
    try:
        yield agent
    finally:
        agent.stop.set()
        await asyncio.wait_for(task, WITHIN)
