"""Every way a network can lie to the uplink. Nothing is lost; what comes twice is the same number twice."""

import asyncio
import time

import pytest

from buffer.ranges import Ranges
from tests.support import netns
from tests.support.broker import Broker
from tests.support.listener import Listener
from tests.support.proxy import Proxy
from tests.support.scale import count
from tests.support.uplinks import fill, make, open_buffer, pending, running, until

pytestmark = pytest.mark.broker
FULL = Ranges([(1, 200)])


@pytest.fixture
def buffer(tmp_path):
    one = open_buffer(tmp_path)
    yield one
    one.close()


def hurried(uplink):
    """Tests of what happens after a break do not wait for its back-off."""
    uplink.urgent._backoff._most = uplink.telemetry._backoff._most = 0.1
    return uplink


def play(tmp_path, buffer, fault, **changes):
    """Half the numbers before the fault, half after it began; then everything must be there."""

    async def main(broker, proxy):
        uplink = hurried(make(buffer, proxy.url, directory=tmp_path, **changes))
        async with running(uplink):
            fill(buffer, 100)
            await until(lambda: uplink.counts.settled > 0)
            await fault(broker, proxy, uplink)
            await until(lambda: pending(buffer) == 0)

    with (
        Broker(tmp_path / "broker", persistence=True) as broker,
        Proxy("127.0.0.1", broker.port) as proxy,
        Listener(broker.port) as platform,
    ):
        asyncio.run(main(broker, proxy))
        platform.wait(lambda p: p.numbers.get((buffer.log, "telemetry")) == FULL)


def test_reset(tmp_path, buffer):
    async def fault(_broker, proxy, uplink):
        fill(buffer, 100)
        proxy.reset()
        await until(lambda: uplink.telemetry.connects >= 2)

    play(tmp_path, buffer, fault)


def test_black_hole(tmp_path, buffer):
    async def fault(_broker, proxy, uplink):
        proxy.black_hole = True
        fill(buffer, 100)
        await until(lambda: uplink.telemetry.failures)
        assert pending(buffer) >= 100  # nothing was believed
        proxy.black_hole = False

    play(tmp_path, buffer, fault, patience=5.0, keepalive=4, telemetry_keepalive=4)


def test_swallowed_pubacks(tmp_path, buffer):
    async def fault(_broker, proxy, uplink):
        proxy.swallow_pubacks = True
        fill(buffer, 100)
        await until(lambda: uplink.telemetry.failures.get("no-puback"))
        assert pending(buffer) >= 100
        proxy.swallow_pubacks = False

    play(tmp_path, buffer, fault, patience=5.0, keepalive=60, telemetry_keepalive=60)


@pytest.mark.parametrize("forget", [False, True])
def test_broker_restarted_with_and_without_its_session(tmp_path, buffer, forget):
    """The platform subscribes anew by itself; meanwhile nobody listens, and that is no acceptance."""

    async def fault(broker, _proxy, uplink):
        fill(buffer, 100)
        await asyncio.to_thread(broker.restart, forget=forget)
        await until(lambda: uplink.telemetry.connects >= 2)

    play(tmp_path, buffer, fault)


def test_half_a_packet(tmp_path, buffer):
    async def fault(_broker, proxy, uplink):
        proxy.cut_up_after = 700
        fill(buffer, 100)
        await until(lambda: uplink.telemetry.failures or uplink.urgent.failures)
        proxy.cut_up_after = None

    play(tmp_path, buffer, fault)


def test_a_link_that_breaks_again_and_again(tmp_path, buffer):
    async def fault(_broker, proxy, uplink):
        fill(buffer, 100)
        for _ in range(count(100)):
            before = uplink.telemetry.connects
            proxy.reset()
            await until(lambda before=before: uplink.telemetry.connects > before)

    play(tmp_path, buffer, fault)


def test_a_real_black_hole_is_noticed_with_data_in_flight(tmp_path, buffer):
    """Kernel TCP on a path of our own: nobody answers, nobody closes."""
    netns.require()

    async def main(path, broker):
        uplink = hurried(make(buffer, f"mqtt://{path.far}:{broker.port}", directory=tmp_path, telemetry_keepalive=60))
        async with running(uplink):
            fill(buffer, 100)
            await until(lambda: uplink.counts.settled > 0)
            path.set(black_hole=True)
            fill(buffer, 100)
            began = time.monotonic()
            await until(lambda: uplink.telemetry.failures)
            noticed = time.monotonic() - began
            assert pending(buffer) >= 100
            path.set(black_hole=False)
            await until(lambda: pending(buffer) == 0)
            return noticed

    with (
        netns.Path(delay=0.02) as path,
        Broker(tmp_path / "broker", host=path.far, prefix=path.prefix) as broker,
        Listener(broker.port, path.far) as platform,
    ):
        asyncio.run(main(path, broker))
        platform.wait(lambda p: p.numbers.get((buffer.log, "telemetry")) == FULL)


@pytest.mark.parametrize(("delay", "loss"), [(0.3, 0.0), (0.05, 0.02)])
def test_a_long_and_a_lossy_path(tmp_path, buffer, delay, loss):
    netns.require()
    fill(buffer, 200)

    async def main(path, broker):
        async with running(
            make(buffer, f"mqtt://{path.far}:{broker.port}", directory=tmp_path, format="packed")
        ) as uplink:
            await until(lambda: pending(buffer) == 0)
            assert uplink.telemetry.failures == {}

    with (
        netns.Path(delay=delay, loss=loss) as path,
        Broker(tmp_path / "b", host=path.far, prefix=path.prefix) as broker,
        Listener(broker.port, path.far) as platform,
    ):
        asyncio.run(main(path, broker))
        platform.wait(lambda p: p.numbers.get((buffer.log, "telemetry")) == FULL)
