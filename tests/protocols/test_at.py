import contextlib
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.at import LONGEST, MOST_LINES, MOST_QUEUED, URGENT, AtEngine
from protocols.at_events import (
    CANCELLED,
    LOST,
    REBOOT,
    TIMEOUT,
    Command,
    Done,
    Lost,
    Ready,
    Stray,
    Unsolicited,
)
from protocols.at_lines import Final, final
from protocols.errors import LocalError
from protocols.framing import Send

CSQ = Command("AT+CSQ")
CREG = Command("AT+CREG?")
PDU = b"0001000B817267443908F600000BE8329BFD06DDDF723619"
CMGS = Command("AT+CMGS=23", 120.0, PDU)
ANSWER = b"\r\n+CSQ: 29,99\r\n\r\nOK\r\n"


class Talk:
    """An engine with its time; `sent` and what else it said."""

    def __init__(self, **options):
        self.engine, self.now, self.sent, self.said = AtEngine(**options), 0.0, [], []

    def open(self):
        self.note(self.engine.start(self.now))
        self.wait()
        self.hear(b"AT\r\r\nOK\r\n")
        self.wait()
        assert self.said[-1] == Ready()
        self.said.clear()
        self.sent.clear()
        return self

    def note(self, events):
        for event in events:
            (self.sent if isinstance(event, Send) else self.said).append(event)
        return self

    def ask(self, command, priority=1):
        self.note(self.engine.ask(command, self.now, priority))
        while not self.sent and self.engine.deadline is not None and self.engine.deadline <= self.now + 0.02:
            self.wait()
        return self

    def hear(self, data, size=0):
        for at in range(0, len(data), size or len(data)):
            self.note(self.engine.receive(data[at : at + (size or len(data))], self.now))
        return self

    def wait(self):
        """Until it wants to be called."""
        self.now = max(self.now, self.engine.deadline)
        self.note(self.engine.tick(self.now))
        return self

    @property
    def result(self):
        return next(event.result for event in self.said if isinstance(event, Done))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7])
def test_a_reply_however_it_comes(size):
    talk = Talk().open().ask(CSQ)
    assert talk.sent == [Send(b"AT+CSQ\r")]
    talk.hear(b"AT+CSQ\r" + ANSWER, size)
    assert talk.result == (Final("OK"), ["+CSQ: 29,99"], False)
    assert talk.result.value("+CSQ") == "29,99"


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\0\r\n"])
def test_any_end_of_line_with_and_without_echo(end):
    for echo in (b"", b"AT+CSQ" + end):
        talk = Talk().open().ask(CSQ).hear(echo + end + b"+CSQ:5" + end + b"OK" + end)
        assert talk.result.lines == ["+CSQ:5"]
        assert len(talk.said) == 1


def test_something_unasked_in_the_middle_of_a_reply():
    said = b'\r\n+CMTI: "ME",3\r\n\r\n+CSQ: 7,0\r\n^DSFLOWRPT:00\r\n\r\nRING\r\n\r\nOK\r\n'
    talk = Talk().open().ask(CSQ).hear(said)
    assert talk.said[:-1] == [Unsolicited('+CMTI: "ME",3'), Unsolicited("^DSFLOWRPT:00"), Unsolicited("RING")]
    assert talk.result.lines == ["+CSQ: 7,0"]


def test_a_message_in_the_middle_of_a_listing_keeps_its_body():
    listing = b"+CMGL: 1,1,,9\r\nAABB\r\n+CMT: ,5\r\nCCDD\r\n+CMGL: 2,1,,9\r\nEEFF\r\nOK\r\n"
    talk = Talk().open().ask(Command("AT+CMGL=4")).hear(listing)
    assert talk.said[0] == Unsolicited("+CMT: ,5", "CCDD")
    assert talk.result.lines == ["+CMGL: 1,1,,9", "AABB", "+CMGL: 2,1,,9", "EEFF"]


def test_a_body_that_was_lost_takes_nothing_with_it():
    talk = Talk().open().ask(CSQ).hear(b"+CMT: ,5\r\n+CSQ: 7,0\r\nOK\r\n")
    assert talk.said[0] == Unsolicited("+CMT: ,5")
    assert talk.result.lines == ["+CSQ: 7,0"]


def test_the_same_name_asked_and_unasked():
    said = b'+CREG: 5\r\n+CREG: 1,"1A2B","01C2D3E4",7\r\n+CREG: 2,1,"1A2B","01C2D3E4",7\r\nOK\r\n'
    talk = Talk().open().ask(CREG).hear(said)
    assert [event.line for event in talk.said[:-1]] == ["+CREG: 5", '+CREG: 1,"1A2B","01C2D3E4",7']
    assert talk.result.lines == ['+CREG: 2,1,"1A2B","01C2D3E4",7']


def test_a_reply_without_a_name():
    talk = Talk().open().ask(Command("AT+CGSN")).hear(b"861075021234567\r\n+CREG: 1\r\nOK\r\n")
    assert talk.result.lines == ["861075021234567"]
    talk = Talk().open().ask(Command("ATI")).hear(b"Quectel\r\nEC20F\r\nOK\r\n")
    assert talk.result.lines == ["Quectel", "EC20F"]


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("echo", [b"", b"AT+CMGS=23\r"])
@pytest.mark.parametrize("prompt", [b"\r\n> ", b"\r\n>", b"> ", b"\r\n> \r\n", b"\r\n\x80> "])
def test_a_prompt_has_no_end_of_line(size, echo, prompt):
    talk = Talk().open().ask(CMGS).hear(echo + prompt, size)
    assert talk.sent == [Send(b"AT+CMGS=23\r"), Send(PDU + b"\x1a")]
    talk.hear((PDU + b"\x1a" if echo else b"") + b"\r\n+CMGS: 198\r\n\r\nOK\r\n", size)
    assert talk.result == (Final("OK"), ["+CMGS: 198"], True)


def test_a_refusal_instead_of_the_prompt_and_after_it():
    talk = Talk().open().ask(CMGS).hear(b"\r\n+CMS ERROR: 310\r\n")
    assert talk.result == (Final("+CMS ERROR", 310), [], False)
    talk = Talk().open().ask(CMGS).hear(b"> ").hear(b"\r\n+CMS ERROR: 38\r\n")
    assert talk.result == (Final("+CMS ERROR", 38), [], True)


def test_without_a_prompt_the_modem_is_freed():
    talk = Talk().open().ask(CMGS).wait()
    assert talk.result == (Final(TIMEOUT), [], False)
    assert talk.sent[-1] == Send(b"\x1b")
    talk.wait()
    assert talk.sent[-1] == Send(b"AT\r")
    talk.hear(b"OK\r\n").wait()
    assert talk.said[-1] == Ready()


def test_a_silence_after_the_payload_is_told_apart():
    talk = Talk().open().ask(CMGS).hear(b"> ")
    assert talk.engine.deadline == talk.now + 120.0
    assert talk.wait().result == (Final(TIMEOUT), [], True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("OK", Final("OK")),
        ("ERROR", Final("ERROR")),
        ("+CME ERROR: 10", Final("+CME ERROR", 10)),
        ("+CME ERROR:10", Final("+CME ERROR", 10)),
        ("+CMS ERROR: SIM not inserted", Final("+CMS ERROR", "SIM not inserted")),
        ("NO CARRIER", Final("NO CARRIER")),
        ("CONNECT 115200", Final("CONNECT 115200")),
        ("AT_PARAM_ERROR", Final("AT_PARAM_ERROR")),
        ("+CMS ERROR: 999999999999", Final("+CMS ERROR", "999999999999")),
        ("OKAY", None),
        ("+CSQ: 1,2", None),
    ],
)
def test_final_results(line, expected):
    assert final(line) == expected


def test_one_command_at_a_time_and_the_urgent_first():
    talk = Talk().open().ask(CSQ)
    for text, priority in (("AT+A", 2), ("AT+B", 1), ("AT+C", URGENT), ("AT+D", 1)):
        talk.note(talk.engine.ask(Command(text), talk.now, priority))
    for _ in range(5):
        talk.hear(b"OK\r\n").wait()
    assert [event.data for event in talk.sent] == [b"AT+CSQ\r", b"AT+C\r", b"AT+B\r", b"AT+D\r", b"AT+A\r"]


def test_a_gap_between_a_result_and_the_next_command():
    talk = Talk().open().ask(CSQ).hear(ANSWER)
    assert talk.engine.ask(CREG, talk.now) == []
    assert talk.engine.deadline == pytest.approx(talk.now + 0.02)


def test_the_queue_is_bounded():
    talk = Talk().open().ask(CSQ)
    for _ in range(MOST_QUEUED):
        talk.engine.ask(CSQ, talk.now)
    with pytest.raises(LocalError, match="queue_full"):
        talk.engine.ask(CSQ, talk.now)


def test_what_is_no_command_is_not_sent():
    talk = Talk()
    with pytest.raises(LocalError, match="at_closed"):
        talk.engine.ask(CSQ, 0.0)
    for text in ("AT\rATD112;", "AT\n", "AT+雨"):
        with pytest.raises(LocalError, match="at_command"):
            talk.open().engine.ask(Command(text), talk.now)


def test_a_dead_modem_is_given_up_after_three_knocks():
    talk = Talk()
    talk.note(talk.engine.start(0.0))
    talk.engine.ask(CSQ, 0.0)
    while talk.engine.deadline is not None:
        talk.wait()
    assert [event.data for event in talk.sent] == [b"\x1b", b"AT\r"] * 3
    assert talk.said == [Done(CSQ, (Final(LOST), [], False)), Lost()]
    assert talk.now < 5.0


def test_a_late_ok_is_not_taken_for_the_answer_to_the_next_command():
    talk = Talk().open().ask(CSQ).wait().wait()
    assert talk.sent[-1] == Send(b"AT\r")
    talk.said.clear()
    talk.note(talk.engine.ask(CREG, talk.now)).hear(ANSWER).hear(b"\r\nOK\r\n")
    assert talk.sent[-1] == Send(b"AT\r"), "the line is not quiet yet"
    talk.wait().hear(b"+CREG: 0,1\r\nOK\r\n")
    assert [event for event in talk.said if isinstance(event, Done)] == [
        Done(CREG, (Final("OK"), ["+CREG: 0,1"], False))
    ]


def test_knocking_at_an_open_prompt_and_after_an_error():
    talk = Talk()
    talk.note(talk.engine.start(0.0)).wait().hear(b"AT\r\n> ")
    assert talk.sent[-1] == Send(b"\x1b")
    talk.wait().hear(b"\r\nERROR\r\n")
    assert talk.sent[-1] == Send(b"\x1b")
    talk.wait().hear(b"\r\nOK\r\n").wait()
    assert talk.said == [Ready()]


def test_noise_without_end_does_not_keep_it_from_knocking():
    talk = Talk()
    talk.note(talk.engine.start(0.0))
    while Send(b"AT\r") not in talk.sent:
        talk.now += 0.05
        talk.hear(b"\xff\x80noise")
    assert talk.now < 4.0


def test_a_restart_ends_the_command_under_way():
    talk = Talk(banners=("RDY",)).open().ask(CMGS).hear(b"> ").hear(b"\r\nRDY\r\n")
    assert talk.result == (Final(REBOOT), [], True)
    assert talk.said[-1] == Unsolicited("RDY")
    talk.wait().hear(b"OK\r\n").wait()
    assert talk.said[-1] == Ready()


def test_a_new_line_cancels_what_was_asked():
    talk = Talk().open().ask(CSQ)
    talk.engine.ask(CREG, talk.now)
    talk.note(talk.engine.start(talk.now))
    assert [event.result.final.word for event in talk.said] == [CANCELLED, CANCELLED]


def test_what_nobody_asked_for():
    talk = Talk().open().hear(b"OK\r\nNO CARRIER\r\n+CREG: 1\r\nhello\r\n")
    assert talk.said == [Stray("OK"), Unsolicited("NO CARRIER"), Unsolicited("+CREG: 1"), Stray("hello")]


def test_lines_and_replies_are_bounded():
    talk = Talk().open().ask(Command("AT+CMGL=4"))
    talk.hear(b"+CMGL: 1,1,,9\r\n" * (2 * MOST_LINES) + b"A" * (3 * LONGEST) + b"\r\nOK\r\n")
    assert len(talk.result.lines) == MOST_LINES
    assert talk.engine.dropped == 3 * LONGEST


def test_a_pattern_of_ones_own():
    command = Command("AT+X", reply=re.compile(r"\+Y:"))
    talk = Talk().open().ask(command).hear(b"+X: 1\r\n+Y: 2\r\nplain\r\nOK\r\n")
    assert talk.result.lines == ["+Y: 2"]
    assert talk.said[:2] == [Unsolicited("+X: 1"), Stray("plain")]


SAID = st.sampled_from([
    b"OK\r\n", b"ERROR\r\n", b"> ", b"+CSQ: 1,2\r\n", b"+CMT: ,5\r\n", b"RDY\r\n", b"\0", b"\x1a", b"AT+CSQ\r", b"+CMS ERROR: 1\r\n",
    b"AABB\r\n", b"\xff\xfe", b"+", b"\r", b"AT\r",
])  # fmt: skip


@given(st.lists(st.one_of(SAID, st.binary(max_size=40)), max_size=40), st.randoms(use_true_random=False))
def test_every_command_ends_exactly_once_whatever_is_heard(chunks, chance):
    talk = Talk(banners=("RDY",))
    talk.note(talk.engine.start(0.0))
    asked = []
    for chunk in chunks:
        talk.now += chance.choice([0.0, 0.01, 0.4, 6.0])
        talk.note(talk.engine.tick(talk.now)).hear(chunk) if chunk else None
        if chance.random() < 0.3:
            command = Command("AT+CSQ") if chance.random() < 0.5 else Command("AT+CMGS=2", payload=b"AA")
            with contextlib.suppress(LocalError):  # closed, or full
                talk.note(talk.engine.ask(command, talk.now))
                asked.append(command)
    for _ in range(200):
        if talk.engine.deadline is None:
            break
        talk.wait()
    done = [event.command for event in talk.said if isinstance(event, Done)]
    assert sorted(map(id, done)) == sorted(map(id, asked))


def test_after_any_garbage_it_finds_its_way_back():
    chance = random.Random(5)
    for _ in range(50):
        talk = Talk().open().ask(CSQ)
        talk.hear(chance.randbytes(200).replace(b"\r", b"").replace(b"\n", b""))
        talk.wait()  # the answer never came
        talk.wait()
        talk.hear(b"OK\r\n")
        talk.hear(b"\r\nOK\r\n").wait()
        assert talk.said[-1] == Ready()
        talk.said.clear()
        assert talk.ask(CSQ).hear(ANSWER).result.ok
