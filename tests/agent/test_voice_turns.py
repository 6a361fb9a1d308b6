"""Whose turn it is to be spoken: what was said is not said again, after a restart neither, and who has finished makes room."""

import asyncio

from agent.alerts import places
from agent.alerts.journal import Journal
from agent.alerts.journal_entries import Said
from agent.alerts.journal_file import frame, replay
from drivers.actuators import sim
from drivers.actuators.sim import SimConfig
from drivers.actuators.speaking import Speaking
from drivers.api import Context, Outcome, Verdict
from protocols.alert import ActionCode, Level, Local, MsgType, Status, chain_of
from tests.agent.test_alerting import CANCEL
from tests.support.alerting import Station
from tests.support.seals import COUNTY, T0, TEXT, VILLAGE, sealed
from tests.support.virtual import run

SENTENCE = 10.0  # seconds


class Talker(Speaking):
    """A voice that takes ten seconds to say anything. `said` has the beginning of each sentence that was begun."""

    def __init__(self, name="voice"):
        super().__init__(name, 300.0, 1800.0, now=asyncio.get_running_loop().time)
        self.said, self.hushed = [], 0

    async def _once(self, turn):
        self.said.append(turn.action.text[:2])
        turn.tell(Verdict.DONE)
        await turn.rest(SENTENCE)

    async def _hush(self):
        self.hushed += 1
        return Outcome(Verdict.DONE)

    async def _reach(self):
        return Outcome(Verdict.DONE)


def orange(seq=T0 + 1, text="", **changed):
    words = {"level": Level.ORANGE, "chain": chain_of("county", "o"), "action": ActionCode.PREPARE, "event": "11B03"}
    return sealed("county", text, seq=seq, **words | changed)


def red(seq=T0 + 2, **changed):
    return sealed("county bureau", seq=seq, **changed)


def test_a_restart_says_what_is_left_and_not_the_whole():
    async def main(killed_after, left):
        voice = Talker()
        async with Station(others=[voice]) as station:
            await station.heard(red(), wait=killed_after)
            station.die()
            await asyncio.sleep(3)
            before, again = len(voice.said), Talker()
            async with Station(journal=station.journal.restarted(), board=station.board, others=[again]) as later:
                await asyncio.sleep(120)
                assert (before, len(again.said)) == (3 - left, left)
                assert later.shown

    run(main(5, 2))
    run(main(17, 1))
    run(main(25, 0))
    run(main(60, 0))


def test_an_agent_that_dies_again_and_again_does_not_stammer_for_ever():
    async def main():
        journal, board, begun = None, None, 0
        for life in range(6):
            voice = Talker()
            async with Station(journal=journal, board=board, others=[voice]) as station:
                if life == 0:
                    station.hear(red())
                await asyncio.sleep(2)
                station.die()
                journal, board = station.journal.restarted(), station.board
            begun += len(voice.said)
        assert begun == 3

    run(main())


def test_each_voice_has_a_count_of_its_own():
    async def main():
        one, other = Talker("one"), Talker("other")
        async with Station(others=[one, other]) as station:
            await station.heard(red(), wait=15)
            (active,) = station.journal.journal.active.values()
            assert active.said == {"one": 2, "other": 2}

    run(main())


def test_two_copies_on_each_others_heels_are_one_beginning():
    async def main():
        voice = Talker()
        async with Station(others=[voice]) as station:
            station.hear(sealed("county"))
            station.hear(sealed("bureau"), "satellite")
            await asyncio.sleep(5)
            (active,) = station.journal.journal.active.values()
            assert active.said == {"voice": 1}
            await asyncio.sleep(60)
            assert len(voice.said) == 3

    run(main())


def test_the_higher_is_said_first_and_the_lower_goes_on_with_what_is_left():
    async def main():
        voice = Talker()
        async with Station(others=[voice]) as station:
            await station.heard(orange(), wait=15)  # in the middle of the second time
            await station.heard(red(), wait=120)
            assert voice.said == ["橙色", "橙色", "红色", "红色", "红色", "橙色"]

    run(main())


def test_a_lower_warning_is_said_when_the_higher_has_been():
    async def main():
        voice = Talker()
        async with Station(others=[voice]) as station:
            await station.heard(red(), wait=15)
            await station.heard(orange(), wait=1)
            assert voice.said == ["红色", "红色"], "it interrupts nothing"
            await asyncio.sleep(120)
            assert voice.said == ["红色"] * 3 + ["橙色"] * 3
            assert station.shown.startswith("红色"), "the display stays with the higher"

    run(main())


def test_the_same_words_of_two_importers_are_said_once():
    async def main():
        voice = Talker()
        async with Station(others=[voice]) as station:
            await station.heard(red(), wait=1)
            await station.heard(sealed("bureau county", seq=T0 + 3, issuer=2), wait=200)
            assert len(voice.said) == 3
            station.die()
            again = Talker()
            async with Station(journal=station.journal.restarted(), board=station.board, others=[again]):
                await asyncio.sleep(60)
                assert again.said == []

    run(main())


def test_a_text_that_arrives_later_is_said_in_full():
    async def main():
        voice = Talker()
        async with Station(others=[voice]) as station:
            bare, whole = sealed("county", TEXT), sealed("county bureau", TEXT)
            from protocols.seal import uncarry

            await station.heard(uncarry(bare)[0], "narrow", wait=60)
            assert len(voice.said) == 3
            await station.heard(whole, wait=60)
            assert len(voice.said) == 6

    run(main())


def test_a_cancel_speaks_the_all_clear_and_a_local_alarm_that_returns_is_said_anew():
    async def main():
        voice = Talker()
        async with Station(others=[voice]) as station:
            await station.heard(red(), wait=12)
            await station.heard(sealed("county", seq=T0 + 20, **CANCEL), wait=60)
            assert voice.said == ["红色", "红色", *["警报"] * 3]
            rain = Local("rain", (("a", 1.0),), "rainstorm", Level.YELLOW, ActionCode.PREPARE, "", 600)
            for _ in range(2):
                station.alerting.local(rain)
                await asyncio.sleep(60)
                station.alerting.end(rain.identity)
                await asyncio.sleep(60)
            assert voice.said[5:] == ["黄色"] * 6

    run(main())


def test_what_was_said_is_kept_in_the_file_and_an_older_file_is_read():
    from agent.alerts.journal_entries import Active

    active = Active(
        b"i" * 32, "remote", 1, T0, b"c" * 8, Status.ACTUAL, "11A51", Level.RED, ActionCode.EVACUATE, None, T0 + 60,
        "", ("county",), 7, {}, "b1", 0.0, 60.0, 180.0,
    )  # fmt: skip
    journal = Journal().fold([active, Said(b"i" * 32, "voice"), Said(b"i" * 32, "voice"), Said(b"other", "voice")])
    assert journal.active[b"i" * 32].said == {"voice": 2}
    again, lost = replay(b"fengsui-journal 1\n" + frame(journal.entries()))
    assert (again.active, lost) == (journal.active, 0)


# For whom


def test_status_and_display_say_for_which_area():
    async def main():
        names = places.Names({330205: ("江北区",)})
        async with Station(areas=names) as station:
            await station.heard(sealed("county bureau", area=(62, COUNTY, VILLAGE)), wait=1)
            assert station.display.log[-1]["area"] == "江北区、江北区 330205004001"
            (row,) = station.alerting.status()["active"]
            assert row["area"] == ["330205", "330205004001"], "only what takes in this place"
            await station.heard(sealed("county", seq=T0 + 20, area=(COUNTY,), **CANCEL), wait=1)
            assert station.display.log[-1]["area"] == "江北区、江北区 330205004001", "whoever was warned hears the end"

    run(main())


# The lamp


def lamp():
    made = sim.create(SimConfig(name="lamp", kind="lamp"), Context(None, lambda *_: None))
    made._now = asyncio.get_running_loop().time
    made._config.max_on = 1e9
    return made


def test_a_silent_way_down_lights_the_lamp_and_a_warning_has_it_first():
    async def main():
        light = lamp()
        async with Station(others=[light]) as station:
            station.alerting.unheard(True)
            await asyncio.sleep(2000)
            assert [(one["on"], one["pattern"], one["level"]) for one in light.log] == [(True, "steady", "")]
            assert set(station.kinds()) == {"actuator.up"}, "the silence is an event of its own; the lamp is none"
            await station.heard(sealed("county bureau", seq=T0 + 2000, expires=T0 + 2600), wait=5)
            assert light.log[-1]["level"] == "red"
            await asyncio.sleep(700)
            assert (light.log[-1]["on"], light.log[-1]["level"]) == (True, "")
            station.alerting.unheard(False)
            await asyncio.sleep(5)
            assert not light.log[-1]["on"]
            assert station.sounded()[-1][1] < 2300

    run(main())


def test_an_update_with_other_words_is_said_anew():
    async def main():
        voice = Talker()
        async with Station(others=[voice]) as station:
            await station.heard(red(), wait=60)
            update = sealed("county bureau", "立即", seq=T0 + 60, msg_type=MsgType.UPDATE)
            await station.heard(update, wait=60)
            assert len(voice.said) == 6

    run(main())


def test_an_update_in_the_same_words_interrupts_nothing_and_is_said_when_the_first_was_over_long_ago():
    async def main():
        voice = Talker()
        async with Station(others=[voice]) as station:
            await station.heard(red(), wait=3)
            for number in range(20):  # whoever sends it every second does not make the voice stammer
                await station.heard(red(seq=T0 + 3 + number, msg_type=MsgType.UPDATE), wait=1)
            await asyncio.sleep(60)
            assert len(voice.said) == 3
            await station.heard(red(seq=T0 + 90, msg_type=MsgType.UPDATE), wait=60)
            assert len(voice.said) == 6

    run(main())


def test_nothing_of_another_boot_is_shown_or_said_before_its_time_is_placed():
    """The key switch and a silent issuer are known before the loop begins; what stood then may be long over."""

    async def main():
        async with Station() as station:
            await station.heard(red(), wait=10)
            journal = station.journal.restarted()
        voice = Talker()
        later = Station(journal=journal, others=[voice])
        later.clock.boot = b"\2" * 8
        later.alerting.mute(True)
        later.alerting.note({b"x": "y"})
        later.alerting.unheard(True)
        later.alerting.mute(False)
        await asyncio.sleep(30)
        assert (voice.said, list(later.display.log), later.board.log) == ([], [], [])

    run(main())
