"""An amplifier made of a relay and a voice: lead, order, and what is said when one of the two fails."""

import asyncio
from pathlib import Path

import pytest

from drivers.actuators import amplifier
from drivers.actuators.amplifier import Amplifier, AmplifierConfig
from drivers.actuators.gpio import GpioConfig, make
from drivers.actuators.sim import Sim, SimConfig
from drivers.api import Action, Context, Verdict
from drivers.values import Duration
from tests.support.until import until
from tests.support.virtual import run

VOICE = Action("voice", text="请立即转移。", level="red", key="a1", repeat=3, clips=("evacuate",))


class Bench:
    def __init__(self, relay_fault="", voice_fault="", lead=0.5):
        self.now = asyncio.get_running_loop().time
        self.relay = Sim(SimConfig(name="a.relay", fault=relay_fault, max_on=Duration(600)), now=self.now)
        self.voice = Sim(SimConfig(name="a.voice", kind="voice", fault=voice_fault, max_on=Duration(20)), now=self.now)
        self.amplifier = Amplifier("a", self.relay, self.voice, lead, self.now)
        self.said = []
        self.heard = []
        for part, sim in (("relay", self.relay), ("voice", self.voice)):
            sim._note = lambda action, part=part, sim=sim: self.heard.append((self.now(), part, sim._on, action))

    def start(self, action=VOICE, seconds=3600.0):
        return asyncio.create_task(self.amplifier.perform(action, self.now() + seconds, self.said.append))

    @property
    def changes(self):
        return [(round(at, 1), part, on) for at, part, on, _ in self.heard]


def test_the_relay_leads_and_goes_off_with_the_voice():
    async def main():
        bench = Bench()
        outcome = await bench.start()
        assert bench.changes == [
            (0.0, "relay", True),
            (0.5, "voice", True),
            (20.5, "voice", False),
            (20.5, "relay", False),
        ]
        power, voice = (bench.heard[n][3] for n in (0, 1))
        assert (power.pattern, power.text, power.key) == ("steady", "", "a1")
        assert voice == VOICE
        assert bench.said[0].verdict is Verdict.DONE
        assert outcome.verdict is Verdict.DONE

    run(main())


@pytest.mark.parametrize("fault", ["dead", "hang", "mismatch"])
def test_it_speaks_on_when_the_relay_fails_and_says_that_nobody_may_hear_it(fault):
    async def main():
        bench = Bench(relay_fault=fault)
        outcome = await bench.start()
        assert [one.reason for one in bench.said] == ["amplifier_off"]
        assert (outcome.verdict, outcome.reason) == (Verdict.FAILED, "amplifier_off")
        assert any(part == "voice" and on for _, part, on in bench.changes)

    run(main())


def test_a_voice_that_fails_is_said_as_itself():
    async def main():
        bench = Bench(voice_fault="dead")
        outcome = await bench.start()
        assert [one.reason for one in bench.said] == ["sim_dead"]
        assert outcome.reason == "sim_dead"
        assert bench.changes[-1][1:] == ("relay", False)

    run(main())


@pytest.mark.parametrize("after", [0.2, 3.0])
def test_silence_switches_both_off_also_during_the_lead(after):
    async def main():
        bench = Bench()
        task = bench.start()
        await asyncio.sleep(after)
        assert (await bench.amplifier.silence()).verdict is Verdict.DONE
        await task
        last = {part: on for _, part, on in bench.changes}
        assert not any(last.values())

    run(main())


@pytest.mark.parametrize("after", [0.2, 3.0])
def test_cancelling_switches_both_off(after):
    async def main():
        bench = Bench()
        task = bench.start()
        await asyncio.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(1)
        assert not any({part: on for _, part, on in bench.changes}.values())

    run(main())


def test_a_second_warning_keeps_the_amplifier_on():
    async def main():
        bench = Bench()
        first = bench.start()
        await asyncio.sleep(3)
        second = bench.start(Action("voice", text="警报解除。", key="b2"))
        await first
        assert bench.relay._on
        await asyncio.sleep(1)
        assert bench.voice._on
        await second
        assert not bench.relay._on

    run(main())


def test_the_probe_finds_either():
    async def main():
        assert (await Bench().amplifier.probe()).verdict is Verdict.DONE
        assert (await Bench(relay_fault="dead").amplifier.probe()).reason == "sim_dead"
        bench = Bench(voice_fault="dead")
        assert (await bench.amplifier.probe()).reason == "sim_dead"
        assert bench.amplifier.status()["state"] == "down"

    run(main())


def test_a_pin_as_its_relay_in_real_time():
    async def main():
        changes = []

        class Line:
            on = False

            def set(self, active):
                self.on = active
                changes.append(active)

            def active(self):
                return self.on

        line = Line()
        relay = make(GpioConfig(name="r", line=1), lambda *_: line)
        voice = Sim(SimConfig(name="v", kind="voice", max_on=Duration(0.3)))
        amp = Amplifier("a", relay, voice, 0.1)
        task = asyncio.create_task(amp.perform(VOICE, asyncio.get_running_loop().time() + 60, lambda _: None))
        await until(lambda: voice._on)
        assert line.on
        assert (await task).verdict is Verdict.DONE
        assert not line.on

    asyncio.run(main())


CONTEXT = Context(Path(), lambda *_: None)


def test_it_is_made_from_two_tables():
    config = AmplifierConfig(
        name="hall", relay={"driver": "gpio-relay", "line": 17}, voice={"driver": "speaker", "max_on": "5min"}
    )
    problems = [(problem.key, problem.code) for problem in amplifier.check(config, CONTEXT)]
    assert problems in ([], [("relay.chip", "port.missing")])
    made = amplifier.create(config, CONTEXT)
    assert (made.kind, made._relay.name, made._voice.name) == ("voice", "hall.relay", "hall.voice")
    assert made._relay._allowance.per_activation == 600.0


def test_settings_that_cannot_work_are_named():
    config = AmplifierConfig(
        name="x",
        relay={"driver": "sim", "kind": "display", "colour": "red"},
        voice={"driver": "speakr"},
        lead=Duration(9),
    )
    problems = [(problem.key, problem.code) for problem in amplifier.check(config, CONTEXT)]
    assert problems == [
        ("lead", "amplifier.lead"),
        ("relay.colour", "config.unknown_key"),
        ("relay", "amplifier.kind"),
        ("voice.driver", "driver.unknown"),
    ]
    with pytest.raises(ValueError, match="amplifier"):
        amplifier.create(config, CONTEXT)
