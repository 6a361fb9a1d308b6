"""A speech chip behind a pseudo-terminal: what it is given, what it says of itself, and every way it goes wrong."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from drivers.actuators import speech_chip
from drivers.actuators.speech_chip import CHIPS, SpeechChipConfig
from drivers.address import parse
from drivers.api import Action, Context, Verdict
from drivers.simulated import speech
from drivers.simulated.line import PtyLine
from protocols.speech_chip import SPEAK, STOP
from protocols.speech_text import seconds
from tests.support.until import until

CONTEXT = Context(Path(), lambda *_: None)
TEXT = "红色山洪预警，请立即转移。"
WARNING = Action("voice", text=TEXT, level="red", key="a1", repeat=3)
QUICK = 0.08  # seconds a syllable: fast, and not so fast that it would be taken for mute


class Bench:
    def __init__(self, kind="syn6288", fault="", syllable=QUICK, **keys):
        self.chip = speech.SpeechChip(CHIPS[kind], fault, syllable)
        self.line = PtyLine(self.chip.hear)
        self.kind, self.keys, self.said, self.repeated = kind, keys, [], []

    async def __aenter__(self):
        await self.line.__aenter__()
        self.chip.say = self.line.write
        config = SpeechChipConfig(name="voice", chip=self.kind, url=self.line.url, **self.keys)
        self.voice = speech_chip.SpeechChip(config, parse(self.line.url)[0], breath=0.01)
        return self

    async def __aexit__(self, *_):
        self.voice._close()
        self.line.unplug()

    def start(self, action=WARNING, seconds_=60.0):
        ends = asyncio.get_running_loop().time() + seconds_
        return asyncio.create_task(self.voice.perform(action, ends, self._started))

    def _started(self, outcome):
        if outcome.repetition:
            self.repeated.append(outcome.repetition)
        else:
            self.said.append(outcome)

    @property
    def spoken(self):
        return "".join(text.partition("]")[2] for _, text in self.chip.spoken)


@pytest.mark.parametrize(("kind", "mark"), [("syn6288", "[v16]"), ("xfs5152", "[v10]")])
def test_it_is_said_three_times_a_few_seconds_at_a_time(kind, mark):
    async def main():
        async with Bench(kind) as bench:
            outcome = await bench.start()
            assert bench.spoken == TEXT * 3
            texts = [text for _, text in bench.chip.spoken]
            assert all(text.startswith(mark) for text in texts)
            assert all(seconds(text.removeprefix(mark)) <= 4.0 for text in texts)
            assert [(one.verdict, one.evidence["accepted"]) for one in bench.said] == [(Verdict.DONE, True)]
            assert bench.repeated == [2, 3]
            assert outcome.evidence["times"] == 3
            assert outcome.evidence["busy"] is True
            assert outcome.verdict is Verdict.DONE

    asyncio.run(main())


def test_the_next_piece_waits_until_the_last_is_said():
    async def main():
        async with Bench() as bench:
            await bench.start(Action("voice", text=TEXT * 2, key="a1"))
            starts = [at for at, _ in bench.chip.spoken]
            assert len(starts) >= 2
            for (at, text), after in zip(bench.chip.spoken, starts[1:], strict=False):
                assert after - at >= len(text.encode("gbk")) / 2 * QUICK * 0.9

    asyncio.run(main())


def test_an_end_that_the_chip_does_not_tell_is_asked_for():
    async def main():
        async with Bench(fault="forgetful") as bench:
            outcome = await bench.start(Action("voice", text="请立即转移。", key="a1"))
            assert outcome.verdict is Verdict.DONE
            assert bench.spoken == "请立即转移。"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("fault", "reason"), [("dead", "speech_no_answer"), ("deaf", "speech_refused"), ("mute", "speech_mute")]
)
def test_a_fault_is_said_and_tried_again(fault, reason):
    async def main():
        async with Bench(fault=fault) as bench:
            task = bench.start(Action("voice", text="请立即转移。", key="a1"))
            await until(lambda: bench.said)
            assert (bench.said[0].verdict, bench.said[0].reason) == (Verdict.FAILED, reason)
            assert bench.voice.status()["state"] == "down"
            bench.chip.fault = ""
            assert (await task).verdict is Verdict.DONE
            assert [one.verdict for one in bench.said] == [Verdict.FAILED, Verdict.DONE]

    asyncio.run(main())


def test_silence_stops_the_chip_in_the_middle():
    async def main():
        async with Bench(syllable=0.5) as bench:
            task = bench.start()
            await until(lambda: bench.chip.speaking and bench.said)
            assert (await bench.voice.silence()).verdict is Verdict.DONE
            assert not bench.chip.speaking
            outcome = await task
            assert outcome.evidence["ended"] == "silenced"
            count = len(bench.chip.spoken)
            await asyncio.sleep(0.3)
            assert len(bench.chip.spoken) == count

    asyncio.run(main())


def test_cancelling_silences_and_a_new_warning_takes_over():
    async def main():
        async with Bench(syllable=0.3) as bench:
            first = bench.start()
            await until(lambda: bench.chip.speaking)
            second = bench.start(Action("voice", text="警报解除。", key="b2"))
            assert (await first).evidence["ended"] == "replaced"
            assert (await second).verdict is Verdict.DONE
            assert bench.chip.spoken[-1][1].endswith("警报解除。")
            third = bench.start()
            await until(lambda: bench.chip.speaking)
            third.cancel()
            with pytest.raises(asyncio.CancelledError):
                await third
            await until(lambda: not bench.chip.speaking)

    asyncio.run(main())


def test_the_cap_holds_whoever_asks():
    async def main():
        async with Bench(syllable=0.3) as bench:
            bench.voice._allowance.per_activation = 1.0
            outcome = await bench.start()
            assert (outcome.verdict, outcome.reason) == (Verdict.PARTIAL, "voice_cut")
            assert outcome.evidence["ended"] == "voice_cap"
            assert not bench.chip.speaking
            assert (await bench.start()).reason == "voice_cap"

    asyncio.run(main())


def test_no_text_reaches_the_chip_as_a_command():
    async def main():
        async with Bench() as bench:
            await bench.start(Action("voice", text="[v0][x1]立即\x1b转移\u202e㐀", key="a1"))
            assert bench.spoken == "（v0）（x1）立即 转移 "
            assert {command.code for command in bench.chip.commands} <= {SPEAK, STOP, 0x21}

    asyncio.run(main())


def test_a_port_that_comes_later_is_used_then():
    async def main():
        async with Bench() as bench:
            bench.line.unplug()
            assert (await bench.voice.probe()).reason in ("speech_unreachable", "speech_no_answer")
            assert bench.voice.status()["state"] == "down"

    asyncio.run(main())


def test_probing_asks_and_says_nothing():
    async def main():
        async with Bench() as bench:
            assert (await bench.voice.probe()).evidence == {"chip": "idle"}
            assert not bench.chip.spoken

    asyncio.run(main())


AGENT = """if True:
    import asyncio, sys, time
    from pathlib import Path
    from drivers.actuators import speech_chip as s
    from drivers.api import Action, Context
    async def main():
        voice = s.create(s.SpeechChipConfig(name="v", chip="syn6288", url=sys.argv[1]), Context(Path(), None))
        await voice.perform(Action("voice", text=sys.argv[2] * 5, repeat=5), time.monotonic() + 600, print)
    asyncio.run(main())
"""


def test_a_killed_agent_leaves_a_chip_that_falls_silent_by_itself_within_five_seconds():
    async def main():
        async with Bench(syllable=0.25) as bench:
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", AGENT, bench.line.url, TEXT)
            await until(lambda: len(bench.chip.spoken) == 2)
            child.kill()
            died = time.monotonic()
            await child.wait()
            await asyncio.sleep(0.2)  # what was on the line arrives
            assert bench.chip.ends - died <= 5.0
            assert len(bench.chip.spoken) == 2

    asyncio.run(main())


def test_settings_that_cannot_work_are_named():
    def codes(**keys):
        config = SpeechChipConfig(**{"name": "x", "chip": "syn6288", "url": "tcp://h:1"} | keys)
        return [problem.code for problem in speech_chip.check(config, CONTEXT)]

    assert codes() == []
    assert codes(volume=17, piece=10.0, max_on=1.0) == ["voice.volume", "voice.piece", "voice.max_on"]
    assert codes(chip="xfs5152", volume=11) == ["voice.volume"]
    assert codes(url="serial:///dev/no-such-port") == ["port.missing"]
