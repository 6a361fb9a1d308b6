"""The session with a modem, against the simulated one, in simulated time."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.framing import Send
from protocols.modem import MOST_SENDS, Modem
from protocols.modem_events import Arrived, Climbed, Doubtful, Phase, Refused, Reported, Silent, Submitted, Told
from protocols.modem_ladder import Rung
from protocols.sms_content import contents
from protocols.sms_fields import Address, Stamp
from protocols.sms_pdu import Deliver, Pdu, Submit, encode
from tests.support.modems import DIALECT, OURS, THEIRS, ModemFaults, Session, SimModem, SmsNetwork
from tests.support.scale import count

PERSON = "+8613900000001"


def world(*, loss=0.0, faults=None, seed=1, modem=None, network=None, **options):
    chance = random.Random(seed)
    net = SmsNetwork(chance, loss=loss, **(network or {}))
    device = SimModem(net, OURS, chance, faults=faults, **(modem or {}))
    return Session(device, **options), device, net


def delivered(text, sender=PERSON):
    return encode(Pdu(Deliver(Address.of(sender), contents(text)[0], Stamp.of(1_793_579_415, 480))))


@pytest.mark.parametrize("pieces", [0, 1, 5])
def test_from_power_to_a_delivered_message(pieces):
    session, _, net = world(pieces=pieces, report=True)
    session.ready()
    net.telephone(PERSON)
    assert session.outcome(PERSON, b"\x00\x01data") == Submitted(1, (1,))
    session.until(lambda: session.of(Reported))
    assert session.of(Reported) == [Reported(1, PERSON, "delivered", 0)]
    assert net.telephone(PERSON).heard[0].content.data == b"\x00\x01data"
    assert session.of(Told)[0].unix == net.time(0)
    assert session.machine.procedures.signal == 65


def test_a_long_text_and_its_answer():
    session, device, net = world()
    session.ready()
    text = "山洪预警🌊" * 40
    net.telephone(PERSON)
    session.outcome(PERSON, text)
    net.write(PERSON, OURS, "收到{1}" * 40, session.now)
    session.until(lambda: session.of(Arrived))
    assert net.telephone(PERSON).texts == [text]
    assert [event[:2] for event in session.of(Arrived)] == [(PERSON, "收到{1}" * 40)]
    session.run(10)
    assert all(store.places == {} for store in device.stores.values())


def test_messages_from_before_are_read_and_the_stores_emptied():
    session, device, _ = world()
    for store in ("SM", "ME"):
        for number in range(5):
            device.stores[store].put(delivered(f"{store}{number}"))
    device.stores["SM"].put(b"\x00\x15garbage", 1)
    device.stores["SM"].put(encode(Pdu(Submit(Address.of(PERSON), contents("draft")[0]))), 2)
    session.ready()
    assert {event.body for event in session.of(Arrived)} == {f"{store}{n}" for store in ("SM", "ME") for n in range(5)}
    assert all(store.places == {} for store in device.stores.values())
    assert sorted(session.ignored) == ["bad_pdu", "leftover"]


def test_a_full_sim_becomes_empty_and_what_waited_arrives():
    session, device, net = world(modem={"sizes": {"SM": 3}}, dialect=replace(DIALECT, stores=("SM",)))
    for number in range(3):
        device.stores["SM"].put(delivered(str(number)))
    net.write(PERSON, OURS, "waits", 0.0)
    session.run(20)
    session.ready()
    session.until(lambda: len(session.of(Arrived)) == 4)
    assert session.of(Arrived)[-1].body == "waits"
    session.run(5)
    assert device.stores["SM"].places == {}


def test_a_store_that_fills_while_it_runs():
    """Announcements are lost on the line; the modem says that it is full."""
    session, device, net = world(modem={"sizes": {"ME": 2}}, dialect=replace(DIALECT, stores=("ME",)))
    session.ready()
    device._cnmi = (0, 0)  # it announces nothing more
    for number in range(6):
        net.write(PERSON, OURS, str(number), session.now)
    session.until(lambda: len(session.of(Arrived)) == 6, 400)
    session.run(5)
    assert device.full_said
    assert device.stores["ME"].places == {}


def test_without_announcements_a_sweep_finds_them():
    session, device, net = world()
    session.ready()
    device._cnmi = (0, 0)
    net.write(PERSON, OURS, "quiet", session.now)
    session.until(lambda: session.of(Arrived), 330)


def test_messages_said_at_once_and_in_another_store():
    session, device, net = world()
    session.ready()
    device._cnmi = (2, 1)  # a modem that stores nothing says the message itself
    net.write(PERSON, OURS, "said at once", session.now)
    session.until(lambda: session.of(Arrived))
    device._cnmi, device._taking = (1, 1), "SM"
    net.write(PERSON, OURS, "elsewhere", session.now)
    session.until(lambda: len(session.of(Arrived)) == 2, 30)
    session.run(5)
    assert all(store.places == {} for store in device.stores.values())


def test_a_repeated_message_is_two():
    """A network may deliver twice; what is above tells repeats apart."""
    session, _, net = world(network={"repeats": 1.0})
    session.ready()
    net.write(PERSON, OURS, "twice", session.now)
    session.until(lambda: len(session.of(Arrived)) == 2, 60)


def test_strangers_are_not_heard_and_fill_nothing():
    session, device, net = world(heard_from=lambda number: number == PERSON)
    session.ready()
    for number in range(count(1000)):
        net.write(f"+861391{number:07d}", OURS, "reboot" * 50, session.now, reference=number % 256)
        session.run(1)
    net.write(PERSON, OURS, "hello", session.now)
    session.until(lambda: session.of(Arrived), 3600)
    session.run(300)
    assert [event.body for event in session.of(Arrived)] == ["hello"]
    assert set(session.ignored) == {"unknown_sender"}
    assert session.machine._desk._joiner._open == {}
    assert all(store.places == {} for store in device.stores.values())


# Refusals and doubts


@pytest.mark.parametrize(
    ("code", "reason", "wait"),
    [(38, "network_out_of_order", 120.0), (304, "bad_pdu", None), (331, "no_network", 30.0), (500, "unknown", 30.0)],
)
def test_a_refusal_with_its_wait(code, reason, wait):
    session, device, _net = world(faults=ModemFaults())
    session.ready()
    device.faults.errors.append(code)
    assert session.outcome(PERSON, b"x") == Refused(1, reason, wait)
    assert isinstance(session.outcome(PERSON, b"x"), Submitted)


def test_what_may_have_gone_out():
    session, device, net = world()
    session.ready()
    device.faults.errors.append(332)
    assert session.outcome(PERSON, b"x") == Doubtful(1, "network_timeout")
    device.faults.swallowed = 1.0
    assert session.outcome(PERSON, b"x") == Doubtful(2, "timeout")
    assert len(net.submitted) == 1
    device.faults.swallowed = 0.0
    session.until(lambda: session.machine.phase.name == "ready")
    assert isinstance(session.outcome(PERSON, b"x"), Submitted)


def test_a_second_part_that_is_refused_leaves_a_doubt():
    session, device, _ = world()
    session.ready()
    token = session.send(PERSON, "雨" * 100)
    session.until(lambda: len(device.network.submitted) == 1)
    device.faults.errors.append(38)
    session.until(lambda: session.find(token))
    assert session.find(token) == Doubtful(token, "network_out_of_order")


def test_no_prompt_is_a_refusal_and_the_modem_lives_on():
    session, device, _ = world()
    session.ready()
    device.faults.no_prompt = 1
    assert session.outcome(PERSON, b"x") == Refused(1, "timeout", 30.0)
    session.until(lambda: session.machine.phase.name == "ready")
    assert isinstance(session.outcome(PERSON, b"x"), Submitted)


def test_a_restart_in_the_middle_of_a_message():
    session, device, _ = world()
    session.ready()
    device.faults.restart = True
    assert session.outcome(PERSON, b"x") == Doubtful(1, "reboot")
    assert session.now < 20, "the banner ends the wait, not the longest time a message may take"
    session.until(lambda: session.machine.phase.name == "ready")
    assert isinstance(session.outcome(PERSON, b"x"), Submitted)


def test_a_restart_while_nothing_is_said():
    session, device, _ = world()
    session.ready()
    device.restart()
    session.until(lambda: "reboot" in session.ignored)
    session.until(lambda: session.machine.phase.name == "ready")
    assert not device.echo


def test_before_it_is_ready_it_refuses_at_once():
    session, _, _ = world()
    session.begin()
    assert session.outcome(PERSON, b"x", 0.1) == Refused(1, "starting", 10.0)
    assert session.outcome("雨", b"x", 0.1) == Refused(2, "address", None)


def test_sends_in_the_queue_are_bounded():
    session, _, _ = world()
    session.ready()
    session.run(5)
    tokens = [session.send(PERSON, b"x") for _ in range(MOST_SENDS + 3)]
    refused = [session.find(token) for token in tokens]
    assert [one.reason for one in refused if one] == ["busy"] * 2
    session.until(lambda: all(session.find(token) for token in tokens))


def test_a_lost_line_ends_every_send():
    session, _, _ = world()
    session.ready()
    tokens = [session.send(PERSON, b"x") for _ in range(3)]
    session.run(0.2)
    session.begin()  # opened anew
    assert session.find(tokens[0]) == Doubtful(tokens[0], "cancelled")
    assert session.find(tokens[1]) == Refused(tokens[1], "starting", 10.0)
    session.until(lambda: session.machine.phase.name == "ready")
    assert isinstance(session.outcome(PERSON, b"x"), Submitted)


# SIM


def test_a_pin_is_given_once():
    session, device, _ = world(modem={"pin": "1234"}, pin="1234")
    session.ready()
    assert sum("CPIN=" in command for command in device.commands) == 1


def test_a_wrong_pin_is_never_tried_twice():
    session, device, _ = world(modem={"pin": "1234"}, pin="9999")
    session.begin()
    session.run(7200)
    assert device.tries == 2
    assert session.machine.phase == Phase("sim", "sim_pin")
    assert session.outcome(PERSON, b"x", 0.1) == Refused(1, "sim_pin", 60.0)


def test_a_sim_that_counts_a_mistake_is_not_given_ours():
    session, device, _ = world(modem={"pin": "1234"}, pin="1234")
    device.tries = 2
    session.begin()
    session.run(600)
    assert device.tries == 2


def test_a_sim_that_is_put_in_later():
    session, device, _ = world()
    device.sim = False
    session.begin()
    session.run(100)
    assert session.machine.phase == Phase("sim", "sim_absent")
    device.sim = True
    session.until(lambda: session.machine.phase.name == "ready", 200)


# The network


def test_a_network_that_goes_and_comes_unasked():
    session, device, _ = world()
    session.ready()
    device.leave(2)
    session.until(lambda: session.machine.phase == Phase("searching"), 5)
    assert session.outcome(PERSON, b"x", 0.1) == Refused(1, "no_network", 30.0)
    device.leave(5)
    session.until(lambda: session.machine.phase.name == "ready", 5)


def test_a_long_outage_climbs_the_ladder():
    session, device, _ = world(power=True)
    session.ready()
    device.leave(2)
    session.run(3 * 3600)
    rungs = [event.rung for event in session.of(Climbed)]
    assert rungs[:4] == [Rung.RADIO, Rung.RESTART, Rung.RESTART, Rung.POWER]
    assert len(rungs) <= 9
    assert device.restarts >= 2
    device.stat = 1
    session.until(lambda: session.machine.phase.name == "ready")


def test_without_a_switch_for_its_supply_it_is_restarted():
    session, device, _ = world()
    session.ready()
    device.leave(2)
    session.run(3600)
    assert [event.rung for event in session.of(Climbed)][1:] == [Rung.RESTART] * 5


def test_a_refused_sim_is_left_alone():
    session, device, _ = world()
    session.ready()
    device.leave(3)
    session.run(2 * 3600)
    assert len(session.of(Climbed)) <= 2
    assert session.machine.phase == Phase("searching", "denied")


def test_silence_is_told_and_the_supply_switched():
    session, device, _ = world(power=True)
    session.ready()
    device.faults.mute = True
    session.run(400)
    assert len(session.of(Silent)) > 20
    assert session.of(Climbed) == [Climbed(Rung.POWER, "silent")]
    assert session.machine.phase == Phase("silent")
    device.faults.mute = False
    session.until(lambda: session.machine.phase.name == "ready")


# What a line does


@pytest.mark.parametrize("seed", range(3))
def test_noise_tears_and_things_unasked_lose_no_message(seed):
    """A tenth of the lines have noise in front, everything comes in pieces, and replies are broken into."""
    faults = ModemFaults(noise=0.1, torn=True, ring_inside=True)
    session, _, net = world(faults=faults, seed=seed, report=True)
    session.begin()
    session.until(lambda: session.machine.phase.name == "ready", 1200)
    phone = net.telephone(PERSON)
    rounds = count(200)
    for number in range(rounds):
        body, answer = b"%03d" % number, None
        while not isinstance(answer, Submitted | Doubtful):
            answer = session.outcome(PERSON, body, 1200)
            session.run(10)
        net.write(PERSON, OURS, f"back {number}", session.now)
        session.run(20)
    session.run(700)
    assert {heard.content.data for heard in phone.heard} == {b"%03d" % number for number in range(rounds)}
    assert {event.body for event in session.of(Arrived)} == {f"back {number}" for number in range(rounds)}


@pytest.mark.parametrize("loss", [0.045, 0.2])
def test_between_two_modems_under_loss(loss):
    """What the network loses it loses silently; what is told as delivered has arrived."""
    session, _, net = world(loss=loss, report=True)
    SimModem(net, THEIRS, random.Random(3), sizes={"ME": 1000})
    session.ready()
    for number in range(count(500)):
        session.outcome(THEIRS, b"%04d" % number)
    session.run(60)
    told = [event for event in session.of(Reported) if event.outcome == "delivered"]
    assert len(session.of(Submitted)) == count(500)
    assert len(told) == count(500) - net.lost
    assert abs(net.lost / count(500) - loss) < 0.12


def test_clocks_that_disagree_are_not_believed():
    session, device, _ = world()
    device._do_qlts = lambda _argument: device.ok('+QLTS: "2026/11/02,08:30:15+32,0"')  # local, both times
    session.ready()
    session.run(10)
    assert session.of(Told) == []
    assert "clock_disagrees" in session.ignored


def test_an_unset_clock_is_not_told():
    session, _, _ = world(not_before=1_767_225_600, network={"utc": 315_964_812.0})
    session.ready()
    session.run(10)
    assert session.of(Told) == []
    assert "clock_unset" in session.ignored


def test_a_greeting_is_waited_for_but_not_insisted_on():
    dialect = replace(DIALECT, greeting="^SIMST:1", banners=("^SIMST:1",))
    session, device, _ = world(dialect=dialect)
    session.begin()
    session.run(5)
    assert device.commands == ["AT"]
    session.until(lambda: session.machine.phase.name == "ready", 20)
    session, device, _ = world(dialect=dialect, modem={"banner": ("^SIMST:1",)})
    device.restart()
    session.begin()
    session.until(lambda: session.machine.phase.name == "ready", 13)


def test_an_optional_step_that_silences_the_modem_is_left_out():
    session, device, _ = world()
    device._do_cgreg = device._do_csms = None
    swallow = device.command
    device.command = lambda line: None if line.startswith("AT+CEREG=") else swallow(line)
    session.begin()
    session.until(lambda: session.machine.phase.name == "ready", 60)


SAID = st.sampled_from([
    b"OK\r\n", b"ERROR\r\n", b'+CMTI: "ME",1\r\n', b'+CMTI: "XX",99999\r\n', b"RDY\r\n", b"> ", b"+CREG: 1\r\n", b"+CREG: 2\r\n",
    b"+CMT: ,30\r\n", b"+CDS: 30\r\n", b"AABB\r\n", b"^SMMEMFULL\r\n", b'+CTZE: "+32",0,"2026/11/02,08:30:15"\r\n', b"+CPIN: SIM PIN\r\n",
    b"+CMS ERROR: 500\r\n", b"\xff\x00", delivered("hi").hex().encode() + b"\r\n", b"+CPMS: 50,50\r\n", b"+CMGL: 1,1,,30\r\n",
])  # fmt: skip


@settings(max_examples=60)
@given(st.lists(st.one_of(SAID, st.binary(max_size=30)), max_size=60), st.randoms(use_true_random=False))
def test_whatever_it_hears_it_stays_bounded_and_every_send_ends_once(chunks, chance):
    machine, now, tokens, ended = Modem(DIALECT), 0.0, 0, []

    def note(events):
        for event in events:
            assert isinstance(event, Send) or type(event).__module__ == "protocols.modem_events"
            ended.extend([event.token] if isinstance(event, Submitted | Refused | Doubtful) else [])

    note(machine.start(now))
    for chunk in chunks:
        now += chance.choice([0.0, 0.05, 0.5, 15.0, 130.0])
        note(machine.tick(now))
        if chunk:
            note(machine.receive(chunk, now))
        if chance.random() < 0.3:
            tokens += 1
            note(machine.send(tokens, PERSON, b"x", now))
        if chance.random() < 0.05:
            note(machine.start(now))
    note(machine.start(now))
    assert sorted(ended) == list(range(1, tokens + 1))


def test_after_the_worst_it_still_works():
    session, _, _ = world()
    session.ready()
    chance = random.Random(9)
    for _ in range(40):
        session._take(session.machine.receive(chance.randbytes(300), session.now))
        session.run(3)
    session.until(lambda: session.machine.phase.name == "ready", 900)
    assert isinstance(session.outcome(PERSON, b"x", 900), Submitted)
