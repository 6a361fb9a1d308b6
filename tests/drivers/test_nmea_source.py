import asyncio
from pathlib import Path

import pytest

from drivers.api import Context
from drivers.collect import collect
from drivers.sensors.nmea import FACTORY, NmeaConfig
from drivers.simulated.playback import PtyPlayer
from protocols.errors import RemoteError
from protocols.nmea import seal
from protocols.quality import NOT_EVALUATED, Reason, reasons_of
from tests.drivers.modbus_world import Reports, run, until

CAPTURES = Path(__file__).parent.parent / "captures"


def source(port, reports=None, profile="nmea-weather", **config):
    made, problems = collect(
        NmeaConfig, {"name": "mast", "port": port, "profile": profile, "interval": "100ms"} | config
    )
    assert problems == []
    return FACTORY.create(made, Context(CAPTURES, Reports() if reports is None else reports))


async def running(sensor, enough):
    got = []
    task = asyncio.create_task(sensor.run(got.append))
    await until(lambda: enough(got))
    task.cancel()
    return got


def test_a_weather_instrument_through_a_pseudo_terminal():
    async def main():
        async with PtyPlayer(CAPTURES / "bundg_zeus_9.log", rate=40_000) as player:
            sensor = source(player.url)
            got = await running(sensor, lambda got: len(got) >= 3)
            units = {one.series: (one.unit, one.quality) for readings in got for one in readings}
            assert units["wind.speed"] == ("m/s", NOT_EVALUATED)
            assert {"wind.relative.speed", "wind.relative.angle", "wind.direction"} <= units.keys()
            assert all(len({one.at for one in readings}) == 1 for readings in got)
            assert all(len({one.series for one in readings}) == len(readings) for readings in got)
            assert sensor.status()["state"] == "up"
            assert sensor.status()["counters"]["missing"] > 0  # the water temperature is always empty

    run(main())


def test_a_receiver_is_read_from_a_capture_and_marked_as_played_back():
    async def main():
        sensor = source("replay:nmea-rtk.log?rate=50000", profile="nmea-gnss", prefix="mast", omit=["gnss.hdop"])
        got = await running(sensor, lambda got: got)
        values = {one.series: one.value for one in got[0]}
        assert values["mast.position.lat"] == pytest.approx(41.575, abs=1e-3)
        assert values["mast.gnss.quality"] in (2, 4)
        assert "mast.gnss.hdop" not in values
        assert reasons_of(got[0][0].quality) == Reason.SIMULATED

    run(main())


def test_one_reading_for_a_technician_without_a_running_agent():
    async def main():
        readings = await source(
            "sim:weather", omit=["water.temperature", "wind.relative.angle", "wind.relative.speed"]
        ).read_once()
        assert {one.series: one.value for one in readings}["air.pressure"] == 1013.2

    run(main())


def test_silence_and_babble_are_reported_once(tmp_path, monkeypatch):
    monkeypatch.setattr("drivers.sensors.overheard.READ_PATIENCE", 0.1)

    async def main():
        (tmp_path / "babble.log").write_bytes(b"\xff\x00noise\r\n$WIMWV,1.0,T,2.0,N,A*00\r\n" * 20)
        async with PtyPlayer(tmp_path / "babble.log", rate=20_000) as player:
            reports = Reports()
            sensor = source(player.url, reports, stale="50ms")
            task = asyncio.create_task(sensor.run(lambda _readings: None))
            await until(lambda: reports.of("device.down"))
            await asyncio.sleep(0.3)
            task.cancel()
            (down,) = reports.of("device.down")
            assert down["reason"] == "garbage"
            assert any("$WIMWV" in frame for frame in down["frames"])
            assert sensor.status()["counters"]["checksum"] > 0
        with pytest.raises(RemoteError):
            await source(player.url).read_once()

    run(main())


def test_a_port_that_is_pulled_and_put_back(tmp_path):
    (tmp_path / "wind.log").write_bytes(seal("WIMWV,10.0,T,5.0,M,A"))

    async def main():
        link, reports = tmp_path / "port", Reports()
        async with PtyPlayer(tmp_path / "wind.log") as player:
            link.symlink_to(player.path)
            sensor, got = source(f"serial://{link}", reports), []
            task = asyncio.create_task(sensor.run(got.append))
            await until(lambda: got)
        await until(lambda: reports.of("device.down"))
        assert reports.of("device.down")[0]["reason"] == "port"
        async with PtyPlayer(tmp_path / "wind.log") as player:
            link.unlink()
            link.symlink_to(player.path)
            await until(lambda: reports.of("device.up"))
        task.cancel()
        assert sensor.status()["counters"]["port"] >= 1

    run(main())


def test_what_check_says(tmp_path):
    def codes(**config):
        made, problems = collect(NmeaConfig, {"name": "x", "port": "sim:weather", "profile": "nmea-weather"} | config)
        found = problems if made is None else [*problems, *FACTORY.check(made, Context(tmp_path, print))]
        return [(one.key, one.code) for one in found]

    assert codes() == []
    assert codes(port="serial:///dev/nowhere") == [("port", "port.missing")]
    assert codes(port="rtu+tcp://x") == [("port", "url.scheme")]
    assert codes(port="replay:none.log", interval=0, omit=["x"]) == [
        ("port", "file.missing"),
        ("interval", "value.range"),
        ("omit", "sensor.no_series"),
    ]
    assert codes(profile="sl651-rain")[0][1] == "config.unknown_key"
