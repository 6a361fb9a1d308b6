"""The loudspeaker: real espeak-ng, real aplay into a file, and a player that takes its time, so that it can be killed."""

import asyncio
import io
import math
import os
import shutil
import signal
import struct
import sys
import time
import wave
from pathlib import Path

import pytest

from drivers.actuators import speaker, synthesis
from drivers.actuators.child import Child
from drivers.actuators.speaker import Speaker, SpeakerConfig, running
from drivers.actuators.speaking import Unsaid
from drivers.actuators.wav import clip, speech
from drivers.api import Action, Context, Verdict
from tests.support.tree import ROOT
from tests.support.until import until

TEXT = "红色山洪预警，请立即转移到安全地点。"
LONG = "过去1小时雨量达到100.5毫米，榆树村以下河段请在15:30以前撤离。"


def needs(program, package):
    """In CI everything is installed; a missing program is a mistake there."""
    missing = shutil.which(program) is None and os.environ.get("CI") != "true"
    return pytest.mark.skipif(missing, reason=f"{program} is not installed (Debian package {package})")


ESPEAK, APLAY = needs("espeak-ng", "espeak-ng"), needs("aplay", "alsa-utils")


def tone(path, seconds=0.5, rate=8000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = (int(9000 * math.sin(2 * math.pi * 440 * n / rate)) for n in range(int(seconds * rate)))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


class Bench:
    """A speaker whose player writes down what it has played."""

    def __init__(self, folder, speed=20.0, player=None, **keys):
        self.log = folder / "played"
        self.log.touch()
        self.clips = folder / "clips"
        self.clips.mkdir(exist_ok=True)
        self.alsa = folder / "asound"
        self.said = []
        player = player or [sys.executable, str(ROOT / "tests/support/player.py"), str(self.log), str(speed)]
        config = SpeakerConfig(**{"name": "voice"} | keys)
        self.speaker = Speaker(config, self.clips, player, self.alsa, breath=0.01)

    def start(self, action, seconds=60.0):
        ends = asyncio.get_running_loop().time() + seconds
        return asyncio.create_task(self.speaker.perform(action, ends, self.said.append))

    @property
    def lines(self):
        return self.log.read_text().split()

    @property
    def plays(self):
        return self.lines.count("end")


def children():
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def say(text=TEXT, **changed):
    return Action("voice", text=text, key="a1", **changed)


# Speech


@ESPEAK
def test_a_real_warning_is_speech_of_the_right_length():
    async def main():
        for text, least, most in [(TEXT, 3.0, 7.0), (LONG, 7.0, 17.0)]:
            sound = await synthesis.render(text, synthesis.MANDARIN, 150)
            with wave.open(io.BytesIO(sound.data)) as file:
                seconds = file.getnframes() / file.getframerate()
                samples = memoryview(file.readframes(file.getnframes())).cast("h")
            assert least <= seconds <= most
            assert abs(seconds - sound.seconds) < 0.05
            loud = sum(abs(sample) > 500 for sample in samples) / len(samples)
            assert loud > 0.2  # it is a voice, not silence

    asyncio.run(main())


@ESPEAK
def test_no_word_of_it_is_spelled_in_english():
    """In espeak-ng's phonemes every Chinese syllable ends in a tone's number; English has none, and names its switch."""

    async def main():
        async with Child(["espeak-ng", "-b", "1", "-v", synthesis.MANDARIN, "-q", "-x", "--stdin"]) as child:
            await child.feed(f"{TEXT}{LONG}\n".encode())
            phonemes = (await child.output(65536)).decode()
        assert "(en)" not in phonemes
        syllables = sum(character.isdigit() for character in phonemes)
        assert syllables >= len(TEXT) + len(LONG)

    asyncio.run(main())


@ESPEAK
def test_a_text_is_never_an_option_of_the_program(tmp_path):
    async def main():
        target = tmp_path / "stolen.wav"
        sound = await synthesis.render(f"-w {target} 山洪", synthesis.MANDARIN, 150)
        assert sound.seconds > 0.5
        assert not target.exists()

    asyncio.run(main())


@ESPEAK
def test_a_long_text_is_rendered_a_piece_at_a_time_and_said_three_times(tmp_path):
    async def main():
        bench = Bench(tmp_path, speed=60.0)
        outcome = await bench.start(say(TEXT + LONG * 3, repeat=3))
        assert outcome.verdict is Verdict.DONE
        assert outcome.evidence["times"] == 3
        assert bench.plays % 3 == 0
        assert bench.plays >= 9
        assert bench.said[0].evidence["by"] == "speech"

    asyncio.run(main())


def test_without_a_synthesiser_it_says_so(tmp_path, monkeypatch):
    async def main():
        monkeypatch.setattr(synthesis, "PROGRAM", "no-such-espeak")
        bench = Bench(tmp_path)
        assert (await bench.speaker.probe()).reason == "speech_missing"
        outcome = await bench.start(say(clips=("evacuate",)), seconds=1.0)
        assert (outcome.verdict, outcome.reason) == (Verdict.FAILED, "speech_missing")
        assert outcome.evidence["clip"] == "evacuate"
        assert "No such file" in outcome.evidence["clip_missing"]
        assert bench.said[0].reason == "speech_missing"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("sleep 60", "speech_hangs"),
        ("exit 3", "speech_failed"),
        ("printf nonsense", "speech_failed"),
        ("exec cat /dev/zero", "speech_failed"),
    ],
)
def test_a_synthesiser_that_misbehaves_is_given_up(tmp_path, monkeypatch, script, reason):
    async def main():
        program = tmp_path / "fake"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(synthesis, "PROGRAM", str(program))
        monkeypatch.setattr(synthesis, "PATIENCE", 0.5)
        with pytest.raises(Unsaid) as wrong:
            await synthesis.render(TEXT, synthesis.MANDARIN, 150)
        assert wrong.value.reason == reason or (script.startswith("exec") and wrong.value.reason == "speech_hangs")

    asyncio.run(main())


# Clips


def test_clips_are_played_instead_of_speaking(tmp_path):
    async def main():
        bench = Bench(tmp_path)
        tone(bench.clips / "evacuate.wav")
        outcome = await bench.start(say(clips=("evacuate",), repeat=3))
        assert bench.plays == 3
        assert outcome.evidence["by"] == "clip"
        assert outcome.verdict is Verdict.DONE

    asyncio.run(main())


@ESPEAK
def test_a_drill_whose_mark_is_not_recorded_is_spoken_whole(tmp_path):
    async def main():
        bench = Bench(tmp_path, speed=60.0)
        tone(bench.clips / "evacuate.wav")
        clips = ("exercise", "evacuate", "exercise")
        outcome = await bench.start(say("这是演练。山洪。这是演练。", clips=clips, exercise=True))
        assert outcome.evidence["by"] == "speech"
        assert outcome.evidence["clip"] == "exercise"
        tone(bench.clips / "exercise.wav")
        before = bench.plays
        outcome = await bench.start(say("这是演练。山洪。这是演练。", clips=clips, exercise=True))
        assert outcome.evidence["by"] == "clip"
        assert bench.plays - before == 3

    asyncio.run(main())


@ESPEAK
@pytest.mark.parametrize("name", ["../evacuate", "", "a/b", "EVACUATE", "long", "text", "empty"])
def test_a_clip_that_is_none_is_not_played(tmp_path, name):
    async def main():
        bench = Bench(tmp_path, speed=60.0)
        tone(tmp_path / "evacuate.wav")
        tone(bench.clips / "long.wav", 61.0, rate=1000)
        (bench.clips / "text.wav").write_text("RIFF? no")
        (bench.clips / "empty.wav").touch()
        outcome = await bench.start(say("山洪。", clips=(name,)))
        assert outcome.evidence["by"] == "speech"
        assert outcome.evidence["clip_missing"]

    asyncio.run(main())


def test_sounds_are_bounded(tmp_path):
    assert clip(tone(tmp_path / "a.wav").read_bytes()).seconds == pytest.approx(0.5)
    for bad in (b"", b"RIFF", b"\0" * (7 << 20)):
        with pytest.raises(ValueError, match=r"PCM|larger"):
            clip(bad)
    with pytest.raises(ValueError, match="plays"):
        speech(tone(tmp_path / "b.wav", 0.1).read_bytes())


# Playing


def test_silence_kills_the_player(tmp_path):
    async def main():
        bench = Bench(tmp_path, speed=1.0)
        tone(bench.clips / "long.wav", 30.0)
        task = bench.start(say(clips=("long",)))
        await until(lambda: bench.lines and bench.said)
        assert bench.said[0].evidence["player"] == "alive"
        assert (await bench.speaker.silence()).verdict is Verdict.DONE
        assert (await task).evidence["ended"] == "silenced"
        count = len(bench.lines)
        await asyncio.sleep(0.3)
        assert len(bench.lines) == count

    asyncio.run(main())


def test_cancelling_kills_the_player_and_a_new_warning_takes_over(tmp_path):
    async def main():
        bench = Bench(tmp_path, speed=1.0)
        tone(bench.clips / "long.wav", 30.0)
        tone(bench.clips / "short.wav", 0.3)
        first = bench.start(say(clips=("long",)))
        await until(lambda: bench.lines)
        second = bench.start(Action("voice", text="", key="b2", clips=("short",)))
        assert (await first).evidence["ended"] == "replaced"
        assert (await second).verdict is Verdict.DONE
        third = bench.start(say(clips=("long",)))
        count = len(bench.lines)
        await until(lambda: len(bench.lines) > count)
        third.cancel()
        with pytest.raises(asyncio.CancelledError):
            await third
        count = len(bench.lines)
        await asyncio.sleep(0.3)
        assert len(bench.lines) == count

    asyncio.run(main())


def test_the_cap_holds_whoever_asks(tmp_path):
    async def main():
        bench = Bench(tmp_path, speed=1.0)
        bench.speaker._allowance.per_activation = 2.0
        tone(bench.clips / "long.wav", 30.0)
        outcome = await bench.start(say(clips=("long",)))
        assert (outcome.verdict, outcome.evidence["ended"]) == (Verdict.PARTIAL, "voice_cap")
        assert (await bench.start(say(clips=("long",)))).reason == "voice_cap"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("player", "reason"),
    [(["no-such-player"], "player_missing"), (["false"], "player_failed"), (["sh", "-c", "sleep 60"], "player_hangs")],
)
def test_a_player_that_misbehaves_is_said_and_tried_again(tmp_path, monkeypatch, player, reason):
    async def main():
        monkeypatch.setattr(speaker, "LATE", 0.5)
        monkeypatch.setattr(speaker, "ALIVE", 9.0)
        bench = Bench(tmp_path, player=player)
        tone(bench.clips / "evacuate.wav")
        outcome = await bench.start(say(clips=("evacuate",)), seconds=2.5)
        assert (outcome.verdict, outcome.reason) == (Verdict.FAILED, reason)
        assert [one.reason for one in bench.said] == [reason]

    asyncio.run(main())


def test_what_alsa_says_of_the_players_stream_is_the_evidence(tmp_path):
    async def main():
        bench = Bench(tmp_path, speed=1.0)
        status = bench.alsa / "card0" / "pcm0p" / "sub0" / "status"
        status.parent.mkdir(parents=True)
        tone(bench.clips / "long.wav", 30.0)
        task = bench.start(say(clips=("long",)))
        await until(lambda: bench.speaker._playing)
        status.write_text("state: RUNNING\nowner_pid   : 1\n")
        assert not running(bench.alsa, os.getpid())
        await until(children)
        status.write_text(f"state: RUNNING\nowner_pid   : {children()[-1]}\ntrigger_time: 1.2\n")
        await until(lambda: bench.said)
        assert bench.said[0].evidence == {"alsa": "RUNNING", "by": "clip"}
        await bench.speaker.silence()
        await task

    asyncio.run(main())


@APLAY
def test_the_real_aplay_plays_every_sample(tmp_path):
    async def main():
        out = tmp_path / "out.wav"
        player = ["aplay", "-q", "-t", "wav", "-D", f"file:FILE={out},FORMAT=wav", "-"]
        bench = Bench(tmp_path, player=player)
        made = tone(bench.clips / "evacuate.wav", 0.5)
        outcome = await bench.start(say(clips=("evacuate",)))
        assert outcome.verdict is Verdict.DONE
        with wave.open(str(made)) as sent:
            assert out.read_bytes()[44:].rstrip(b"\0") == sent.readframes(sent.getnframes()).rstrip(b"\0")

    asyncio.run(main())


@APLAY
def test_a_device_that_is_not_there_is_named(tmp_path):
    async def main():
        bench = Bench(tmp_path, player=["aplay", "-q", "-t", "wav", "-D", "no-such-device", "-"])
        tone(bench.clips / "evacuate.wav")
        outcome = await bench.start(say(clips=("evacuate",)), seconds=1.0)
        assert outcome.reason == "player_failed"
        assert "no-such-device" in bench.said[0].evidence["why"]

    asyncio.run(main())


AGENT = """if True:
    import asyncio, sys, time
    from pathlib import Path
    from drivers.actuators import child
    from drivers.actuators.speaker import Speaker, SpeakerConfig
    from drivers.api import Action
    if sys.argv[1] == "pipe":
        child._bound_to_us = lambda: ()
    async def main():
        voice = Speaker(SpeakerConfig(name="v"), Path(sys.argv[2]), sys.argv[3:])
        await voice.perform(Action("voice", clips=("long",)), time.monotonic() + 600, print)
    asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["pipe", "kernel"])
def test_when_the_agent_is_killed_the_player_falls_silent(tmp_path, how):
    """By the end of its input, and at once where the kernel can be asked to see to it."""

    async def main():
        bench = Bench(tmp_path, speed=1.0)
        tone(bench.clips / "long.wav", 50.0)
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", AGENT, how, str(bench.clips), *bench.speaker._player
        )
        await until(lambda: bench.lines)
        child.send_signal(signal.SIGKILL)
        died = time.monotonic()
        await child.wait()
        heard = float(bench.lines[-1])
        await asyncio.sleep(1.5)
        count = len(bench.lines)
        await asyncio.sleep(0.5)
        assert len(bench.lines) == count
        assert bench.log.stat().st_mtime <= time.time() - 0.4
        if bench.lines[-1] != "end":
            assert float(bench.lines[-1]) - heard < 1.5
        assert time.monotonic() - died < 20

    asyncio.run(main())


def test_settings_that_cannot_work_are_named(tmp_path):
    def codes(**keys):
        return [p.code for p in speaker.check(SpeakerConfig(**{"name": "x"} | keys), Context(tmp_path, None))]

    assert codes() == []
    assert codes(voice="cmn", device="-D", speed=9, max_on=1.0) == [
        "voice.broken",
        "voice.device",
        "voice.speed",
        "voice.max_on",
    ]
