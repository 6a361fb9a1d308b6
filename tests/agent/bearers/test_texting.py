"""Contacts are asked by text, and one word in answer stops the calls."""

import asyncio
from types import SimpleNamespace

import pytest

from agent.bearers.aboard import words
from agent.bearers.texting import Texting
from agent.say import say_in
from agent.spot.contacts import Person
from drivers.api import Accepted, Declined, Unknown
from drivers.bearers.people import Text
from protocols.alert import Level
from tests.support.until import until

WANG, LI = Person("王强", "13800000001"), Person("李娜", "+8613800000002")


class Modem:
    """Carries texts; refuses the first `refusals`."""

    def __init__(self, name, answers=()):
        self.name, self.answers = name, list(answers) or [Accepted("1")]
        self.sent, self.known, self.inbox = [], [], asyncio.Queue()

    async def send_text(self, number, text):
        self.sent.append((number, text))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def texts(self):
        while True:
            yield await self.inbox.get()

    def hear(self, numbers):
        self.known += numbers


def texting(*modems):
    said, events = [], []
    made = Texting(
        [SimpleNamespace(name="beidou"), *modems],
        [WANG, LI, Person("哑巴")],
        words=lambda alert: f"alert {alert.hex()}",
        acknowledge=said.append,
        record=lambda kind, facts, lane: events.append((kind, facts, lane.name)),
    )
    return made, said, events


async def settle(made):
    await asyncio.gather(*made._under_way)


def test_who_is_called_gets_a_text_and_the_platform_hears_what_became_of_it():
    async def story():
        modem = Modem("sms")
        made, _, events = texting(modem)
        made.reach(WANG, b"\xab", 1)
        made.reach(Person("哑巴"), b"\xab", 1)
        await settle(made)
        assert modem.sent == [("13800000001", "alert ab")]
        assert modem.known == ["13800000001", "+8613800000002"]
        facts = {"alert": "ab", "contact": "王强", "attempt": 1, "bearer": "sms", "outcome": "accepted", "reason": ""}
        assert events == [("contact.texted", facts, "ALARM")]

    asyncio.run(story())


@pytest.mark.parametrize("refusal", [Declined("no_network", 60.0), RuntimeError("broken")])
def test_the_next_modem_takes_what_the_first_does_not(refusal):
    async def story():
        first, second = Modem("a", [refusal]), Modem("b", [Unknown("cms")])
        made, _, events = texting(first, second)
        made.reach(LI, b"\x01", 2)
        await settle(made)
        assert len(second.sent) == 1
        assert (events[0][1]["bearer"], events[0][1]["outcome"]) == ("b", "unknown")

    asyncio.run(story())


def test_an_answer_acknowledges_and_chatter_does_not():
    async def story():
        modem = Modem("sms")
        made, said, _ = texting(modem)
        task = asyncio.create_task(made.run())
        for sender, text in (
            ("13900000000", "收到"), ("+8613800000001", "不收到"), ("+8613800000001", "收到!"), ("13800000002", "ok"),
        ):  # fmt: skip
            modem.inbox.put_nowait(Text(sender, text, 0))
        await until(lambda: len(said) == 2)
        assert said == ["王强", "李娜"]
        task.cancel()

    asyncio.run(story())


def test_only_so_many_texts_at_a_time():
    async def story():
        modem = Modem("sms")
        gate = asyncio.Event()

        async def slow(number, text):
            modem.sent.append(number)
            await gate.wait()
            return Accepted("1")

        modem.send_text = slow
        made, _, _ = texting(modem)
        for _ in range(50):
            made.reach(WANG, b"\1", 1)
        await asyncio.sleep(0)
        assert len(modem.sent) == 8
        gate.set()
        await settle(made)

    asyncio.run(story())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_text_says_where_what_and_how_to_answer(language):
    station = SimpleNamespace(name="龙潭", id="s1")
    config = SimpleNamespace(language=language, station=station)
    order = SimpleNamespace(text="山洪,立即转移" * 40, event="11A51", level=Level.RED)
    said = words(config, order)
    assert said.startswith("龙潭")
    assert say_in(language, "contact.level_red") in said
    assert ("OK" if language == "en" else "收到") in said
    assert len(said) < 200
    assert "11A51" in words(config, SimpleNamespace(text="", event="11A51", level=Level.BLUE))
    assert words(config, None)
