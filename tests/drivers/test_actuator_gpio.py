"""A siren on a pin, with a chip that is not there: libgpiod itself wants a kernel's chip, so the seam is tested against it
and the rest against a line in memory.
"""

import asyncio
import time
from pathlib import Path

import pytest

from drivers.actuators import gpio
from drivers.actuators.gpio import GpioConfig
from drivers.actuators.guard import Guard
from drivers.actuators.patterns import Pattern
from drivers.actuators.pin import Pin, gpiod_line
from drivers.api import Action, Context, Verdict
from tests.support.until import until

SIREN = Action("siren", pattern="steady", key="a1")


class MemoryLine:
    def __init__(self, broken=False):
        self.on, self.broken = False, broken
        self.changes = []

    def set(self, active):
        if self.broken:
            raise OSError(19, "No such device")
        if active != self.on:
            self.on = active
            self.changes.append((time.monotonic(), active))

    def active(self):
        return self.on


def made(line, **keys):
    asked = []

    def open_line(*where):
        asked.append(where)
        return line

    relay = gpio.make(GpioConfig(**{"name": "siren", "line": 17} | keys), open_line)
    return relay, asked


def perform(relay, seconds, action=SIREN):
    said = []
    return asyncio.create_task(relay.perform(action, time.monotonic() + seconds, said.append)), said


def test_it_sounds_its_pattern_and_ends():
    async def main():
        line = MemoryLine()
        relay, asked = made(line, patterns={"beat": Pattern(0.3, 0.2)}, active_low=True)
        task, said = perform(relay, 1.0, Action("siren", pattern="beat", key="a1"))
        outcome = await task
        assert asked == [("/dev/gpiochip0", 17, True)]
        assert [on for _, on in line.changes] == [True, False, True, False]
        assert said[0].evidence == {"coil": True, "address": 17}
        assert outcome.verdict is Verdict.DONE
        assert not line.on

    asyncio.run(main())


def test_a_tone_is_held_by_renewal_without_a_gap():
    async def main():
        line = MemoryLine()
        relay, _ = made(line, shot=0.6)
        task, _ = perform(relay, 1.5)
        await task
        assert [on for _, on in line.changes] == [True, False]
        assert 1.4 <= line.changes[1][0] - line.changes[0][0] <= 2.5

    asyncio.run(main())


def test_the_guard_lets_go_while_the_event_loop_stands_still():
    async def main():
        line = MemoryLine()
        relay, _ = made(line, shot=0.6)
        task, said = perform(relay, 30)
        await until(lambda: said)
        stopped = time.monotonic()
        time.sleep(1.5)  # noqa: ASYNC251 - this is the fault
        assert line.changes[-1][1] is False
        assert line.changes[-1][0] - stopped <= 1.0
        await until(lambda: line.on)  # and it goes on once the loop does
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not line.on

    asyncio.run(main())


def test_silence_and_probe():
    async def main():
        line = MemoryLine()
        relay, _ = made(line)
        assert (await relay.probe()).evidence == {"coil": False, "address": 17}
        assert not line.changes
        task, said = perform(relay, 30)
        await until(lambda: said)
        assert (await relay.silence()).verdict is Verdict.DONE
        assert not line.on
        assert (await task).evidence["ended"] == "silenced"

    asyncio.run(main())


def test_a_line_that_is_gone_is_a_failure():
    async def main():
        relay, _ = made(MemoryLine(broken=True))
        task, said = perform(relay, 0.5)
        assert (await task).reason == "relay_never_closed"
        assert said[0].reason == "relay_no_answer"
        assert "No such device" in said[0].evidence["why"]

    asyncio.run(main())


def test_a_lamp_stands_as_long_as_its_warning():
    async def main():
        line = MemoryLine()
        relay, _ = made(line, kind="lamp", shot=0.6, max_on=1.0)
        task, _ = perform(relay, 2.0, Action("lamp", pattern="steady", key="a1"))
        assert (await task).evidence["ended"] == "ended"
        assert line.changes[-1][0] - line.changes[0][0] >= 1.9

    asyncio.run(main())


def test_a_guard_is_renewed_disarmed_and_used_again():
    let_go = []
    guard = Guard(lambda: let_go.append(time.monotonic()))
    begin = time.monotonic()
    guard.arm(0.1)
    guard.arm(0.3)
    while not let_go:
        time.sleep(0.005)
    assert let_go[0] - begin >= 0.3
    guard.arm(0.05)
    guard.disarm()
    time.sleep(0.1)
    assert len(let_go) == 1
    guard.arm(0.01)
    while len(let_go) < 2:
        time.sleep(0.005)


class FakeGpiod:
    """The part of libgpiod's Python binding 2.x that is used, as it answers."""

    def __init__(self):
        self.requests, self.values = [], {}

    def request_lines(self, path, config, consumer=None):
        self.requests.append((path, consumer, config))
        return self

    @staticmethod
    def LineSettings(**settings):  # noqa: N802 - the binding's own name
        return settings

    def set_value(self, line, value):
        self.values[line] = value

    def get_value(self, line):
        return self.values.get(line, "inactive")


class FakeWords:
    class Direction:
        OUTPUT = "output"

    class Value:
        ACTIVE, INACTIVE = "active", "inactive"


def test_the_library_is_asked_for_an_output_that_is_off(monkeypatch):
    fake = FakeGpiod()
    monkeypatch.setitem(__import__("sys").modules, "gpiod", fake)
    monkeypatch.setitem(__import__("sys").modules, "gpiod.line", FakeWords)
    line = gpiod_line("/dev/gpiochip0", 17, active_low=True)
    settings = {"direction": "output", "active_low": True, "output_value": "inactive"}
    assert fake.requests == [("/dev/gpiochip0", "fengsui", {17: settings})]
    assert not line.active()
    line.set(active=True)
    assert line.active()
    assert fake.values == {17: "active"}


def test_the_real_library_knows_these_names():
    gpiod = pytest.importorskip("gpiod", reason="the extra gpio is not installed")
    from gpiod.line import Direction, Value

    gpiod.LineSettings(direction=Direction.OUTPUT, active_low=True, output_value=Value.INACTIVE)
    with pytest.raises(OSError):  # noqa: PT011 - any: there is no such chip here
        gpiod_line("/dev/no-such-chip", 17, active_low=False)


def test_without_the_library_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gpiod", None)
    with pytest.raises(OSError, match="extra gpio"):
        gpiod_line("/dev/gpiochip0", 17, active_low=False)
    assert Pin("/dev/gpiochip0", 17, active_low=False).address == 17


def test_settings_that_cannot_work_are_named():
    config = GpioConfig(name="x", line=900, chip="/dev/no-such-chip", shot=9.0)
    codes = [problem.code for problem in gpio.check(config, Context(Path(), None))]
    assert codes == ["port.missing", "gpio.line", "actuator.shot"]
