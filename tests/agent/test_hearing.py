"""Was it heard? A microphone of samples beside the whole loop from seal to siren, in virtual time; and the recorder itself."""

import asyncio
import math
import struct

import pytest

from agent.alerts.hearing import Ear, MicrophoneConfig
from agent.alerts.journal import Journal
from buffer.model import Lane
from drivers import microphone
from drivers.microphone import BLOCK, BYTES, RATE, Deaf
from drivers.values import Duration
from tests.agent.test_voice_turns import Talker
from tests.support.alerting import Station
from tests.support.seals import T0, sealed
from tests.support.until import until
from tests.support.virtual import run

SAMPLES = BYTES // 2


def tone(level, frequency=600):
    return b"".join(
        struct.pack("<h", round(32767 * level * math.sin(2 * math.pi * frequency * n / RATE))) for n in range(SAMPLES)
    )


QUIET, LOUD = tone(0.003), tone(0.3)


class Room:
    """A place with a microphone: loud while the siren's coil is on, unless its horn is broken."""

    def __init__(self, station, horn=True, fault=""):
        self.station, self.horn, self.fault, self.asked = station, horn, fault, 0

    async def listen(self, _device):
        self.asked += 1
        if self.fault:
            raise Deaf(self.fault, "said arecord")
        while True:
            await asyncio.sleep(BLOCK)
            yield LOUD if self.horn and self.station.board.on(0) else QUIET


class Heard:
    """A station with an ear."""

    def __init__(self, station, **room):
        self.station, self.room = station, Room(station, **room)
        config = MicrophoneConfig(every=Duration(600))
        self.ear = Ear(config, station._record, self._report, self.room.listen, station.now)
        record = station.alerting._evidence._record

        def tapped(kind, fields, lane):
            self.ear.step(kind, fields)
            record(kind, fields, lane)

        station.alerting._evidence._record = tapped
        self.faults = []
        self.task = asyncio.create_task(self.ear.run())

    def _report(self, kind, fields):
        self.faults.append((kind, fields.get("reason", "")))

    def said(self):
        return [
            (kind, fields) for kind, fields, _ in self.station.records if kind in ("warning.heard", "warning.unheard")
        ]


def played(main):
    async def inner():
        async with Station() as station:
            await main(station)
            for task in asyncio.all_tasks() - {asyncio.current_task(), station._task}:
                if task.get_coro().__qualname__ == "Ear.run":
                    task.cancel()

    run(inner())


def test_a_siren_that_sounds_is_heard_and_said_once():
    async def main(station):
        site = Heard(station)
        await asyncio.sleep(10)
        await station.heard(sealed("county bureau", seq=T0 + 1), wait=60)
        ((kind, fields),) = site.said()
        assert kind == "warning.heard"
        assert (fields["channel"], fields["sounding"], fields["reason"]) == ("siren", ["siren"], "")
        assert 30 <= fields["evidence"]["above_db"] <= 50
        assert fields["evidence"]["seconds"] <= 4
        assert all(lane is Lane.ALARM for what, _, lane in station.records if what == kind)
        assert site.room.asked == 2, "once for the background, once for the siren"

    played(main)


def test_a_coil_without_a_sound_is_unheard():
    async def main(station):
        site = Heard(station, horn=False)
        await asyncio.sleep(10)
        await station.heard(sealed("county bureau", seq=T0 + 1), wait=60)
        ((kind, fields),) = site.said()
        assert (kind, fields["reason"]) == ("warning.unheard", "too_quiet")
        assert "warning.started" in station.kinds(channel="siren"), "the coil reads closed, and nothing sounds"

    played(main)


def test_a_siren_is_never_its_own_background():
    async def main(station):
        station.hear(sealed("county bureau", seq=T0 + 1))
        await asyncio.sleep(0.05)
        site = Heard(station)  # the ear begins while it sounds already
        site.ear.step("warning.started", {"alert": "00", "actuator": "siren", "channel": "siren"})
        await asyncio.sleep(60)
        assert site.said()[0][1]["reason"] == "no_background"
        await asyncio.sleep(400)
        site.ear.step("warning.ended", {"alert": "00", "actuator": "siren", "channel": "siren"})
        await asyncio.sleep(700)
        assert site.ear.status()["background"][0] < -50

    played(main)


@pytest.mark.parametrize("fault", ["recorder_missing", "recorder_hangs", "recorder_failed"])
def test_a_microphone_that_is_gone_is_told_once_and_proves_nothing(fault):
    async def main(station):
        site = Heard(station, fault=fault)
        await asyncio.sleep(2000)
        assert site.faults == [("microphone.down", fault)]
        site.ear._backgrounds.append([1e-6] * 30)
        await station.heard(sealed("county bureau", seq=T0 + 2000), wait=60)
        assert [fields["reason"] for _, fields in site.said()] == [fault]
        site.room.fault = ""
        await asyncio.sleep(1000)
        assert site.faults[1:] == [("microphone.up", "")]

    played(main)


def test_voice_and_siren_together_are_named_together():
    async def main():
        voice = Talker()
        async with Station(others=[voice]) as station:
            site = Heard(station)
            await asyncio.sleep(10)
            await station.heard(sealed("county bureau", seq=T0 + 1), wait=60)
            site.task.cancel()
            assert sorted(fields["channel"] for _, fields in site.said()) == ["siren", "voice"]
            assert all(fields["sounding"] == ["siren", "voice"] for _, fields in site.said())

    run(main())


def test_what_is_remembered_is_bounded():
    ear = Ear(MicrophoneConfig(), lambda *_: None, lambda *_: None, now=lambda: 0.0)
    for number in range(1000):
        ear._done.append((str(number), "siren"))
    assert len(ear._done) <= 256
    assert Journal().active == {}


# The recorder


def recorder(folder, body):
    program = folder / "arecord"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return (str(program), "-D")


async def some(command, most=5):
    found = []
    async for block in microphone.blocks("default", command):
        found.append(block)
        if len(found) == most:
            break
    return found


def test_blocks_are_whole_and_the_recorder_dies_with_the_asking(tmp_path):
    async def main():
        command = recorder(tmp_path, f'echo $$ > {tmp_path}/pid; echo "$@" > {tmp_path}/words; exec cat /dev/zero')
        found = await some(command)
        assert [len(block) for block in found] == [BYTES] * 5
        assert (tmp_path / "words").read_text() == "-D default\n"
        pid = int((tmp_path / "pid").read_text())
        await until(lambda: not alive(pid))

    asyncio.run(main())


def alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().split()[2] != "Z"  # noqa: PTH123 - a look
    except OSError:
        return False


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("echo 'no such card' >&2; exit 1", "recorder_failed"),
        ("exit 0", "recorder_failed"),
        ("exec sleep 600", "recorder_hangs"),
        ("exit 127", "recorder_missing"),
    ],
)
def test_a_recorder_that_misbehaves_is_given_up(tmp_path, monkeypatch, body, reason):
    monkeypatch.setattr(microphone, "PATIENCE", 0.5)
    with pytest.raises(Deaf) as caught:
        asyncio.run(some(recorder(tmp_path, body)))
    assert caught.value.reason == reason


def test_settings_that_cannot_work_are_named():
    assert list(MicrophoneConfig().check()) == []
    wrong = MicrophoneConfig(device="-x", low=4000, high=300, margin=1, every=Duration(1))
    assert [problem.key for problem in wrong.check()] == ["device", "low", "margin", "every"]
