"""The session against simulated modules, in time that jumps: cards, beams, sends of every outcome, holds, repeats."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.simulated.beidou import Faults, card_2, card_3
from protocols.framing import Send
from protocols.rdss_content import Coding
from protocols.rdss_hold import Hold
from protocols.rdss_session import ANSWER, BOOT, POWER_PATIENCE, State
from tests.support.beidou import Clock, Flaw, Held, Incoming, Options, Outcome, Standing, World
from tests.support.scale import count

BOTH = pytest.mark.parametrize("card", [card_2("0242286"), card_3("15240507", interval=60)], ids=["2.1", "rsmc"])


@BOTH
def test_from_power_on_to_a_message_sent(card):
    world = World(card).ready()
    assert world.session.card == card.card
    assert world.send(b"hello") == Outcome(True)
    assert [to for _, to, _ in world.module.sent] == ["0179773"]
    assert world.send(b"again") == Outcome(False, "early", pytest.approx(60, abs=1.5))
    world.run(61)
    assert world.send(b"again") == Outcome(True)
    assert world.module.early == 0


@BOTH
@pytest.mark.parametrize("configured", ["auto", "mine", "other"])
def test_the_protocol_is_found_or_configured(card, configured):
    mine = "rsmc" if card.card.bd3 else "2.1"
    protocol = {"auto": "auto", "mine": mine, "other": "2.1" if mine == "rsmc" else "rsmc"}[configured]
    world = World(card, options=Options(protocol=protocol))
    found = world.until(lambda: world.session.state is State.READY, 120)
    assert found == (configured != "other")
    if not found:
        assert Standing("silent") in world.seen(Standing)
        assert world.send(b"x").reason == "silent"


def test_length_is_of_card_and_coding():
    assert World(card_2("0242286")).ready().session.mtu == 77
    assert World(card_2("0242286", level=1)).ready().session.mtu == 12
    three = card_3("15240507")
    assert World(three).ready().session.mtu == 1451
    assert World(three, options=Options(coding=Coding.HEX)).ready().session.mtu == 1750
    assert World(three, options=Options(coding=Coding.HEX, point=5)).ready().session.mtu == 70
    assert World(three, options=Options(coding=Coding.HEX, most=200)).ready().session.mtu == 200
    assert World(three, options=Options(coding=Coding.HEX, point=1, most=5000)).ready().session.mtu == 210
    assert World(card_3("15240507", level=2), options=Options(coding=Coding.MIXED, most=300)).ready().session.mtu == 300


def test_what_does_not_fit_is_never_sent():
    world = World().ready()
    assert world.send(bytes(78)) == Outcome(False, "length", None)
    assert world.send(b"") == Outcome(False, "length", None)
    assert world.send(b"x", "12a") == Outcome(False, "address", None)
    assert world.send(bytes(77)) == Outcome(True)


def test_an_empty_slot_is_a_fault_until_a_card_is_there():
    world = World(None)
    world.run(30)
    assert Standing("no-card") in world.seen(Standing)
    assert world.send(b"x") == Outcome(False, "no-card", 60.0)
    world.module._said, world.module.card = card_2("0242286"), card_2("0242286").card
    world.ready()
    assert world.send(b"x") == Outcome(True)


def test_a_module_that_says_nothing_is_asked_ever_less_often():
    world = World(faults=Faults(mute=True))
    asked = []
    world.module.receive = lambda _data, now: asked.append(now) or []
    world.run(3600)
    assert 50 < len(asked) < 80
    assert world.seen(Standing)[0] == Standing("silent")
    assert world.send(b"x").reason == "silent"


@pytest.mark.parametrize(
    ("refusal", "reason", "wait"),
    [
        ((0, 0.0), "refused", 20.0),
        ((0, 40.0), "early", 40.0),
        ((1, 0.0), "inhibited", 600.0),
        ((2, 0.0), "battery", 300.0),
        ((3, 0.0), "silence", 600.0),
        ((4, 0.0), "power", 30.0),
        ((9, 0.0), "code-9", 20.0),
    ],
)
def test_refusals_of_2_1_have_their_class_and_wait(refusal, reason, wait):
    world = World().ready()
    world.module.faults.refusals.append(refusal)
    assert world.send(b"x") == Outcome(False, reason, wait)
    if refusal == (0, 40.0):
        assert world.send(b"x") == Outcome(False, "early", pytest.approx(40, abs=1))
    world.run(41)
    assert world.send(b"x") == Outcome(True)


@pytest.mark.parametrize(
    ("refusal", "reason", "wait"),
    [
        ((1, 37.0), "early", 37.0),
        ((1, 0.0), "early", 20.0),
        ((2, 0.0), "inhibited", 600.0),
        ((3, 0.0), "silence", 600.0),
        ((4, 0.0), "power", 30.0),
        ((5, 0.0), "no-card", 60.0),
        ((6, 0.0), "permission", 3600.0),
        ((11, 0.0), "checksum", 1.0),
    ],
)
def test_refusals_of_bd3_have_their_class_and_wait(refusal, reason, wait):
    world = World(card_3("15240507", interval=60)).ready()
    world.module.faults.refusals.append(refusal)
    assert world.send(b"x") == Outcome(False, reason, wait)
    world.run(60)
    assert world.send(b"x") == Outcome(True)


def test_a_2_1_request_answered_in_the_form_of_bd3():
    world = World(faults=Faults(third=True)).ready()
    world.module.faults.refusals.append((1, 25.0))
    assert world.send(b"x") == Outcome(False, "early", 25.0)
    world.run(26)
    assert world.send(b"x") == Outcome(True)


def test_a_yes_with_a_reason_against_it_is_doubt():
    world = World(card_3("15240507")).ready()
    world.module._feedback = lambda *_args, **_more: world.module._out.append(b"$BDFKI,000000,TCQ,Y,5,0*74\r\n")
    assert world.send(b"x") == Outcome(None, "doubtful")


@BOTH
@pytest.mark.parametrize("went_out", [True, False])
def test_no_feedback_is_doubt_and_the_card_is_read_again(card, went_out):
    world = World(card).ready()
    world.module.faults.silent.append(went_out)
    began = world.now
    assert world.send(b"x") == Outcome(None, "no-feedback")
    assert world.now - began == pytest.approx(ANSWER)
    assert world.session.hold.left(world.now) > 45
    assert world.until(lambda: world.session.state is State.READY, 30)
    world.run(60)
    assert world.send(b"y") == Outcome(True)


def test_words_instead_of_feedback_are_doubt_too():
    world = World(card_3("15240507", interval=60), faults=Faults(words=True)).ready()
    world.module._refuse = world.module._feedback = lambda *_args, **_more: None
    assert world.send(b"x") == Outcome(None, "taken")


@BOTH
@pytest.mark.parametrize("seed", range(4))
def test_a_module_that_starts_anew_in_the_middle_of_a_send(card, seed):
    world = World(card, seed=seed).ready()
    world.module.faults.restart = True
    assert world.send(b"x") == Outcome(None, "no-feedback")
    assert world.module.starts == 2
    assert world.until(lambda: world.session.state is State.READY, 60)
    world.run(60)
    assert world.session.able(world.now)  # its reports were switched on again
    assert world.send(b"y") == Outcome(True)
    assert world.module.early == 0


def test_a_feedback_that_comes_late_is_not_the_next_ones():
    world = World(card_3("15240507", interval=1)).ready()
    late = world.module._feedback
    world.module._feedback = lambda *_args, **_more: None
    assert world.send(b"x").sent is None
    world.module._feedback = late
    assert world.session.hold.left(world.now) == pytest.approx(ANSWER)
    world.session.receive(b"$BDFKI,080432,TCQ,N,1,37*6C\r\n", world.now)
    world.run(15)
    assert world.send(b"y").reason in ("", "early")


# Power


@BOTH
def test_without_a_beam_a_message_waits_and_then_is_refused(card):
    world = World(card).ready()
    world.module.faults.beams = False
    world.run(15)
    began = world.now
    assert world.send(b"x") == Outcome(False, "signal", 30.0)
    assert world.now - began == pytest.approx(POWER_PATIENCE)
    assert world.module.sent == []
    assert world.session.hold.left(world.now) == 0


@BOTH
def test_a_beam_that_comes_back_carries_the_waiting_message(card):
    world = World(card).ready()
    world.module.faults.beams = False
    world.run(15)
    world.module._later(5, lambda: setattr(world.module.faults, "beams", True))
    assert world.send(b"x") == Outcome(True)


def test_a_module_that_never_speaks_of_beams_sends_all_the_same():
    world = World()
    world.module._switch = lambda _rmo: None
    world.until(lambda: world.session.state is State.READY)
    assert world.session.able(world.now) is None
    assert world.send(b"x") == Outcome(True)


# The hold


@pytest.mark.parametrize(("left", "first"), [(0.0, 0), (25.0, 25), (None, 60)])
def test_the_hold_outlives_the_program(left, first):
    world = World(left=left)
    began = world.now
    world.until(lambda: world.session.state is State.READY)
    world.module._ready = began + first  # as the module itself would hold
    outcome = world.send(b"x")
    if outcome.sent is False:
        assert outcome.reason == "early"
        assert outcome.wait == pytest.approx(first - (world.now - began))
        world.run(outcome.wait)
        assert world.send(b"x") == Outcome(True)
    assert world.module.early == 0


def test_an_unknown_hold_takes_the_cards_own_interval():
    hold = Hold(None)
    hold.begin(100.0)
    assert hold.until == 160.0
    hold.card(600.0)
    assert hold.until == 700.0
    hold.begin(500.0)
    assert hold.until == 700.0
    hold.transmit(700.0)
    assert hold.sent(701.0, 40.0) == 741.0
    hold.card(60.0)
    assert hold.until == 741.0
    assert hold.refused(750.0, 86_400.0) == 1350.0


def test_a_hold_goes_out_before_the_message():
    world = World().ready()
    events = world.session.send(b"x", "0179773", world.now)
    assert [type(event) for event in events] == [Held, Send]
    assert events[0].until == world.now + 60
    assert world.session.send(b"y", "0179773", world.now)[0].reason == "busy"


def test_a_new_line_keeps_the_hold_and_forgets_what_waited():
    world = World().ready()
    assert world.send(b"x") == Outcome(True)
    world._take(world.session.start(world.now))
    assert world.session.deadline == world.now + BOOT
    world.ready()
    assert world.send(b"y").reason == "early"


# What comes in


@BOTH
@pytest.mark.parametrize("noughts", [False, True])
def test_what_others_say_comes_in_once(card, noughts):
    world = World(card, faults=Faults(repeat=1.0, noughts=noughts)).ready()
    session, _ = world.other("0179773")
    world.run(30)
    for data in (b"one", bytes(range(70)), b"one"):
        assert world.send(data, card.card.number, session) == Outcome(True)
        world.run(70)
    assert world.seen(Incoming) == [Incoming(data, "0179773") for data in (b"one", bytes(range(70)), b"one")]
    assert [flaw.reason for flaw in world.seen(Flaw)] == ["repeat"] * 3


def test_a_commander_hears_its_own_and_reaches_them_all():
    world = World(card_2("0200001", commander=True)).ready()
    stations = [world.other(f"024228{n}") for n in range(3)]
    stranger, strange = world.other("0999999", broadcast="0000099")
    world.run(30)
    assert world.session.card.commander
    assert world.send(b"to all", world.session.card.broadcast) == Outcome(True)
    world.run(10)
    for _, found in stations:
        assert world.seen(Incoming, found) == [Incoming(b"to all", "0200001", broadcast=True)]
    assert world.seen(Incoming, strange) == []
    assert world.send(b"up", "0200001", stations[0][0]) == Outcome(True)
    assert world.send(b"side", "0999999", stations[1][0]) == Outcome(True)
    world.run(10)
    assert sorted(world.seen(Incoming)) == [Incoming(b"side", "0242281"), Incoming(b"up", "0242280")]
    assert stranger.card.number == "0999999"


def test_raw_content_with_anything_in_it():
    world = World(faults=Faults(raw=True)).ready()
    session, _ = world.other("0179773")
    world.run(30)
    for data in (b"a,b*7F,$BDFKI,TXA,Y,Y,0,0000", bytes(range(77)), "北斗短报文*".encode("gbk")):
        assert world.send(data, "0242286", session) == Outcome(True)
        world.run(70)
        assert world.seen(Incoming)[-1].data == data


def test_what_the_time_is():
    for card in (card_2("0242286"), card_3("15240507")):
        world = World(card).ready()
        told = world.seen(Clock)
        assert [round(one.unix) for one in told if one.unix] == [
            1_795_320_000 + round(when - 1000) for when, one in world.events if isinstance(one, Clock) and one.unix
        ]
        assert any(one.day_second is not None for one in told) == card.card.bd3
        world = World(card, faults=Faults(clock=False))
        world.run(120)
        assert world.seen(Clock) == []


def test_where_the_station_stands_is_told_to_bd3_only():
    options = Options(position=(29.5, 106.5, 300.0))
    world = World(card_3("15240507"), options=options).ready()
    events = world.session.send(b"x", "0179773", world.now, unix=1_795_320_000.0)
    assert events[-1].data.startswith(b"$CCNPS,")
    assert b"$CCTCQ," in events[-1].data
    assert world.send(b"x").reason == "busy"
    far = Options(position=(99.0, 0.0, 0.0))
    world = World(card_3("15240507"), options=far).ready()
    assert world.session.send(b"x", "0179773", world.now, unix=0.0) == [Outcome(False, "position", None)]


def test_decimal_firmware_gets_decimal_digits():
    world = World(card_3("15240507", interval=60), faults=Faults(decimal=True)).ready()
    session, found = world.other("0179773")
    world.run(30)
    assert world.send(b"\xfe\xdc\xba") == Outcome(True)
    world.run(10)
    assert world.seen(Incoming, found) == [Incoming(b"\xfe\xdc\xba", "15240507")]
    assert session.card.number == "0179773"


def test_an_echo_is_no_message():
    world = World(faults=Faults(echo=True)).ready()
    assert world.send(b"x") == Outcome(True)
    assert world.seen(Incoming) == []


# Bad lines


@BOTH
@pytest.mark.parametrize("fields", [3, 4])
def test_a_noisy_torn_line_costs_time_and_nothing_else(card, fields):
    world = World(card, faults=Faults(noise=0.5, torn=True, pwi_fields=fields)).ready()
    for n in range(10):
        assert world.send(bytes([n]) * 20) == Outcome(True)
        world.run(70)
    assert world.module.early == 0
    assert len(world.module.sent) == 10


def test_one_byte_at_a_time():
    world = World().ready()
    receive = world.session.receive
    world.session.receive = lambda data, now: [
        event for n in range(len(data)) for event in receive(data[n : n + 1], now)
    ]
    assert world.send(b"x") == Outcome(True)


@given(st.lists(st.tuples(st.binary(max_size=80), st.floats(0, 30)), max_size=30), st.booleans())
@settings(max_examples=60)
def test_any_bytes_at_any_time_leave_a_session_that_works(noise, third):
    world = World(card_3("15240507", interval=60) if third else "0242286").ready()
    for data, wait in noise:
        world._take(world.session.receive(data, world.now))
        if not world.session.busy:
            world._take(world.session.send(b"x", "0179773", world.now))
        world.run(wait)
    world._take(world.session.receive(b"\r\n", world.now))
    world.run(1300)
    assert not world.session.busy
    assert world.send(b"last").sent is True


@pytest.mark.parametrize("loss", [0.045, 0.2])
def test_days_of_messages_lose_what_the_sky_loses_and_are_never_early(loss):
    world = World(loss=loss, faults=Faults(repeat=0.1)).ready()
    session, found = world.other("0179773")
    world.run(30)
    sent = 0
    for n in range(count(3000)):
        outcome = world.send(n.to_bytes(4, "big"))
        sent += outcome.sent is True
        world.run(max(world.session.hold.left(world.now), 0.0))
    heard = [int.from_bytes(one.data, "big") for one in world.seen(Incoming, found)]
    assert len(heard) == len(set(heard))
    assert world.module.early == 0
    assert sent == count(3000)
    share = 1 - len(heard) / sent
    assert share == pytest.approx(loss, abs=0.06)
    assert session.card.number == "0179773"
