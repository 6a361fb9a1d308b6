"""Waiting with a bound that never swallows a cancellation.

`asyncio.wait_for` of Python 3.11 returns its result when a cancellation arrives in the same turn of the loop (bpo-37658,
mended in 3.12): a station told to stop at the moment of a CONNACK would go on for ever.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(awaitable: Awaitable[T], seconds: float) -> T:
    """The result, or TimeoutError after `seconds`; what was awaited is cancelled then."""
    async with asyncio.timeout(seconds):
        return await awaitable
