"""The station's own series, from a tree of files that stands for Linux's."""

import asyncio
from pathlib import Path

import pytest

from drivers.api import Context
from drivers.collect import collect
from drivers.sensors import site
from drivers.sensors.site import FACTORY, SiteConfig
from protocols.errors import RemoteError
from tests.drivers.modbus_world import Reports, run, until


@pytest.fixture
def tree(tmp_path):
    for name, text in {
        "proc/uptime": "93784.12 300000.00\n",
        "sys/class/thermal/thermal_zone0/temp": "48312\n",
        "sys/class/thermal/thermal_zone1/temp": "51007\n",
        "sys/class/hwmon/hwmon0/name": "cpu_thermal\n",
        "sys/class/hwmon/hwmon1/name": "ina226\n",
        "sys/class/hwmon/hwmon1/in1_input": "12564\n",
        "sys/class/hwmon/hwmon1/curr1_input": "-431\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def source(tree, reports=None, **keys):
    made, problems = collect(SiteConfig, {"name": "station", "root": str(tree), "interval": "50ms"} | keys)
    assert problems == []
    return FACTORY.create(made, Context(tree, Reports() if reports is None else reports, state=tree))


def test_what_linux_says(tree):
    async def main():
        values = {one.series: (one.value, one.unit) for one in await source(tree).read_once()}
        free = values.pop("station.disk")
        assert free[0] > 0
        assert values == {
            "station.temperature": (51.0, "Cel"),
            "station.uptime": (93784.12, "s"),
            "station.voltage": (12.564, "V"),
            "station.current": (-0.431, "A"),
            "station.throttled": (0x50005, "1"),
        }

    run(main())


def test_what_a_computer_does_not_have_is_left_out(tree):
    for name in ("sys/class/hwmon/hwmon1/name", "sys/class/thermal/thermal_zone0/temp"):
        (tree / name).write_text("nothing")

    async def main():
        sensor = source(tree, supply="ina219")
        values = {one.series for one in await sensor.read_once()}
        assert values == {"station.uptime", "station.disk", "station.throttled"}
        assert sensor.status()["absent"] == ["station.current", "station.temperature", "station.voltage"]
        with pytest.raises(RemoteError):
            await source(tree / "none", omit=["station.disk"]).read_once()

    run(main())


def test_the_door_is_told_when_it_opens(tree, monkeypatch):
    monkeypatch.setattr(site, "DOOR_LOOK", 0.01)
    (tree / "door").write_text("1")

    async def main():
        sensor, got = source(tree, door={"file": "door"}, interval="1h", prefix="box"), []
        task = asyncio.create_task(sensor.run(got.extend))
        await until(lambda: [one.value for one in got if one.series == "box.station.door"] == [0])
        (tree / "door").write_text("0")
        await until(lambda: [one.value for one in got if one.series == "box.station.door"] == [0, 1])
        assert "box.station.temperature" in {one.series for one in got}
        assert sensor.status()["state"] == "up"
        task.cancel()

    run(main())


def test_what_check_says(tree):
    made, _ = collect(SiteConfig, {"name": "s", "omit": ["x"], "interval": 0, "door": {"bus": "none"}})
    codes = [one.code for one in FACTORY.check(made, Context(Path(), None))]
    assert codes == ["value.range", "sensor.no_series", "sensor.bus_unknown"]
