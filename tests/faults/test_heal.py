"""What a platform lost comes back from the station's history: a broker that forgets, a subscriber that was away, a log
whose end nobody heard. The agent is a process of its own, the broker a real one.
"""

import asyncio
import json
import time

import pytest

from agent.subscriber.heal import Healer
from agent.subscriber.listen import Tracker
from tests.support.broker import Broker
from tests.support.scale import count
from tests.support.station import WITHIN, command, station
from tests.support.until import until

pytestmark = pytest.mark.broker
HURRY = 50  # times faster than a subscriber in earnest: its patience is tested elsewhere, in virtual time


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path / "broker", persistence=True) as broker:
        yield broker


class Healing:
    """The site's platform, asking for what it misses until nothing is missing."""

    def __init__(self, site):
        self.site = site
        self.healer = Healer(site.platform.tracker, lambda: time.monotonic() * HURRY)

    def __call__(self):
        for topic, payload in self.healer.due():
            self.site.platform.publish(topic, payload, retain=False)
        return self.site.platform.tracker.complete()


async def forgotten(site, broker, numbers):
    """The broker acknowledges so many numbers for a platform that is away, and then loses everything it knew."""
    site.platform.__exit__()
    before = site.committed
    await until(lambda: site.committed >= before + numbers, WITHIN)
    await until(
        lambda: not any(site.status()["buffer"]["pending"].values()) or site.committed > before + 3 * numbers, WITHIN
    )
    broker.kill()
    broker.restart(forget=True)
    await asyncio.to_thread(site.platform.__enter__)


@pytest.mark.parametrize("form", ["json", "packed"])
def test_a_broker_that_forgot_what_it_acknowledged_is_healed(tmp_path, broker, form):
    async def story():
        async with station(tmp_path / "site", broker.port) as site:
            site.route["format"] = form
            site.write()
            await site.up()
            await site.delivers(20)
            await forgotten(site, broker, 50)
            await until(lambda: not site.platform.tracker.complete(), WITHIN)
            healing = Healing(site)
            await until(healing, WITHIN)
            await site.delivers(10)
            await until(healing, WITHIN)
            assert healing.healer.asked >= 1
            assert site.platform.tracker.duplicates_in_effect == 0
            assert site.platform.problems == []
            values = [reading["value"] for reading in site.platform.readings]
            assert len(set(values)) == len(values)
            assert any(event["type"] == "command.done" for event in site.platform.events)

    asyncio.run(story())


def test_the_end_of_a_log_that_nobody_heard_is_found_by_its_account(tmp_path, broker):
    """Nothing of the new log says what the old one had; only the account does."""

    async def story():
        async with station(tmp_path / "site", broker.port) as site:
            await site.up()
            await site.delivers(20)
            await forgotten_and_killed(site, broker)
            del site.tables["sensor gauge"]
            site.write()
            await site.up()
            await until(lambda: site.platform.said("account"), WITHIN)
            tracker = site.platform.tracker
            assert not tracker.complete()
            assert tracker.summary()["audit"]["missing"]
            await until(Healing(site), WITHIN)
            await until(site.caught_up, WITHIN)
            assert tracker.duplicates_in_effect == 0
            assert site.delivered == len(site.stored())

    asyncio.run(story())


async def forgotten_and_killed(site, broker):
    site.platform.__exit__()
    before = site.committed
    await until(lambda: site.committed >= before + 40, WITHIN)
    await asyncio.sleep(0.5)
    await site.kill()
    broker.kill()
    broker.restart(forget=True)
    await asyncio.to_thread(site.platform.__enter__)


@pytest.mark.soak
@pytest.mark.skipif(count(10) < 10, reason="half a minute by the clock; make soak")
def test_listen_heals_by_itself_and_keeps_its_ranges(tmp_path, broker):
    """The command in earnest: half a minute of patience."""

    async def story():
        async with station(tmp_path / "site", broker.port) as site:
            state = tmp_path / "ranges.json"
            where = ("--broker", f"mqtt://127.0.0.1:{broker.port}", "--root", site.root, "--state", state, "--quiet")
            await site.up()
            await site.delivers(5)
            first = await command("listen", *where, "--seconds", 3)
            assert first.returncode == 0, first.stderr
            await site.delivers(50)
            without = await command("listen", *where, "--seconds", 3)
            assert without.returncode == 1
            assert json.loads(without.stdout)["holes"]
            healed = await command("listen", *where, "--seconds", 25, "--heal")
            assert healed.returncode == 0, healed.stderr
            assert json.loads(healed.stdout)["duplicates_in_effect"] == 0
            tracker = Tracker(root=site.root)
            tracker.load(state.read_bytes())
            assert tracker.complete()

    asyncio.run(story())
