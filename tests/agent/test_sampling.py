"""Sensors read at the bench: what each says, or why it says nothing, on ports of the configuration."""

import asyncio

import pytest

from agent.config_load import load
from agent.sampling import as_json, close_buses, context_of, newest, open_sensors, read_all, read_one, sources_of
from drivers.simulated.modbus import TcpBus
from drivers.simulated.unit import Fault, Unit
from protocols.errors import RemoteError
from protocols.quality import Flag, Reason, quality
from protocols.reading import Reading
from tests.support.station import table


def configured(tmp_path, url):
    file = tmp_path / "station.toml"
    sensors = [
        table("[sensor]", name=name, bus="b", profile="sl651-level", unit=unit, prefix=name, timeout="100ms")
        for name, unit in (("good", 1), ("dead", 2))
    ]
    file.write_text("\n".join([table("station", id="s1"), table("[bus]", name="b", url=url), *sensors]))
    config, findings = load(file)
    assert config is not None, findings
    return config


def test_each_sensor_answers_for_itself(tmp_path):
    async def story():
        units = Unit(1, holding={2: 0, 3: 1234}), Unit(2, fault=Fault("dead"))
        async with TcpBus(units) as bus, open_sensors(configured(tmp_path, bus.url)) as sensors:
            rows = {row["sensor"]: row for row in await read_all(sensors)}
        assert rows["good"]["readings"] == [
            {"series": "good.river.stage", "value": 1.234, "unit": "m", "quality": "good"}
        ]
        assert rows["dead"]["reason"] == "timeout"

    asyncio.run(story())


def test_a_port_that_is_not_there_is_each_sensors_answer(tmp_path):
    async def story():
        async with open_sensors(configured(tmp_path, "tcp://127.0.0.1:1")) as sensors:
            rows = await read_all(sensors)
        assert len(rows) == 2
        assert [(row["error"], row["reason"]) for row in rows] == [("Connection refused", "port")] * 2

    asyncio.run(story())


@pytest.mark.parametrize(
    "wrong", [RemoteError("timeout", "unit 1"), OSError(5, "gone"), TimeoutError(), ValueError("bug")]
)
def test_whatever_one_sensor_does_the_others_are_shown(wrong):
    class Broken:
        name, series = "broken", {}

        async def read_once(self):
            raise wrong

    class Fine(Broken):
        name = "fine"

        async def read_once(self):
            return [Reading("a", 1, 1.0, "m", 1)]

    rows = asyncio.run(read_all([Broken(), Fine()]))
    assert rows[0]["error"]
    assert rows[1]["readings"][0]["value"] == 1.0


def test_what_cannot_be_plausible_is_said_at_the_bench(tmp_path):
    config = configured(tmp_path, "tcp://127.0.0.1:1")
    context = context_of(config, lambda *_: None)
    source = sources_of(config, context)[0]
    shown = as_json(Reading("good.river.stage", 1, 1e9, "m", 1), source)
    assert shown["quality"].startswith("bad")
    asyncio.run(close_buses(context))


def test_newest_values_carry_their_age():
    readings = {
        "b": Reading("b", 1000, 2.0, "m", quality(Flag.SUSPECT, Reason.RANGE)),
        "a": Reading("a", 500, 1.0, "m", 1),
    }
    assert newest(readings, 3000) == {
        "a": {"value": 1.0, "unit": "m", "quality": "good", "age": 2.5},
        "b": {"value": 2.0, "unit": "m", "quality": "suspect(range)", "age": 2.0},
    }


def test_a_sensor_that_hangs_is_given_up():
    """By the socket's own patience; alone, by whoever asks. Here: it does not swallow its cancellation."""

    class Hangs:
        name, series = "hangs", {}

        async def read_once(self):
            await asyncio.sleep(3600)

    async def story():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await read_one(Hangs())

    asyncio.run(story())
