"""SDI-12 lines: many probes at once, one that is dead or slow or misbehaves, breaks on a bare line, ports that vanish."""

import asyncio
from pathlib import Path

import pytest

from drivers.api import Context
from drivers.collect import collect
from drivers.sensors.sdi12 import FACTORY, Sdi12Config
from drivers.simulated import streams
from drivers.simulated.hosted import MachineLine, MachineStream
from drivers.simulated.line import PtyLine
from drivers.simulated.sdi12 import Probe, Sdi12Line
from protocols.errors import RemoteError
from protocols.quality import Reason, reasons_of
from protocols.sdi12 import with_parity
from tests.drivers.modbus_world import Reports, run, until
from tests.support import virtual


def line_of(port, probes, reports=None, base=Path(), **config):
    rows = [{"profile": "sdi12-level", "prefix": row["name"], **row} for row in probes]
    made, problems = collect(Sdi12Config, {"name": "line", "port": port, "probe": rows, **config})
    assert problems == []
    return FACTORY.create(made, Context(base, Reports() if reports is None else reports, profiles=(base,)))


def level(text="+1.234"):
    return lambda _now: (text, "+18.4")


@pytest.fixture
def hosted(monkeypatch):
    """`hosted(device)`: what answers at `sim:sdi12`."""

    def host(device):
        monkeypatch.setattr(streams, "open_simulated", lambda _name: MachineStream(device))
        return device

    return host


def in_virtual_time(main, monkeypatch):
    """The driver's monotonic clock is that of the loop, which jumps."""

    async def whole():
        loop = asyncio.get_running_loop()
        for module in ("drivers.sdi12_port", "drivers.sensors.sdi12", "drivers.pace"):
            monkeypatch.setattr(f"{module}.time.monotonic", loop.time)
        await main()

    virtual.run(whole())


def test_a_line_of_several_probes_through_an_adapter():
    async def main():
        device = Sdi12Line(
            [Probe("0", level()), Probe("1", level("-0.5")), Probe("z", lambda _now: ("+2345", "+9", "+412"))]
        )
        async with MachineLine(device) as line:
            sensor = line_of(
                line.url,
                [
                    {"name": "a", "crc": True},
                    {"name": "b", "address": "1", "concurrent": True},
                    {"name": "c", "address": "z", "profile": "meter-teros-12"},
                ],
            )
            values = {one.series: one.value for one in await sensor.read_once()}
            assert values == {
                "a.water.level": 1.234,
                "a.water.temperature": 18.4,
                "b.water.level": -0.5,
                "b.water.temperature": 18.4,
                "c.soil.moisture": pytest.approx(21.40255),
                "c.soil.temperature": 9,
                "c.soil.conductivity": 412,
            }
            assert values.keys() == sensor.series.keys()
            assert {text for _, text in device.commands} >= {"0MC!", "1C!", "zCC!"}

    run(main())


def test_many_slow_probes_measure_at_once_and_delay_nobody(hosted, monkeypatch):
    probes = [Probe(str(n), level(), seconds=30) for n in range(8)] + [Probe("9", level(), seconds=0)]
    device = hosted(Sdi12Line(probes))

    async def main():
        loop = asyncio.get_running_loop()
        sensor = line_of(
            "sim:sdi12",
            [{"name": f"p{n}", "address": str(n), "concurrent": True, "interval": "10min"} for n in range(8)]
            + [{"name": "p9", "address": "9", "interval": "5s"}],
        )
        got = []
        task = asyncio.create_task(sensor.run(lambda readings: got.append((loop.time(), readings))))
        await asyncio.sleep(40)
        task.cancel()
        quick = [at for at, readings in got if readings[0].series.startswith("p9")]
        slow = [at for at, readings in got if not readings[0].series.startswith("p9")]
        assert len(quick) == 8 or len(quick) == 9
        assert len(slow) == 8
        assert max(slow) < 33  # not eight times thirty
        assert reasons_of(got[0][1][0].quality) == Reason.SIMULATED

    in_virtual_time(main, monkeypatch)
    starts = [at for at, text in device.commands if text.endswith("C!")]
    assert len(starts) == 8


def test_an_exclusive_measurement_keeps_the_line(hosted, monkeypatch):
    device = hosted(Sdi12Line([Probe("0", level(), seconds=20), Probe("1", level())]))

    async def main():
        sensor = line_of(
            "sim:sdi12", [{"name": "a", "interval": "60s"}, {"name": "b", "address": "1", "interval": "5s"}]
        )
        got = []
        task = asyncio.create_task(sensor.run(got.append))
        await asyncio.sleep(30)
        task.cancel()
        assert any(one.series == "a.water.level" for readings in got for one in readings)

    in_virtual_time(main, monkeypatch)
    texts = [text for _, text in device.commands]
    begun = texts.index("0M!")
    assert texts[begun + 1] == "0D0!"


def test_a_dead_probe_is_reported_once_and_its_neighbour_is_read(hosted, monkeypatch):
    device = hosted(Sdi12Line([Probe("0", level()), Probe("1", level(), faults=frozenset({"dead"}))]))

    async def main():
        reports = Reports()
        sensor = line_of(
            "sim:sdi12",
            [{"name": "a", "interval": "10s"}, {"name": "b", "address": "1", "interval": "10s"}],
            reports,
        )
        got = []
        task = asyncio.create_task(sensor.run(got.append))
        await asyncio.sleep(300)
        assert len(got) >= 29
        (down,) = reports.of("device.down")
        assert (down["device"], down["reason"], down["address"]) == ("line.b", "silent", "1")
        status = sensor.status()
        assert (status["state"], status["probes"]["b"]["state"]) == ("up", "down")
        device.probes[1].faults = frozenset()
        await asyncio.sleep(120)
        assert reports.of("device.up")
        device.probes[1].address = "7"  # somebody changed it in mid-run
        await asyncio.sleep(120)
        assert len(reports.of("device.down")) == 2
        task.cancel()

    in_virtual_time(main, monkeypatch)
    assert sum(text == "1M!" for _, text in device.commands) < 60


@pytest.mark.parametrize("fault", ["aborting", "short", "unsigned", "long", "foreign"])
def test_a_misbehaving_probe_gives_no_value(hosted, monkeypatch, fault):
    hosted(Sdi12Line([Probe("0", level(), faults=frozenset({fault}))]))

    async def main():
        sensor = line_of("sim:sdi12", [{"name": "a"}])
        with pytest.raises(RemoteError):
            await sensor.read_once()
        assert sum(sensor.status()["counters"].values()) > 0

    in_virtual_time(main, monkeypatch)


def test_a_technician_never_reads_into_a_measurement(hosted, monkeypatch):
    device = hosted(Sdi12Line([Probe("0", level(), seconds=10)]))

    async def main():
        sensor = line_of("sim:sdi12", [{"name": "a", "concurrent": True}])
        task = asyncio.create_task(sensor.run(lambda _readings: None))
        await asyncio.sleep(2)
        readings = await sensor.read_once()
        task.cancel()
        assert {one.series for one in readings} == sensor.series.keys()

    in_virtual_time(main, monkeypatch)
    asked = [text for _, text in device.commands if text != "0I!"]  # who it is, is asked once it is there
    assert asked == ["0C!", "0D0!", "0C!", "0D0!"]


def test_a_cancelled_sample_gives_the_line_back(hosted, monkeypatch):
    hosted(Sdi12Line([Probe("0", level(), seconds=10), Probe("1", level())]))

    async def main():
        for concurrent in (True, False):
            sensor = line_of("sim:sdi12", [{"name": "a", "concurrent": concurrent}, {"name": "b", "address": "1"}])
            task = asyncio.create_task(sensor.read_once())
            await asyncio.sleep(3)
            task.cancel()
            await asyncio.wait([task])
            assert len(await sensor.read_once()) == 4

    in_virtual_time(main, monkeypatch)


@pytest.mark.parametrize("wake", ["break", "baud"])
def test_a_bare_line_is_spoken_to_with_parity(wake):
    """A pseudo-terminal knows no break: what goes over it is seven bits and even parity, and the NUL of the slow speed."""

    async def main():
        heard = bytearray()

        def hear(data):
            heard.extend(data)
            if heard.endswith(b"\x21"):
                measures = with_parity(b"0M!") == bytes(heard[-3:])
                line.write(with_parity(b"00002\r\n" if measures else b"0+1.5-2\r\n"))

        async with PtyLine(hear, 1200) as line:
            sensor = line_of(line.url, [{"name": "a"}], wake=wake, dtr=False)
            values = {one.series: one.value for one in await sensor.read_once()}
            assert values == {"a.water.level": 1.5, "a.water.temperature": -2}
            assert with_parity(b"0M!") in bytes(heard)
            assert (b"\0" in heard) == (wake == "baud")

    run(main())


def test_a_port_that_is_pulled_and_put_back(tmp_path):
    async def main():
        link, reports = tmp_path / "port", Reports()
        async with MachineLine(Sdi12Line([Probe("0", level())])) as line:
            link.symlink_to(line.path)
            sensor, got = line_of(f"serial://{link}", [{"name": "a", "interval": "1s"}], reports), []
            task = asyncio.create_task(sensor.run(got.append))
            await until(lambda: got)
        await until(lambda: reports.of("device.down"))
        assert reports.of("device.down")[0]["reason"] == "port"
        async with MachineLine(Sdi12Line([Probe("0", level())])) as line:
            link.unlink()
            link.symlink_to(line.path)
            await until(lambda: reports.of("device.up"))
        task.cancel()

    run(main())


def test_what_check_says(tmp_path):
    def codes(*probes, **config):
        rows = [{"profile": "sdi12-level", **row} for row in probes]
        made, problems = collect(Sdi12Config, {"name": "x", "port": "sim:sdi12", "probe": rows, **config})
        found = (
            problems
            if made is None
            else [*problems, *FACTORY.check(made, Context(tmp_path, print, profiles=(tmp_path,)))]
        )
        return [(one.key, one.code) for one in found]

    assert codes({"name": "a"}) == []
    assert codes() == [("probe", "sdi12.no_probe")]
    assert codes({"name": "a"}, wake="shout", port="serial:///dev/nowhere") == [
        ("port", "port.missing"),
        ("wake", "sdi12.wake"),
    ]
    assert codes({"name": "a"}, wake="break") == [("wake", "sdi12.wake")]
    assert codes({"name": "a"}, {"name": "b"}) == [
        ("probe[b].address", "sdi12.address_twice"),
        ("probe[b].prefix", "series.twice"),
        ("probe[b].prefix", "series.twice"),
    ]
    assert codes({"name": "a", "address": "#", "interval": "10ms"}) == [
        ("probe[a].interval", "value.range"),
        ("probe[a].address", "line.address"),
    ]
    (tmp_path / "odd.toml").write_text(
        'kind = "sdi12"\nname = "odd"\nsource = "x"\n[[series]]\nname = "a"\ncommand = "D0"\nvalue = 0\nunit = "m"\n'
    )
    assert codes({"name": "a", "profile": "odd"}) == [
        ("probe[a] profile odd.toml series[a].command", "line.piece"),
        ("probe[a] profile odd.toml series[a].value", "value.range"),
    ]


def test_what_is_no_number_is_no_value(hosted, monkeypatch, tmp_path):
    """A binary packet may hold what no sign and digits can say."""
    (tmp_path / "many.toml").write_text(
        'kind = "sdi12"\nname = "many"\nsource = "x"\n'
        + "".join(
            f'[[series]]\nname = "s{n}"\ncommand = "HB"\nvalue = {n}\nunit = "m"\nscale = 0.5\nmissing = [-99]\n'
            for n in range(1, 6)
        )
    )
    hosted(Sdi12Line([Probe("0", lambda _now: ("1.5", "nan", "inf", "-99"))]))

    async def main():
        sensor = line_of("sim:sdi12", [{"name": "a", "profile": "many"}], base=tmp_path)
        assert {one.series: one.value for one in await sensor.read_once()} == {"a.s1": 0.75}
        assert sensor.status()["counters"]["missing"] == 4

    in_virtual_time(main, monkeypatch)
