"""The whole station through what networks and brokers do to it: silence, restarts, refusals, lost acknowledgements."""

import asyncio
import contextlib
import random
import signal

import pytest

from tests.support.broker import Broker
from tests.support.proxy import Proxy
from tests.support.station import WITHIN, station
from tests.support.until import until

pytestmark = pytest.mark.broker
NOT_AUTHORIZED = 0x87  # MQTT 5, table 2-6


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def proxy(broker):
    with Proxy("127.0.0.1", broker.port) as between:
        yield between


async def all_arrives(site):
    """The agent ends in order, and whatever it still held arrives with one more life."""
    await site.agent.end(signal.SIGTERM)
    await site.delivers_all()


def test_a_black_hole_and_then_a_kill_lose_nothing(tmp_path, broker, proxy):
    """The peer that was measured lost 110 of 124 readings here."""

    async def story():
        async with station(tmp_path, broker.port, through=proxy.port) as site:
            await site.up()
            await site.delivers(5)
            proxy.black_hole = True
            taken = site.committed
            await until(lambda: site.committed > taken + 40, WITHIN)
            promised = site.committed
            await site.kill()
            assert len(site.stored()) >= promised
            await site.agent.start()
            await until(lambda: site.committed > 10, WITHIN)
            proxy.black_hole = False
            await until(lambda: site.delivered >= promised + 10, WITHIN)
            await all_arrives(site)

    asyncio.run(story())


def test_a_link_that_breaks_again_and_again_loses_nothing(tmp_path, broker, proxy):
    async def story():
        chance = random.Random(7)
        async with station(tmp_path, broker.port, through=proxy.port) as site:
            await site.up()
            for _ in range(12):
                await asyncio.sleep(chance.uniform(0, 0.3))
                chance.choice(
                    [proxy.reset, proxy.close, lambda: setattr(proxy, "cut_up_after", chance.randrange(400))]
                )()
            proxy.cut_up_after = None
            await until(lambda: proxy.connections >= 1, WITHIN)
            await site.delivers(5)
            await all_arrives(site)

    asyncio.run(story())


def test_lost_acknowledgements_cost_a_repetition_and_no_duplicate(tmp_path, broker, proxy):
    async def story():
        async with station(tmp_path, broker.port, through=proxy.port) as site:
            await site.up()
            await site.delivers(5)
            proxy.swallow_pubacks = True
            await site.delivers(20)
            status = site.status()
            assert status["buffer"]["pending"]["p"] > 0  # arrived, and nobody has said so
            proxy.swallow_pubacks = False
            proxy.reset()
            await until(lambda: site.platform.tracker.repeated > 0, WITHIN)
            await all_arrives(site)

    asyncio.run(story())


@pytest.mark.parametrize("persistence", [True, False])
def test_a_broker_that_dies_and_comes_back(tmp_path, persistence):
    """Without persistence it forgets its subscribers too: then nobody listens for a while, and that settles nothing."""

    async def story():
        with Broker(tmp_path / "broker", persistence=persistence) as broker:
            async with station(tmp_path / "site", broker.port) as site:
                await site.up()
                await site.delivers(5)
                for _ in range(2):
                    broker.kill()
                    taken = site.committed
                    await until(lambda taken=taken: site.committed > taken + 5, WITHIN)
                    broker.start()
                    await site.delivers(20)
                if persistence:
                    await all_arrives(site)
                    return
                # What a broker that forgets had taken and not delivered is asked for again: holes are named, not hidden.
                await until(lambda: site.status()["buffer"]["pending"]["p"] < 5, WITHIN)
                await healed(site)

    asyncio.run(story())


async def healed(site):
    with contextlib.suppress(TimeoutError):
        await until(lambda: site.platform.tracker.complete(site.id), 5)
    for topic, payload in site.platform.tracker.requests():
        site.platform.publish(topic, payload, retain=False)
    await until(lambda: site.platform.tracker.complete(site.id), WITHIN)


def test_what_is_refused_stays_pending_is_told_once_and_arrives_when_the_rights_are_mended(tmp_path):
    """MQTT 5 says so; a refusal that looks like a success would be the loss of everything."""

    async def story():
        good = "topic readwrite #\n"
        with Broker(tmp_path / "broker", acl=good) as broker:
            async with station(tmp_path / "site", broker.port) as site:
                allowed = "".join(f"topic write {site.root}/s1/{kind}\n" for kind in ("events", "status"))
                broker._acl = f"topic read #\n{allowed}"
                broker.restart()
                await site.up()
                await until(lambda: site.platform.said("uplink.refused", code=NOT_AUTHORIZED), WITHIN)
                await until(lambda: site.committed > 20, WITHIN)
                status = site.status()
                assert status["buffer"]["pending"]["p"] >= 20
                assert status["bearers"]["p"]["refused"]
                assert site.delivered == 0
                broker._acl = good
                broker.restart()
                await until(lambda: site.delivered > 20, WITHIN)
                assert len(site.platform.said("uplink.refused", code=NOT_AUTHORIZED)) == 1
                await all_arrives(site)

    asyncio.run(story())


def test_a_wrong_password_is_told_and_mended_without_a_restart(tmp_path):
    async def story():
        with Broker(
            tmp_path / "broker", users={"s1": "right", "platform": "p"}, extra=["allow_anonymous true"]
        ) as broker:
            async with station(tmp_path / "site", broker.port) as site:
                secret = site.folder / "credentials.toml"
                secret.write_text('username = "s1"\npassword = "wrong"\n')
                secret.chmod(0o600)
                site.route["credentials"] = "credentials.toml"
                site.write()
                await site.agent.start()
                await until(lambda: site.committed > 5, WITHIN)
                failures = site.status()["bearers"]["p"]["urgent"]["failures"]
                assert any("refused" in reason for reason in failures), failures
                assert "wrong" not in site.agent.said()
                secret.write_text('username = "s1"\npassword = "right"\n')
                await site.delivers(10)
                assert "right" not in site.agent.said()

    asyncio.run(story())
