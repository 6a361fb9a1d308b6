"""The key switch mutes the siren and nothing else, for two hours at most; buttons mean what people do with them."""

import asyncio
import json

import pytest

from agent.alerts.inhibit import LONGEST, Inhibit
from agent.clock import Clock
from agent.spot.buttons import REST, ButtonConfig, Contact, Push, check_button, check_buttons
from drivers.inputs import FileInput, PinInput
from tests.support.alerting import Station
from tests.support.seals import sealed
from tests.support.virtual import run

HOUR = 3_600_000


class Cabinet:
    """A clock of its own, a switch, and what was said and kept."""

    def __init__(self, saved=None, at=0, boot=b"\1" * 8, source="system"):
        self.at, self.muted, self.events, self.kept = at, [], [], saved
        self.clock = Clock(source, boot=boot, now=lambda: self.at, wall_ms=lambda: 1_800_000_000_000 + self.at)
        self.make()

    def make(self):
        self.inhibit = Inhibit(
            self.clock, saved=self.kept, keep=self.keep, mute=self.muted.append,
            record=lambda kind, fields, _lane: self.events.append((kind, fields["reason"])),
        )  # fmt: skip

    def keep(self, value):
        self.kept = value

    def key(self, turned, at):
        self.at = at
        self.inhibit.key(turned)


def test_it_mutes_while_it_is_turned_and_says_so_once():
    cabinet = Cabinet()
    for second in range(0, 3000, 500):
        cabinet.key(True, second)
    cabinet.key(False, 4000)
    assert cabinet.muted == [True, False]
    assert cabinet.events == [("inhibit.on", "turned"), ("inhibit.off", "turned")]


def test_it_ends_by_itself_and_is_not_renewed_by_staying_turned():
    cabinet = Cabinet()
    for minute in range(0, 300, 5):
        cabinet.key(True, minute * 60_000)
    assert cabinet.muted == [True, False]
    assert cabinet.events[-1] == ("inhibit.off", "over")
    cabinet.key(False, 6 * HOUR)
    cabinet.key(True, 6 * HOUR + 1000)
    assert cabinet.muted == [True, False, True]


def test_it_ends_in_time_while_nobody_can_read_the_switch():
    cabinet = Cabinet()
    cabinet.key(True, 0)
    cabinet.key(None, HOUR)
    assert cabinet.inhibit.muted
    cabinet.key(None, LONGEST)
    assert not cabinet.inhibit.muted


def test_a_restart_gives_no_more_time():
    cabinet = Cabinet()
    cabinet.key(True, 0)
    cabinet.at = HOUR
    cabinet.make()
    assert cabinet.inhibit.muted
    assert cabinet.inhibit.status() == {"muted": True, "seconds": 3600}
    cabinet.key(True, LONGEST)
    assert not cabinet.inhibit.muted
    cabinet.make()
    cabinet.key(True, LONGEST + 1000)
    assert not cabinet.inhibit.muted


def test_after_a_power_cut_without_a_clock_it_is_over():
    cabinet = Cabinet(json.dumps(["02" * 8, 5]).encode(), source="none")
    assert not cabinet.inhibit.muted
    cabinet.key(True, 1000)
    assert not cabinet.inhibit.muted


@pytest.mark.parametrize("saved", [b"", b"{", b"[1]", b'["zz", 1]', b"[null, null]"])
def test_a_spoilt_memory_mutes_nothing(saved):
    assert not Cabinet(saved).inhibit.muted


def test_the_siren_is_muted_and_display_and_voice_are_not():
    async def main():
        async with Station() as station:
            station.alerting.mute(True)
            await station.heard(sealed("county bureau", "山洪"), wait=30)
            assert station.shown
            assert not station.sounded()
            decided = next(fields for kind, fields, _ in station.records if kind == "warning.decided")
            assert decided["withheld"]["siren"] == "inhibited"
            station.alerting.mute(False)
            await asyncio.sleep(10)
            assert station.sounded()  # the warning still stands, and its time was not used up
            station.alerting.mute(True)
            muted = station.now()
            await asyncio.sleep(20)
            assert station.sounded()[-1][1] <= muted + 0.05
            station.alerting.mute(False)
            await asyncio.sleep(300)
            begin, end = station.sounded()[0][0], station.sounded()[-1][1]
            assert end - begin <= 180 + 20 + 6  # a slice that was paid for may be lost, never added

    run(main())


# Contacts in the field


def pushes(hold, looks):
    contact = Contact(hold)
    return [push for at, closed in looks if (push := contact.look(at, closed)) is not Push.NOTHING]


def looks(pattern, every=0.2):
    """`1` closed, `0` open, `?` not told."""
    return [(place * every, {"1": True, "0": False, "?": None}[one]) for place, one in enumerate(pattern)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("0011", [Push.PRESSED]),
        ("00100100", []),  # one look is a spark
        ("1111111111111111", []),  # closed from the beginning: stuck, or a wire
        ("00" + "1" * 40, [Push.PRESSED, Push.HELD]),
        ("00" + "1" * 10 + "00", [Push.PRESSED]),
        ("00" + "1" * 10 + "??" + "1" * 30, [Push.PRESSED]),  # who held it while nobody looked?
        ("00" + "1" * 200, [Push.PRESSED, Push.HELD]),  # once for each press
        ("00" + "1100" * 20, [Push.PRESSED] * 5),  # a rattling contact: once in REST
    ],
)
def test_a_contact(pattern, expected):
    assert REST == 3.0
    assert pushes(3.0, looks(pattern)) == expected


def test_a_file_and_a_pin_stand_for_a_contact(tmp_path):
    async def main():
        file = tmp_path / "contact"
        contact = FileInput(file)
        assert not await contact.read()
        file.write_text("1\n")
        assert await contact.read()

        class Line:
            def active(self):
                return True

        asked = []
        pin = PinInput("/dev/gpiochip0", 17, lambda chip, line: asked.append((chip, line)) or Line())
        assert await pin.read()
        assert await pin.read()
        assert asked == [("/dev/gpiochip0", 17)]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("words", "key", "code"),
    [
        ({}, "bus", "button.place"),
        ({"bus": "b", "file": "f"}, "bus", "button.place"),
        ({"bus": "nowhere"}, "bus", "sensor.bus_unknown"),
        ({"chip": "/dev/does-not-exist", "line": 4}, "chip", "port.missing"),
        ({"file": "f", "hold": 0.2}, "hold", "value.range"),
        ({"file": "f", "plan": "nothing"}, "plan", "rule.plan"),
    ],
)
def test_what_check_says_of_buttons(words, key, code):
    found = list(check_button(ButtonConfig(name="b", does="start", **words), ["b"], ["evacuate"]))
    assert (key, code) in {(one.key, one.code) for one in found}


def test_only_one_switch_mutes():
    two = [ButtonConfig(name=name, does="inhibit", file=name) for name in "ab"]
    assert [one.code for one in check_buttons(two)] == ["button.inhibits"]


def test_a_button_that_is_held_sounds_alone_and_again():
    async def main():
        async with Station() as station:
            alarm = ButtonConfig(name="门口", does="start", file="x").alarm()
            station.alerting.local(alarm)
            await asyncio.sleep(200)
            first = station.sounded()
            assert first
            assert station.alerting.stands(alarm.identity)
            station.alerting.end(alarm.identity)
            station.alerting.local(alarm)
            await asyncio.sleep(5)
            assert len(station.sounded()) > len(first)
            assert alarm.identity != alarm.__class__("门口", (), "x", alarm.level, alarm.action, "", 1).identity

    run(main())
