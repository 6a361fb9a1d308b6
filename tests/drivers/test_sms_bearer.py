"""SMS and Tiantong as bearers: drivers and simulated modems, in virtual time and through pseudo-terminals."""

import asyncio
import random
import stat
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from agent import say
from drivers import registry
from drivers.api import Accepted, Context, Declined, Factory, Told, Unknown
from drivers.bearers import common, sms, tiantong
from drivers.bearers.modem_profile import SHIPPED, open_modem
from drivers.bearers.people import Quota
from drivers.collect import collect
from drivers.simulated import modem
from drivers.simulated.hosted import MachineLine, MachineStream
from drivers.simulated.modem import ModemFaults, SimModem, SmsNetwork
from protocols import sms_letters
from tests.drivers.modbus_world import Reports, run
from tests.support import virtual
from tests.support.until import until

OURS, THEIRS, PERSON = "+8613800000001", "+8613800000002", "+8613900000001"
FAST = {"send_time": (0.01, 0.05)}  # seconds, where time is real


class Village:
    """A network with modems by the names that ports have here."""

    def __init__(self, monkeypatch, **network):
        self.network = SmsNetwork(random.Random(1), delay=(0.05, 0.1), **network)
        self.person = self.network.telephone(PERSON)
        self.devices, self.opened = {}, 0

        async def open_stream(address, _base=None):
            self.opened += 1
            return MachineStream(self.devices[address.path])

        monkeypatch.setattr(common, "open_stream", open_stream)

    def modem(self, name="modem", number=OURS, **options):
        self.devices[name] = SimModem(self.network, number, random.Random(2), **options)
        return self.devices[name]


@pytest.fixture
def village(monkeypatch):
    return Village(monkeypatch)


def configured(factory=sms.FACTORY, **table):
    made, problems = collect(factory.config, {"name": "sms", "port": "sim:modem", "to": THEIRS} | table)
    assert problems == []
    return made


def bearer(factory=sms.FACTORY, reports=None, base=Path(), **table):
    context = Context(base, Reports() if reports is None else reports, now=lambda: 5000)
    return factory.create(configured(factory, **table), context)


@asynccontextmanager
async def running(*bearers):
    tasks = [asyncio.create_task(one.run()) for one in bearers]
    try:
        for one in bearers:
            await until(lambda one=one: one.status()["state"] == "up", 60)
        yield bearers[0]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def heard(iterator, seconds=60.0):
    async with asyncio.timeout(seconds):
        return await anext(iterator)


@pytest.mark.parametrize("name", ["sms", "tiantong"])
def test_the_registry_knows_it(name):
    assert isinstance(registry.resolve(registry.BEARERS, name), Factory)


def test_a_datagram_each_way_and_what_is_said_of_it(village):
    async def main():
        village.modem()
        village.modem("headend", THEIRS)
        ours, theirs = bearer(), bearer(name="headend", port="sim:headend", to="", allow=["13800000001"])
        async with running(ours, theirs):
            sent = await ours.send(bytes(range(140)))
            assert sent == Accepted("1")
            datagram = await heard(theirs.incoming())
            assert (datagram.data, datagram.sender, datagram.at) == (bytes(range(140)), "13800000001", 5000)
            assert await theirs.send(b"down", OURS) == Accepted("1")
            assert (await heard(ours.incoming())).sender == THEIRS
            status = ours.status()
            wanted = {"state": "up", "signal": 65, "phase": "ready", "registration": "home", "daily_left": 199}
            assert wanted.items() <= status.items()
            assert status["counters"]["sent"] == 1
            assert status["ready_in"] <= 5.0

    virtual.run(main())


def test_texts_for_people_and_from_them(village):
    async def main():
        village.modem()
        one = bearer()
        one.hear([PERSON, "10086"])
        async with running(one):
            assert await one.send_text(PERSON, "山洪预警：请立即转移。" * 12) == Accepted("1,2")
            assert (await one.send_text(PERSON, "x" * 601)) == Declined("size", None)
            assert (await one.send_text("nobody", "x")) == Declined("no_number", None)
            village.network.write(PERSON, OURS, "收到", 0.0)
            village.network.write("+8613999999999", OURS, "重启网关", 0.0)
            village.network.write(PERSON, OURS, b"\x00not from a platform", 0.0)
            text = await heard(one.texts())
            assert (text.sender, text.text, text.at) == (PERSON, "收到", 5000)
            await until(lambda: one.counters["unexpected"])
            assert one.counters["unknown_sender"] == 1
            assert len(one._inbox) == 0
            await until(lambda: village.person.texts)
            assert village.person.texts == ["山洪预警：请立即转移。" * 12]

    virtual.run(main())


def test_data_as_text_where_a_network_passes_nothing_else(village):
    async def main():
        village.modem()
        village.modem("headend", THEIRS)
        ours = bearer(format="text")
        theirs = bearer(name="headend", port="sim:headend", to=OURS)
        assert ours.traits.mtu == sms_letters.MOST
        async with running(ours, theirs):
            await ours.send(bytes(range(119)))
            assert await ours.send(bytes(120)) == Declined("size", None)
            assert (await heard(theirs.incoming())).data == bytes(range(119))
            await theirs.send(b"\xff" * 140)
            assert (await heard(ours.incoming())).data == b"\xff" * 140, "both forms are always read"
            village.network.write(THEIRS, OURS, "=收到!", 0.0)
            assert (await heard(ours.texts())).text == "=收到!"

    virtual.run(main())


def test_refusals_and_doubts_are_told_as_they_are(village):
    async def main():
        device = village.modem(faults=ModemFaults())
        one = bearer()
        assert await one.send(b"x") == Declined("port", 30.0)
        async with running(one):
            device.faults.errors.extend([38, 304, 332])
            assert await one.send(b"x") == Declined("network_out_of_order", 120.0)
            assert await one.send(b"x") == Declined("bad_pdu", None)
            assert await one.send(b"x") == Unknown("network_timeout")
            assert await one.send(b"") == Declined("size", None)
            device.leave(2)
            await until(lambda: one.status()["phase"] == "searching")
            assert await one.send(b"x") == Declined("no_network", 30.0)
            assert one.counters["no_network"] == 1

    virtual.run(main())


def test_a_restart_while_sending_and_the_way_back(village):
    async def main():
        device = village.modem(faults=ModemFaults())
        one = bearer()
        async with running(one):
            device.faults.restart = True
            assert await one.send(b"x") == Unknown("reboot")
            await until(lambda: one.status()["phase"] == "ready", 60)
            assert isinstance(await one.send(b"y"), Accepted)
            assert device.restarts == 1

    virtual.run(main())


def test_who_gives_up_a_send_leaves_the_modem_usable(village):
    async def main():
        village.modem(send_time=(20.0, 20.0))
        one = bearer()
        async with running(one):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3):
                    await one.send(b"first")
            assert await one.send(b"second") == Accepted("2")
            assert one.counters["sent"] == 2

    virtual.run(main())


def test_a_dead_modem_is_opened_anew_and_its_supply_switched(village):
    async def main():
        device = village.modem(faults=ModemFaults(mute=True))
        reports, switched = Reports(), []
        one = bearer(reports=reports, power_cycle=["switch"])

        async def switch():
            switched.append(asyncio.get_running_loop().time())

        one._cycle_power = switch
        task = asyncio.create_task(one.run())
        await asyncio.sleep(60)
        assert one.status()["state"] == "down"
        assert [(kind, fields["reason"]) for kind, fields in reports] == [("device.down", "silent")]
        await asyncio.sleep(500)
        assert village.opened > 5
        assert len(switched) == one.counters["climbed_power"] == 1
        device.faults.mute = False
        await until(lambda: one.status()["state"] == "up", 120)
        assert reports[-1][0] == "device.up"
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    virtual.run(main())


def test_the_operators_command_is_run(tmp_path):
    mark, hook = tmp_path / "switched", tmp_path / "cycle"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    one = bearer(power_cycle=[str(hook)])
    run(one._cycle_power())
    assert mark.exists()
    assert one.counters["power_cycle_failed"] == 0
    for command in (["no-such-command-here"], ["false"]):
        run((one := bearer(power_cycle=command))._cycle_power())
        assert one.counters["power_cycle_failed"] == 1


def test_a_sim_problem_is_told_once(village):
    async def main():
        device = village.modem()
        device.sim = False
        reports = Reports()
        one = bearer(reports=reports)
        task = asyncio.create_task(one.run())
        await asyncio.sleep(1200)
        assert [(kind, fields["reason"]) for kind, fields in reports] == [("device.down", "sim_absent")]
        assert await one.send(b"x") == Declined("sim_absent", 60.0)
        task.cancel()

    virtual.run(main())


def test_a_pin_from_its_file(village, tmp_path):
    async def main():
        device = village.modem(pin="1234")
        (tmp_path / "pin").write_text("1234\n")
        async with running(bearer(base=tmp_path, pin_file="pin")):
            assert device.tries == 3

    virtual.run(main())


def test_the_day_has_its_quota(village):
    async def main():
        village.modem()
        one = bearer(daily_messages=3)
        async with running(one):
            assert await one.send_text(PERSON, "雨" * 100) == Accepted("1,2")
            assert await one.send(b"x") == Accepted("3")
            refused = await one.send(b"x")
            assert refused.reason == "quota"
            assert 86_000 < refused.retry_after <= 86_400
            assert one.status()["daily_left"] == 0
            await asyncio.sleep(86_400)
            assert await one.send(b"x") == Accepted("4")

    virtual.run(main())


def test_a_quota_in_itself():
    quota = Quota(2)
    assert quota.wait(0.0) == 0.0
    quota.spend(0.0)
    quota.spend(10.0)
    assert (quota.wait(20.0), quota.left(20.0)) == (86_380.0, 0)
    assert quota.wait(86_400.0) == 0.0
    endless = Quota(0)
    endless.spend(0.0)
    assert (endless.wait(0.0), endless.left(0.0)) == (0.0, None)


def test_what_the_network_says_of_messages_and_of_time(village):
    async def main():
        village.modem()
        village.modem("headend", THEIRS)
        config = configured(reports=True, profile="quectel-ec20")
        one = sms.create(config, Context(Path(), Reports(), now=lambda: 5000))
        async with running(one):
            await one.send(b"x")
            await until(lambda: one.counters["delivered"])
            await until(one.time)
            now = village.network.time(asyncio.get_running_loop().time()) * 1000
            assert one.time() == Told(pytest.approx(now, abs=10_000), 5000, 2000)

    virtual.run(main())


def test_tiantong_is_the_same_machine_with_patience(village):
    async def main():
        device = village.modem(banner=("^SIMST:1",), send_time=(5.0, 40.0))
        device.restart()
        one = bearer(tiantong.FACTORY)
        assert (one.traits.latency, one.traits.min_interval, one.traits.mtu) == (30.0, 10.0, 140)
        async with running(one):
            assert await one.send(b"over the satellite") == Accepted("1")
            setup = [command for command in device.commands if "^" in command or "CFUN" in command]
            assert setup[:4] == ["AT^TETYPE?", "AT^VOICERATE?", "AT+CFUN=1", "AT^VOICEMODE=1"]

    virtual.run(main())


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_profile_is_sound_and_brings_a_modem_up(path, village):
    profile, problems = open_modem(path.stem)
    assert problems == []
    assert (profile.name, profile.kind) == (path.stem, "modem")
    assert profile.title
    assert len(profile.source) > 10
    assert any(step.command == "AT+CMGF=0" and step.required for step in profile.messages)

    async def main():
        village.modem()
        async with running(bearer(profile=path.stem)) as one:
            assert isinstance(await one.send(b"x"), Accepted)

    virtual.run(main())


def test_a_stations_own_profile_goes_first(tmp_path):
    text = (SHIPPED / "generic.toml").read_text().replace('title = "', 'title = "Our own: ')
    (tmp_path / "generic.toml").write_text(text)
    profile, problems = open_modem("generic", (tmp_path,))
    assert problems == []
    assert profile.title.startswith("Our own")
    (tmp_path / "broken.toml").write_text(
        text.replace("AT+CMEE=1", "AT+CMEE=1\\r").replace('kind = "modem"', 'kind = "x"')
    )
    _, problems = open_modem("broken", (tmp_path,))
    assert {one.code for one in problems} == {"profile.kind", "modem.command"}
    assert open_modem("../sms")[1][0].code == "profile.unknown"


def test_check_says_what_is_wrong(tmp_path):
    (tmp_path / "pin").write_text("12x4")
    table = {
        "to": "nobody",
        "allow": ["+8613800000001", "?"],
        "profile": "generic",
        "pin_file": "pin",
        "country": "+86",
    }
    config = configured(**table, mtu=141, daily_messages=20_000, port="serial:///dev/does-not-exist")
    found = list(sms.FACTORY.check(config, Context(tmp_path, Reports())))
    assert [(one.key, one.code) for one in found] == [
        ("port", "port.missing"),
        ("pin_file", "modem.pin"),
        ("to", "modem.number"),
        ("allow", "modem.number"),
        ("country", "modem.country"),
        ("mtu", "value.range"),
        ("daily_messages", "value.range"),
    ]
    for one in found:
        assert "{" not in say.say(one.code, **one.facts)
    unread = configured(pin_file="no-such-file", profile="no-such")
    codes = {one.code for one in sms.FACTORY.check(unread, Context(tmp_path, Reports()))}
    assert codes == {"modem.pin_unreadable", "profile.unknown"}
    assert list(sms.FACTORY.check(configured(), Context(tmp_path, Reports()))) == []


def test_the_rate_is_the_modems_own_where_none_is_named():
    assert sms.line_address(configured(port="serial:///dev/x"), open_modem("generic")[0])[0].baud == 115_200
    assert sms.line_address(configured(port="serial:///dev/x?baud=9600"), open_modem("generic")[0])[0].baud == 9600


def test_simulated_modems_by_their_addresses():
    for made in (modem.alone, modem.other, modem.tiantong, modem._shared):
        made.cache_clear()

    async def main():
        ours, theirs = bearer(), bearer(name="headend", port="sim:modem-2", to=OURS)
        above = bearer(tiantong.FACTORY, name="satellite", port="sim:tiantong", to=OURS)
        async with running(ours, theirs, above):
            await ours.send(b"down below")
            await above.send(b"by satellite", THEIRS)
            assert (await heard(theirs.incoming())).data == b"down below"
            await until(lambda: theirs.counters["unknown_sender"], 60)

    virtual.run(main())
    for made in (modem.alone, modem.other, modem.tiantong, modem._shared):
        made.cache_clear()


# Real time, real terminals


def test_through_pseudo_terminals_with_a_pulled_plug():
    async def main():
        network = SmsNetwork(random.Random(1), delay=(0.01, 0.02))
        faults = ModemFaults(torn=True, ring_inside=True)
        devices = [SimModem(network, OURS, random.Random(2), faults=faults, **FAST), SimModem(network, THEIRS, **FAST)]
        async with MachineLine(devices[0], 115_200) as one_line, MachineLine(devices[1], 115_200) as other_line:
            ours = bearer(port=one_line.url)
            theirs = bearer(name="headend", port=other_line.url, to=OURS)
            async with running(ours, theirs):
                for number in range(5):
                    assert isinstance(await ours.send(b"%d" % number), Accepted)
                found = [await heard(theirs.incoming()) for _ in range(5)]
                assert sorted(one.data for one in found) == [b"%d" % number for number in range(5)]
                devices[0]._send_time = (30.0, 30.0)
                sending = asyncio.create_task(ours.send(b"pulled"))
                await until(lambda: devices[0].busy)
                one_line.unplug()
                assert await sending == Unknown("port")
                await until(lambda: ours.status()["state"] == "down")
                assert (await ours.send(b"x")).reason == "port"

    run(main())
