"""An LED panel's card behind a pseudo-terminal: shows, is sent again, takes down by itself, and goes wrong."""

import asyncio
import sys
from pathlib import Path

import pytest

from drivers.actuators import led_panel
from drivers.actuators.led_panel import LedPanelConfig
from drivers.api import Action, Context, Verdict
from drivers.simulated.led import LedCard
from drivers.simulated.line import PtyLine
from tests.support.until import until

CONTEXT = Context(Path(), lambda *_: None)
TEXT = "红色山洪预警，请立即转移到安全地点。"
WARNING = Action("display", text=TEXT, level="red", key="a1")


class Bench:
    def __init__(self, fault="", **keys):
        self.card, self.keys, self.said = LedCard(fault), keys, []
        self.line = PtyLine(self.card.hear, baud=57600)

    async def __aenter__(self):
        await self.line.__aenter__()
        self.card.say = self.line.write
        self.panel = led_panel.create(LedPanelConfig(name="panel", url=self.line.url, **self.keys), CONTEXT)
        return self

    async def __aexit__(self, *_):
        self.panel._close()
        self.line.unplug()

    def start(self, action=WARNING, seconds=60.0):
        ends = asyncio.get_running_loop().time() + seconds
        return asyncio.create_task(self.panel.perform(action, ends, self.said.append))


def test_a_text_stands_is_sent_again_and_is_taken_down_at_its_end():
    async def main():
        async with Bench(hold=1.0) as bench:
            task = bench.start(seconds=1.5)
            await until(lambda: bench.card.shown == TEXT)
            outcome = await task
            assert bench.card.shown == ""
            assert bench.card.updates >= 4
            assert bench.card.broken == 0
            assert [(one.verdict, one.evidence) for one in bench.said] == [(Verdict.DONE, {"acknowledged": True})]
            assert outcome.verdict is Verdict.DONE

    asyncio.run(main())


def test_silence_takes_it_down_and_a_new_text_takes_over():
    async def main():
        async with Bench() as bench:
            first = bench.start()
            await until(lambda: bench.card.shown)
            second = bench.start(Action("display", text="警报解除。", key="b2"))
            assert (await first).evidence["ended"] == "replaced"
            await until(lambda: bench.card.shown == "警报解除。")
            assert (await bench.panel.silence()).verdict is Verdict.DONE
            assert bench.card.shown == ""
            await second

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fault", "reason"), [("dead", "panel_no_answer"), ("silent", "panel_no_answer"), ("refusing", "panel_refused")]
)
def test_a_fault_is_said_and_tried_again(fault, reason):
    async def main():
        async with Bench(fault) as bench:
            assert (await bench.panel.probe()).reason == reason
            task = bench.start()
            await until(lambda: bench.said)
            assert (bench.said[0].verdict, bench.said[0].reason) == (Verdict.FAILED, reason)
            bench.card.fault = ""
            await until(lambda: len(bench.said) == 2)
            assert bench.said[1].verdict is Verdict.DONE
            assert bench.card.shown == TEXT
            await bench.panel.silence()
            await task

    asyncio.run(main())


def test_noise_on_the_line_is_no_answer():
    async def main():
        async with Bench() as bench:
            say = bench.card.say
            bench.card.say = lambda data: say(b"\xa5\xa5\x00\xffnoise\x5a" + data[:4] + b"\x5a" + data)
            assert (await bench.panel.probe()).verdict is Verdict.DONE

    asyncio.run(main())


def test_no_text_reaches_the_card_as_a_command_and_the_stations_own_prefix_does():
    async def main():
        async with Bench(prefix="\\FO001\\C1") as bench:
            task = bench.start(Action("display", text="立即\\C2\x1b转移\u202e㐀", key="a1"))
            await until(lambda: bench.card.shown)
            assert bench.card.shown == "\\FO001\\C1立即＼C2 转移?"
            await bench.panel.silence()
            await task

    asyncio.run(main())


AGENT = """if True:
    import asyncio, sys, time
    from pathlib import Path
    from drivers.actuators import led_panel as led
    from drivers.api import Action, Context
    async def main():
        panel = led.create(led.LedPanelConfig(name="p", url=sys.argv[1], hold=3.0), Context(Path(), None))
        await panel.perform(Action("display", text="预警"), time.monotonic() + 600, print)
    asyncio.run(main())
"""


def test_the_card_takes_the_text_down_when_the_agent_is_killed():
    async def main():
        async with Bench() as bench:
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", AGENT, bench.line.url)
            await until(lambda: bench.card.updates >= 2)
            child.kill()
            await child.wait()
            await until(lambda: bench.card.shown == "", 10)

    asyncio.run(main())


def test_settings_that_cannot_work_are_named():
    def codes(**keys):
        config = LedPanelConfig(**{"name": "x", "url": "tcp://h"} | keys)
        return [problem.code for problem in led_panel.check(config, CONTEXT)]

    assert codes() == []
    assert led_panel.URL.opened("tcp://h").port == 5005
    assert led_panel.URL.opened("tcp://h:81").port == 81
    assert codes(x=4, hold=1.0, area=99, prefix="红", most=1000) == [
        "panel.eights",
        "actuator.refresh",
        "panel.area",
        "panel.prefix",
        "actuator.most",
    ]
