"""A number that every stream has passed goes again, also while live data never pauses: there is always some that lingers."""

import asyncio

import pytest

import agent.links.uplink_send
from agent.links.choose import Kind, streams
from tests.support.broker import Broker
from tests.support.listener import Listener
from tests.support.uplinks import fill, make, open_buffer, pending, running, until

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running_:
        yield running_


@pytest.mark.parametrize("linger", [0.05, 60.0])
def test_a_number_passed_over_goes_again_beside_live_data_that_never_pauses(tmp_path, broker, monkeypatch, linger):
    monkeypatch.setattr(agent.links.uplink_send, "LOOK", 0.1)
    monkeypatch.setattr(
        agent.links.uplink_send, "streams", lambda *given: [one for one in streams(*given) if one.kind is Kind.LIVE]
    )

    async def story():
        buffer = open_buffer(tmp_path)
        root = f"passed/{int(linger)}"
        before = fill(buffer, 40)
        with Listener(broker.port, root=root) as platform:
            async with running(make(buffer, broker.url, directory=tmp_path, root=root, linger=linger)) as uplink:
                await until(lambda: uplink.up)
                flow = asyncio.create_task(_flow(buffer, before))
                await until(lambda: buffer.floor("p", buffer.log, 2) > before, 30)
                flow.cancel()
                uplink.hand_over()
                await until(lambda: not pending(buffer))
            assert platform.repeats.total() == 0
        buffer.close()

    asyncio.run(story())


async def _flow(buffer, start):
    """So dense that something is always in flight or waiting."""
    at = start
    while True:
        fill(buffer, 1, start=at)
        at += 1
        await asyncio.sleep(0.002)
