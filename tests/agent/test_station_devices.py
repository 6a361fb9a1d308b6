"""Devices that misbehave on real lines under a real agent: counted, said once, never recorded, and nobody else's trouble."""

import asyncio
import json
import os
from contextlib import contextmanager, suppress

import pytest

from drivers.simulated.line import Pty
from drivers.simulated.modbus import PtyBus, TcpBus
from drivers.simulated.unit import Fault, Unit
from tests.support.broker import Broker
from tests.support.station import WITHIN, Gauge, fengsui, station
from tests.support.until import until

pytestmark = pytest.mark.broker

FLOAT = """
kind = "modbus"
name = "float-probe"
title = "A probe of the station's own"
source = "made for this test"
[[series]]
name = "soil.temperature"
address = 0
type = "float32"
unit = "Cel"
span = [-50, 100]
"""


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


def counters(site, sensor):
    answer = site.status()
    return answer["sensors"][sensor]["counters"] if answer else {}


@pytest.mark.parametrize(
    ("kind", "counted"),
    [
        ("dead", "timeout"),
        ("babble", "garbage"),
        ("wrong-id", "foreign"),
        ("bad-crc", "crc"),
        ("truncated", "truncated"),
        ("exception", "exception-4"),
    ],
)
def test_a_bad_device_is_counted_said_once_and_leaves_its_neighbour_alone(tmp_path, broker, kind, counted):
    async def story():
        bad, good = Unit(1, holding={2: 7, 3: 7}), Gauge(2)
        async with station(tmp_path, broker.port, sensor=False) as site, PtyBus([bad, good.unit], baud=9600) as line:
            site.bus("rs485", line.url)
            site.sensor("bad", "rs485", prefix="bad")
            site.sensor("good", "rs485", prefix="good", unit=2)
            site.write()
            bad.fault = Fault(kind)
            await site.up()
            await until(lambda: site.platform.said("device.down", device="bad"), WITHIN)
            await site.delivers(10)
            await until(lambda: counters(site, "bad").get(counted, 0) >= 2, WITHIN)
            assert "ok" not in counters(site, "bad")
            assert set(counters(site, "good")) == {"ok"}
            assert {one["series"] for one in site.platform.readings} == {"good.river.stage"}
            bad.fault = None
            await until(lambda: site.platform.said("device.up", device="bad"), WITHIN)
            await until(lambda: "bad.river.stage" in {one["series"] for one in site.platform.readings}, WITHIN)
            assert site.platform.types("device.") == ["device.down", "device.up"]
            assert site.platform.said("device.down")[0]["reason"] == counted

    asyncio.run(story())


def test_a_value_that_is_no_number_is_counted_and_never_recorded(tmp_path, broker):
    """With a profile that the station brings itself."""

    async def story():
        probe, gauge = Unit(3, holding={0: 0x41A0, 1: 0}), Gauge(1)
        (tmp_path / "profiles").mkdir()
        (tmp_path / "profiles" / "float-probe.toml").write_text(FLOAT)
        async with station(tmp_path, broker.port, sensor=False) as site, TcpBus([probe, gauge.unit]) as line:
            site.bus("field", line.url)
            site.sensor("probe", "field", profile="float-probe", unit=3)
            site.sensor("gauge", "field")
            site.write()
            await site.up()
            await until(lambda: "soil.temperature" in {one["series"] for one in site.platform.readings}, WITHIN)
            probe.fault = Fault("nan")
            await until(lambda: counters(site, "probe").get("nan", 0) >= 3, WITHIN)
            await site.delivers(5)
            soil = [one["value"] for one in site.platform.readings if one["series"] == "soil.temperature"]
            assert set(soil) == {20.0}
            probe.fault = None
            probe.holding[0] = 0x7F7F  # 3.4e38: a number, and none that this sensor can mean
            await until(lambda: any(one["value"] > 1e38 for one in site.platform.readings), WITHIN)
            (hot,) = {one["quality"] & 0xF for one in site.platform.readings if one["value"] > 1e38}
            assert hot == 4

    asyncio.run(story())


def test_a_port_that_vanishes_is_said_once_and_the_other_line_goes_on(tmp_path, broker):
    async def story():
        here, gone = Gauge(1), Gauge(1)
        async with station(tmp_path, broker.port, sensor=False) as site, TcpBus([here.unit]) as tcp:
            line = PtyBus([gone.unit], baud=9600)
            await line.__aenter__()
            site.bus("rs485", line.url)
            site.bus("field", tcp.url)
            site.sensor("gone", "rs485", prefix="gone")
            site.sensor("here", "field", prefix="here")
            site.write()
            await site.up()
            await until(lambda: "gone.river.stage" in {one["series"] for one in site.platform.readings}, WITHIN)
            line.unplug()
            await until(lambda: site.platform.said("device.down", device="gone"), WITHIN)
            await site.delivers(30)
            assert len(site.platform.said("device.down")) == 1
            assert len(site.platform.said("bus.down")) <= 1
            assert not site.platform.said("device.down", device="here")
            assert site.agent.running

    asyncio.run(story())


@contextmanager
def a_line():
    """A pseudo-terminal: what we write into `ours`, the agent hears on `path`."""
    line = Pty()
    try:
        yield line.fd, line.path
    finally:
        line.close()


def test_rubbish_between_sentences_is_counted_and_the_sentences_are_heard(tmp_path, broker):
    async def story():
        async with station(tmp_path, broker.port, sensor=False) as site:
            with a_line() as (ours, path):
                site.tables["sensor wind"] = (
                    f'[[sensor]]\nname = "wind"\ndriver = "nmea"\nport = "serial://{path}?baud=4800"\n'
                    'profile = "nmea-weather"\ninterval = "100ms"\n'
                )
                site.write()
                await site.agent.start()

                async def speak():
                    number = 0
                    while True:
                        number += 1
                        good = f"WIMWV,{number % 360}.0,T,5.5,N,A"
                        check = 0
                        for character in good:
                            check ^= ord(character)
                        os.write(ours, b"\x00\xff$garbage,*\r\n" + os.urandom(30).replace(b"$", b"") + b"\r\n")
                        os.write(ours, f"${good}*{check ^ 1:02X}\r\n".encode())  # a wrong sum
                        os.write(ours, f"${good[:9]}".encode() + b"\r\n")  # cut short
                        os.write(ours, f"${good}*{check:02X}\r\n".encode())
                        await asyncio.sleep(0.05)

                speaking = asyncio.create_task(speak())
                await until(lambda: site.delivered >= 20, WITHIN)
                heard = counters(site, "wind")
                speaking.cancel()
                assert heard["ok"] > 0
                assert heard["checksum"] > 0
                assert {one["series"] for one in site.platform.readings} == {"wind.direction", "wind.speed"}
                assert all(one["value"] == pytest.approx(2.829, abs=0.01) for one in site.platform.readings
                           if one["series"] == "wind.speed")  # fmt: skip
                assert site.platform.said("device.down") == []

    asyncio.run(story())


def test_a_line_that_never_stops_talking_costs_nobody_else_anything(tmp_path, broker):
    """Bytes without an end or a sentence on one port, an ordinary gauge on another."""

    async def story():
        async with station(tmp_path, broker.port) as site:
            with a_line() as (ours, path):
                site.tables["sensor wind"] = (
                    f'[[sensor]]\nname = "wind"\ndriver = "nmea"\nport = "serial://{path}?baud=4800"\n'
                    'profile = "nmea-weather"\ninterval = "100ms"\nstale = "500ms"\n'
                )
                site.write()

                async def babble():
                    while True:
                        with suppress(BlockingIOError):
                            os.write(ours, os.urandom(512))
                        await asyncio.sleep(0.005)

                await site.agent.start()
                babbling = asyncio.create_task(babble())
                await until(lambda: site.platform.said("device.down", device="wind"), WITHIN)
                memory = site.agent.memory_mib()
                await site.delivers(30)
                babbling.cancel()
                assert set(counters(site, "gauge")) == {"ok"}
                assert site.agent.memory_mib() < memory + 8
                assert site.platform.types("device.") == ["device.down"]
                assert {one["series"] for one in site.platform.readings} == {"river.stage"}

    asyncio.run(story())


def test_a_port_that_is_gone_at_the_start_keeps_nothing_else_back(tmp_path, broker):
    """`check` refuses it; the agent runs, says which bus is down, and goes on with the rest."""

    async def story():
        async with station(tmp_path, broker.port) as site:
            site.bus("gone", f"serial://{tmp_path}/no-such-port")
            site.sensor("gone", "gone", prefix="gone")
            site.write()
            await site.up()
            await site.delivers(5)
            await until(lambda: any(event["type"] == "bus.down" for event in site.platform.events), WITHIN)

    asyncio.run(story())


async def beside(site, *arguments):
    """A command in a process of its own, while the agent polls."""
    return await asyncio.to_thread(fengsui, *arguments, "--config", site.folder / "station.toml")


def test_a_scan_and_manual_reads_beside_the_agent_never_meet_its_polling(tmp_path, broker):
    async def story():
        gauges = [Gauge(1, turnaround=0.004), Gauge(2, turnaround=0.004)]
        async with (
            station(tmp_path, broker.port, sensor=False) as site,
            PtyBus([one.unit for one in gauges], baud=19200) as line,
        ):
            site.bus("rs485", line.url)
            for number in (1, 2):
                site.sensor(f"g{number}", "rs485", prefix=f"g{number}", unit=number)
            site.write()
            await site.up()
            await until(lambda: site.committed > 10, WITHIN)
            bench = (("read", "--once", "--json"), ("modbus", "read", "rs485", 2, 2, 2, "--json"))
            scan, *reads = await asyncio.gather(
                beside(site, "scan", line.path, "--units", "1-3", "--listen", 0.2, "--no-sdi12", "--json"),
                *(beside(site, *one) for one in bench * 2),
            )
            (port,) = json.loads(scan.stdout)["ports"]
            assert (port["state"], port["requests"], port["devices"]) == ("held", 0, [])
            assert scan.returncode == 1
            assert [one.returncode for one in reads] == [0, 0, 0, 0], [one.stderr for one in reads]
            before = site.committed
            await until(lambda: site.committed > before + 5, WITHIN)
            assert [set(counters(site, name)) for name in ("g1", "g2")] == [{"ok"}, {"ok"}]
            assert site.platform.types("device.") == []

    asyncio.run(story())
