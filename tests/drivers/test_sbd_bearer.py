"""Iridium SBD as a bearer: driver and simulated modem, in virtual time and through a pseudo-terminal."""

import asyncio
import random
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers import registry
from drivers.api import Accepted, Context, Declined, Factory, Told, Unknown
from drivers.bearers import common
from drivers.bearers.sbd import FACTORY
from drivers.collect import collect
from drivers.simulated.hosted import MachineLine, MachineStream
from drivers.simulated.sbd import Faults, SbdGateway, SbdModem
from tests.drivers.modbus_world import Reports, run, until
from tests.support import virtual

UTC = 1_795_320_000.0  # 2026-11-22T04:00:00Z


def configured(**table):
    made, problems = collect(FACTORY.config, {"name": "iridium", "port": "sim:sbd", "recharge": "0s"} | table)
    assert problems == []
    return made


def bearer(reports=None, **table):
    context = Context(Path(), Reports() if reports is None else reports, now=lambda: 5000)
    return FACTORY.create(configured(**table), context)


def modem(**faults):
    return SbdModem(SbdGateway(), chance=random.Random(3), faults=Faults(**faults), utc=UTC)


@asynccontextmanager
async def running(one):
    task = asyncio.create_task(one.run())
    await until(lambda: one.status()["state"] == "up")
    yield one
    task.cancel()


@pytest.fixture
def device(monkeypatch):
    """The modem behind every stream that the driver opens."""
    made = modem()

    async def open_stream(*_):
        return MachineStream(made)

    monkeypatch.setattr(common, "open_stream", open_stream)
    return made


def test_the_registry_knows_it():
    assert isinstance(registry.resolve(registry.BEARERS, "sbd"), Factory)


def test_out_and_in_and_what_it_says_of_itself(device):
    async def main():
        async with running(bearer(cost=1.5)) as one:
            assert await one.send(b"hello") == Accepted("0")
            assert [message.data for message in device.gateway.taken] == [b"hello"]
            device.gateway.queue(device.imei, b"down")
            datagram = await anext(one.incoming())
            assert (datagram.data, datagram.at) == (b"down", 5000)
            status = one.status()
            assert (status["state"], status["signal"], status["service"], status["ready_in"]) == ("up", 80, True, 0.0)
            assert (status["imei"], status["counters"]["sent"], status["counters"]["received"]) == (device.imei, 1, 1)
            assert (one.traits.mtu, one.traits.credit, one.traits.cost, one.traits.duplex) == (340, 50, 1.5, True)

    virtual.run(main())


def test_it_tells_the_time(device):
    async def main():
        one = bearer()
        assert one.time() is None
        async with running(one):
            await asyncio.sleep(1)
            told = one.time()
            assert isinstance(told, Told)
            assert (told.at, told.error) == (5000, 360)
            assert abs(told.unix_ms - UTC * 1000) <= 100
            await asyncio.sleep(301)
            assert one.time().unix_ms - told.unix_ms > 299_000

    virtual.run(main())


def test_a_time_of_an_unknown_era_is_none(device):
    async def main():
        device._utc = 1_740_000_000.0  # the newest epoch, before it was in force
        async with running(bearer()) as one:
            await asyncio.sleep(1)
            assert one.time() is None
            assert one.counters["era"] == 1

    virtual.run(main())


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(18, Unknown("connection-lost")), (36, Declined("registration", 180.0)), (14, Declined("segment-size", None))],
)
def test_outcomes(device, status, outcome):
    async def main():
        async with running(bearer()) as one:
            device.faults.statuses.append(status)
            assert await one.send(b"x") == outcome

    virtual.run(main())


def test_what_is_too_long_is_no_matter_for_the_modem(device):
    async def main():
        async with running(bearer(mtu=50)) as one:
            assert await one.send(bytes(51)) == Declined("size", None)
            assert one.counters["size"] == 1

    virtual.run(main())


def test_a_fault_is_reported_once_and_its_end(device):
    async def main():
        reports = Reports()
        async with running(bearer(reports)) as one:
            device.locked = True
            for _ in range(3):
                await one.send(b"x")
            assert one.status()["reason"] == "locked"
            device.locked = False
            await asyncio.sleep(3600)
            assert await one.send(b"x") == Accepted("0")
            assert [kind for kind, _ in reports] == ["device.down", "device.up"]

    virtual.run(main())


@pytest.mark.parametrize(("after", "outcome"), [(0.0, Declined("port", 30.0)), (3.0, Unknown("port"))])
def test_a_line_lost_before_and_in_the_session(device, monkeypatch, after, outcome):
    """Before +SBDIX the message cannot have gone; after it nobody knows."""

    class Cut(MachineStream):
        cut = None

        async def read(self):
            if self.cut is None:
                return await super().read()
            async with asyncio.timeout_at(self.cut):
                return await super().read()

    stream = Cut(device)

    async def open_stream(*_):
        return stream

    monkeypatch.setattr(common, "open_stream", open_stream)

    async def main():
        async with running(bearer()) as one:
            await asyncio.sleep(20)
            stream.cut = asyncio.get_running_loop().time() + after
            if not after:
                device.faults.mute = True
            assert await one.send(b"x") == outcome
            assert one.status()["state"] == "down"

    virtual.run(main())


def test_who_gives_up_does_not_disturb_the_session(device):
    async def main():
        async with running(bearer()) as one:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await one.send(b"first")
            assert await one.send(b"second") == Accepted("1")
            assert [message.data for message in device.gateway.taken] == [b"first", b"second"]

    virtual.run(main())


def test_the_simulated_address():
    async def main():
        async with running(bearer()) as one:
            assert await one.send(b"x") == Accepted("0")

    virtual.run(main())


def test_through_a_pseudo_terminal_that_is_pulled_and_put_back():
    async def main():
        made = modem(torn=True, ring_inside=True)
        made._length = (0.05, 0.1)
        reports = Reports()
        async with MachineLine(made, baud=19_200) as line:
            one = bearer(reports, port=line.url)
            async with running(one):
                assert await one.send(bytes(range(256))) == Accepted("0")
                made.gateway.queue(made.imei, bytes(270))
                line.wake()
                assert (await anext(one.incoming())).data == bytes(270)
                line.unplug()
                await until(lambda: one.status()["state"] == "down")
                assert (await one.send(b"x")).reason == "port"
        assert [message.data for message in made.gateway.taken] == [bytes(range(256))]

    run(main())


def check(**table):
    return [(one.key, one.code) for one in FACTORY.check(configured(**table), Context(Path(), Reports()))]


def test_what_can_be_said_beforehand():
    assert check() == []
    assert check(port="serial:///dev/no-such-modem") == [("port", "port.missing")]
    assert check(port="replay:file") == [("port", "url.scheme")]
    assert check(mtu=341) == check(mtu=0) == [("mtu", "value.range")]
    assert check(recharge="11min") == [("recharge", "value.range")]


def test_the_modems_own_rate_where_the_address_names_none():
    assert bearer(port="serial:///dev/ttyUSB0")._address.baud == 19_200
    assert bearer(port="serial:///dev/ttyUSB0?baud=9600")._address.baud == 9600
