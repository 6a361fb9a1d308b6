"""The driver: over a pseudo-terminal once for each protocol, and in virtual time over everything that takes minutes."""

import asyncio
import json
from random import Random

import pytest

from drivers.api import Accepted, Context, Datagram, Declined, Traits, Unknown
from drivers.bearers import beidou, common
from drivers.bearers.beidou import FACTORY, BeidouConfig
from drivers.bearers.beidou_memory import Memory
from drivers.collect import collect
from drivers.registry import BEARERS, resolve
from drivers.simulated import beidou as simulated
from drivers.simulated.beidou import BeidouModule, Faults, Sky, card_2, card_3
from drivers.simulated.hosted import MachineLine, MachineStream
from protocols import rdss_session
from protocols.rdss_content import Coding
from tests.drivers.modbus_world import Reports, run, until
from tests.support import virtual
from tests.support.scale import count

BOTH = pytest.mark.parametrize("card", [card_2("0242286"), card_3("15240507", interval=60)], ids=["2.1", "rsmc"])


def module(card, *, faults=None, sky=None, seed=1, loss=0.0):
    chance = Random(seed)
    return BeidouModule(sky or Sky(chance, loss=loss), card, chance, faults=faults)


def configured(**keys):
    made, problems = collect(BeidouConfig, {"name": "bd", "port": "sim:beidou", "to": "0179773"} | keys)
    assert problems == []
    return made


class Pulled(MachineStream):
    """Ends when it is told to, as an adapter that is pulled."""

    def pull(self):
        self._said.append(b"")
        self._changed.set()

    async def read(self):
        data = await super().read()
        if not data:
            raise OSError("gone")
        return data


class World:
    """A driver on each simulated module, in virtual time. `start` begins the first one anew, as after a restart."""

    def __init__(self, monkeypatch, tmp_path, *modules, **keys):
        self.reports, self.keys, self.path = Reports(), keys, tmp_path
        self.modules, self.bearers, self.tasks = modules, [], []
        self.streams = {}
        monkeypatch.setattr(common, "open_stream", self.open)

    async def open(self, address, _base):
        self.streams[int(address.path)] = Pulled(self.modules[int(address.path)])
        return self.streams[int(address.path)]

    def now(self):
        return 1000 * int(asyncio.get_running_loop().time()) + 5_000_000

    def start(self, number=0, *, state="state", **keys):
        context = Context(
            self.path, self.reports, now=self.now, state=self.path / f"{state}{number}" if state else None
        )
        bearer = FACTORY.create(configured(port=f"sim:{number}", **(self.keys | keys)), context)
        task = asyncio.create_task(bearer.run())
        self.tasks.append(task)
        return bearer, task

    async def up(self, bearer):
        async with asyncio.timeout(300):
            while bearer.status()["state"] != "up":  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.1)

    async def ready(self, bearer):
        await self.up(bearer)
        await asyncio.sleep(max(bearer.status()["ready_in"], 15))


def in_time(main):
    virtual.run(main())


@BOTH
def test_through_a_pseudo_terminal(card, tmp_path, monkeypatch):
    for where, what in (
        (rdss_session, "BOOT"),
        (rdss_session, "OTHER"),
        (simulated, "BOOT"),
        (simulated, "TRANSMIT"),
        (simulated, "THINK"),
    ):
        monkeypatch.setattr(where, what, 0.1)

    async def main():
        sky = Sky(Random(1), delay=0.02)
        station, far = module(card, sky=sky, faults=Faults(torn=True)), module(card_2("0179773"), sky=sky)
        async with MachineLine(station, 115_200) as line, MachineLine(far, 115_200) as other:
            ours, theirs = (
                FACTORY.create(configured(port=url, name=name, to=to), Context(tmp_path, Reports(), state=tmp_path))
                for url, name, to in ((line.url, "a", "0179773"), (other.url, "b", card.card.number))
            )
            ours._machine.hold._left = theirs._machine.hold._left = 0.0
            tasks = [asyncio.create_task(bearer.run()) for bearer in (ours, theirs)]
            await until(lambda: all(one.status()["state"] == "up" and one.status()["signal"] for one in (ours, theirs)))
            assert await ours.send(b"up") == Accepted()
            heard = await anext(aiter(theirs.incoming()))
            assert (heard.data, heard.sender) == (b"up", card.card.number)
            assert await theirs.send(bytes(range(77))) == Accepted()
            assert (await anext(aiter(ours.incoming()))).data == bytes(range(77))
            assert (await ours.send(b"more")).reason == "early"
            line.unplug()
            await until(lambda: ours.status()["state"] == "down")
            assert await ours.send(b"more") == Declined("port", common.REOPEN_MOST)
            for task in tasks:
                task.cancel()

    run(main())


@BOTH
def test_its_traits_are_those_of_its_card(card, monkeypatch, tmp_path):
    async def main():
        here = World(monkeypatch, tmp_path, module(card), cost=0.3)
        bearer, _ = here.start()
        assert bearer.traits.mtu == 77
        await here.ready(bearer)
        mtu = 1451 if card.card.bd3 else 77
        assert bearer.traits == Traits(mtu, 60.0, cost=0.3, latency=4.0)
        status = bearer.status()
        assert (status["card"], status["protocol"]) == (card.card.number, "rsmc" if card.card.bd3 else "2.1")
        assert 0 < status["signal"] <= 100
        json.dumps(status)

    in_time(main)


def test_a_commander_reaches_all_at_once(monkeypatch, tmp_path):
    async def main():
        sky = Sky(Random(1))
        here = World(
            monkeypatch,
            tmp_path,
            module(card_2("0200001", commander=True), sky=sky),
            module(card_2("0242286"), sky=sky),
            module(card_2("0242287"), sky=sky),
            to="",
        )
        head, *stations = [here.start(n)[0] for n in range(3)]
        for bearer in (head, *stations):
            await here.ready(bearer)
        assert head.traits.broadcast
        assert not stations[0].traits.broadcast
        assert await head.send(b"all", "broadcast") == Accepted()
        for bearer in stations:
            heard = await anext(aiter(bearer.incoming()))
            assert (heard.data, heard.sender, heard.broadcast) == (b"all", "0200001", True)
        assert await stations[0].send(b"up", "0200001") == Accepted()
        heard = await anext(aiter(head.incoming()))
        assert heard == Datagram(b"up", "0242286", heard.at)
        assert await stations[0].send(b"all", "broadcast") == Declined("address", None)
        assert await stations[0].send(b"all") == Declined("address", None)
        await asyncio.sleep(60)
        assert await head.send(b"again") == Accepted()
        assert (await anext(aiter(stations[1].incoming()))).broadcast

    in_time(main)


# The hold over restarts


@BOTH
def test_a_restart_forgets_no_hold(card, monkeypatch, tmp_path):
    async def main():
        sender = module(card)
        here = World(monkeypatch, tmp_path, sender)
        bearer, task = here.start()
        await here.ready(bearer)
        assert await bearer.send(b"one") == Accepted()
        for _ in range(3):  # a restart loop, each as short as it goes
            task.cancel()
            await asyncio.sleep(1)
            bearer, task = here.start()
            await here.up(bearer)
            outcome = await bearer.send(b"two")
            assert outcome.reason == "early"
        await asyncio.sleep(outcome.retry_after)
        assert await bearer.send(b"two") == Accepted()
        assert sender.early == 0
        gap = sender.sent[1][0] - sender.sent[0][0]
        assert 60 <= gap < 64  # nor later than it need be

    in_time(main)


def test_where_nothing_is_kept_a_whole_interval_passes(monkeypatch, tmp_path):
    async def main():
        here = World(monkeypatch, tmp_path, module(card_2("0242286", interval=120)))
        bearer, _ = here.start(state="")
        await here.up(bearer)
        outcome = await bearer.send(b"x")
        assert outcome.reason == "early"
        assert 110 < outcome.retry_after < 120
        await asyncio.sleep(outcome.retry_after)
        assert await bearer.send(b"x") == Accepted()

    in_time(main)


class Clocks:
    def __init__(self):
        self.boot, self.at, self.unix = "a", 1_000_000, 1_800_000_000.0

    def memory(self, file):
        return Memory(file, lambda: self.at, wall=lambda: self.unix, boot=lambda: self.boot)

    def reboot(self, wall):
        self.boot, self.at, self.unix = "b", 20_000, wall


def test_a_hold_by_boot_time_and_over_a_reboot_by_the_wall(tmp_path):
    clocks, file = Clocks(), tmp_path / "state" / "bd.json"
    assert clocks.memory(file).left() is None
    clocks.memory(file).hold(60.0, 60.0)
    assert clocks.memory(file).left() == 60.0
    clocks.at += 45_000
    clocks.unix -= 1e6  # within one boot the wall counts for nothing
    assert clocks.memory(file).left() == 15.0
    clocks.at += 45_000
    assert clocks.memory(file).left() == 0.0
    for wall, left in ((20.0, 40.0), (90.0, 0.0), (-1.0, None), (-1e9, None)):
        clocks.reboot(1_800_000_000.0 + wall)
        assert clocks.memory(file).left() == left


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"boot": 5}', b'{"coding": "morse"}', b"x" * 10_000])
def test_a_broken_file_is_no_file(data, tmp_path):
    file = tmp_path / "bd.json"
    file.write_bytes(data)
    assert Clocks().memory(file).left() is None
    assert Clocks().memory(file).coding("1") is None


def test_a_disk_that_refuses_stops_no_send(monkeypatch, tmp_path):
    (tmp_path / "state0").write_text("a file, not a directory")

    async def main():
        here = World(monkeypatch, tmp_path, module(card_2("0242286")))
        bearer, _ = here.start()
        await here.ready(bearer)
        assert await bearer.send(b"x") == Accepted()
        assert bearer.status()["counters"]["state"] >= 1

    in_time(main)


# The message to ourselves


@BOTH
def test_a_message_to_ourselves_proves_the_way(card, monkeypatch, tmp_path):
    async def main():
        here = World(monkeypatch, tmp_path, module(card))
        bearer, _ = here.start()
        assert (await bearer.self_test()).reason == "no-card"
        await here.ready(bearer)
        assert await bearer.self_test() == Accepted("echo")
        assert (await bearer.self_test()).reason == "early"
        assert len(bearer._inbox) == 0
        here.modules[0].sky.loss = 1.0
        await asyncio.sleep(60)
        assert await bearer.self_test() == Unknown("no-echo")
        here.modules[0].sky.loss = 0.0
        here.modules[0].faults.silent.append(True)  # no feedback, and the echo comes all the same
        await asyncio.sleep(60)
        assert await bearer.self_test() == Accepted("echo")

    in_time(main)


def test_hexadecimal_firmware_is_found_out_and_remembered(monkeypatch, tmp_path):
    async def main():
        here = World(monkeypatch, tmp_path, module(card_3("15240507", interval=60)))
        bearer, task = here.start()
        await here.ready(bearer)
        assert (bearer.status()["coding"], bearer.traits.mtu) == ("decimal", 1451)
        assert await bearer.self_test() == Accepted("echo")
        probe = bytes.fromhex(here.modules[0].sent[-1][2].decode())
        assert set(probe[4:]) == set(range(256))
        assert (bearer.status()["coding"], bearer.traits.mtu) == ("hex", 1750)
        task.cancel()
        again, _ = here.start()
        await here.ready(again)
        assert again.traits.mtu == 1750
        assert await again.send(b"\xfe\x00" * 875) == Accepted()

    in_time(main)


@pytest.mark.parametrize("refuses", [False, True])
def test_decimal_firmware_is_found_out_and_remembered(refuses, monkeypatch, tmp_path):
    async def main():
        here = World(monkeypatch, tmp_path, module(card_3("15240507", interval=60), faults=Faults(decimal=True)))
        bearer, _ = here.start()
        await here.ready(bearer)
        for _ in range(3 if refuses else 1):
            if refuses:
                here.modules[0].faults.refusals.append((11, 0.0))
            outcome = await bearer.self_test()
            assert outcome.reason == ("checksum" if refuses else "garbled")
            await asyncio.sleep(60)
        assert bearer._memory.coding("15240507") is Coding.DECIMAL
        assert await bearer.self_test() == Accepted("echo")

    in_time(main)


def test_a_coding_that_is_configured_is_not_tried(monkeypatch, tmp_path):
    async def main():
        here = World(monkeypatch, tmp_path, module(card_3("15240507", interval=60)), coding="mixed", protocol="rsmc")
        bearer, _ = here.start()
        await here.ready(bearer)
        assert await bearer.self_test() == Accepted("echo")
        assert here.modules[0].sent[-1][2].startswith(b"A4")
        assert bearer.traits.mtu == 1749

    in_time(main)


# What can go wrong


def test_a_line_that_goes_in_the_middle_of_a_send_leaves_doubt(monkeypatch, tmp_path):
    async def main():
        here = World(monkeypatch, tmp_path, module(card_2("0242286")))
        bearer, _ = here.start()
        await here.ready(bearer)
        sending = asyncio.create_task(bearer.send(b"x"))
        await asyncio.sleep(0.1)
        here.streams[0].pull()
        assert await sending == Unknown("port")
        await here.up(bearer)
        assert (await bearer.send(b"y")).reason == "early"
        here.modules[0].faults.beams = False
        await asyncio.sleep(60)
        waiting = asyncio.create_task(bearer.send(b"y"))
        await asyncio.sleep(0.1)
        here.streams[0].pull()
        assert await waiting == Declined("port", common.REOPEN_MOST)

    in_time(main)


def test_a_module_without_a_card_is_down_and_says_why(monkeypatch, tmp_path):
    async def main():
        here = World(monkeypatch, tmp_path, module(None))
        bearer, _ = here.start(protocol="2.1")
        async with asyncio.timeout(60):
            while bearer.status()["state"] != "down":  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.5)
        assert here.reports.of("device.down")[0]["reason"] == "no-card"
        assert await bearer.send(b"x") == Declined("no-card", 60.0)

    in_time(main)


def test_a_silent_module_is_down_and_comes_back(monkeypatch, tmp_path):
    async def main():
        mute = module(card_2("0242286"), faults=Faults(mute=True))
        here = World(monkeypatch, tmp_path, mute)
        bearer, _ = here.start()
        await asyncio.sleep(120)
        assert here.reports.of("device.down")[0]["reason"] == "silent"
        assert (await bearer.send(b"x")).reason == "silent"
        mute.faults.mute = False
        await here.ready(bearer)
        assert await bearer.send(b"x") == Accepted()
        assert here.reports.of("device.up")

    in_time(main)


def test_who_gives_up_leaves_the_module_usable(monkeypatch, tmp_path):
    async def main():
        here = World(monkeypatch, tmp_path, module(card_2("0242286")))
        bearer, _ = here.start()
        await here.ready(bearer)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await bearer.send(b"x")
        await asyncio.sleep(70)
        assert await bearer.send(b"y") == Accepted()
        assert len(here.modules[0].sent) == 2

    in_time(main)


def test_the_time_is_the_modules(monkeypatch, tmp_path):
    async def main():
        for card in (card_2("0242286"), card_3("15240507")):
            satellite = module(card)
            here = World(monkeypatch, tmp_path, satellite)
            bearer, task = here.start()
            assert bearer.time() is None
            await here.ready(bearer)
            told = bearer.time()
            unix = satellite._utc + asyncio.get_running_loop().time()
            assert told.unix_ms / 1000 + (here.now() - told.at) / 1000 == pytest.approx(unix, abs=2)
            task.cancel()

    in_time(main)


def test_two_days_of_noise_loss_and_repeats(monkeypatch, tmp_path):
    """Whatever happens on the line, nothing is sent early and each datagram comes in at most once."""

    async def main():
        sky = Sky(Random(3), loss=0.2)
        bad = Faults(noise=0.3, torn=True, repeat=0.3, noughts=True)
        one = module(card_3("15240507", interval=60), sky=sky, faults=bad)
        two = module(card_2("0179773"), sky=sky, faults=Faults(noise=0.3, repeat=0.3), seed=2)
        here = World(monkeypatch, tmp_path, one, two)
        ours, theirs = here.start(0)[0], here.start(1, to="15240507")[0]
        for bearer in (ours, theirs):
            await here.ready(bearer)
        heard = []
        reader = asyncio.create_task(_collect(theirs, heard))
        number = accepted = 0
        while asyncio.get_running_loop().time() < count(2 * 86_400):
            number += 1
            accepted += await ours.send(number.to_bytes(4, "big")) == Accepted()
            await asyncio.sleep(max(ours.status()["ready_in"], 1))
        reader.cancel()
        assert one.early == 0
        assert len(heard) == len(set(heard))
        assert accepted > 0.8 * number
        assert 0.6 * accepted < len(heard) < accepted

    in_time(main)


async def _collect(bearer, heard):
    async for datagram in bearer.incoming():
        heard.append(datagram.data)


# Configuration


@pytest.mark.parametrize(
    ("keys", "codes"),
    [
        ({}, []),
        ({"to": "broadcast"}, []),
        ({"to": ""}, []),
        ({"to": "12a4"}, ["beidou.card"]),
        ({"point": 9}, ["value.range"]),
        ({"mtu": 2000}, ["value.range"]),
        ({"beams": "05,03"}, []),
        ({"beams": "x"}, ["beidou.beams"]),
        ({"position": [29.5, 106.5, 300.0]}, []),
        ({"position": [29.5]}, ["beidou.position"]),
        ({"position": [106.5, 29.5]}, ["beidou.position"]),
        ({"port": "ftp://x"}, ["url.scheme"]),
        ({"port": "serial:///dev/nothing-there"}, ["port.missing"]),
    ],
)
def test_what_can_be_said_wrong_about_a_configuration(keys, codes, tmp_path):
    assert [one.code for one in FACTORY.check(configured(**keys), Context(tmp_path, None))] == codes


def test_it_is_in_the_registry_and_its_simulators_open(tmp_path):
    assert resolve(BEARERS, "beidou") is FACTORY
    assert beidou.PORT.opened("serial:///dev/ttyUSB0").baud == 115_200

    async def main():
        for name, number in (("beidou", "0242286"), ("beidou-3", "15240507")):
            bearer = FACTORY.create(configured(port=f"sim:{name}"), Context(tmp_path, Reports()))
            task = asyncio.create_task(bearer.run())
            await asyncio.sleep(100)
            assert bearer.status()["card"] == number
            assert await bearer.self_test() == Accepted("echo")
            task.cancel()

    in_time(main)
