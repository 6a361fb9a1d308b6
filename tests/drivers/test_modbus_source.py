import asyncio
from pathlib import Path

import pytest

from drivers import registry
from drivers.api import Context, Factory
from drivers.bus import BusConfig
from drivers.collect import collect
from drivers.sensors.modbus import FACTORY, ModbusConfig
from drivers.simulated.modbus import TcpBus
from drivers.simulated.unit import Fault, Unit, words_of
from drivers.values import Duration
from protocols.errors import RemoteError
from protocols.reading import Reading
from tests.drivers.modbus_world import context, run, until, world

PROFILE = """
kind = "modbus"
name = "probe"
source = "these tests"
[limits]
allow_gaps = true
"""
SERIES = '[[series]]\nname = "{name}"\naddress = {address}\nunit = "mm"\n{more}\n'


def profile(folder: Path, *rows, head=PROFILE) -> Path:
    text = "".join(SERIES.format(name=name, address=address, more=more) for name, address, more in rows)
    (folder / "probe.toml").write_text(head + text)
    return folder


def source(bus, reports, folder, **config):
    config = {"name": "probe", "bus": "bus", "profile": "probe", "interval": Duration(0.05)} | config
    return FACTORY.create(ModbusConfig(**config), context(bus, reports, folder))


async def first(sensor) -> list[Reading]:
    """Run a source until it has given something."""
    got = []
    running = asyncio.create_task(sensor.run(got.append))
    await until(lambda: got)
    running.cancel()
    return got[0]


def test_one_request_for_neighbours_and_values_in_their_units(tmp_path):
    profile(tmp_path, ("a", 0, "scale = 0.1"), ("b", 3, 'type = "int16"'))

    async def main():
        unit = Unit(1, holding=words_of([231, 0, 0, -5]))
        async with world([unit]) as (bus, reports, _line):
            sensor = source(bus, reports, tmp_path)
            readings = await sensor.read_once()
            assert [(one.series, one.value, one.unit) for one in readings] == [("a", 23.1, "mm"), ("b", -5.0, "mm")]
            assert len({one.at for one in readings}) == 1
            assert len(unit.requests) == 1
            assert sensor.series["a"].step == 0.1

    run(main())


def test_the_first_sample_comes_at_once_and_the_next_on_the_beat(tmp_path):
    profile(tmp_path, ("a", 0, ""))

    async def main():
        unit = Unit(1, holding=words_of([1]))
        async with world([unit], TcpBus) as (bus, reports, _line):
            got = []
            running = asyncio.create_task(source(bus, reports, tmp_path).run(got.append))
            await until(lambda: len(got) >= 3)
            running.cancel()
            assert len(unit.requests) >= 3
            assert got[0][0].at <= got[1][0].at <= got[2][0].at

    run(main())


def test_names_are_the_stations_own(tmp_path):
    profile(tmp_path, ("a", 0, "span = [0, 100]"), ("b", 1, ""), ("c", 2, ""))

    async def main():
        async with world([Unit(1, holding=words_of([1, 2, 3]))]) as (bus, reports, _line):
            sensor = source(
                bus, reports, tmp_path, prefix="north", rename={"b": "river.stage"}, omit=["c"], expect={"a": (0, 5)}
            )
            assert [one.series for one in await first(sensor)] == ["north.a", "river.stage"]
            assert (sensor.series["north.a"].span, sensor.series["north.a"].expect) == ((0, 100), (0, 5))

    run(main())


@pytest.mark.parametrize("fault", ["dead", "babble"])
def test_a_bad_device_costs_its_neighbours_one_request_and_is_asked_ever_less(tmp_path, fault):
    """Counted in requests: the bad one is asked twice in the time that its neighbour is asked eight times."""
    profile(tmp_path, ("a", 0, ""), ("b", 100, ""))

    async def main():
        good, bad = Unit(1, holding=words_of(range(200))), Unit(2, holding=words_of(range(200)), fault=Fault(fault))
        async with world([good, bad], patience=0.02) as (bus, reports, _line):
            sensors = [source(bus, reports, tmp_path, name=f"unit{n}", unit=n) for n in (1, 2)]
            got = []
            running = [asyncio.create_task(one.run(got.append)) for one in sensors]
            await until(lambda: len(good.requests) >= 40)
            # Two blocks a beat for the good one; of the bad one only the first is tried, and beats are skipped.
            assert len(bad.requests) <= 8
            assert {request.address for request in bad.requests} <= {0}
            (down,) = reports.of("device.down")
            assert down["device"] == "unit2"
            assert down["reason"] in ("timeout", "garbage", "crc", "truncated")
            assert any("0203" in frame for frame in down["frames"])
            bad.fault = None
            await until(lambda: reports.of("device.up"))
            assert sensors[1].status()["state"] == "up"
            assert len(reports.of("device.down")) == 1
            for task in running:
                task.cancel()

    run(main())


def test_one_lost_frame_is_no_fault(tmp_path):
    profile(tmp_path, ("a", 0, ""))

    async def main():
        unit = Unit(1, holding=words_of([1]))
        async with world([unit], TcpBus, patience=0.05) as (bus, reports, _line):
            sensor, got = source(bus, reports, tmp_path), []
            running = asyncio.create_task(sensor.run(got.append))
            await until(lambda: len(got) >= 2)
            unit.fault, asked = Fault("dead"), len(unit.requests)
            await until(lambda: len(unit.requests) > asked)
            unit.fault = None
            await until(lambda: len(got) >= 4)
            running.cancel()
            assert reports == []
            assert sensor.status()["counters"]["timeout"] == 1

    run(main())


def test_nothing_that_is_no_number_becomes_a_reading(tmp_path):
    profile(tmp_path, ("a", 0, 'type = "float32"'), ("b", 2, "missing = [65535]"), ("c", 3, ""))

    async def main():
        unit = Unit(1, holding=words_of([0x7FC0, 0, 0xFFFF, 7]))
        async with world([unit]) as (bus, reports, _line):
            sensor = source(bus, reports, tmp_path)
            assert [(one.series, one.value) for one in await sensor.read_once()] == [("c", 7.0)]
            unit.holding[0] = 0x7F80
            await sensor.read_once()
            counters = sensor.status()["counters"]
            assert (counters["nan"], counters["overflow"], counters["missing"]) == (1, 1, 2)

    run(main())


def test_a_split_is_learned_and_what_the_device_lacks_is_left_alone(tmp_path):
    profile(tmp_path, ("a", 0, ""), ("b", 4, ""), ("c", 8, ""))

    async def main():
        unit = Unit(1, holding={0: 1, 4: 2})
        async with world([unit]) as (bus, reports, _line):
            sensor = source(bus, reports, tmp_path)
            assert [one.series for one in await sensor.read_once()] == ["a", "b"]
            before = len(unit.requests)
            assert [one.series for one in await sensor.read_once()] == ["a", "b"]
            assert [request.address for request in unit.requests[before:]] == [0, 4]
            assert reports.of("series.absent") == [{"device": "probe", "series": "c", "reason": "exception-2"}]
            assert sensor.status()["absent"] == ["c"]
            assert sensor.status()["state"] == "unknown"

    run(main())


def test_a_device_that_gives_fewer_registers_at_once_than_the_map_says(tmp_path):
    profile(tmp_path, *((f"r{n}", n, "") for n in range(12)))

    async def main():
        unit = Unit(1, holding=words_of(range(12)), most=4)
        async with world([unit]) as (bus, reports, _line):
            sensor = source(bus, reports, tmp_path)
            assert len(await sensor.read_once()) == 12
            before = len(unit.requests)
            assert len(await sensor.read_once()) == 12
            assert [request.count for request in unit.requests[before:]] == [3, 3, 3, 3]

    run(main())


def test_a_technician_hears_what_is_wrong(tmp_path):
    profile(tmp_path, ("a", 0, ""))

    async def main():
        unit = Unit(1, holding={0: 1}, fault=Fault("dead"))
        async with world([unit], patience=0.02) as (bus, reports, _line):
            sensor = source(bus, reports, tmp_path)
            with pytest.raises(RemoteError, match="timeout"):
                await sensor.read_once()
            unit.fault = Fault("exception", code=6)
            with pytest.raises(RemoteError, match="exception-6"):
                await sensor.read_once()

    run(main())


def test_a_port_that_is_pulled_and_put_back(tmp_path):
    profile(tmp_path, ("a", 0, ""))

    async def main():
        link = tmp_path / "port"
        unit = Unit(1, holding={0: 1})
        async with world([unit]) as (bus, reports, line):
            link.symlink_to(line.path)
            bus.address = type(bus.address)("serial", str(link))
            sensor, got = source(bus, reports, tmp_path), []
            running = asyncio.create_task(sensor.run(got.append))
            await until(lambda: got)
            line.unplug()
            await until(lambda: reports.of("device.down"))
            assert reports.of("device.down")[0]["reason"] == "port"
            async with type(line)([unit]) as again:
                link.unlink()
                link.symlink_to(again.path)
                await until(lambda: reports.of("device.up"))
            running.cancel()
            assert len(reports.of("bus.down")) <= 1

    run(main())


def checked(folder, **config):
    made, problems = collect(ModbusConfig, {"name": "x", "bus": "bus", "profile": "probe"} | config)
    if made is None:
        return [(one.key, one.code) for one in problems]
    where = Context(folder, print, {"bus": BusConfig(name="bus", url="tcp://localhost")}, profiles=(folder,))
    return [(one.key, one.code) for one in FACTORY.check(made, where)]


def test_what_check_says(tmp_path):
    profile(tmp_path, ("a", 0, ""), ("b", 1, ""))
    assert checked(tmp_path) == []
    wrong = {
        "bus": "other",
        "unit": 300,
        "interval": "1ms",
        "omit": ["z"],
        "rename": {"a": "B!"},
        "expect": {"b": [2, 1]},
    }
    assert checked(tmp_path, **wrong) == [
        ("bus", "sensor.bus_unknown"),
        ("unit", "value.range"),
        ("interval", "value.range"),
        ("omit", "sensor.no_series"),
        ("rename", "series.name"),
        ("expect.b", "series.bounds"),
    ]
    assert checked(tmp_path, rename={"a": "b"}) == [("rename", "series.twice")]
    assert checked(tmp_path, omit=["a", "b"]) == [("omit", "sensor.all_omitted")]
    assert checked(tmp_path, profile="nowhere") == [("profile", "profile.unknown")]
    assert checked(tmp_path, profile="../probe") == [("profile", "profile.unknown")]
    assert checked(tmp_path, interval="soon", unti=3) == [
        ("unti", "config.unknown_key_near"),
        ("interval", "config.wrong_value"),
    ]


def test_a_profile_with_everything_wrong(tmp_path):
    profile(
        tmp_path,
        ("Bad Name", 0, ""),
        ("a", 1, 'type = "int24"'),
        ("a", 2, "span = [5, 1]"),
        ("c", 3, 'unit = "furlong"\nscale = "much"'),
        head=PROFILE.replace("source", "sauce"),
    )
    text = (tmp_path / "probe.toml").read_text().replace('unit = "mm"\nunit', "unit")
    (tmp_path / "probe.toml").write_text(text)
    assert checked(tmp_path) == [
        ("profile probe.toml sauce", "config.unknown_key_near"),
        ("profile probe.toml source", "config.missing_key"),
        ("profile probe.toml series[c].scale", "config.wrong_value"),
    ]
    (tmp_path / "probe.toml").write_text(text.replace("sauce", "source").replace('scale = "much"', ""))
    assert checked(tmp_path) == [
        ("profile probe.toml series[Bad Name].name", "series.name"),
        ("profile probe.toml series[a].name", "series.twice"),
        ("profile probe.toml series[a].span", "series.bounds"),
        ("profile probe.toml series[c].unit", "unit.unknown"),
        ("profile probe.toml series[a]", "series.register"),
    ]
    (tmp_path / "probe.toml").write_text("not toml")
    assert checked(tmp_path) == [("profile probe.toml", "profile.not_toml")]


def test_the_registry_finds_drivers_and_names_those_it_has():
    assert registry.resolve(registry.SOURCES, "modbus") is FACTORY
    assert isinstance(registry.resolve(registry.SOURCES, "nmea"), Factory)
    problem = registry.resolve(registry.SOURCES, "modbuss")
    assert (problem.code, problem.facts["known"]) == ("driver.unknown", ", ".join(sorted(registry.SOURCES)))
    assert registry.resolve({"broken": "drivers.nowhere:FACTORY"}, "broken").code == "driver.broken"
    assert registry.resolve({"broken": "drivers.api:boot_ms"}, "broken").code == "driver.broken"
