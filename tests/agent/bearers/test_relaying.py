"""From village to village by radio: what one station has verified, the next one hears, as it was signed."""

import asyncio

import pytest

from agent.bearers import relay
from drivers.api import Context
from drivers.bearers.sim import Sim, SimConfig
from protocols import cose, seal
from protocols.narrow import header
from protocols.narrow.header import Kind
from protocols.narrow.reassembly import Reassembly
from tests.support import seals
from tests.support.narrow import village
from tests.support.patient import run

LORA = {"interval": 2.0, "latency": 0.3, "mtu": 100, "broadcast": True, "to": "*", "relay": True, "far_interval": 0.05}


class Neighbour:
    """Hears what is on the air and puts it together."""

    def __init__(self, folder):
        self.frames, self.found = [], []
        config = SimConfig(name="n", air="air-lora", address="neighbour", broadcast=True, interval=0.0)
        self.end = Sim(config, Context(folder, lambda *_: None))
        self._halves = Reassembly()
        self.tasks = [asyncio.create_task(self.end.run()), asyncio.create_task(self._listen())]

    async def _listen(self):
        async for got in self.end.incoming():
            frame = header.decode(got.data)
            if frame.kind is not Kind.SEALED:
                continue
            self.frames.append(frame)
            whole = frame.body if frame.piece is None else self._halves.take("x", frame, 0.0, lambda data: data).found
            if whole:
                self.found.append((whole, relay.hops_of(frame.address)))


def judged(site, data, signers="county", bearer="county", left=3600.0, hops=0):
    """As the station does with what came: noted, then found genuine."""
    site.fleet.fire.note(bearer, data, hops)
    found = seals.verified(signers, seal.uncarry(data)[1])
    site.fleet.fire.verified(bearer, found, left, site.loop.time(), lambda: 0.5)
    return found


def story_of(tmp_path, body, **words):
    async def story():
        async with village(tmp_path, {"lora": LORA | words}) as site:
            neighbour = Neighbour(tmp_path)
            await site.passes(5)
            try:
                await body(site, neighbour)
            finally:
                for task in neighbour.tasks:
                    task.cancel()

    run(story())


def test_what_came_by_mqtt_is_passed_on_once_as_it_was_signed(tmp_path):
    async def body(site, neighbour):
        data = seals.sealed("county")
        for _ in range(5):
            judged(site, data)
        await site.until(lambda: neighbour.found, 120)
        await site.passes(300)
        assert {whole for whole, _ in neighbour.found} == {data}
        assert {hops for _, hops in neighbour.found} == {1}
        assert cose.decode(data, 65536).payload == cose.decode(neighbour.found[0][0], 65536).payload

    story_of(tmp_path, body)


def test_a_second_signature_is_passed_on_too(tmp_path):
    async def body(site, neighbour):
        judged(site, seals.sealed("county"))
        await site.until(lambda: neighbour.found, 120)
        both = seals.sealed("county bureau")
        judged(site, both, "county bureau")
        await site.until(lambda: (both, 1) in neighbour.found, 120)

    story_of(tmp_path, body)


def test_text_that_takes_too_many_datagrams_stays_behind(tmp_path):
    async def body(site, neighbour):
        text = "山洪来袭,请立即转移。" * 60
        data = seals.sealed("county", text)
        judged(site, data)
        await site.until(lambda: neighbour.found, 120)
        assert neighbour.found[0][0] == seal.uncarry(data)[0]

    story_of(tmp_path, body)


@pytest.mark.parametrize(("left", "hops"), [(0.0, 0), (3600.0, 4)])
def test_what_is_over_or_came_far_enough_ends_here(tmp_path, left, hops):
    async def body(site, neighbour):
        judged(site, seals.sealed("county"), bearer="lora", left=left, hops=hops)
        await site.passes(300)
        assert neighbour.found == []

    story_of(tmp_path, body)


def test_hops_are_counted_from_what_was_heard(tmp_path):
    async def body(site, neighbour):
        judged(site, seals.sealed("county"), bearer="lora", hops=2)
        await site.until(lambda: neighbour.found, 120)
        assert neighbour.found[0][1] == 3

    story_of(tmp_path, body)


def test_without_relay_nothing_is_passed_on(tmp_path):
    async def body(site, neighbour):
        judged(site, seals.sealed("county"))
        await site.passes(120)
        assert neighbour.found == []
        assert site.fleet.fire._known == {}

    story_of(tmp_path, body, relay=False)


def test_a_modem_that_is_away_for_a_while_loses_no_warning(tmp_path):
    async def body(site, neighbour):
        (tmp_path / "air-lora" / "s1.gone").touch()
        await site.passes(5)
        judged(site, seals.sealed("county"))
        await site.passes(120)
        assert neighbour.found == []
        (tmp_path / "air-lora" / "s1.gone").unlink()
        await site.until(lambda: neighbour.found, 300)

    story_of(tmp_path, body)
