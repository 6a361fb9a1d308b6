"""A bounded wait passes a cancellation on, also when the result comes in the same turn of the loop."""

import asyncio

import pytest

from drivers.within import within


def test_a_cancellation_is_not_swallowed_by_a_result_of_the_same_moment():
    async def main():
        answer = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(within(answer, 10))
        await asyncio.sleep(0)
        answer.set_result("CONNACK")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_result_and_timeout():
    async def main():
        assert await within(asyncio.sleep(0, "done"), 10) == "done"
        with pytest.raises(TimeoutError):
            await within(asyncio.Event().wait(), 0.01)
        with pytest.raises(TimeoutError):
            await within(asyncio.Event().wait(), 0)

    asyncio.run(main())
