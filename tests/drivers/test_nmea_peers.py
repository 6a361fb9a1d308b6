"""Recorded receivers played by gpsd's own player, through a terminal, into our driver: what it says is what gpsd says."""

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from drivers.api import Context
from drivers.collect import collect
from drivers.sensors import nmea
from drivers.sensors.nmea import FACTORY, NmeaConfig
from tests.drivers.modbus_world import Reports, run, until
from tests.support import gpsfake
from tests.support.gpsfake import GpsFake

CAPTURES = Path(__file__).parent.parent / "captures"
pytestmark = pytest.mark.skipif(
    not gpsfake.installed(), reason="gpsfake (Debian package gpsd-clients) is not installed"
)
CLOSE = 1.1e-9  # degrees
MERGED, BETWEEN = (
    "bundg_zeus_9.whole.log.gz",
    5e-5,
)  # a boat under way, of whose positions gpsd reports two in three; degrees between

RECORDED = {
    "beidou-bd.log": "beidou-bd.log.chk",
    "bundg_zeus_9.whole.log.gz": "bundg_zeus_9.whole.log.chk.gz",
    "nmea-fuzzy-cases.log": "nmea-fuzzy-cases.log.chk",
    "nmea-rtk.log": "nmea-rtk.log.chk",
    "quectel-l76k-nmea.log": "quectel-l76k-nmea.log.chk.gz",
}


def data(name):
    raw = (CAPTURES / name).read_bytes()
    return gzip.decompress(raw) if name.endswith(".gz") else raw


def told(name):
    rows = [json.loads(line) for line in data(RECORDED[name]).splitlines() if line.startswith(b"{")]
    return {(row["lat"], row["lon"]) for row in rows if row["class"] == "TPV" and "lat" in row}


@pytest.mark.parametrize("name", RECORDED)
def test_a_receiver_through_gpsds_terminal(name, tmp_path):
    capture = tmp_path / name.removesuffix(".gz")
    capture.write_bytes(data(name))

    async def main():
        async with GpsFake(capture) as receiver:
            config, problems = collect(
                NmeaConfig, {"name": "gnss", "port": receiver.url, "profile": "nmea-gnss", "interval": "50ms"}
            )
            assert problems == []
            sensor, got = FACTORY.create(config, Context(tmp_path, Reports())), []
            task = asyncio.create_task(sensor.run(got.append))
            await until(lambda: sum(any(one.series == "position.lat" for one in rows) for rows in got) >= 5)
            task.cancel()
            expected = told(name)
            ours = [{one.series: one.value for one in rows} for rows in got]
            places = [(row["position.lat"], row["position.lon"]) for row in ours if "position.lat" in row]
            off = [min(max(abs(lat - one), abs(lon - other)) for one, other in expected) for lat, lon in places]
            assert max(off) <= (BETWEEN if name == MERGED else CLOSE)
            assert any(one <= CLOSE for one in off)
            assert sensor.status()["counters"].get("checksum", 0) <= 2  # opened in the middle of a sentence

    run(main())


def test_the_time_it_tells_is_that_of_the_recording(monkeypatch):
    monkeypatch.setattr(nmea, "BUILD_YEAR", 2026)

    async def main():
        async with GpsFake(CAPTURES / "quectel-l76k-nmea.log") as receiver:
            config, _ = collect(NmeaConfig, {"name": "gnss", "port": receiver.url, "profile": "nmea-gnss"})
            sensor = FACTORY.create(config, Context(CAPTURES, Reports()))
            task = asyncio.create_task(sensor.run(lambda _readings: None))
            await until(sensor.time)
            told = sensor.time()
            assert 1785909150 <= told.unix_ms / 1000 <= 1785909400  # 2026-08-05 05:52:30 to 05:56:40
            assert told.at <= sensor._now()
            task.cancel()

    run(main())
