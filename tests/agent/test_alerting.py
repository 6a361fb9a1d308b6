"""The loop from seal to siren, on a board that counts every transition, in virtual time."""

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.alerts import alerting
from agent.alerts.evidence import JUNK_WINDOW
from agent.alerts.intake import MOST_WAITING
from agent.alerts.policy import Policy
from buffer.model import Lane
from protocols.alert import ActionCode, Level, Local, MsgType, Status, chain_of
from tests.support.alerting import Station
from tests.support.scale import count
from tests.support.seals import T0, TEXT, sealed
from tests.support.virtual import run

GENUINE = sealed("county bureau", TEXT)
CANCEL = {"msg_type": MsgType.CANCEL, "action": ActionCode.ALL_CLEAR}


def test_a_genuine_warning_sounds_shows_and_is_acknowledged_step_by_step():
    async def main():
        async with Station() as station:
            heard = station.now()
            await station.heard(GENUINE, wait=2)
            assert station.sounded()[0][0] - heard < 0.02
            assert station.shown.startswith("红色山洪预警，请立即转移到安全地点。")
            assert TEXT.replace(" ", "") in station.shown
            ladder = [kind for kind, fields, lane in station.records if kind.startswith("warning.")]
            assert ladder[:3] == ["warning.received", "warning.verified", "warning.decided"]
            assert ladder[3:] == ["warning.started", "warning.started"]
            assert all(lane is Lane.ALARM for kind, _, lane in station.records if kind.startswith("warning."))
            siren = next(fields for kind, fields, _ in station.records if fields.get("channel") == "siren")
            assert siren["evidence"] == {"coil": True, "address": 0}
            assert siren["pattern"] == "fast"
            assert station.acks == [0]
            await asyncio.sleep(200)
            assert station.sounded()[-1][1] - heard <= 180.2
            assert station.kinds(channel="siren")[-1] == "warning.ended"
            assert station.shown
            await asyncio.sleep(3600)
            assert not station.shown
            assert station.alerting.status()["active"] == []

    run(main())


HOSTILE = {
    "garbage": b"\x00" * 100,
    "nothing": b"",
    "too large": bytes(64 * 1024 + 1),
    "unsigned text": TEXT.encode(),
    "foreign area": sealed("county bureau", area=(620102,)),
    "expired": sealed("county bureau", expires=T0 - 1),
    "test": sealed("county bureau", status=Status.TEST),
    "draft": sealed("county bureau", status=Status.DRAFT),
    "system": sealed("county bureau", status=Status.SYSTEM),
    "another's issuer": sealed("far", issuer=99),
    "another's province": sealed("far", issuer=4),
    "cut": GENUINE[:-1],
    "padded": GENUINE + b"\x00",
    "exercise without leave": sealed("watch", status=Status.EXERCISE, issuer=3),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_what_is_not_for_us_or_not_genuine_never_moves_the_coil(data):
    async def main():
        async with Station() as station:
            await station.heard(data, wait=60)
            assert station.board.log == []
            assert not station.display.log
            assert station.acks == [0]
            assert "warning.started" not in station.kinds()

    run(main())


def test_only_a_message_whose_seal_verified_gets_a_receipt():
    async def main():
        async with Station() as station:
            for data in HOSTILE.values():
                await station.heard(data)
            refused = [fields["reason"] for kind, fields, _ in station.records if kind == "warning.refused"]
            assert sorted(refused) == sorted(
                ["foreign-area", "expired", "test", "draft", "system", "no-authority", "no-authority"]
            )
            assert not station.kinds(bearer="mqtt", reason="malformed")
            await asyncio.sleep(JUNK_WINDOW + 1)
            junk = [fields for kind, fields, _ in station.records if kind == "warning.junk"]
            assert {fields["reason"] for fields in junk} >= {"malformed", "too_large"}
            assert all(lane is Lane.EVENT for kind, _, lane in station.records if kind == "warning.junk")

    run(main())


def test_a_flood_of_junk_is_one_line_and_hides_nothing():
    async def main():
        async with Station() as station:
            forged = bytearray(sealed("county bureau"))
            forged[-65] ^= 1  # both signatures, or one would be left
            forged[-1] ^= 1
            for _ in range(count(10_000)):
                station.hear(bytes(forged), "mqtt")
            heard = station.now()
            await station.heard(GENUINE, "satellite", wait=1)
            assert station.sounded()[0][0] - heard < 0.05
            await asyncio.sleep(JUNK_WINDOW + 1)
            junk = [fields for kind, fields, _ in station.records if kind == "warning.junk"]
            assert len(junk) <= 2
            assert sum(fields["count"] for fields in junk) == count(10_000)
            assert None not in station.acks

    run(main())


def test_a_full_line_drops_the_newest_counts_it_and_lets_go_of_it():
    async def main():
        async with Station() as station:
            for number in range(MOST_WAITING + 10):
                station.hear(b"%d" % number)
            assert station.alerting.status()["counts"]["flooded"] == 10
            await asyncio.sleep(1)
            assert None not in station.acks

    run(main())


def test_every_message_is_acknowledged_once_and_in_the_order_it_came():
    async def main():
        async with Station() as station:
            for number in range(40):
                if number % 3:
                    station.hear(b"junk")
                else:
                    station.hear(sealed("county bureau", seq=T0 + number, chain=chain_of("county", str(number))))
            await asyncio.sleep(5)
            assert station.acks == list(range(40))

    run(main())


def test_the_same_warning_over_two_bearers_sounds_once():
    async def main():
        async with Station() as station:
            await station.heard(GENUINE, "mqtt")
            arms = len(station.board.requests)
            for _ in range(100):
                await station.heard(GENUINE, "satellite", wait=0)
            assert len(station.board.requests) <= arms + 4
            assert station.kinds(bearer="satellite").count("warning.received") == 1
            assert station.kinds(channel="siren") == ["warning.started"]
            await asyncio.sleep(400)
            await station.heard(GENUINE, "mqtt", wait=60)  # a retained repeat
            assert len(station.sounded()) == 180 / 1.5

    run(main())


def test_display_begins_with_one_holder_and_the_siren_joins_with_the_second():
    async def main():
        async with Station() as station:
            await station.heard(sealed("county"), wait=10)
            assert station.shown
            assert not station.sounded()
            decided = next(fields for kind, fields, _ in station.records if kind == "warning.decided")
            assert decided["withheld"]["siren"] == "second-holder"
            shown = len(station.display.log)
            await station.heard(sealed("bureau"), "satellite", wait=1)
            assert station.sounded()
            assert len(station.display.log) == shown  # the text stays as it is
            assert station.kinds(reason="upgraded") == ["warning.decided"]

    run(main())


def test_a_cancel_is_silence_and_an_all_clear():
    async def main():
        async with Station() as station:
            await station.heard(GENUINE, wait=20)
            asked = station.now()
            await station.heard(sealed("county", seq=T0 + 20, **CANCEL), wait=5)
            assert station.sounded()[-1][1] - asked <= 0.05
            assert station.shown.startswith("警报解除。山洪预警已由county解除。")
            await asyncio.sleep(300)
            assert station.sounded()[-1][1] - asked <= 0.05
            ended = [fields for kind, fields, _ in station.records if kind == "warning.ended"]
            assert {fields["evidence"]["ended"] for fields in ended if fields["channel"] == "siren"} == {"silenced"}

    run(main())


def test_a_new_warning_on_the_heels_of_a_cancel_is_not_silenced_by_it():
    async def main():
        async with Station() as station:
            for number in range(20):
                chain = {"chain": chain_of("county", str(number))}
                await station.heard(sealed("county bureau", seq=T0 + 10 * number, **chain), wait=2.2)
                station.hear(sealed("county", seq=T0 + 10 * number + 1, **chain, **CANCEL))
                await asyncio.sleep(0.003 * number)
                other = {"chain": chain_of("county", f"{number} again")}
                await station.heard(sealed("county bureau", seq=T0 + 10 * number + 2, **other), wait=0.5)
                assert station.board.on(0)
                await station.heard(sealed("county", seq=T0 + 10 * number + 3, **other, **CANCEL), wait=2)
                assert not station.board.on(0)
            ends = [f["channel"] for kind, f, _ in station.records if kind == "warning.ended"]
            assert ends.count("siren") == 40
            assert ends.count("display") >= 40

    run(main())


def test_a_message_that_breaks_us_is_counted_and_the_next_is_heard(monkeypatch):
    real = alerting.decide

    def broken(journal, alert, *rest):
        if alert.alert.seq == T0 + 5:
            raise RuntimeError("a bug")
        return real(journal, alert, *rest)

    monkeypatch.setattr(alerting, "decide", broken)

    async def main():
        async with Station() as station:
            station.hear(sealed("county bureau", seq=T0 + 5))
            await station.heard(GENUINE, wait=1)
            assert station.sounded()
            assert station.acks == [0, 1]
            assert station.alerting.status()["counts"]["broken"] == 1

    run(main())


def test_what_acts_is_told_at_once_and_noise_is_not():
    async def main():
        async with Station() as station:
            told = []
            station.alerting.acts = lambda: told.append(len(station.board.requests))
            before = len(station.board.requests)
            for data in (*HOSTILE.values(), sealed("county bureau", area=(62,))):
                await station.heard(data)
            assert told == []
            for _ in range(3):
                await station.heard(GENUINE)
            assert told == [before], "before the relay is asked, and not for a duplicate"
            await station.heard(sealed("county", seq=T0 + 20, **CANCEL))
            assert len(told) == 2

    run(main())


def test_a_drill_reads_as_one_and_is_silent_unless_the_station_allows_it():
    async def main(sirens):
        async with Station(Policy(exercise_siren=sirens)) as station:
            await station.heard(sealed("county bureau", seq=T0 + 1, status=Status.EXERCISE), wait=60)
            assert station.shown.startswith("这是演练")
            assert station.shown.rstrip("。").endswith("这是演练")
            assert bool(station.sounded()) is sirens
            if sirens:
                assert station.sounded()[-1][1] - station.sounded()[0][0] <= 15.2
            await station.heard(sealed("county bureau", seq=T0 + 2), wait=1)
            assert not station.shown.startswith("这是演练")
            assert station.board.log[-1].on or station.sounded()

    run(main(sirens=False))
    run(main(sirens=True))


def test_the_higher_level_wins_and_the_lower_resumes_with_what_is_left_of_it():
    async def main():
        async with Station() as station:
            orange = {"level": Level.ORANGE, "chain": chain_of("county", "o"), "action": ActionCode.SHELTER}
            await station.heard(sealed("county", seq=T0 + 1, **orange), wait=30)
            assert station.shown.startswith("橙色")
            await station.heard(sealed("county bureau", seq=T0 + 2), wait=60)
            assert station.shown.startswith("红色")
            await station.heard(sealed("county", seq=T0 + 3, **CANCEL), wait=1000)
            assert station.shown.startswith("橙色")
            patterns = [
                f["pattern"] for k, f, _ in station.records if k == "warning.started" and f["channel"] == "siren"
            ]
            assert patterns == ["slow", "fast", "slow"]
            slow = [spell for spell in station.sounded() if spell[1] - spell[0] > 1.5]
            assert 120 - 12 <= len(slow) * 6 <= 120 + 6

    run(main())


def test_an_onset_in_the_future_is_kept_over_a_restart():
    async def main():
        async with Station() as station:
            await station.heard(sealed("county bureau", onset=T0 + 600), wait=60)
            assert not station.sounded()
            assert not station.shown
            await station.stop()
            async with Station(journal=station.journal.restarted()) as later:
                await asyncio.sleep(T0 + 599 - later.clock.read().best)
                assert not later.sounded()
                await asyncio.sleep(3)
                assert later.sounded()
                assert later.shown

    run(main())


@pytest.mark.parametrize("clean", [True, False])
def test_a_restart_while_it_sounds_resumes_what_is_left_and_no_more(clean):
    async def main():
        async with Station() as station:
            begun = station.now()
            await station.heard(GENUINE, wait=60)
            if clean:
                await station.stop()
            else:
                station.die()
            await asyncio.sleep(10)
            assert not station.board.on(0)
            async with Station(journal=station.journal.restarted(), board=station.board) as later:
                assert later.sounded()[-1][1] > station.now() - 5  # on again
                assert later.shown
                await asyncio.sleep(400)
                on = later.sounded()
                total = (on[-1][1] - begun) - 10
                assert 180 - 12 <= total <= 180 + 1
                assert later.kinds(channel="siren")[0] == "warning.started"

    run(main())


@pytest.mark.parametrize("broken", ["hangs", "fails"])
def test_a_journal_that_cannot_be_written_delays_a_siren_by_a_tenth_of_a_second_and_says_so(broken):
    async def main():
        async with Station() as station:
            station.journal.broken = broken
            heard = station.now()
            await station.heard(GENUINE, wait=1)
            assert station.sounded()[0][0] - heard <= 0.13
            assert station.kinds().count("warning.unjournalled") == 1
            assert station.acks == [0]
            for number in range(2, 10):  # nor is the cancel held up by what the disk still owes
                station.hear(sealed("county", seq=T0 + number, chain=chain_of("county", str(number))))
            asked = station.now()
            await station.heard(sealed("county", seq=T0 + 20, **CANCEL), wait=1)
            assert station.sounded()[-1][1] - asked <= 0.13
            assert None not in station.acks

    run(main())


def test_a_display_that_hangs_delays_no_siren():
    async def main():
        async with Station(fault="hang") as station:
            heard = station.now()
            await station.heard(GENUINE, wait=10)
            assert station.sounded()[0][0] - heard < 0.02
            await station.heard(sealed("county", seq=T0 + 20, **CANCEL), wait=1)
            assert not station.board.on(0)

    run(main())


def test_a_dead_relay_is_failed_evidence_and_the_display_shows():
    async def main():
        async with Station() as station:
            station.bus.dead = True
            await station.heard(GENUINE, wait=200)
            assert station.shown
            said = [fields["reason"] for kind, fields, _ in station.records if kind == "warning.failed"]
            assert said == ["relay_no_answer", "relay_never_closed"]

    run(main())


def test_a_siren_found_dead_is_an_event_before_any_warning():
    async def main():
        async with Station() as station:
            station.bus.dead = True
            await asyncio.sleep(120)
            station.bus.dead = False
            await asyncio.sleep(120)
            assert station.kinds(actuator="siren") == ["actuator.up", "actuator.down", "actuator.up"]
            assert not station.board.log

    run(main())


def test_acknowledgements_that_cannot_be_written_keep_nothing_silent():
    async def main():
        async with Station() as station:

            def refuse(*_):
                raise OSError("full")

            station.alerting._evidence._record = refuse
            await station.heard(GENUINE, wait=1)
            assert station.sounded()
            assert station.acks == [0]
            assert station.alerting.status()["counts"]["unrecorded"] >= 3

    run(main())


def test_a_local_alarm_takes_the_same_road():
    async def main():
        async with Station() as station:
            two = (("rain.tips", 60.0), ("river.stage", 28.0))
            rule = Local("stage", two, "flash-flood", Level.RED, ActionCode.EVACUATE, "水位 28.0 m", 600)
            station.alerting.local(rule)
            await asyncio.sleep(1)
            assert station.sounded()
            assert "水位 28.0 m" in station.shown
            station.alerting.end(rule.identity)
            await asyncio.sleep(1)
            assert not station.board.on(0)
            assert not station.shown

    run(main())


def test_nothing_of_a_warning_is_recorded_unescaped():
    async def main():
        async with Station() as station:
            await station.heard(sealed("county bureau", "\x1b[2J\u202e快跑\r\nwarning.started"), wait=1)
            assert all(ord(char) >= 32 and char != "\u202e" for char in station.shown)
            assert "\x1b" not in str([fields for _, fields, _ in station.records])

    run(main())


def test_status_says_whom_we_believe_and_whom_we_heard():
    async def main():
        async with Station() as station:
            await station.heard(GENUINE, "satellite", wait=10)
            status = station.alerting.status()
            assert status["keyring"] == 7
            assert status["heard_seconds_ago"]["bearers"] == {"satellite": 10}
            assert set(status["heard_seconds_ago"]["holders"]) == {"county", "bureau"}
            assert status["active"][0]["channels"] == ["siren", "display", "voice", "lamp"]
            assert status["actuators"]["siren"]["sounding"]

    run(main())


@settings(max_examples=count(100), deadline=None)
@given(st.integers(0, 1 << 64))
def test_no_mutation_of_a_genuine_warning_makes_a_sound(seed):
    async def main():
        chance = random.Random(seed)
        async with Station() as station:
            for number in range(50):
                await station.heard(mutated(chance, number), wait=0)
            await asyncio.sleep(30)
            assert station.board.log == []

    run(main())


def mutated(chance: random.Random, number: int) -> bytes:
    """Bytes flipped, cut, doubled or set in what one holder or two have sealed; never the whole itself. Each payload is
    another: over two copies of one the holders would rightly add up.
    """
    source = sealed(chance.choice(["county bureau", "county", "bureau"]), seq=T0 + number)
    data = bytearray(source)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at : at + chance.randint(1, 8)]
        elif kind == 2:
            data[at:at] = data[: chance.randint(1, 16)]
        else:
            data[at] = chance.randrange(256)
        data = data or bytearray(1)
    return bytes(data) if bytes(data) != source else b"\x00"
