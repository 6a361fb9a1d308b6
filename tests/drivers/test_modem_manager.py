"""SMS by ModemManager: the driver against a service of the same name on a bus of its own."""

import asyncio
import random
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers import registry
from drivers.api import Accepted, Context, Declined, Factory, Told, Unknown
from drivers.bearers import modem_manager
from drivers.collect import collect
from drivers.simulated.sms_network import SmsNetwork
from tests.drivers.modbus_world import Reports, run
from tests.support.until import until

pytest.importorskip("dbus_fast", reason="dbus-fast is not installed (extra modemmanager)")
from dbus_fast import Variant

from tests.support.fake_modem_manager import FakeModemManager, private_bus

OURS, HEADEND, PERSON = "+8613800000001", "+8613800000002", "+8613900000001"
needs_bus = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed (Debian: apt install dbus-daemon)"
)


def bearer(bus, said=None, **table):
    config, problems = collect(modem_manager.ModemManagerConfig, {"name": "mm", "to": HEADEND, "bus": bus} | table)
    assert problems == []
    return modem_manager.FACTORY.create(config, Context(Path(), Reports() if said is None else said, now=lambda: 5000))


@asynccontextmanager
async def world(folder):
    network = SmsNetwork(random.Random(1), delay=(0.01, 0.02))
    manager = FakeModemManager(network, OURS)
    async with private_bus(folder) as address, manager.on(address):
        yield address, manager, network


@asynccontextmanager
async def running(one):
    task = asyncio.create_task(one.run())
    try:
        await until(lambda: one.status()["state"] == "up")
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_registry_knows_it():
    assert isinstance(registry.resolve(registry.BEARERS, "modem-manager"), Factory)


@needs_bus
def test_datagrams_and_texts_each_way(tmp_path):
    async def main():
        async with world(tmp_path) as (address, manager, network):
            headend, person = network.telephone(HEADEND), network.telephone(PERSON)
            manager.state = 3  # disabled: it is to be enabled
            waiting = manager.put(Number=Variant("s", HEADEND), Data=Variant("ay", b"from before"))
            one = bearer(address)
            one.hear([PERSON])
            task = asyncio.create_task(one.run())
            await until(lambda: manager.enabled)
            assert (await anext(one.incoming())).data == b"from before"
            task.cancel()
            async with running(one):
                assert one.status()["signal"] == 72
                assert await one.send(b"\x00\x01data") == Accepted("1")
                assert await one.send_text(PERSON, "山洪预警" * 30) == Accepted("2")
                await until(lambda: headend.heard and person.texts)
                assert headend.heard[0].content.data == b"\x00\x01data"
                assert person.texts == ["山洪预警" * 30]
                network.write(HEADEND, OURS, b"\xff" * 140, asyncio.get_running_loop().time())
                network.write(PERSON, OURS, "收到", asyncio.get_running_loop().time())
                network.write("+8613999999999", OURS, "重启", asyncio.get_running_loop().time())
                assert (await anext(one.incoming())).data == b"\xff" * 140
                assert (await anext(one.texts())).text == "收到"
                await until(lambda: one.counters["unknown_sender"])
                await until(lambda: manager.messages == {})
                assert waiting not in manager.messages
                assert one.time() == Told(1793579415000, 5000, 2000)
                assert one.status()["daily_left"] == 198

    run(main())


@needs_bus
def test_refusals_doubts_and_reports(tmp_path):
    async def main():
        async with world(tmp_path) as (address, manager, network):
            one = bearer(address, modem="ttyUSB2", reports=True)
            assert await one.send(b"x") == Declined("port", 30.0)
            network.telephone(HEADEND)
            async with running(one):
                for name, answer in (
                    ("NoNetwork", Declined("no_network", 30.0)),
                    ("InvalidPduParameter", Declined("bad_pdu", None)),
                    ("NetworkTimeout", Unknown("network_timeout")),
                ):
                    manager.refuse = name
                    assert await one.send(b"x") == answer
                assert await one.send(b"") == Declined("size", None)
                assert isinstance(await one.send(b"x"), Accepted)
                await until(lambda: one.counters["delivered"])
                await until(lambda: manager.messages == {})

    run(main())


@needs_bus
def test_a_message_is_read_when_its_last_part_has_come(tmp_path):
    async def main():
        async with world(tmp_path) as (address, manager, _):
            one = bearer(address)
            async with running(one):
                path = manager.put(Number=Variant("s", HEADEND), Text=Variant("s", "half"), State=Variant("u", 2))
                manager.announce(path)
                before = manager.calls["GetAll"]
                await until(lambda: manager.calls["GetAll"] > before)
                manager.messages[path]["Text"] = Variant("s", "half and half")
                manager.complete(path)
                assert (await anext(one.texts())).text == "half and half"

    run(main())


@needs_bus
def test_a_manager_that_never_answers_and_one_that_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(modem_manager, "SEND_TIMEOUT", 0.05)
    monkeypatch.setattr(modem_manager, "WATCH", 0.05)

    async def main():
        reports = Reports()
        async with world(tmp_path) as (address, manager, _):
            one = bearer(address, reports)
            async with running(one):
                manager.hang = True
                assert await one.send(b"x") == Unknown("timeout")
                manager.state = 7  # searching
                await until(lambda: one.status()["state"] == "down")
                assert reports[-1][1]["reason"] == "no_network"
                manager.state = 11
                await until(lambda: one.status()["state"] == "up")
                manager._bus.disconnect()
                await until(lambda: one.status()["state"] == "down")
                assert (await one.send(b"x")).reason == "port"

    run(main())


@needs_bus
def test_no_such_modem_and_no_bus(tmp_path):
    async def main():
        async with world(tmp_path) as (address, _, _):
            for one in (bearer(address, modem="123"), bearer(f"unix:path={tmp_path}/nothing")):
                task = asyncio.create_task(one.run())
                await until(lambda one=one: one.status()["state"] == "down")
                assert one.status()["reason"] == "port"
                task.cancel()

    run(main())


def test_check():
    config, _ = collect(modem_manager.ModemManagerConfig, {"name": "mm", "to": "nobody", "bus": "system"})
    codes = [one.code for one in modem_manager.FACTORY.check(config, Context(Path(), Reports()))]
    assert codes == ["modem.bus", "modem.number"]
