"""The SBD machine against the simulated modem, in virtual time: sessions, faults, a month of messages."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from drivers.simulated.sbd import Faults, SbdGateway, SbdModem
from protocols.sbd import BEGIN_AGAIN, WAIT_MOST, SbdMachine
from protocols.sbd_dialogue import Note
from protocols.sbd_events import Clock, Doubtful, Fault, Ready, Received, Refused, Taken
from protocols.sbd_pace import LADDER, LADDER_END, REGISTRATION_MIN
from protocols.sbd_status import Fate, meaning
from tests.support.pair import Pair
from tests.support.scale import count

OUTCOMES = (Taken, Doubtful, Refused)
DAY = 86_400


def pair(recharge=0.0, seed=1, delay=0.0, begun=True, **faults):
    gateway = SbdGateway()
    modem = SbdModem(gateway, chance=random.Random(seed), faults=Faults(**faults))
    made = Pair(SbdMachine(random.Random(seed + 1).random, recharge), modem, delay)
    made.tell(made.near.start)
    if begun:
        made.run(600, until=Ready)
        made.run(20)
    return made, modem, gateway


def send(world, data):
    world.tell(lambda now: world.near.send(data, now))
    return world.run(600, until=OUTCOMES)


def data_of(gateway):
    return [message.data for message in gateway.taken]


def notes(world):
    return Counter(note.reason for note in world.of(Note))


def test_a_message_out():
    world, modem, gateway = pair()
    assert world.of(Ready) == [Ready("300234010753370")]
    assert send(world, b"hello") == Taken(0)
    assert send(world, bytes(range(256)) + bytes(84)) == Taken(1)
    world.run(5)
    assert data_of(gateway) == [b"hello", bytes(range(256)) + bytes(84)]
    assert [modem.mo, modem.mt] == [b"", b""]
    assert len(world.of(Clock)) >= 1


@pytest.mark.parametrize("data", [b"", bytes(341)])
def test_what_does_not_fit_never_goes(data):
    world, modem, _ = pair()
    assert send(world, data) == Refused("length", None)
    assert modem.sessions == 0


WORSE = {
    "torn": {"torn": True},
    "noisy": {"noise": 1.0},
    "narrow": {"spaced": False},
    "ringing": {"ring_inside": True},
    "all": {"torn": True, "noise": 0.5, "spaced": False, "ring_inside": True},
}


@pytest.mark.parametrize("faults", WORSE.values(), ids=WORSE)
@pytest.mark.parametrize("delay", [0.0, 0.05])
def test_messages_both_ways_over_a_bad_line(faults, delay):
    world, modem, gateway = pair(delay=delay, **faults)
    down = [bytes([number]) * 200 for number in range(5)]
    for one in down:
        assert gateway.queue(modem.imei, one)
    for number in range(3):
        assert send(world, b"up %d" % number) == Taken(number)
    world.run(900)
    assert data_of(gateway) == [b"up 0", b"up 1", b"up 2"]
    assert [one.data for one in world.of(Received)] == down


def test_a_ring_is_answered_as_one():
    world, modem, gateway = pair()
    gateway.queue(modem.imei, b"wake up")
    assert world.run(120, until=Received) == Received(b"wake up", 1)
    world.run(600)
    assert [command for command in modem.commands if command.startswith("AT+SBDIX")] == ["AT+SBDIXA"]
    assert modem.mt == b""


def test_what_waits_behind_is_fetched_too_and_no_more_is_paid_for():
    world, modem, gateway = pair(recharge=30.0)
    for number in range(4):
        gateway.queue(modem.imei, bytes([number]))
    world.run(3600)
    assert [one.data for one in world.of(Received)] == [b"\0", b"\1", b"\2", b"\3"]
    assert modem.sessions == 4


def test_recharge_between_sessions():
    world, modem, _ = pair(recharge=30.0)
    modem._length = (5.0, 5.0)
    began = world.now
    for _ in range(3):
        assert isinstance(send(world, b"x"), Taken)
    assert world.now - began == pytest.approx(5 + 2 * (30 + 5))


@pytest.mark.parametrize("status", range(70))
def test_every_status_has_its_outcome(status):
    world, modem, _ = pair()
    modem.faults.statuses.append(status)
    outcome, expected = send(world, b"x"), meaning(status)
    match expected.fate:
        case Fate.SENT:
            assert outcome == Taken(0)
        case Fate.UNKNOWN:
            assert outcome == Doubtful(expected.reason)
        case Fate.FATAL:
            assert outcome == Refused(expected.reason, None)
        case Fate.NOT_SENT:
            assert outcome == Refused(expected.reason, expected.wait or 0.0)
    world.run(5)
    assert modem.mo == b""  # nothing is left for another session to send
    if expected.fate is not Fate.SENT and expected.reason in ("antenna", "locked", "denied", "hardware"):
        assert world.of(Fault) == [Fault(expected.reason)]


def test_the_radio_is_switched_on_again():
    world, modem, _ = pair()
    modem.radio = False
    assert send(world, b"x") == Refused("radio-off", 5.0)
    assert send(world, b"x") == Taken(0)


def test_back_off_as_recommended():
    world, modem, _ = pair()
    modem.faults.statuses.extend([8] * 7)
    waits = []
    while modem.faults.statuses:
        outcome = send(world, b"x")
        if outcome.reason == "early":
            assert outcome.retry_after > WAIT_MOST
            world.run(outcome.retry_after)
        else:
            waits.append(outcome.retry_after)
    assert waits[0] == 0.0
    assert all(0 <= wait <= most for wait, most in zip(waits, LADDER, strict=False))
    assert waits[len(LADDER) :] == pytest.approx([LADDER_END] * 2)
    assert len(set(waits[1:5])) == 4  # drawn anew
    assert isinstance(send(world, b"x"), Refused)
    world.run(LADDER_END)
    assert send(world, b"x") == Taken(0)
    assert world.near.ready_in(world.now) == 0.0


def test_without_service_nothing_is_tried_and_with_it_at_once():
    world, modem, gateway = pair()
    modem.set_service(there=False)
    world.run(5)
    assert world.near.service is False
    assert send(world, b"x") == Refused("no-service", WAIT_MOST)
    assert modem.sessions == 0
    world.tell(lambda now: world.near.send(b"y", now))
    world.run(10)
    modem.set_service(there=True)
    assert world.run(60, until=OUTCOMES) == Taken(0)
    assert data_of(gateway) == [b"y"]


def test_service_that_comes_back_ends_a_back_off():
    world, modem, _ = pair()
    modem.faults.statuses.extend([32] * 6)
    while modem.faults.statuses:
        send(world, b"x")
    assert world.near.ready_in(world.now) > WAIT_MOST
    for there in (False, True):
        modem.set_service(there=there)
        world.run(1)
    assert send(world, b"x") == Taken(0)


def test_no_session_before_the_network_was_heard():
    """Old firmware hangs in one."""
    world, modem, _ = pair(begun=False)
    modem.service = False
    modem._indicate = lambda: None  # and does not say that there is no service
    world.run(60, until=Ready)
    assert send(world, b"x").reason == "no-service"
    assert modem.sessions == 0
    modem.service = True
    world.run(10)
    assert send(world, b"x") == Taken(0)


def test_what_the_modem_held_from_before():
    """A message out that may have been sent is thrown away and counted; one that came in is read and cleared."""
    world, modem, gateway = pair(begun=False)
    modem.mo, modem.mt, modem.mtmsn = b"perhaps sent", b"not fetched", 7
    world.run(600)
    assert world.of(Received) == [Received(b"not fetched", 7)]
    assert (modem.mo, modem.mt, notes(world)["left"]) == (b"", b"", 1)
    assert data_of(gateway) == []


@pytest.mark.parametrize("promised", [1, 5, 257, 340])
@pytest.mark.parametrize("already", [0, 1, 2])
def test_a_modem_that_waits_for_the_rest_of_a_message_is_found(promised, already):
    """After READY exactly n + 2 bytes are taken for the message, an AT among them."""
    world, modem, gateway = pair(begun=False)
    modem.promise(promised + 2 - already, 60.0, lambda: modem.ok("1"))
    ready = world.run(30, until=Ready)
    assert ready
    assert send(world, b"hello") == Taken(0)
    assert data_of(gateway) == [b"hello"]


def test_an_answer_lost_on_the_line_is_made_good_by_the_number_of_the_next_session():
    world, modem, gateway = pair()
    modem.faults.swallowed = 1.0
    assert send(world, b"x") == Taken(0)
    assert notes(world)["reconstructed"] == 1
    modem.faults.loss = 1.0
    assert isinstance(send(world, b"y"), Doubtful)
    assert data_of(gateway)[0] == b"x"


def test_power_lost_in_the_middle_of_a_session_is_never_success():
    world, modem, gateway = pair(restart=True)
    assert send(world, b"x") == Doubtful("no-answer")
    world.run(60)
    assert len(world.of(Ready)) == 2
    assert modem.alert  # its settings are back
    assert send(world, b"y") == Taken(0)
    assert data_of(gateway) == [b"y"]


def test_power_lost_between_writing_and_session_is_never_success():
    """The buffer is empty then, and a session that sends nothing succeeds."""
    world, modem, gateway = pair()
    begin = modem._begin_session

    def interrupted():
        modem.mo, modem.echo = b"", True
        modem.say(b"AT+SBDIX\r")
        begin()

    modem._table["+SBDIX"] = lambda _: interrupted()
    assert send(world, b"x") == Doubtful("restarted")
    world.run(60)
    assert notes(world)["restarted"] == 1
    assert len(world.of(Ready)) == 2
    assert data_of(gateway) == []


def test_a_modem_that_does_not_answer_is_tried_ever_less_often():
    world, modem, _ = pair(begun=False, mute=True)
    world.tell(lambda now: world.near.send(b"x", now))
    assert world.run(120, until=OUTCOMES) == Refused("not-ready", WAIT_MOST)
    world.run(3600)
    faults = [at for at, event in world.events if event == Fault("silent")]
    assert BEGIN_AGAIN[-1] <= faults[-1] - faults[-2] <= BEGIN_AGAIN[-1] + 20
    modem.faults.mute = False
    assert world.run(2 * BEGIN_AGAIN[-1], until=Ready)
    assert send(world, b"x") == Taken(0)


def test_a_modem_that_falls_silent_is_noticed_while_nothing_is_sent():
    world, modem, _ = pair()
    modem.faults.mute = True
    assert world.run(600, until=Fault) == Fault("silent")


def test_registration_never_more_often_than_the_network_wants():
    world, modem, _ = pair(begun=False)
    modem.service = False
    world.run(10)
    modem._chance.random = lambda: 0.0
    modem._table["+SBDREG"] = lambda _: (modem.registrations.append(modem._now), modem.ok("+SBDREG: 1, 36"))
    for turn in range(20):
        modem.set_service(there=turn % 2 == 0)
        world.run(100)
    gaps = [later - first for first, later in pairwise(modem.registrations)]
    assert len(gaps) >= 5
    assert min(gaps) >= REGISTRATION_MIN


@pytest.mark.parametrize("status", [35, 36])
def test_a_modem_busy_with_a_registration(status):
    world, modem, _ = pair()
    modem.faults.statuses.append(status)
    outcome = send(world, b"x")
    assert outcome.retry_after == meaning(status).wait
    world.run(outcome.retry_after)
    assert send(world, b"x") == Taken(0)


def test_a_message_too_big_for_the_modem_is_not_asked_for_for_ever():
    """Status 1: what waits cannot be transferred, and every try would be paid for."""
    world, modem, gateway = pair()
    modem.alert = False
    gateway.queue(modem.imei, b"too big")
    modem.gateway.next = lambda _imei: None
    modem.faults.statuses.append(1)
    assert send(world, b"x") == Taken(0)
    world.run(3600)
    assert modem.sessions == 1


def test_a_message_that_cannot_be_read_whole_is_asked_for_again():
    world, modem, gateway = pair()
    say, spoilt = modem.say, []

    def spoil(data):
        if len(spoilt) < 2:
            spoilt.append(data)
            data = data[:3] + bytes([data[3] ^ 1]) + data[4:]
        say(data)

    modem.say = spoil
    gateway.queue(modem.imei, b"whole")
    assert world.run(300, until=Received) == Received(b"whole", 1)
    assert notes(world)["checksum"] == 2


def test_noise_for_an_hour_is_counted_and_nothing_else():
    world, modem, gateway = pair()
    chance = random.Random(5)
    for _ in range(200):
        noise = chance.randbytes(chance.randrange(1, 3000))
        world.tell(lambda now, noise=noise: world.near.receive(noise, now))
        world.run(1)
    world.run(120)
    assert send(world, b"x") == Taken(modem.momsn - 1)
    assert len(world.near._dialogue._held) < 1000
    assert data_of(gateway) == [b"x"]


@pytest.mark.parametrize("loss", [0.045, 0.2])
def test_a_month_of_messages(loss):
    """Sent again until accepted, as the scheduler does. What was accepted arrived; what was refused did not."""
    world, modem, gateway = pair(
        recharge=10.0, seed=7, loss=loss, torn=True, noise=0.05, ring_inside=True, swallowed=0.02
    )
    chance = random.Random(11)
    tried, accepted, refused, queued = Counter(), set(), set(), []
    hours = count(720)
    for hour in range(hours):
        if chance.random() < 0.05:
            modem.set_service(there=False)
            world.run(1800)
            modem.set_service(there=True)
        if chance.random() < 0.2 and gateway.queue(modem.imei, b"down %d" % hour):
            queued.append(b"down %d" % hour)
        if chance.random() < 0.02:
            modem.faults.restart = True
        data = b"hour %d" % hour
        for _ in range(200):
            before = len(gateway.taken)
            outcome = send(world, data)
            tried[type(outcome).__name__] += 1
            if isinstance(outcome, Taken):
                accepted.add(data)
                break
            if isinstance(outcome, Refused):
                refused |= set(data_of(gateway)[before:])
                world.run(outcome.retry_after)
        world.run(3600 - world.now % 3600)
    world.run(DAY)
    arrived = set(data_of(gateway))
    assert len(accepted) == hours  # each went in the end
    assert accepted <= arrived
    assert not refused  # a refusal is no maybe
    got = [one.data for one in world.of(Received)]
    assert len(set(got)) == len(got)
    assert set(got) == set(queued)
    sequences = [message.momsn for message in gateway.taken]
    assert all((later - first) & 0xFFFF < 100 for first, later in pairwise(sequences))
