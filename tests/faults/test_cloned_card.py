"""A card copied into a second station, as it is done in a hurry: both go on under one name, and no key means two things."""

import asyncio
import shutil
import signal

import pytest

from tests.support.broker import Broker, free_port
from tests.support.station import WITHIN, station
from tests.support.until import until

pytestmark = pytest.mark.broker


def test_two_stations_from_one_card_are_told_apart_by_their_logs(tmp_path):
    async def story():
        with Broker(tmp_path / "broker") as broker:
            async with station(tmp_path / "one", broker.port, through=free_port()) as site:
                await site.agent.start()
                await until(lambda: site.committed > 20, WITHIN)
                await site.kill()
                shared = site.stored()
                async with station(tmp_path / "two", broker.port, through=free_port()) as twin:
                    shutil.copytree(
                        site.folder / "state",
                        twin.folder / "state",
                        dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("*.sock"),
                    )
                    twin.root = twin.route["root"] = site.root
                    for each in (site, twin):
                        await alive(each)
                    for each in (site, twin):
                        await sends(each, site.platform.port)
                        await until(lambda each=each: heard(site.platform, each), WITHIN)
                    assert not logs(site) - logs_of(shared) & logs(twin) - logs_of(shared)
                    assert site.delivered == len({*site.stored(), *twin.stored()})
                    assert site.platform.tracker.duplicates_in_effect == 0
                    assert site.platform.problems == []

    asyncio.run(story())


async def alive(site):
    """A while without a network, from the copied state on."""
    site.write()
    await site.agent.start()
    await until(lambda: site.committed > 10, WITHIN)
    await site.agent.end(signal.SIGTERM)


async def sends(site, port):
    for name in [name for name in site.tables if name.startswith("sensor")]:
        del site.tables[name]
    site.route["url"] = f"mqtt://127.0.0.1:{port}"
    site.write()
    await site.up()


def heard(platform, site):
    held = {(lane.log, lane.lane): found.numbers for lane, found in platform.tracker.holdings}
    return all(key in held and held[key].covers(n, n) for key, each in site.numbers().items() for n in each)


def logs(site):
    return logs_of(site.stored())


def logs_of(stored):
    return {log for log, *_ in stored}
