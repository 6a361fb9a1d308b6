"""A state directory with no room left: the station measures, sends and warns on, says so, and recovers by itself."""

import asyncio
import os
import signal
import subprocess

import pytest

from tests.support.broker import Broker
from tests.support.station import WITHIN, station
from tests.support.until import until

pytestmark = pytest.mark.broker


@pytest.fixture
def small(tmp_path):
    """A file system of its own, 6 MB: the database's ballast alone wants 4."""
    place = tmp_path / "site" / "state"
    place.mkdir(parents=True)
    if (
        os.geteuid()
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", place], check=False).returncode
    ):
        pytest.skip("needs the right to mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(place):
    with (place / "filler").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_full_disk_costs_no_reading_and_no_siren(tmp_path, small):
    async def story():
        with Broker(tmp_path / "broker") as broker:
            async with station(tmp_path / "site", broker.port, siren=True) as site:
                await site.up()
                await site.delivers(10)
                await site.agent.end(signal.SIGTERM)  # a clean end gives the -wal's room back
                before = len(site.platform.readings)
                fill(small)
                await site.up()
                await until(lambda: degraded(site, small), WITHIN)
                await site.delivers(20)
                alert = site.warn()
                await until(lambda: site.sounding, WITHIN)
                site.cancel(alert)
                await until(lambda: not site.sounding, WITHIN)
                (small / "filler").unlink()
                await until(lambda: not site.status()["buffer"]["degraded"], WITHIN)
                await site.delivers(10)
                values = [reading["value"] for reading in site.platform.readings[before:]]
                assert len(set(values)) == len(values)
                assert set(site.status()["buffer"]["gone"]) <= {"history"}, "nothing was given up"
                await until(lambda: site.platform.tracker.complete(site.id), WITHIN)
                assert site.platform.tracker.duplicates_in_effect == 0
                await until(lambda: site.platform.said("buffer.recovered"), WITHIN)
                assert site.agent.running

    asyncio.run(story())


def degraded(site, place):
    """Whatever room something gives back is taken again, until a write has been refused."""
    fill(place)
    status = site.status()
    return status is not None and status["buffer"]["degraded"]
