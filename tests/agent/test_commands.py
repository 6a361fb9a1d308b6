"""Commands: answered once each, paced, and never in the way of the broker's acknowledgements."""

import asyncio
import json

from hypothesis import given
from hypothesis import strategies as st

from agent.bucket import Bucket
from agent.links.commands import BURST, MOST_WAITING, TELL_EVERY, Commands, Verb
from agent.links.downlink import Command
from protocols.errors import RemoteError
from tests.support import virtual


class World:
    """Commands with everything they say, in virtual time."""

    def __init__(self, **verbs):
        self.records, self.responses, self.acked = [], [], 0
        self.commands = Commands(
            "s1",
            verbs,
            record=lambda kind, facts: self.records.append((kind, dict(facts))),
            respond=lambda *what: self.responses.append(what),
        )

    def take(self, verb, payload=b"", topic="", correlation=b""):
        self.commands.take(Command(verb, payload, topic, correlation), self.ack)

    def ack(self):
        self.acked += 1

    async def work(self, seconds=1.0):
        task = asyncio.ensure_future(self.commands.run())
        await asyncio.sleep(seconds)
        task.cancel()


async def good(payload):
    return {"said": payload.decode()}


async def wrong(_payload):
    raise RemoteError("resend.json", "no")


async def broken(_payload):
    raise ZeroDivisionError


def test_an_answer_is_an_event_and_a_message_with_its_correlation():
    async def main():
        world = World(resend=Verb(good))
        world.take("resend", b"hello", "fengsui/1/answers", b"\x01\x02")
        await world.work()
        return world

    world = virtual.run(main())
    assert world.records == [("command.done", {"verb": "resend", "correlation": "0102", "said": "hello"})]
    [(topic, correlation, payload)] = world.responses
    assert (topic, correlation) == ("fengsui/1/answers", b"\x01\x02")
    assert json.loads(payload) == {
        "type": "command.done", "station": "s1", "verb": "resend", "correlation": "0102", "said": "hello"
    }  # fmt: skip


def test_every_refusal_has_one_reason_and_nobody_who_waits_for_none_is_answered():
    async def main():
        world = World(bad=Verb(wrong), bug=Verb(broken))
        for verb in ("bad", "bug", "reboot"):
            world.take(verb)
        await world.work()
        return world

    world = virtual.run(main())
    assert {facts["verb"]: facts["reason"] for _, facts in world.records} == {
        "bad": "resend.json", "bug": "failed", "reboot": "unknown-verb"
    }  # fmt: skip
    assert world.responses == []


def test_a_verb_that_changes_something_sees_only_what_its_seal_covers():
    def unseal(payload):
        if not payload.startswith(b"sealed:"):
            raise RemoteError("unsigned")
        return payload.removeprefix(b"sealed:")

    async def main():
        world = World(set=Verb(good, unseal))
        world.take("set", b"x=1")
        world.take("set", b"sealed:x=2")
        await world.work()
        return world

    assert [(kind, facts.get("reason", facts.get("said"))) for kind, facts in virtual.run(main()).records] == [
        ("command.refused", "unsigned"),
        ("command.done", "x=2"),
    ]


def test_more_than_the_queue_holds_is_told_busy_and_acknowledged_all_the_same():
    async def main():
        world = World(resend=Verb(good))
        for _ in range(MOST_WAITING + 3):
            world.take("resend")
        await world.work()
        return world

    world = virtual.run(main())
    assert world.acked == MOST_WAITING + 3
    assert [facts["reason"] for kind, facts in world.records if kind == "command.refused"] == ["busy"] * 3
    assert [kind for kind, _ in world.records].count("command.done") == MOST_WAITING


def test_a_flood_costs_two_events_in_ten_minutes_and_no_answers():
    async def main():
        world = World()
        for _ in range(BURST + 5000):
            world.take("reboot", topic="fengsui/1/answers")
        await asyncio.sleep(TELL_EVERY + 1)
        return world

    world = virtual.run(main())
    assert world.acked == BURST + 5000
    assert len(world.responses) == BURST
    assert [facts for kind, facts in world.records if kind == "command.flood"] == [
        {"commands": 1, "seconds": 0}, {"commands": 5000, "seconds": 600}
    ]  # fmt: skip


@given(
    burst=st.floats(1, 1e6),
    rate=st.floats(0.01, 1e6),
    steps=st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1.0)), max_size=50),
)
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate(burst, rate, steps):
    bucket, now, given_ = Bucket(burst, rate, 0.0), 0.0, 0.0
    for wait, share in steps:
        now += wait
        amount = share * burst
        if not bucket.wait(amount, now):
            bucket.take(amount, now)
            given_ += amount
        assert given_ <= (burst + rate * now) * (1 + 1e-9) + 1e-6


def test_what_is_larger_than_the_bucket_goes_when_the_bucket_is_full():
    bucket = Bucket(10, 1, 0.0)
    assert bucket.wait(1000, 0.0) == 0
    bucket.take(1000, 0.0)
    assert bucket.wait(1, 0.0) == 991
