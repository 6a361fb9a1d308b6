"""Line instruments, Vaisala and meters through pseudo-terminals: values, faults, ports that go and come, bad profiles."""

import asyncio
import struct
from pathlib import Path

import pytest

from drivers.api import Context
from drivers.collect import collect
from drivers.registry import SOURCES, resolve
from drivers.simulated.dlt645 import Meter
from drivers.simulated.hosted import MachineLine
from drivers.simulated.line import PtyLine
from drivers.simulated.vaisala import Transmitter
from protocols.errors import RemoteError
from protocols.line_frame import Checksum, Framing, Length, seal
from protocols.quality import Reason, reasons_of
from tests.drivers.modbus_world import Reports, run, until

PMS = Framing(start=b"BM", length=Length(2, 2, add=4), longest=64, checksum=Checksum("sum16"))


def source(driver, port, reports=None, base=Path(), **config):
    factory = resolve(SOURCES, driver)
    made, problems = collect(factory.config, {"name": "x", "port": port, "interval": "100ms", **config})
    assert problems == []
    return factory.create(made, Context(base, Reports() if reports is None else reports, profiles=(base,)))


def codes(driver, base, **config):
    factory = resolve(SOURCES, driver)
    made, problems = collect(factory.config, {"name": "x", "port": "sim:" + driver, **config})
    found = problems if made is None else [*problems, *factory.check(made, Context(base, print, profiles=(base,)))]
    return [(one.key, one.code) for one in found]


async def running(sensor, enough):
    got = []
    task = asyncio.create_task(sensor.run(got.append))
    await until(lambda: enough(got))
    task.cancel()
    return got


def last(got):
    return {one.series: one.value for one in got[-1]}


# Listened to


async def overheard(profile, says, **config):
    async with PtyLine(lambda _data: None) as line:

        async def speak():
            while True:
                line.write(says)
                await asyncio.sleep(0.05)

        speaking = asyncio.create_task(speak())
        sensor = source("line", line.url, profile=profile, **config)
        got = await running(sensor, lambda got: len(got) >= 2)
        speaking.cancel()
        return last(got), sensor


DUST = seal(PMS, struct.pack(">2sH13H", b"BM", 28, 5, 9, 10, 4, 8, 11, 900, 300, 50, 8, 2, 1, 0))
TILT = b"\x55\x53" + struct.pack("<4h", 910, -364, 0, 0)
HEARD = [
    ("gill-windsonic", b"\x02Q,229,002.74,M,00,\x0316\r\n", {"wind.direction": 229, "wind.speed": 2.74}),
    ("plantower-pms5003", DUST, {"air.pm1": 4, "air.pm2_5": 8, "air.pm10": 11}),
    ("maxbotix-hrxl", b"R1234\r", {"distance": 1234}),
    (
        "witmotion-wt901",
        TILT + bytes((sum(TILT) & 0xFF,)),
        {"tilt.roll": 4.998779296875, "tilt.pitch": -1.99951171875, "tilt.yaw": 0},
    ),
]


@pytest.mark.parametrize(("profile", "said", "means"), HEARD, ids=[row[0] for row in HEARD])
def test_a_shipped_line_profile(profile, said, means):
    async def main():
        values, sensor = await overheard(profile, b"\xff\x00" + said + b"noise" + said[: len(said) // 2] + said)
        assert values == means
        assert sensor.status()["state"] == "up"
        assert sensor.status()["counters"]["ok"] > 0

    run(main())


def test_calm_wind_and_no_target_are_no_values():
    async def main():
        calm = b"\x02Q,,000.03,M,00,"
        check = bytes((0,))
        for byte in calm[1:]:
            check = bytes((check[0] ^ byte,))
        values, sensor = await overheard("gill-windsonic", calm + b"\x03%02X\r\n" % check[0])
        assert values == {"wind.speed": 0.03}
        assert sensor.status()["counters"]["missing"] > 0

    run(main())


def test_silence_and_babble_on_a_line():
    async def main():
        async with PtyLine(lambda _data: None) as line:
            reports = Reports()
            sensor = source("line", line.url, reports, profile="gill-windsonic", stale="200ms")
            task = asyncio.create_task(sensor.run(lambda _readings: None))
            await until(lambda: sensor._listening)
            line.write(b"\x02Q,229,002.74,M,00,\x0317\r\n" * 3)
            await until(lambda: reports.of("device.down"))
            task.cancel()
            assert reports.of("device.down")[0]["reason"] == "garbage"
            assert sensor.status()["counters"]["checksum"] > 0

    run(main())


# Asked

RADAR = """
kind = "line"
name = "radar"
source = "a manual"
[defaults]
timeout = "300ms"
[[request]]
name = "level"
text = "M\\r\\n"
answer = "^L"
[[request]]
name = "signal"
text = "S\\r\\n"
answer = "^S"
[frame]
end = "\\r\\n"
separator = " "
checksum = { kind = "crc8", form = "hex", gap = 1 }
[[series]]
name = "water.distance"
field = 1
unit = "m"
request = "level"
span = [0, 30]
[[series]]
name = "radar.signal"
pattern = 'S (\\d+)'
unit = "dB"
request = "signal"
span = [0, 100]
"""


class Radar:
    def __init__(self, framing):
        self.framing, self.heard, self.mute, self.noise = framing, b"", False, b""

    def hear(self, data):
        *asked, self.heard = (self.heard + data).split(b"\r\n")
        for one in asked:
            if not self.mute:
                body = b"L 1.234 " if one == b"M" else b"S 42 "
                self.say(self.noise + seal(self.framing, body))


def test_a_profile_of_ones_own_asks_and_is_answered(tmp_path):
    (tmp_path / "radar.toml").write_text(RADAR)

    async def main():
        radar = Radar(Framing(end=b"\r\n", checksum=Checksum("crc8", "hex", gap=1)))
        async with PtyLine(radar.hear) as line:
            radar.say = line.write
            reports = Reports()
            sensor = source("line", line.url, reports, tmp_path, profile="radar")
            radar.noise = b"L 9.999 00\r\nS 1\r\nhello\r\n"
            got = await running(sensor, lambda got: len(got) >= 2)
            assert last(got) == {"water.distance": 1.234, "radar.signal": 42}
            assert sensor.status()["counters"]["checksum"] > 0
            assert {one.series: one.value for one in await sensor.read_once()} == last(got)
            radar.mute = True
            task = asyncio.create_task(sensor.run(lambda _readings: None))
            await until(lambda: reports.of("device.down"))
            assert reports.of("device.down")[0]["reason"] == "timeout"
            radar.mute = False
            await until(lambda: reports.of("device.up"))
            line.unplug()
            await until(lambda: len(reports.of("device.down")) == 2)
            assert reports.of("device.down")[1]["reason"] == "port"
            task.cancel()

    run(main())


BROKEN = [
    ('end = "\\r\\n"', "", ("profile radar.toml frame", "line.frame")),
    ('kind = "crc8"', 'kind = "md5"', ("profile radar.toml frame.checksum", "line.frame")),
    ("field = 1", "", ("profile radar.toml series[water.distance]", "line.piece")),
    ("field = 1", "filed = 1", ("profile radar.toml series[water.distance].filed", "config.unknown_key_near")),
    ("field = 1", 'field = "one"', ("profile radar.toml series[water.distance].field", "config.wrong_value")),
    ("(\\d+)", "(\\d+", ("profile radar.toml series[radar.signal]", "line.piece")),
    (
        'request = "level"',
        'request = "lebel"',
        ("profile radar.toml series[water.distance].request", "line.request_unknown"),
    ),
    ('text = "M\\r\\n"', "", ("profile radar.toml request[level]", "line.frame")),
    ('text = "M\\r\\n"', 'hex = "4X"', ("profile radar.toml request[level]", "line.frame")),
    ('answer = "^L"', 'answer = "("', ("profile radar.toml request[level].answer", "line.frame")),
    ('unit = "m"', 'unit = "metre"', ("profile radar.toml series[water.distance].unit", "unit.unknown")),
    ('kind = "line"', 'kind = "lime"', ("profile radar.toml kind", "profile.kind")),
    ("[frame]", "[frame", ("profile radar.toml", "profile.not_toml")),
]


@pytest.mark.parametrize(("right", "wrong", "said"), BROKEN, ids=[str(row[2]) for row in BROKEN])
def test_a_bad_profile_is_named_with_file_and_key(tmp_path, right, wrong, said):
    assert right in RADAR
    (tmp_path / "radar.toml").write_text(RADAR.replace(right, wrong, 1))
    assert said in codes("line", tmp_path, profile="radar", port="sim:vaisala")


# Vaisala


@pytest.mark.parametrize("automatic", [False, True])
@pytest.mark.parametrize("checksum", [False, True])
def test_a_transmitter_polled_and_by_itself(automatic, checksum):
    async def main():
        device = Transmitter(automatic=automatic, checked=checksum)
        device.invalid = {"Pa"}
        async with MachineLine(device) as line:
            sensor = source("vaisala", line.url, profile="vaisala-wxt", automatic=automatic, checksum=checksum)
            got = await running(sensor, lambda got: got)
            assert sensor.series.keys() - last(got).keys() == {"air.pressure"}
            assert last(got)["device.voltage"] == 12.1
            asked = {line[:3] for line in device.asked}
            letter = "r" if checksum else "R"
            assert asked == (set() if automatic else {f"0{letter}{kind}" for kind in "1235"})

    run(main())


def test_a_transmitter_that_cannot_be_believed():
    async def main():
        device = Transmitter()
        device.damaged = True
        async with MachineLine(device) as line:
            reports = Reports()
            sensor = source("vaisala", line.url, reports, profile="vaisala-wxt", timeout="100ms")
            task = asyncio.create_task(sensor.run(lambda _readings: None))
            await until(lambda: reports.of("device.down"))
            task.cancel()
            assert reports.of("device.down")[0]["reason"] == "crc"
        plain = Transmitter(automatic=True, checked=False)
        async with MachineLine(plain) as line:
            sensor = source("vaisala", line.url, profile="vaisala-wxt", automatic=True)
            task = asyncio.create_task(sensor.run(lambda _readings: None))
            await until(lambda: sensor.status()["counters"].get("no-checksum"))
            task.cancel()

    run(main())


def test_omitted_series_are_not_asked_for_and_simulated_ones_are_marked():
    async def main():
        sensor = source(
            "vaisala", "sim:vaisala", profile="vaisala-wxt", omit=["rain.total", "rain.intensity", "device.voltage"]
        )
        readings = await sensor.read_once()
        assert {one.series for one in readings} == sensor.series.keys()
        assert reasons_of(readings[0].quality) == Reason.SIMULATED
        assert [question.name for question in sensor._language.questions] == ["R1", "R2"]

    run(main())


# Meters


@pytest.mark.parametrize("address", ["", "000000000161"])
def test_a_meter_is_read_and_what_it_lacks_is_left_out(address):
    async def main():
        meter = Meter()
        meter.echo = True
        del meter.values["02800002"]
        async with MachineLine(meter) as line:
            sensor = source("dlt645", line.url, profile="dlt645-three-phase", address=address)
            got = await running(sensor, lambda got: got)
            assert last(got)["mains.voltage.a"] == 231.4
            assert last(got)["mains.current.b"] == -0.25
            assert last(got)["mains.energy"] == 54623.71
            assert sensor.series.keys() - last(got).keys() == {"mains.frequency"}
            assert sensor.status()["state"] == "up"
            assert sensor.status()["counters"]["error-02"] >= 1

    run(main())


def test_a_meter_of_1997_is_read():
    async def main():
        async with MachineLine(Meter(values={"B611": 231.0, "B621": 1.25, "B630": 0.2888, "9010": 4321.09})) as line:
            sensor = source("dlt645", line.url, profile="dlt645-1997")
            assert {one.series: one.value for one in await sensor.read_once()} == {
                "mains.voltage": 231.0,
                "mains.current": 1.25,
                "mains.power": 0.2888,
                "mains.energy": 4321.09,
            }

    run(main())


def test_a_meter_that_is_not_there_or_another():
    async def main():
        meter = Meter()
        async with MachineLine(meter) as line:
            sensor = source("dlt645", line.url, profile="dlt645-single-phase", address="000000000162", timeout="50ms")
            with pytest.raises(RemoteError, match="timeout"):
                await sensor.read_once()
            meter.damaged = True
            sensor = source("dlt645", line.url, profile="dlt645-single-phase", timeout="50ms")
            with pytest.raises(RemoteError, match="timeout"):
                await sensor.read_once()
            assert sensor.status()["counters"]["checksum"] == 2

    run(main())


def test_what_check_says(tmp_path):
    assert codes("dlt645", tmp_path, profile="dlt645-single-phase") == []
    assert codes("vaisala", tmp_path, profile="vaisala-wxt") == []
    assert codes("line", tmp_path, profile="gill-windsonic", port="sim:vaisala") == []
    assert codes("dlt645", tmp_path, profile="dlt645-single-phase", address="12", timeout=0) == [
        ("timeout", "value.range"),
        ("address", "line.address"),
    ]
    assert codes("vaisala", tmp_path, profile="vaisala-wxt", address="10") == [("address", "line.address")]
    (tmp_path / "wxt.toml").write_text(
        'kind = "vaisala"\nname = "wxt"\nsource = "x"\n'
        '[[series]]\nname = "a"\nfield = "Zz"\nunit = "m"\n[[series]]\nname = "b"\nfield = "Ta"\nunit = "K"\n'
    )
    assert codes("vaisala", tmp_path, profile="wxt") == [
        ("profile wxt.toml series[a].field", "line.field_unknown"),
        ("profile wxt.toml series[b].unit", "line.unit_fixed"),
    ]
    (tmp_path / "meter.toml").write_text(
        'kind = "dlt645"\nname = "meter"\nsource = "x"\n[[series]]\nname = "a"\nitem = "02FF0000"\nunit = "V"\n'
    )
    assert codes("dlt645", tmp_path, profile="meter") == [("profile meter.toml series[a].item", "line.piece")]
