import json
import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.simulated.air import Air
from drivers.simulated.lora_rak import RakFaults, RakState, SimRak
from protocols.errors import LocalError, RemoteError
from protocols.framing import Send
from protocols.rak3172 import Rak3172
from protocols.rak3172_events import Damaged, Done, Mismatch, Ready, Received, Silent
from protocols.rak3172_lines import Radio, decode_line, decode_radio, encode_radio

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "lora-modules.json").read_text())["rak"]["lines"]
RADIO = Radio(470_300_000, 9, 125, 5, 8, 17)
SET = "470300000:9:0:0:8:17"


@pytest.mark.parametrize(("line", "said"), VECTORS)
def test_lines_in_words(line, said):
    assert decode_line(line) == said
    assert decode_line(f" {line}\r") == said


@pytest.mark.parametrize("line", ["", "hello", "+EVT:RXP2P:-28:5:486", "+EVT:RXP2P:a:5:48", "+evt:48", "\x00OK"])
def test_lines_that_are_none(line):
    if line.startswith("+EVT"):
        assert decode_line(line)["kind"] == "event"
        return
    with pytest.raises(RemoteError):
        decode_line(line)


@given(st.text(max_size=80))
def test_any_line_is_understood_or_refused(line):
    with suppress(RemoteError):
        assert "kind" in decode_line(line)


@pytest.mark.parametrize(
    ("value", "radio", "numbered"),
    [
        (SET, RADIO, True),
        ("470300000:9:125:0:8:17", RADIO, False),
        ("868000000:12:2:3:10:22", Radio(868_000_000, 12, 500, 8, 10, 22), True),
    ],
)
def test_a_radio_both_ways(value, radio, numbered):
    assert decode_radio(value) == (radio, numbered)
    assert encode_radio(radio, numbered=numbered) == value


@given(st.text(max_size=40))
def test_a_radio_is_six_numbers_or_none(value):
    with suppress(RemoteError):
        decode_radio(value)


class Pair:
    """A machine and a module back to back; time passes as fast as they like."""

    def __init__(self, state=None, faults=None, *, chance=1, **machine):
        self.now = 0.0
        self.air = Air(random.Random(chance))
        self.module = SimRak(self.air, "own", state or RakState(radio=SET), random.Random(chance), faults)
        self.other = SimRak(self.air, "other", RakState(radio=SET, listening=65533), random.Random(chance))
        self.machine = Rak3172(RADIO, **machine)
        self.said = []
        self.carry(self.machine.start(0.0))

    def carry(self, events):
        for event in events:
            if isinstance(event, Send):
                for said in self.module.receive(event.data, self.now):
                    self.carry(self.machine.receive(said.data, self.now))
            else:
                self.said.append(event)

    def until(self, wanted, seconds=60.0):
        """Time passes until something of that kind was said."""
        end = self.now + seconds
        while not any(isinstance(event, wanted) for event in self.said):
            times = [one.deadline for one in (self.machine, self.module, self.other) if one.deadline is not None]
            if not times or min(times) > end:
                raise AssertionError(f"no {wanted.__name__}: {self.said}")
            self.now = max(min(times), self.now)
            for said in self.module.tick(self.now):
                self.carry(self.machine.receive(said.data, self.now))
            self.other.tick(self.now)
            self.carry(self.machine.tick(self.now))
        found = next(event for event in self.said if isinstance(event, wanted))
        self.said.remove(found)
        return found

    def send(self, data, airtime=0.2):
        self.carry(self.machine.send(data, airtime, self.now))
        return self.until(Done)

    def hear(self, data):
        self.other._air.transmit(self.other.radio, data, 0.2, self.now)
        return self.until(Received)


FIRMWARES = [RakFaults(), RakFaults(old=True), RakFaults(talks=True)]


@pytest.mark.parametrize("faults", FIRMWARES, ids=["rui3", "old", "talkative"])
@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("mode", [0, 1])
def test_it_sets_up_sends_and_hears(faults, echo, mode):
    pair = Pair(RakState(mode=mode, echo=echo), faults, configure=True)
    assert pair.until(Ready) == Ready(RADIO, not faults.old)
    assert decode_radio(pair.module.state.radio)[0] == RADIO
    for number in range(3):
        assert pair.send(b"up %d" % number) == Done("sent")
        assert pair.hear(b"down %d" % number).data == b"down %d" % number
    assert pair.air.counts["sent"] == 6


def test_what_is_set_otherwise_is_told_and_left_alone():
    pair = Pair(RakState(radio="868000000:7:0:0:8:14"))
    assert pair.until(Mismatch) == Mismatch("P2P", "868000000:7:0:0:8:14")
    assert pair.module.state.radio == "868000000:7:0:0:8:14"
    assert pair.machine.send(b"x", 0.1, pair.now) == [Done("refused", "not ready")]
    assert Pair(RakState(mode=1)).until(Mismatch) == Mismatch("NWM", "1")


def test_it_has_been_left_listening_for_ever():
    pair = Pair(RakState(radio=SET, listening=65534), RakFaults(old=True))
    assert pair.until(Ready)
    assert pair.send(b"x") == Done("sent")
    assert pair.module.state.listening == 65534


def test_a_busy_module_is_asked_again_and_then_believed():
    pair = Pair(faults=RakFaults(busy=2))
    pair.until(Ready)
    assert pair.send(b"x") == Done("sent")
    pair.faults = pair.module.faults
    pair.faults.busy = 9
    assert pair.send(b"x") == Done("refused", "AT_BUSY_ERROR")
    pair.faults.busy = 0
    assert pair.send(b"x") == Done("sent")
    assert pair.hear(b"still").data == b"still"


def test_a_restart_in_the_middle_of_a_send():
    pair = Pair(faults=RakFaults(restarts=1))
    pair.until(Ready)
    assert pair.send(b"x").outcome == "unknown"
    assert pair.until(Ready)
    assert pair.send(b"x") == Done("sent")


def test_a_module_that_restarts_by_itself_is_set_up_again():
    pair = Pair()
    pair.until(Ready)
    pair.module.state.listening = 0
    pair.carry(pair.machine.receive(b"RAKwireless RAK3172\r\nCurrent Work Mode: LoRa P2P.\r\n", pair.now))
    assert pair.until(Ready)
    assert pair.module.state.listening == 65533


def test_a_dead_module_is_tried_again():
    machine = Rak3172(RADIO)
    machine.start(0.0)
    said, now = [], 0.0
    while not any(isinstance(event, Silent) for event in said) and now < 60:
        now = machine.deadline
        said += machine.tick(now)
    assert Silent("AT", "lost") in said
    assert machine.deadline > now


def test_done_may_come_before_ok_or_never():
    machine = ready()
    machine.send(b"\x01", 0.1, 100.0)
    drain(machine, 100.1)
    said = machine.receive(b"+EVT:TXP2P DONE\r\nOK\r\n", 100.2)
    assert Done("sent") in said
    machine = ready()
    machine.send(b"\x01", 0.1, 100.0)
    drain(machine, 100.1)
    assert not any(isinstance(event, Done) for event in machine.receive(b"OK\r\n", 100.2))
    said = []
    while not any(isinstance(event, Done) for event in said):
        said += machine.tick(machine.deadline)
    assert Done("unknown", "no DONE") in said


def ready():
    """A machine that has set up its module, at second 100."""
    pair = Pair()
    pair.until(Ready)
    return pair.machine


def drain(machine, now):
    return [event.data for event in machine.tick(now) if isinstance(event, Send)]


def test_too_long_a_packet_is_our_own_mistake():
    with pytest.raises(LocalError):
        ready().send(b"x" * 256, 1.0, 100.0)
    with pytest.raises(LocalError):
        ready().send(b"", 1.0, 100.0)


@pytest.mark.parametrize("line", [line for line, said in VECTORS if said["kind"] == "received"])
def test_what_is_heard_split_at_every_byte_and_behind_noise(line):
    stream = f"\x00\xff\r\n{line}\r\n".encode("latin-1")
    for cut in range(len(stream)):
        machine = ready()
        said = [*machine.receive(stream[:cut], 100.0), *machine.receive(stream[cut:], 100.1)]
        assert [event.data.hex() for event in said if isinstance(event, Received)] == [decode_line(line)["data"]]


@pytest.mark.parametrize("seed", range(8))
def test_through_noise_and_torn_lines(seed):
    """A line that noise runs into is lost; the machine is not."""
    pair = Pair(faults=RakFaults(noise=0.1, tear=0.5), chance=seed)
    sent = 0
    for _ in range(20):
        pair.until(Ready, 300) if not pair.machine.ready else None
        sent += pair.send(b"x").outcome == "sent"
        pair.said.clear()
    assert sent >= 8


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([f"{line}\r\n".encode() for line, _ in VECTORS]))))
def test_anything_a_line_can_bring(pieces):
    machine, now = ready(), 100.0
    machine.send(b"x", 0.1, now)
    done = 0
    for piece in pieces:
        now += 0.1
        done += sum(isinstance(event, Done) for event in [*machine.receive(piece, now), *machine.tick(now)])
    while machine.busy:
        now = max(machine.deadline, now)
        done += sum(isinstance(event, Done) for event in machine.tick(now))
    assert done == 1


def test_a_line_without_end_is_bounded():
    machine = ready()
    said = [event for _ in range(100) for event in machine.receive(b"x" * 1000, 100.0)]
    assert all(isinstance(event, Damaged | Send) for event in said)
