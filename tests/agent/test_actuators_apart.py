"""One actuator that fails, hangs or breaks delays no other: for every kind, and for every driver there is."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from agent.alerts import plan_file
from agent.alerts.conductor import Conductor
from agent.alerts.performer import Performer
from drivers import registry
from drivers.actuators.sim import Sim, SimConfig
from drivers.api import Context
from drivers.bus import Bus, BusConfig
from tests.support.until import until
from tests.support.village import Village
from tests.support.virtual import run

KINDS = ("siren", "display", "voice", "lamp")


class Ensemble:
    """One healthy simulated actuator of each kind, and `sick` beside them."""

    def __init__(self, sick):
        self.now = asyncio.get_running_loop().time
        self.well = {kind: Sim(SimConfig(name=f"well {kind}", kind=kind), now=self.now) for kind in KINDS}
        self.said = []
        self.performers = [self._performer(one) for one in (sick, *self.well.values())]
        self.conductor = Conductor(self.performers, plan_file.load()[0], self.now)

    def _performer(self, actuator):
        return Performer(actuator, lambda step, *_: self.said.append((actuator.name, step)), self.now)

    def play(self):
        self.conductor.conduct(Village(monotonic=0.0).say("county bureau").orders)

    @property
    def on(self):
        return {kind for kind, one in self.well.items() if one.log and one.log[-1]["on"]}

    async def close(self):
        await asyncio.gather(*(one.close() for one in self.performers))


def crashing(kind):
    sick = Sim(SimConfig(name="sick", kind=kind))

    async def crash(*_):
        raise RuntimeError("a bug")

    sick.perform = sick.silence = sick.probe = crash
    return sick


def stuck(kind):
    """It hears neither that it shall begin nor that it shall end."""
    sick = Sim(SimConfig(name="sick", kind=kind))

    async def for_ever(*_):
        await asyncio.Event().wait()

    sick.perform = sick.silence = sick.probe = for_ever
    return sick


SICK = {
    "hangs": lambda kind: Sim(SimConfig(name="sick", kind=kind, fault="hang")),
    "is dead": lambda kind: Sim(SimConfig(name="sick", kind=kind, fault="dead")),
    "reads back wrong": lambda kind: Sim(SimConfig(name="sick", kind=kind, fault="mismatch")),
    "crashes": crashing,
    "is stuck": stuck,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", SICK.values(), ids=SICK)
def test_whatever_kind_fails_in_whatever_way_the_others_begin_and_end_at_once(kind, fault):
    async def main():
        ensemble = Ensemble(fault(kind))
        ensemble.play()
        await asyncio.sleep(0.01)
        assert ensemble.on == set(KINDS)
        ensemble.conductor.conduct([])
        await asyncio.sleep(0.01)
        assert ensemble.on == set()
        await ensemble.close()

    run(main())


# Every driver, with a device that takes connections and bytes and never answers


@contextlib.asynccontextmanager
async def deaf(folder):
    """A context for drivers, and the addresses of a device that never answers."""
    held = []
    ears = await asyncio.start_server(lambda *streams: held.append(streams), "127.0.0.1", 0)
    door = await asyncio.start_unix_server(lambda *streams: held.append(streams), folder / "deaf.sock")
    tcp = f"tcp://127.0.0.1:{ears.sockets[0].getsockname()[1]}"
    bus = Bus(BusConfig(name="deaf", url=tcp))
    try:
        yield Context(folder, lambda *_: None, {"deaf": bus}), tcp, folder / "deaf.sock"
    finally:
        await bus.close()
        for _, writer in held:
            writer.close()
        ears.close()
        door.close()


def tables(tcp, socket, folder):
    relay = {"driver": "modbus-relay", "bus": "deaf", "board": "waveshare-8ch"}
    player = folder / "aplay"
    player.write_text("#!/bin/sh\nexec sleep 600\n")
    player.chmod(0o755)
    return {
        "modbus-relay": relay,
        "gpio-relay": {"line": 1, "chip": str(folder / "nothing")},
        "amplifier": {"relay": relay, "voice": {"driver": "sim", "kind": "voice"}},
        "speaker": {},
        "speech-chip": {"chip": "syn6288", "url": tcp},
        "led-panel": {"url": tcp},
        "page": {"socket": str(socket)},
        "text": {"url": tcp},
        "sim": {"kind": "siren", "fault": "hang"},
    }


def test_every_driver_has_its_turn_here(tmp_path):
    assert tables("", "", tmp_path).keys() == registry.ACTUATORS.keys()


@pytest.mark.parametrize("driver", registry.ACTUATORS)
def test_a_device_that_never_answers_holds_up_nobody_else(driver, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")  # a player that never ends, before the real one

    async def main():
        async with deaf(tmp_path) as (context, tcp, socket):
            table = tables(tcp, socket, tmp_path)[driver]
            factory = registry.resolve(registry.ACTUATORS, driver)
            config = factory.config(name="sick", **{key: value for key, value in table.items() if key != "driver"})
            ensemble = Ensemble(factory.create(config, context))
            ensemble.play()
            await asyncio.sleep(0)  # every task has had one turn
            await asyncio.sleep(0)
            assert ensemble.on == set(KINDS), "before the sick one can have been waited for"
            ensemble.conductor.conduct([])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert ensemble.on == set()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await until(lambda: len(asyncio.all_tasks()) == 1)

    asyncio.run(main())


def test_the_deaf_devices_are_really_asked(tmp_path):
    """The test above proves nothing of a driver that fails before it begins: the relay's bytes do arrive."""

    async def main():
        heard = []

        async def listen(reader, _writer):
            heard.append(await reader.read(64))

        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        bus = Bus(BusConfig(name="deaf", url=f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        factory = registry.resolve(registry.ACTUATORS, "modbus-relay")
        config = factory.config(name="sick", bus="deaf", board="waveshare-8ch")
        ensemble = Ensemble(factory.create(config, Context(Path(), lambda *_: None, {"deaf": bus})))
        ensemble.play()
        await until(lambda: heard)
        await until(lambda: ("sick", "failed") in ensemble.said)
        await ensemble.close()
        await bus.close()
        server.close()

    asyncio.run(main())
