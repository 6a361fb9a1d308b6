"""Whose word is wanted, for how long, and what silence leads to."""

import asyncio

import pytest

from agent.spot.contacts import Asked, Calls, Contacts, ContactsConfig, Person, check_contacts
from buffer.model import Lane
from drivers.values import Duration
from protocols.alert import ActionCode, Level, Status
from tests.support.alerting import Station
from tests.support.seals import sealed
from tests.support.virtual import run

WANG, LI = Person("王村长", "+8613800000001"), Person("李会计", "13800000002")
ALERT, OTHER = b"a" * 32, b"b" * 32


def said(asked):
    return [(one.what, one.person.name if one.person else "", one.attempt) for one in asked]


def test_silence_repeats_once_then_goes_to_the_next_and_ends():
    calls = Calls([WANG, LI], 300)
    assert said(calls.stand([ALERT], 0)) == [("called", "王村长", 1)]
    assert calls.pass_time(299) == []
    assert said(calls.pass_time(300)) == [("silent", "王村长", 1), ("called", "王村长", 2)]
    assert said(calls.pass_time(600)) == [("silent", "王村长", 2), ("called", "李会计", 1)]
    assert said(calls.pass_time(900)) == [("silent", "李会计", 1), ("called", "李会计", 2)]
    assert said(calls.pass_time(1200)) == [("silent", "李会计", 2), ("exhausted", "", 0)]
    assert calls.pass_time(9999) == []
    assert said(calls.acknowledge()) == [("acknowledged", "", 0)]  # late is better than never


def test_an_answer_ends_the_asking_for_all_that_stands():
    calls = Calls([WANG, LI], 300)
    calls.stand([ALERT, OTHER], 0)
    assert {one.alert for one in calls.acknowledge()} == {ALERT, OTHER}
    assert calls.acknowledge() == []
    assert calls.pass_time(900) == []
    assert calls.stand([ALERT, OTHER], 901) == []
    assert said(calls.stand([b"c" * 32], 902)) == [("called", "王村长", 1)]


def test_an_alert_that_is_over_asks_nobody_and_is_asked_anew_when_it_returns():
    calls = Calls([WANG], 300)
    calls.stand([ALERT], 0)
    calls.stand([], 10)
    assert calls.pass_time(900) == []
    assert said(calls.stand([ALERT], 901)) == [("called", "王村长", 1)]


def test_what_was_acknowledged_stays_so_over_a_restart():
    calls = Calls([WANG], 300, [ALERT])
    assert calls.stand([ALERT], 0) == []
    assert calls.stand([ALERT, OTHER], 1) == [Asked("called", OTHER, WANG, 1)]


class Desk:
    def __init__(self, station, level="orange"):
        self.reached, self.kept = [], []
        self.contacts = Contacts(
            ContactsConfig(people=[WANG, LI], patience=Duration(60), level=level),
            record=station._record,
            keep=self.kept.append,
            saved=None,
            now=station.now,
            note=station.alerting.note,
            words="等待{name}确认。",
            reach=lambda person, _alert, attempt: self.reached.append((person.name, attempt)),
        )
        station.alerting.watchers.append(self.contacts.orders)


def test_a_warning_asks_shows_whom_and_is_acknowledged():
    async def main():
        async with Station() as station:
            desk = Desk(station)
            task = asyncio.create_task(desk.contacts.run())
            await station.heard(sealed("county bureau", "山洪"), wait=2)
            assert station.shown.endswith("等待王村长确认。")
            await asyncio.sleep(125)
            assert desk.reached == [("王村长", 1), ("王村长", 2), ("李会计", 1)]
            assert station.shown.endswith("等待李会计确认。")
            desk.contacts.acknowledge("门口按钮")
            await asyncio.sleep(1)
            assert "确认" not in station.shown
            kinds = [kind for kind, _, _ in station.records if kind.startswith(("contact.", "warning.ack"))]
            assert kinds == ["contact.called", "contact.silent"] * 2 + ["contact.called", "warning.acknowledged"]
            told = [
                fields for kind, fields, lane in station.records if kind.startswith("contact.") and lane is Lane.ALARM
            ]
            assert not any("+86" in str(fields) for fields in told)
            assert len(desk.kept) == 1
            sounding = station.sounded()[-1]
            await asyncio.sleep(10)
            assert station.sounded()[-1] != sounding  # an answer is no cancel
            task.cancel()

    run(main())


@pytest.mark.parametrize(
    ("words", "asks"),
    [
        ({"level": Level.YELLOW, "action": ActionCode.PREPARE}, False),
        ({"level": Level.ORANGE, "action": ActionCode.PREPARE}, True),
        ({"level": Level.BLUE, "action": ActionCode.SHELTER}, True),
        ({"status": Status.EXERCISE}, False),
    ],
)
def test_who_is_asked_for_what(words, asks):
    async def main():
        async with Station() as station:
            desk = Desk(station)
            await station.heard(sealed("county bureau", "山洪", **words), wait=2)
            assert bool(desk.reached) is asks

    run(main())


@pytest.mark.parametrize(
    ("people", "patience", "code"),
    [
        ([], 300, "contacts.people"),
        ([Person("王")] * 21, 300, "contacts.people"),
        ([Person("\u202e")], 300, "contacts.name"),
        ([Person("王", "call me")], 300, "contacts.number"),
        ([Person("王", "+8613800000001")], 5, "value.range"),
    ],
)
def test_what_check_says(people, patience, code):
    found = list(check_contacts(ContactsConfig(people=people, patience=Duration(patience))))
    assert [problem.code for problem in found] == [code]
