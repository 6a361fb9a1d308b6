"""Both LoRa drivers against simulated modules in one air: in virtual time, and over real pseudo-terminals."""

import asyncio
import random

import pytest

from drivers.api import Accepted, Context, Declined, Unknown
from drivers.bearers import lora_e22, lora_rak
from drivers.bearers.lora_law import models, rates, regions
from drivers.bearers.lora_pins import ModePins, PinsConfig
from drivers.collect import collect
from drivers.simulated.air import Air
from drivers.simulated.hosted import MachineLine, MachineStream
from drivers.simulated.lora_e22 import SimE22
from drivers.simulated.lora_rak import RakFaults, RakState, SimRak
from drivers.simulated.voice import Faults
from protocols import ebyte_e22 as e22
from protocols.errors import LocalError
from protocols.lora_frame import OVERHEAD
from tests.support import virtual
from tests.support.until import until

SETTINGS = e22.Settings(channel=61, power=1, listen=True, rssi=True)
RADIO = "470300000:9:0:0:8:17"
BARE = {"name": "radio", "port": "sim:lora", "region": "cn470"}
E22 = BARE | {"rssi": True}
RAK = BARE | {"frequency": 470.3}


class Reports(list):
    def __call__(self, kind, fields):
        self.append((kind, dict(fields)))


def made(factory, table, reports, **keys):
    config, problems = collect(factory.config, table | keys)
    assert problems == []
    return factory.create(config, Context(None, reports))


class World:
    """Two stations and their air; `sim:` addresses lead to the modules in turn."""

    def __init__(self, monkeypatch, factory, modules, air, **keys):
        self.air, self.modules, self.reports = air, modules, Reports()
        lines = {module.radio.name: MachineStream(module) for module in modules}

        async def open_one(address, _base):
            return lines[address.path]

        monkeypatch.setattr("drivers.bearers.common.open_stream", open_one)
        monkeypatch.setattr("drivers.bearers.lora_e22.open_stream", open_one)
        table = E22 if factory is lora_e22.FACTORY else RAK
        self.bearers = [made(factory, table, self.reports, port=f"sim:{name}", **keys) for name in lines]

    async def __aenter__(self):
        self.tasks = [asyncio.create_task(bearer.run()) for bearer in self.bearers]
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()

    async def up(self):
        async with asyncio.timeout(60):
            while any(bearer.status()["state"] != "up" for bearer in self.bearers):  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.1)


def e22_world(monkeypatch, *, settings=SETTINGS, faults=None, loss=0.0, repeat=0.0, seed=1, **keys):
    air = Air(random.Random(seed), loss=loss, repeat=repeat)
    modules = [SimE22(air, name, settings, random.Random(seed + i), faults) for i, name in enumerate("ab")]
    return World(monkeypatch, lora_e22.FACTORY, modules, air, **keys)


def rak_world(monkeypatch, *, faults=None, state=None, loss=0.0, repeat=0.0, seed=1, **keys):
    air = Air(random.Random(seed), loss=loss, repeat=repeat)
    modules = [
        SimRak(air, name, RakState(**{"radio": RADIO} | (state or {})), random.Random(seed + i), faults)
        for i, name in enumerate("ab")
    ]
    return World(monkeypatch, lora_rak.FACTORY, modules, air, **keys)


WORLDS = [e22_world, rak_world]


async def heard(bearer, seconds=60):
    async with asyncio.timeout(seconds):
        return (await anext(aiter(bearer.incoming()))).data


@pytest.mark.parametrize("world", WORLDS)
def test_datagrams_of_every_length_both_ways(monkeypatch, world):
    async def main():
        async with world(monkeypatch) as here:
            await here.up()
            one, other = here.bearers
            for length in (1, 2, 31, one.traits.mtu):
                data = bytes(range(256))[:length]
                assert await one.send(data) == Accepted()
                assert await heard(other) == data
            assert await other.send(b"back") == Accepted()
            assert await heard(one) == b"back"
            assert one.status()["signal"] is not None
            assert one.status()["counters"]["sent"] == 4

    virtual.run(main())


@pytest.mark.parametrize("world", WORLDS)
def test_nothing_is_ever_longer_or_more_often_on_the_air_than_the_law_allows(monkeypatch, world):
    """Whatever is asked of it, for two hours; the air itself is the witness."""

    async def main():
        async with world(monkeypatch) as here:
            await here.up()
            bearer, chance = here.bearers[0], random.Random(7)
            loop = asyncio.get_running_loop()
            while loop.time() < 7200:
                outcome = await bearer.send(chance.randbytes(chance.randint(0, 300)))
                if isinstance(outcome, Declined):
                    assert outcome.reason in ("size", "airtime")
                    await asyncio.sleep(min(outcome.retry_after or 1, 300))
            assert here.air.log
            assert max(seconds for _, _, seconds in here.air.log) <= 1.0
            for _, begin, _ in here.air.log:
                within = [seconds for _, at, seconds in here.air.log if begin <= at < begin + 3600]
                assert sum(within) <= 36.0
            assert bearer.status()["counters"]["airtime"]

    virtual.run(main())


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("loss", [0.045, 0.2])
def test_what_is_lost_is_lost_whole(monkeypatch, world, loss):
    async def main():
        faults = Faults(noise=0.1, tear=0.5) if world is e22_world else RakFaults(tear=0.5)
        async with world(monkeypatch, loss=loss, repeat=0.1, faults=faults, hour=3600) as here:
            await here.up()
            one, other = here.bearers
            got = []

            async def listen():
                async for datagram in other.incoming():
                    got.append(datagram.data)  # noqa: PERF401 - it never ends

            task = asyncio.create_task(listen())
            sent = [b"%04d" % number * 3 for number in range(100)]
            for data in sent:
                assert await one.send(data) == Accepted()
                await asyncio.sleep(70 if world is e22_world else 40)
            task.cancel()
            assert set(got) <= set(sent)
            assert len(set(got)) == 100 - here.air.counts["lost"]
            assert len(got) > len(set(got))  # some were heard twice

    virtual.run(main())


def test_two_who_speak_at_once_spoil_each_other_unless_they_listen(monkeypatch):
    async def main(listens):
        settings = SETTINGS._replace(listen=listens)
        keys = {"region": "licensed", "hour": 36, "listen": listens}
        air = Air(random.Random(1))
        modules = [SimE22(air, name, settings, random.Random(1)) for name in "abc"]
        async with World(monkeypatch, lora_e22.FACTORY, modules, air, **keys) as here:
            await here.up()
            one, two, third = here.bearers
            first = asyncio.create_task(one.send(b"x" * 100))
            await asyncio.sleep(0.3)
            await asyncio.gather(first, two.send(b"y" * 100))
            await asyncio.sleep(5)
            return len(third._inbox), air.counts["collided"]

    assert virtual.run(main(False)) == (0, 4)  # each of the two was deaf besides
    assert virtual.run(main(True)) == (2, 0)


# E22: what it is set to


class Line:
    def __init__(self, pins, key):
        self.pins, self.key = pins, key

    def set(self, active):
        self.pins[self.key] = active
        self.pins["module"].mode = self.pins.get(27, 0) * 2 + self.pins.get(22, 0)

    def active(self):
        return self.pins[self.key]


def with_pins(monkeypatch, settings, **keys):
    here = e22_world(monkeypatch, settings=settings, mode="pins", pins={"m0": 22, "m1": 27}, **keys)
    for bearer, module in zip(here.bearers, here.modules, strict=True):
        pins = {"module": module}
        bearer._pins = ModePins(PinsConfig(22, 27), lambda _chip, line, _low, pins=pins: Line(pins, line))
    return here


@pytest.mark.parametrize("mode", ["pins", "soft"])
@pytest.mark.parametrize("configure", [False, True])
def test_settings_are_compared_and_written_only_where_that_is_allowed(monkeypatch, mode, configure):
    async def main():
        found = SETTINGS._replace(channel=62, soft=mode == "soft", wake=5)
        if mode == "pins":
            here = with_pins(monkeypatch, found, configure=configure)
        else:
            here = e22_world(monkeypatch, settings=found, mode="soft", configure=configure)
        async with here:
            await asyncio.sleep(10)
            bearer, module = here.bearers[0], here.modules[0]
            assert module.mode == 0
            assert module.settings == (found._replace(channel=61) if configure else found)
            if configure:
                assert await bearer.send(b"x") == Accepted()
            else:
                assert (await bearer.send(b"x")).reason == "settings"
                assert bearer.status()["refused"] == "settings"
                assert (
                    "bearer.settings",
                    {"bearer": "radio", "reason": "settings", "found": {"channel": 62}},
                ) in here.reports
                assert not here.air.log

    virtual.run(main())


@pytest.mark.parametrize("wrong", [{"power": 0}, {"listen": False}, {"channel": 10}, {"rate": "0.3k"}])
def test_a_module_that_is_set_against_the_law_is_not_sent_by(monkeypatch, wrong):
    async def main():
        async with with_pins(monkeypatch, SETTINGS._replace(**wrong)) as here:
            await asyncio.sleep(10)
            outcome = await here.bearers[0].send(b"x")
            assert isinstance(outcome, Declined)
            assert outcome.reason == "unlawful"
            assert not here.air.log

    virtual.run(main())


def test_a_silent_module_is_a_port_that_is_gone(monkeypatch):
    async def main():
        here = with_pins(monkeypatch, SETTINGS)
        for bearer in here.bearers:
            bearer._pins = ModePins(
                PinsConfig(22, 27), lambda *_: Line({"module": SimE22(here.air, "x", SETTINGS, random.Random())}, 22)
            )
        async with here:
            await asyncio.sleep(20)
            assert here.bearers[0].status()["state"] == "down"
            assert (await here.bearers[0].send(b"x")).reason == "port"

    virtual.run(main())


# RAK3172


def test_an_old_firmware_cannot_listen_first_and_may_not_send_in_china(monkeypatch):
    async def main(region):
        async with rak_world(monkeypatch, faults=RakFaults(old=True), region=region, hour=36) as here:
            await asyncio.sleep(10)
            return await here.bearers[0].send(b"x")

    assert virtual.run(main("cn470")).reason == "unlawful"
    assert virtual.run(main("licensed")) == Accepted()


def test_a_module_of_another_setting_is_told_and_not_sent_by(monkeypatch):
    async def main():
        async with rak_world(monkeypatch, state={"mode": 1}) as here:
            await asyncio.sleep(10)
            assert (await here.bearers[0].send(b"x")).reason == "settings"
            assert here.reports[0] == (
                "bearer.settings",
                {"bearer": "radio", "reason": "settings", "found": {"NWM": "1"}},
            )

    virtual.run(main())


def test_a_restart_in_the_middle_of_a_send_is_unknown_and_over_soon(monkeypatch):
    async def main():
        async with rak_world(monkeypatch, faults=RakFaults(restarts=2)) as here:
            await here.up()
            assert isinstance(await here.bearers[0].send(b"x"), Unknown)
            await asyncio.sleep(10)
            here.modules[0].faults.restarts = 0
            assert await here.bearers[0].send(b"x") == Accepted()

    virtual.run(main())


def test_giving_up_leaves_the_device_usable(monkeypatch):
    async def main():
        async with rak_world(monkeypatch) as here:
            await here.up()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await here.bearers[0].send(b"one")
            assert await here.bearers[0].send(b"two") == Accepted()
            assert [await heard(here.bearers[1]) for _ in range(2)] == [b"one", b"two"]

    virtual.run(main())


# Over a line


@pytest.mark.parametrize("kind", ["e22", "rak"])
def test_over_pseudo_terminals_and_a_pulled_adapter(kind):
    async def main():
        air, reports = Air(random.Random(1)), Reports()
        if kind == "e22":
            module, other = (SimE22(air, name, SETTINGS._replace(rate="62.5k"), random.Random(1)) for name in "ab")
            factory, table = lora_e22.FACTORY, E22 | {"rate": "62.5k"}
        else:
            radio = "470300000:7:2:0:8:17"
            module, other = (SimRak(air, name, RakState(radio=radio), random.Random(1)) for name in "ab")
            factory, table = lora_rak.FACTORY, RAK | {"spreading": 7, "bandwidth": 500}
        async with MachineLine(module) as line, MachineLine(other) as far:
            bearers = [made(factory, table, reports, port=one.url) for one in (line, far)]
            tasks = [asyncio.create_task(bearer.run()) for bearer in bearers]
            await until(lambda: all(bearer.status()["state"] == "up" for bearer in bearers))
            assert await bearers[0].send(b"over a wire") == Accepted()
            assert await heard(bearers[1]) == b"over a wire"
            line.unplug()
            await until(lambda: bearers[0].status()["state"] == "down")
            assert (await bearers[0].send(b"x")).reason == "port"
            for task in tasks:
                task.cancel()

    asyncio.run(main())


# Configuration


@pytest.mark.parametrize(
    ("factory", "keys", "codes"),
    [
        (lora_e22, {}, []),
        (lora_e22, {"power": 22}, ["lora.power"]),
        (lora_e22, {"listen": False}, ["lora.listen"]),
        (lora_e22, {"channel": 20}, ["lora.band"]),
        (lora_e22, {"rate": "0.3k"}, ["lora.no_room"]),
        (lora_e22, {"region": "cn"}, ["lora.region"]),
        (lora_e22, {"model": "e32"}, ["lora.model"]),
        (lora_e22, {"mode": "pins"}, ["lora.pins"]),
        (lora_e22, {"power": 18, "channel": 99, "address": -1, "network": 256}, ["lora.value"] * 4),
        (lora_e22, {"longest": 0, "hour": -1}, ["lora.positive"] * 2),
        (lora_e22, {"port": "gopher:x"}, ["url.scheme"]),
        (lora_e22, {"port": "serial:///dev/not-there?baud=9600"}, ["port.missing"]),
        (lora_e22, {"region": "eu868", "model": "e22-900t22", "channel": 18, "power": 13, "rate": "0.3k"}, []),
        (lora_rak, {}, []),
        (lora_rak, {"power": 23}, ["value.range"]),
        (lora_rak, {"power": 22}, ["lora.power"]),
        (lora_rak, {"gain": 6.0}, ["lora.power"]),
        (lora_rak, {"frequency": 868.1}, ["lora.band"]),
        (lora_rak, {"bandwidth": 250}, ["lora.power"]),
        (lora_rak, {"spreading": 12, "longest": 0.5}, ["lora.no_room"]),
    ],
)
def test_check_holds_the_configuration_against_the_law(factory, keys, codes):
    table = (E22 if factory is lora_e22 else RAK) | keys
    config, problems = collect(factory.FACTORY.config, table)
    assert problems == []
    assert sorted(one.code for one in factory.FACTORY.check(config, Context(None, Reports()))) == sorted(codes)


def test_a_port_that_is_none_makes_no_bearer():
    for factory, table in ((lora_e22, E22), (lora_rak, RAK)):
        with pytest.raises(LocalError):
            made(factory.FACTORY, table, Reports(), port="nowhere")


def test_the_tables_are_whole():
    assert set(rates().pairs) == set(e22.RATES)
    assert all(len(model.powers) == 4 and model.source for model in models().values())
    for region in regions().values():
        assert region.source
        assert [power.bandwidth for power in region.powers] == sorted(power.bandwidth for power in region.powers)


@pytest.mark.parametrize(("rate", "packet", "mtu"), [("2.4k", 240, 185), ("62.5k", 240, 235), ("9.6k", 32, 27)])
def test_room_for_a_datagram(rate, packet, mtu):
    bearer = made(lora_e22.FACTORY, E22, Reports(), rate=rate, packet=packet)
    assert bearer.traits.mtu == mtu
    assert rates().seconds(rate, mtu + OVERHEAD) <= 1.0
