"""Waiting for a condition with a generous bound, for what no event announces."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is another process's or a device's
            await asyncio.sleep(0.005)
