"""Warnings and commands: routing, the order of acknowledgements, and what strangers may send."""

from agent.links.downlink import Command, Downlink, prefixes
from agent.links.mqtt_words import Inbound

CODE = "330182100206"


class Bench:
    def __init__(self, **changes):
        self.warnings, self.commands, self.acks, self.reports = [], [], [], []
        given = {
            "root": "fengsui/1",
            "station": "s1",
            "areas": [CODE],
            "on_warning": lambda *what: self.warnings.append(what),
            "on_command": lambda *what: self.commands.append(what),
            "report": lambda kind, facts: self.reports.append((kind, facts)),
        }
        self.downlink = Downlink("mqtt:p", **(given | changes))

    def send(self, topic, payload=b"x", name=None, retain=False, response="", correlation=b""):
        def ack():
            self.acks.append(name or payload)

        self.downlink.receive(Inbound(topic, payload, retain, response, correlation, ack))


def test_prefixes_are_every_level_of_the_codes_and_all():
    assert prefixes([CODE]) == ["33", "3301", "330182", "330182100", CODE, "all"]
    assert prefixes(["330182", "330183"]) == ["33", "3301", "330182", "330183", "all"]
    assert prefixes([]) == ["all"]


def test_filters_of_a_station():
    assert Bench().downlink.filters == (
        "fengsui/1/s1/command/+",
        *(f"fengsui/1/warnings/{area}/#" for area in prefixes([CODE])),
    )
    assert Bench(on_command=None, on_warning=None).downlink.filters == ()
    assert len(Bench(on_warning=None).downlink.filters) == 1


def test_warnings_go_to_the_judge_as_they_came():
    bench = Bench()
    bench.send("fengsui/1/warnings/33/7-12", b"sealed", retain=True)
    assert [what[:3] for what in bench.warnings] == [("mqtt:p", b"sealed", True)]
    assert bench.acks == []


def test_beacons_and_key_sets_have_a_way_of_their_own():
    heard = []
    bench = Bench(on_trust=lambda *what: heard.append(what))
    bench.send("fengsui/1/warnings/33/beacon/7", b"beacon", retain=True)
    bench.send("fengsui/1/warnings/all/keyset", b"keys")
    assert [what[:4] for what in heard] == [("beacon", "mqtt:p", b"beacon", True), ("keyset", "mqtt:p", b"keys", False)]
    assert bench.warnings == []
    for what in heard:
        what[4]()
    assert len(bench.acks) == 2
    alone = Bench()
    alone.send("fengsui/1/warnings/33/beacon/7", b"beacon")
    assert (len(alone.acks), alone.downlink.foreign) == (1, 1)


def test_acknowledged_in_the_order_of_arrival_whatever_is_done_first():
    bench = Bench()
    for number in range(4):
        bench.send("fengsui/1/warnings/33/7-1", b"%d" % number)
    done = [what[3] for what in bench.warnings]
    done[2]()
    done[1]()
    assert bench.acks == []
    done[0]()
    assert bench.acks == [b"0", b"1", b"2"]
    done[0]()  # twice is once
    done[3]()
    assert bench.acks == [b"0", b"1", b"2", b"3"]


def test_strange_topics_are_acknowledged_and_counted():
    bench = Bench()
    for topic in ("", "other", "fengsui/1/warnings/33", "fengsui/1/s2/command/x", "fengsui/1/s1/readings", "\0"):
        bench.send(topic)
    assert len(bench.acks) == 6
    assert bench.downlink.foreign == 6
    assert bench.warnings == bench.commands == []


def test_a_command_brings_where_to_answer():
    bench = Bench()
    bench.send("fengsui/1/s1/command/resend", b"{}", response="fengsui/1/platform/answers", correlation=b"42")
    assert bench.commands[0][0] == Command("resend", b"{}", "fengsui/1/platform/answers", b"42")
    bench.commands[0][1]()
    assert len(bench.acks) == 1


def test_an_answer_goes_nowhere_it_could_do_harm():
    bench = Bench()
    for topic in (
        "fengsui/1/warnings/33/7-1",
        "fengsui/1/#",
        "else/where",
        "$SYS/x",
        "fengsui/1/" + "x" * 300,
        "fengsui/1/\n",
    ):
        bench.send("fengsui/1/s1/command/status", response=topic)
    assert {command.response_topic for command, _ in bench.commands} == {""}


def test_a_kept_or_huge_command_is_not_obeyed():
    bench = Bench()
    bench.send("fengsui/1/s1/command/silence", retain=True)
    bench.send("fengsui/1/s1/command/silence", bytes(65_537))
    assert bench.commands == []
    assert len(bench.acks) == 2


def test_a_message_that_breaks_its_handler_is_tried_again_once_and_then_let_go():
    import pytest

    def broken(*_what):
        raise ValueError("a bug")

    bench = Bench(on_warning=broken)
    with pytest.raises(ValueError, match="a bug"):
        bench.send("fengsui/1/warnings/33/7-1", b"poison")
    assert bench.acks == []
    bench.downlink.begin()  # the connection was made anew
    bench.send("fengsui/1/warnings/33/7-1", b"poison")
    assert bench.acks == [b"poison"]
    assert [kind for kind, _ in bench.reports] == ["downlink.failed"]


def test_a_server_that_does_not_keep_its_limit_fills_nothing():
    bench = Bench()
    for _ in range(1000):
        bench.send("fengsui/1/warnings/33/7-1")
    assert len(bench.warnings) == 128
    assert bench.downlink.overflow == 872
    assert bench.acks == []
