"""What happens at a pole: cables pulled, adapters swapped, a device with another address, another speed, another century."""

import asyncio
import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.bearers.hints import PACE_SPAN, Hints
from agent.clock import BUILD_TIME, Clock
from agent.derive.model import Moment
from agent.derive.rain import Rain, RainConfig
from drivers.api import Context
from drivers.bus import Bus, BusConfig
from drivers.collect import collect
from drivers.sensors.modbus import FACTORY as MODBUS
from drivers.sensors.modbus import ModbusConfig
from drivers.sensors.nmea import FACTORY as NMEA
from drivers.sensors.nmea import NmeaConfig
from drivers.sensors.sdi12 import FACTORY as SDI12
from drivers.sensors.sdi12 import Sdi12Config
from drivers.simulated.hosted import MachineLine
from drivers.simulated.line import Pty
from drivers.simulated.modbus import PtyBus
from drivers.simulated.sdi12 import Probe, Sdi12Line
from drivers.simulated.unit import Unit, words_of
from drivers.slot import Priority
from protocols.errors import RemoteError
from protocols.nmea import NmeaStream, seal
from protocols.qartod import Checker
from protocols.quality import Flag, flag_of
from tests.drivers.modbus_world import Reports, context, run, until, world

RAIN = 'kind = "modbus"\nname = "gauge"\nsource = "this test"\n[[series]]\nname = "rain.total"\naddress = 0\nunit = "mm"\nscale = 0.1\n'


class Vane:
    """A wind instrument on an adapter that can be pulled: `speed` m/s, ten times a second."""

    def __init__(self, speed):
        self._line, self.path = Pty(), ""
        self.path = self._line.path
        self._sentence = seal(f"WIMWV,10.0,T,{speed:.1f},M,A")
        self._task = asyncio.create_task(self._blow())

    async def _blow(self):
        while True:
            self._line.write(self._sentence)
            await asyncio.sleep(0.02)

    def pull(self):
        self._task.cancel()
        self._line.close()


def plug(by_id: Path, vane):
    """As udev does: the name of an adapter points to whatever tty it has got."""
    by_id.unlink(missing_ok=True)
    by_id.symlink_to(vane.path)


def listening(by_id, name, reports, got):
    config, problems = collect(
        NmeaConfig,
        {"name": name, "port": f"serial://{by_id}", "profile": "nmea-weather", "interval": "50ms", "prefix": name},
    )
    assert problems == []
    sensor = NMEA.create(config, Context(Path(), reports))
    return sensor, asyncio.create_task(sensor.run(got.extend))


def newest(got, series):
    return next((one.value for one in reversed(got) if one.series == series), None)


def test_two_adapters_that_come_back_under_each_others_tty_are_told_apart_by_their_names(tmp_path):
    async def main():
        north, south = Vane(3.0), Vane(7.0)
        names = {"north": tmp_path / "usb-A", "south": tmp_path / "usb-B"}
        plug(names["north"], north)
        plug(names["south"], south)
        reports, got = Reports(), []
        tasks = [listening(path, name, reports, got)[1] for name, path in names.items()]
        await until(lambda: (newest(got, "north.wind.speed"), newest(got, "south.wind.speed")) == (3.0, 7.0))
        north.pull()
        south.pull()
        await until(lambda: len(reports.of("device.down")) == 2)
        del got[:]
        second, first = Vane(7.0), Vane(3.0)  # enumerated the other way round
        plug(names["north"], first)
        plug(names["south"], second)
        await until(lambda: len(reports.of("device.up")) == 2)
        await until(lambda: newest(got, "north.wind.speed") and newest(got, "south.wind.speed"))
        assert {one.value for one in got if one.series == "north.wind.speed"} == {3.0}
        assert {one.value for one in got if one.series == "south.wind.speed"} == {7.0}
        for task in tasks:
            task.cancel()
        first.pull()
        second.pull()

    run(main())


def test_a_tty_that_is_renamed_is_found_again_by_the_adapters_name(tmp_path):
    async def main():
        reports, got, by_id = Reports(), [], tmp_path / "usb-A"
        vane = Vane(3.0)
        plug(by_id, vane)
        sensor, task = listening(by_id, "mast", reports, got)
        for speed in (4.0, 5.0):
            await until(lambda: sensor.status()["state"] == "up" and got)
            old, vane = vane, Vane(speed)  # the old tty is still held when the new one appears
            assert old.path != vane.path
            plug(by_id, vane)
            old.pull()
            await until(lambda speed=speed: newest(got, "mast.wind.speed") == speed)
        task.cancel()
        vane.pull()

    run(main())


def test_a_device_that_changes_its_address_in_mid_run_is_down_and_nobody_elses_values_are_taken(tmp_path):
    (tmp_path / "gauge.toml").write_text(RAIN)

    async def main():
        unit, other = Unit(1, holding=words_of([100])), Unit(2, holding=words_of([999]))
        async with world([unit, other], patience=0.03) as (bus, reports, _line):
            config = ModbusConfig(name="gauge", bus="bus", profile="gauge", unit=1, interval=0.05)
            sensor, got = MODBUS.create(config, context(bus, reports, tmp_path)), []
            task = asyncio.create_task(sensor.run(got.extend))
            await until(lambda: got)
            unit.unit = 9
            await until(lambda: reports.of("device.down"))
            assert reports.of("device.down")[0]["reason"] == "timeout"
            unit.unit = 1
            await until(lambda: reports.of("device.up"))
            task.cancel()
            assert {one.value for one in got} == {10.0}

    run(main())


@pytest.mark.parametrize("seed", range(3))
def test_babble_at_the_wrong_speed_is_no_sentence(seed):
    """What a line at another speed looks like: bits cut anew, many of them high."""
    random_ = random.Random(seed)
    wrong = bytes(
        byte | random_.choice((0x80, 0xC0, 0xE0, 0x00)) ^ random_.getrandbits(5)
        for byte in seal("WIMWV,1,T,2,N,A") * 300
    )
    assert not [one for one in NmeaStream().receive(wrong) if hasattr(one, "talker")]

    async def main():
        line, reports, got = Pty(), Reports(), []
        config, _ = collect(
            NmeaConfig,
            {
                "name": "x",
                "port": f"serial://{line.path}",
                "profile": "nmea-weather",
                "interval": "50ms",
                "stale": "100ms",
            },
        )
        sensor = NMEA.create(config, Context(Path(), reports))
        task = asyncio.create_task(sensor.run(got.extend))
        pieces = itertools.cycle([*(wrong[n : n + 64] for n in range(0, len(wrong), 64)), b"\n"])
        while not reports.of("device.down"):
            line.write(next(pieces))
            await asyncio.sleep(0.002)
        assert reports.of("device.down")[0]["reason"] == "garbage"
        assert got == []
        while not (reports.of("device.up") and got):
            line.write(b"\n" + seal("WIMWV,1,T,2,M,A"))  # the right speed at last
            await asyncio.sleep(0.02)
        task.cancel()
        line.close()

    run(main())


def test_values_out_of_physical_range_are_bad():
    async def main():
        line, got = Pty(), []
        config, _ = collect(
            NmeaConfig, {"name": "x", "port": f"serial://{line.path}", "profile": "nmea-weather", "interval": "50ms"}
        )
        sensor = NMEA.create(config, Context(Path(), Reports()))
        task = asyncio.create_task(sensor.run(got.extend))
        wrong = {"wind.speed": 514.4, "air.pressure": 0.3, "air.temperature": -99.9, "air.humidity": 655.3}
        while not wrong.keys() <= {one.series for one in got}:
            line.write(seal("WIMWV,10.0,T,514.4,M,A") + seal("WIMDA,,,0.0003,B,-99.9,C,,,655.3,,,,,,,,,,,"))
            await asyncio.sleep(0.02)
        task.cancel()
        line.close()
        found = {one.series: one for one in got}
        assert {name: found[name].value for name in wrong} == wrong
        for name in wrong:
            assert flag_of(Checker(sensor.series[name].span).check(0, found[name].value)) is Flag.BAD

    run(main())


@pytest.mark.parametrize("after", [4, 0])
def test_a_wrapped_counter_read_over_modbus_goes_on(tmp_path, after):
    fell = (65530 - 65520 + 65536 + after - 65530) / 10
    assert _rain(tmp_path, [65520, 65530, after]) == (pytest.approx(fell), Flag.GOOD)


def test_a_counter_that_was_reset_counts_what_it_has_since_and_is_doubted(tmp_path):
    assert _rain(tmp_path, [500, 510, 3]) == (pytest.approx(1.3), Flag.SUSPECT)


def _rain(tmp_path, words):
    """(mm of the last hour, flag) of a gauge whose register says these, a minute apart, after a dry hour at the first of them."""
    (tmp_path / "gauge.toml").write_text(RAIN)
    words = [words[0]] * 60 + words
    now, said = [0], {}
    rain = Rain(RainConfig(of="rain.total", wrap=6553.6), UTC)

    async def main():
        unit = Unit(1, holding=lambda address: now[0] if address == 0 else None)
        async with world([unit]) as (bus, reports, _line):
            config = ModbusConfig(name="g", bus="bus", profile="gauge", unit=1)
            sensor = MODBUS.create(config, context(bus, reports, tmp_path))
            for minute, now[0] in enumerate(words, 1):
                moment = Moment(minute * 60_000, (BUILD_TIME + minute * 60) * 1000, True)
                reading = (await sensor.read_once())[0]._replace(at=moment.at)
                said.update((one.series, one) for one in (*rain.tick(moment), *rain.take(reading, moment)))

    run(main())
    return round(said["rain.1h"].value, 3), flag_of(said["rain.1h"].quality)


@pytest.mark.parametrize(("weeks", "believed"), [(1024, False), (2048, False), (0, True)])
def test_a_receiver_1024_weeks_in_the_past_never_sets_the_clock(weeks, believed):
    async def main():
        at, line = [1000], Pty()
        clock = Clock("none", boot=b"bootboot", now=lambda: at[0], wall_ms=lambda: at[0])
        hints = Hints(clock)
        config, _ = collect(NmeaConfig, {"name": "gnss", "port": f"serial://{line.path}", "profile": "nmea-gnss"})
        sensor = NMEA.create(config, Context(Path(), Reports(), now=lambda: at[0]))
        task = asyncio.create_task(sensor.run(lambda _readings: None))
        began = datetime.fromtimestamp(BUILD_TIME + 86_400, UTC)
        for turn in range(6):
            at[0] += PACE_SPAN // 2
            shown = began + timedelta(milliseconds=turn * PACE_SPAN // 2) - timedelta(weeks=weeks)
            heard = sensor.status()["counters"].get("ok", 0)
            while sensor.status()["counters"].get("ok", 0) == heard:  # what comes before the port is open, nobody hears
                line.write(seal(f"GNRMC,{shown:%H%M%S},A,2900.0,N,10300.0,E,0,0,{shown:%d%m%y},,,A"))
                line.write(seal(f"GNGGA,{shown:%H%M%S},2900.0,N,10300.0,E,1,9,0.9,300.0,M,-40.0,M,,"))
                await asyncio.sleep(0.02)
            hints.look([sensor])
        task.cancel()
        line.close()
        assert clock.trusted is believed
        assert (sensor.time() is not None) is believed
        if believed:
            error = clock.wall(clock.boot, at[0])[0] / 1000 - (began.timestamp() + 5 * PACE_SPAN / 2000)
            assert abs(error) <= 2

    run(main())


@pytest.mark.parametrize("keys", [{"checksum": False}, {"time": False}, {"port": "replay:x.log"}])
def test_who_is_not_asked_for_the_time(keys):
    config, _ = collect(NmeaConfig, {"name": "gnss", "port": "serial:///dev/none", "profile": "nmea-gnss"} | keys)
    sensor = NMEA.create(config, Context(Path(), Reports()))
    now = datetime.fromtimestamp(BUILD_TIME + 86_400, UTC)
    for sentence in NmeaStream().receive(seal(f"GNRMC,{now:%H%M%S},A,2900.0,N,10300.0,E,0,0,{now:%d%m%y},,,A")):
        sensor._take(sentence)
    assert sensor.time() is None


def test_a_manual_read_never_collides_with_polling(tmp_path):
    (tmp_path / "gauge.toml").write_text(RAIN)

    async def main():
        units = [Unit(number, holding=words_of([100 * number]), turnaround=0.003) for number in (1, 2)]
        async with world(units) as (bus, reports, _line):
            sensors = [
                MODBUS.create(
                    ModbusConfig(name=f"g{number}", bus="bus", profile="gauge", unit=number, interval=0.05),
                    context(bus, reports, tmp_path),
                )
                for number in (1, 2)
            ]
            got = [[], []]
            tasks = [asyncio.create_task(one.run(rows.extend)) for one, rows in zip(sensors, got, strict=True)]
            for _ in range(15):
                values = await asyncio.gather(*(one.read_once() for one in sensors for _ in range(2)))
                assert [rows[0].value for rows in values] == [10.0, 10.0, 20.0, 20.0]
            await until(lambda: all(got))
            for task in tasks:
                task.cancel()
            assert [{one.value for one in rows} for rows in got] == [{10.0}, {20.0}]
            counters = [bus.log.counters(number) for number in (1, 2)]
            assert all(set(one) == {"ok"} for one in counters), counters  # no frame was cut by another
            assert not reports.of("device.down")

    run(main())


def test_a_slow_sensor_delays_nobody(tmp_path):
    (tmp_path / "gauge.toml").write_text(RAIN)

    async def main():
        slow, quick = Unit(1, holding=words_of([1]), turnaround=0.5), Unit(1, holding=words_of([2]))
        async with world([slow], patience=1.0) as (bus, reports, _), world([quick]) as (other, _, _):
            buses = Context(tmp_path, reports, {"bus": bus, "other": other}, profiles=(tmp_path,))
            counts = {"bus": 0, "other": 0}

            def count(name):
                return lambda _rows: counts.update({name: counts[name] + 1})

            sensors = {
                name: MODBUS.create(ModbusConfig(name=name, bus=name, profile="gauge", unit=1, interval=0.05), buses)
                for name in counts
            }
            tasks = [asyncio.create_task(one.run(count(name))) for name, one in sensors.items()]
            await until(lambda: counts["bus"] >= 3)
            assert counts["other"] >= 4 * counts["bus"]
            for task in tasks:
                task.cancel()

    run(main())


def test_a_technician_on_a_bus_without_its_port_hears_at_once(tmp_path):
    async def main():
        bus = Bus(BusConfig(name="bus", url=f"serial://{tmp_path}/none"))
        with pytest.raises((OSError, RemoteError)):
            await bus.read(1, 3, 0, 1, priority=Priority.TECHNICIAN)
        await bus.close()

    run(main())


NUMBERED = RAIN.replace("[[series]]", "[identity]\naddress = 100\ncount = 2\n[[series]]", 1)


def numbered(serial, word):
    """A gauge with a serial number, as many say it: two registers far from the others."""
    return Unit(1, holding={0: word, 100: 0, 101: serial}.get)


def test_two_adapters_without_serial_numbers_that_change_places_are_noticed_by_who_answers(tmp_path):
    """By-path names stay where the sockets are: the same name is another line now, and only the device itself can tell."""
    (tmp_path / "gauge.toml").write_text(NUMBERED)

    async def main():
        ports, reports, got = [tmp_path / "by-path-1", tmp_path / "by-path-2"], Reports(), []
        config = [BusConfig(name=f"b{n}", url=f"serial://{port}", timeout=0.1) for n, port in enumerate(ports)]
        kept = {"profiles": (tmp_path,), "state": tmp_path / "state"}
        async with PtyBus([numbered(7, 100)]) as first, PtyBus([numbered(8, 200)]) as second:
            lines = [first.path, second.path]
            for port, line in zip(ports, lines, strict=True):
                port.symlink_to(line)
            buses = {one.name: Bus(one, reports) for one in config}
            where = Context(tmp_path, reports, buses, **kept)

            def start():
                sensors = [
                    MODBUS.create(ModbusConfig(name=f"g{n}", bus=f"b{n}", profile="gauge", interval=0.05), where)
                    for n in range(2)
                ]
                return [asyncio.create_task(one.run(got.extend)) for one in sensors]

            tasks = start()
            await until(lambda: len(got) > 6)
            assert reports.of("device.changed") == []
            for bus in buses.values():
                await bus.close()  # unplugged
            for port, line in zip(ports, reversed(lines), strict=True):
                port.unlink()
                port.symlink_to(line)
            await until(lambda: len(reports.of("device.changed")) == 2)
            assert {(one["device"], one["was"], one["now"]) for one in reports.of("device.changed")} == {
                ("g0", "00000007", "00000008"),
                ("g1", "00000008", "00000007"),
            }
            for task in tasks:
                task.cancel()
            del got[:]
            tasks = start()  # after a restart each is still who it was last
            await until(lambda: len(got) > 6)
            assert len(reports.of("device.changed")) == 2
            for task in tasks:
                task.cancel()
            for bus in buses.values():
                await bus.close()

    run(main())


def test_a_gauge_that_does_not_say_who_it_is_is_asked_once(tmp_path):
    (tmp_path / "gauge.toml").write_text(NUMBERED)

    async def main():
        unit = Unit(1, holding=words_of([100]))
        async with world([unit]) as (bus, reports, _line):
            sensor = MODBUS.create(
                ModbusConfig(name="g", bus="bus", profile="gauge", unit=1, interval=0.02),
                context(bus, reports, tmp_path),
            )
            got = []
            task = asyncio.create_task(sensor.run(got.extend))
            await until(lambda: len(got) > 5)
            task.cancel()
            counted = bus.log.counters(1)
            assert counted.pop("ok") >= 5
            assert list(counted.values()) == [1]  # the one refusal
            assert reports.of("device.changed") == []

    run(main())


def test_a_probe_that_was_replaced_says_so_itself(tmp_path):
    async def main():
        probe = Probe("0", lambda _now: ("+1.5", "+18.4"), identity="13METER   TER12 100SN0001")
        async with MachineLine(Sdi12Line([probe])) as line:
            reports, got = Reports(), []
            rows = [{"name": "soil", "profile": "sdi12-level", "interval": "1s"}]
            config, _ = collect(Sdi12Config, {"name": "line", "port": line.url, "probe": rows})
            source = SDI12.create(config, Context(tmp_path, reports, state=tmp_path / "state"))
            for identity, told in (("SN0001", 0), ("SN0001", 0), ("SN0002", 1)):
                probe.identity = f"13METER   TER12 100{identity}"
                del got[:]
                task = asyncio.create_task(source.run(got.extend))
                await until(lambda: got)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert len(reports.of("device.changed")) == told
                source = SDI12.create(config, Context(tmp_path, reports, state=tmp_path / "state"))
            assert reports.of("device.changed")[0]["now"] == "METER TER12 100 SN0002"

    run(main())
