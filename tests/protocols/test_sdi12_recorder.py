"""The recorder's machine and the measuring dialogue against simulated probes, in simulated time, to the millisecond."""

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.simulated.sdi12 import FAULTS, Probe, Sdi12Line
from protocols.errors import LocalError, RemoteError
from protocols.framing import Send
from protocols.sdi12 import Acknowledged, Values, pack, seal
from protocols.sdi12_command import parse as command
from protocols.sdi12_dialogue import Ask, describe, measure
from protocols.sdi12_recorder import (
    ADAPTER,
    AWAKE,
    BREAK,
    CHARACTER,
    DIRECT,
    MARKING,
    Answered,
    Break,
    Failed,
    Noise,
    Recorder,
    Requested,
    Retried,
)


class Bench:
    """One recorder and one line, with a clock that jumps to whatever is next."""

    def __init__(self, *probes, timing=ADAPTER, **line):
        self.now = 100.0
        self.recorder = Recorder(timing)
        self.line = Sdi12Line(probes, strict=timing.breaks, **line)
        self.events, self.breaks = [], 0

    def ask(self, text, crc=None):
        self._take(self.recorder.ask(command(text), self.now, crc=crc))
        return self._until(lambda one: isinstance(one, Answered | Failed), 600.0)

    def rest(self, seconds, address):
        self._until(lambda one: one == Requested(address), seconds)

    def measure(self, text, dialogue=measure):
        steps, reply = dialogue(command(text)), None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as done:
                return done.value
            if isinstance(step, Ask):
                outcome = self.ask(step.command.text, step.crc)
                if isinstance(outcome, Failed):
                    raise RemoteError(outcome.reason)
                reply = outcome.reply
            else:
                self.rest(step.seconds, step.address)
                reply = None

    def _take(self, events):
        for event in events:
            if isinstance(event, Break):
                self.breaks += 1
                self.now += BREAK
                self.line.wake(self.now)
                self.now += MARKING
            elif isinstance(event, Send):
                self._hear(self.line.receive(event.data, self.now))
            else:
                self.events.append(event)

    def _hear(self, sends):
        for one in sends:
            self._take(self.recorder.receive(one.data, self.now))

    def _until(self, wanted, seconds):
        end, seen = self.now + seconds, 0
        while True:
            for event in self.events[seen:]:
                if wanted(event):
                    self.events = self.events[seen + 1 :]
                    return event
                seen += 1
            due = [at for at in (self.recorder.deadline, self.line.deadline) if at is not None]
            if min(due, default=end) >= end:
                self.now = end
                return None
            self.now = max(self.now, min(due))
            self._hear(self.line.tick(self.now))
            self._take(self.recorder.tick(self.now))


@pytest.mark.parametrize("timing", [ADAPTER, DIRECT])
@pytest.mark.parametrize("echo", [False, True])
def test_the_dialogues_of_the_specification(timing, echo):
    many = [
        "+1.234",
        "-4.56",
        "+12354",
        "-0.00045",
        "+2.223",
        "+145.5",
        "+7.7003",
        "+4328.8",
        "+9",
        "+10",
        "+11.433",
        "+12",
    ]
    bench = Bench(Probe("0", lambda _now: many, seconds=45), Probe("1"), timing=timing, echo=echo)
    assert bench.ask("0!").reply == Acknowledged("0")
    assert bench.ask("0I!").reply.vendor == "FENGSUI"
    values = tuple(map(float, many))
    for text in ("0C!", "0CC!", "0HA!", "0HB!"):
        assert bench.measure(text) == pytest.approx(values)
    with pytest.raises(RemoteError, match=r"count|format"):
        bench.measure("0M!")  # twelve values do not fit into the one digit of M
    assert bench.measure("1M!") == bench.measure("1MC!") == bench.measure("1R0!") == bench.measure("1RC0!") == (3.14,)
    assert bench.measure("1V!") == (3.14,)
    for text in ("1M1!", "1R3!", "1CC9!"):
        with pytest.raises(RemoteError, match="unsupported"):
            bench.measure(text)


def test_a_service_request_ends_the_wait_and_needs_no_break():
    bench = Bench(Probe("0", seconds=5), timing=DIRECT)
    began = bench.now
    assert bench.measure("0M!") == (3.14,)
    assert 4.8 < bench.now - began < 5.2
    assert bench.breaks == 1  # D0 follows the request within 87 ms
    mute = Bench(Probe("0", seconds=5, faults=frozenset({"mute"})), timing=DIRECT)
    assert mute.measure("0M!") == (3.14,)
    assert mute.breaks == 2


def test_metadata_says_what_the_values_are():
    bench = Bench(Probe("0", lambda _now: ("+1", "+2"), about=("PW,BAR,pressure", "TW,DEGC")))
    for text in ("0M!", "0MC!", "0C!", "0HA!"):
        assert bench.measure(text, describe) == (("PW", "BAR", "pressure"), ("TW", "DEGC"))
    with pytest.raises(RemoteError, match="silent"):
        Bench(Probe("0", lambda _now: ("+1", "+2"))).measure("0M!", describe)


def test_the_times_of_a_silent_sensor():
    """Three breaks, three tries after each; none earlier than 16.67 ms, none later than 87 ms, the last after 100 ms."""
    bench = Bench(Probe("1"), timing=DIRECT)
    outcome = bench.ask("0M!")
    assert outcome == Failed(command("0M!"), "silent")
    assert bench.breaks == 3
    sent = [at for at, _ in bench.line.commands]
    assert len(sent) == 9
    for series in range(0, 9, 3):
        first, second, third = sent[series : series + 3]
        for one, next_ in ((first, second), (second, third)):
            assert 0.01667 <= next_ - one - 3 * CHARACTER <= AWAKE
        assert third - first > 0.100


def test_an_adapter_is_asked_three_times():
    bench = Bench(Probe("1"))
    assert bench.ask("0M!").reason == "silent"
    assert len(bench.line.commands) == 3
    assert bench.breaks == 0


def test_breaks_only_where_they_are_needed():
    bench = Bench(Probe("0"), Probe("1"), timing=DIRECT)
    bench.ask("0M!")
    bench.ask("0D0!")
    assert bench.breaks == 1
    bench.ask("1M!")
    assert bench.breaks == 2  # another sensor
    bench.now += 0.09
    bench.ask("1D0!")
    assert bench.breaks == 3  # it is asleep


REACHED = frozenset({"deaf", "noisy", "abort", "mute", "late", "babble", "torn", "eager"})
REASONS = {
    "dead": "silent",
    "foreign": "address",
    "unsigned": "format",
    "long": "format",
    "aborting": "aborted",
    "short": "short",
    "more": "count",
}


@pytest.mark.parametrize("timing", [ADAPTER, DIRECT])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("text", ["0MC!", "0CC!"])
def test_a_misbehaving_probe(fault, timing, text):
    bench = Bench(Probe("0", lambda _now: ("+1.5", "-2"), seconds=2, faults=frozenset({fault})), timing=timing)
    for _ in range(3):
        if fault in REACHED:
            assert bench.measure(text) == (1.5, -2.0)
        else:
            with pytest.raises(RemoteError, match=REASONS[fault]):
                bench.measure(text)


def test_a_late_service_request_is_no_aborted_measurement():
    """It comes just when the page is asked for, and looks like an answer without values."""
    recorder = Recorder()
    recorder.ask(command("0D0!"), 0.0)
    assert recorder.receive(b"0\r\n", 0.1) == []
    assert recorder.receive(b"0+3.14\r\n", 0.2) == [Answered(command("0D0!"), Values("0", (3.14,)))]
    recorder.ask(command("0D0!"), 1.0)
    recorder.receive(b"0\r\n", 1.1)
    assert recorder.tick(recorder.deadline) == [Answered(command("0D0!"), Values("0", ()))]


ANSWERS = [
    ("0!", b"0\r\n"),
    ("0M!", b"00053\r\n"),
    ("0CC!", b"004512\r\n"),
    ("0D0!", b"0+3.14+2.718+1.414\r\n"),
    ("0RC0!", seal(b"0+3.14") + b"\r\n"),
    ("5I!", b"513STS AG 4900001.51157252\r\n"),
    ("0IM_001!", b"0,PW,BAR,pressure;\r\n"),
    ("0DB0!", pack("0", 3, [13, 10, -1])),
]


@pytest.mark.parametrize(("text", "answer"), ANSWERS)
def test_an_answer_whole_split_at_every_byte_and_behind_noise(text, answer):
    def heard(*pieces):
        recorder = Recorder()
        recorder.ask(command(text), 0.0)
        return [event for piece in pieces for event in recorder.receive(piece, 0.1)]

    (event,) = heard(answer)
    assert isinstance(event, Answered)
    for at in range(1, len(answer)):
        assert heard(answer[:at], answer[at:]) == [event]
    assert heard(*(answer[at : at + 1] for at in range(len(answer)))) == [event]
    for noise in (b"\0", b"\0\0\r\n", text.encode(), text.encode() + b"\r\n", b"\0" + text.encode()):
        assert heard(noise + answer) == [event]
    if text != "0DB0!":
        assert heard(b"\xff\xfe" + answer) == [event]
        (printable,) = heard(b"1" + answer)
        assert isinstance(printable, Retried)  # a digit in front may be an address


def test_an_adapter_that_keeps_the_line_feed():
    recorder = Recorder()
    recorder.ask(command("0D0!"), 0.0)
    assert recorder.receive(b"0+3.14\r", 0.1) == []
    assert recorder.tick(recorder.deadline) == [Answered(command("0D0!"), Values("0", (3.14,)))]


def test_one_at_a_time_and_forgotten():
    recorder = Recorder()
    recorder.ask(command("0M!"), 0.0)
    with pytest.raises(LocalError):
        recorder.ask(command("1M!"), 0.0)
    recorder.forget()
    assert (recorder.deadline, recorder.busy) == (None, False)
    assert recorder.receive(b"00001\r\nnoise\r\n", 0.1) == [Noise(b"00001"), Noise(b"noise")]
    recorder.ask(command("1M!"), 1.0)


def test_a_flood_is_bounded():
    recorder = Recorder()
    recorder.ask(command("0D0!"), 0.0)
    events = [event for n in range(500) for event in recorder.receive(b"+1234" * 20, n / 100)]
    assert len(recorder._heard) < 200
    assert Retried("too-long", ("+1234" * 20)[:80]) in events
    idle = Recorder()
    for _ in range(100):
        idle.receive(b"x" * 50, 0.0)
    assert len(idle._heard) < 200


@given(
    st.integers(0, 2**32),
    st.sets(st.sampled_from(sorted(REACHED)), max_size=4),
    st.sampled_from(["0MC!", "0CC!", "0RC0!"]),
)
def test_whatever_a_probe_does_a_value_is_right_or_none_came(seed, faults, text):
    chance = random.Random(seed)
    values = [f"{chance.uniform(-9, 9):+.3f}" for _ in range(chance.randrange(1, 9))]
    bench = Bench(
        Probe("0", lambda _now: values, seconds=chance.randrange(4), faults=frozenset(faults)),
        timing=chance.choice([ADAPTER, DIRECT]),
        seed=seed,
    )
    with contextlib.suppress(RemoteError):
        assert bench.measure(text) == tuple(map(float, values))
    assert len(bench.line.commands) <= 9 * 2 * 12


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_no_bytes_make_the_recorder_fall(pieces):
    recorder, now = Recorder(DIRECT), 0.0
    recorder.ask(command("0D0!"), now)
    for piece in pieces:
        now += 0.03
        recorder.receive(piece, now)
        recorder.tick(now)
