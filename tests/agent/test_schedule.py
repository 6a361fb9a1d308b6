from dataclasses import replace

import pytest

from agent.bearers.budget import BURST, KEPT, Ledger, Limits, Price, Purse
from agent.bearers.lanes import Backlog, Load, Message, Policy, Tried, Waiting
from agent.bearers.proven import Proof, State
from agent.bearers.schedule import Order, choose
from agent.bearers.way import Train, Way
from drivers.api import Accepted, Declined, Traits, Unknown
from tests.support.ether import beidou, mqtt, sbd

NOON = 20_000.5
UP = Proof(state=State.UP, rate=0.9, last=900.0)
DOWN = Proof(state=State.DOWN, rate=0.1, misses=3, asked=990.0)


def up(way, **more):
    return replace(way, proof=UP, **more)


def down(way, **more):
    return replace(way, proof=DOWN, **more)


def alarm(**more):
    return Message(**{"key": "a", "load": Load.ALARM, "size": 40, "since": 1000.0} | more)


def event(**more):
    return Message(**{"key": "e", "load": Load.EVENT, "size": 40, "since": 1000.0} | more)


def orders(ways, *messages, now=1000.0, policy=None, **backlog):
    return choose(ways, Backlog(messages, **backlog), now, NOON, policy).orders


def carriers(ways, *messages, now=1000.0, **backlog):
    return {order.bearer for order in orders(ways, *messages, now=now, **backlog)}


# Alarms


def test_an_alarm_goes_by_the_cheapest_that_can_in_time():
    assert carriers([up(mqtt()), up(beidou()), up(sbd())], alarm()) == {"mqtt"}
    assert carriers([down(mqtt()), up(beidou()), up(sbd())], alarm()) == {"beidou"}
    late = up(beidou(), ready=1200.0)
    assert carriers([down(mqtt()), late, up(sbd())], alarm()) == {"sbd"}, "BeiDou's slot comes after the deadline"
    assert carriers([down(mqtt()), late], alarm()) == {"mqtt"}, "while it waits, what is down may try"


def test_the_top_level_goes_by_two_independent_bearers_at_once():
    sms = Way("sms", Traits(140, latency=5.0, cost=0.1), medium="cellular", proof=UP)
    assert carriers([up(mqtt()), sms, up(sbd())], alarm(top=True)) == {"mqtt", "sbd"}
    assert carriers([up(mqtt()), sms], alarm(top=True)) == {"mqtt"}, "two cards in one network are not two media"
    assert carriers([up(mqtt()), sms], alarm(top=True, tries={"mqtt": Tried(1, 1000.0)}), now=1021.0) >= {"sms"}


def test_every_step_of_patience_adds_a_bearer():
    ways = [up(mqtt()), up(beidou()), up(sbd())]
    tried = alarm(tries={"mqtt": Tried(1, 1000.0)})
    assert carriers(ways, tried, now=1019.0) == set()
    assert choose(ways, Backlog((tried,)), 1001.0, NOON).look == pytest.approx(1020.0)
    assert carriers(ways, tried, now=1020.5) == {"mqtt", "beidou"}
    assert carriers(ways, tried, now=1040.5) == {"mqtt", "beidou", "sbd"}


def test_many_bearers_are_all_tried_within_the_deadline():
    ways = [down(replace(beidou(), name=f"b{nth}")) for nth in range(10)]
    began = set(carriers(ways, alarm()))
    now, tries = 1000.0, {}
    while now < 1120.0:
        tries |= {name: Tried(1, now) for name in carriers(ways, alarm(tries=tries), now=now)}
        now += 1.0
    assert len(began) == 2, "of bearers that are down, two stand for one"
    assert len(tries) == 10


def test_where_nothing_works_two_are_tried_at_once():
    assert carriers([down(beidou()), down(sbd())], alarm()) == {"beidou", "sbd"}


def test_a_bearer_that_cannot_take_the_message_or_pay_for_it_is_no_bearer():
    poor = up(sbd(money=1.0))
    assert carriers([poor, down(beidou())], alarm()) == {"beidou"}
    assert carriers([up(sbd()), down(beidou())], alarm(barred=frozenset({"sbd"}))) == {"beidou"}
    assert carriers([up(sbd(), open=False)], alarm()) == set()


def test_repeats_are_each_slot_where_that_is_free_and_ever_slower_where_it_costs():
    tries = {"beidou": Tried(3, 1000.0), "sbd": Tried(3, 1000.0)}
    due = {}
    for now in range(1001, 1300):
        for name in carriers([up(beidou()), up(sbd())], alarm(tries=tries), now=float(now)):
            due.setdefault(name, now - 1000)
    assert due == {"beidou": 60, "sbd": 120}


def test_after_the_deadline_a_bearer_that_never_answers_is_bothered_less():
    tries = {"beidou": Tried(4, 2000.0)}
    dumb = replace(beidou(), proof=replace(DOWN, last=1500.0))
    again = Order("beidou", Load.ALARM, "a", again=True)
    assert again not in orders([dumb], alarm(tries=tries), now=2100.0)
    assert again in orders([dumb], alarm(tries=tries), now=2480.0)
    heard = replace(dumb, proof=replace(dumb.proof, last=2050.0, answers=1))
    assert again in orders([heard], alarm(tries=tries), now=2100.0), "it answers again: at once"


def test_what_never_began_goes_before_a_repeat_and_the_top_before_others():
    old = alarm(key="old", since=900.0, tries={"beidou": Tried(1, 900.0)})
    (order,) = orders([up(beidou())], old, alarm(key="new"), alarm(key="top", top=True))
    assert order == Order("beidou", Load.ALARM, "top")
    (order,) = orders([up(beidou())], old, alarm(key="new"))
    assert order.key == "new"
    assert orders([up(beidou())], old) == (Order("beidou", Load.ALARM, "old", again=True),)


def test_a_hundred_alarms_leave_events_their_turn():
    alarms = [alarm(key=f"a{nth}", tries={"beidou": Tried(1, 999.0)}) for nth in range(100)]
    assert orders([up(beidou())], *alarms, event()) == (Order("beidou", Load.EVENT, "e"),)


# Fragments


def test_a_train_ends_where_it_began_even_if_a_better_bearer_is_back():
    ways = [up(mqtt()), up(beidou(), train=Train("e", Load.EVENT, 2))]
    assert orders(ways, event(tries={"beidou": Tried(1, 940.0)})) == (Order("beidou", Load.EVENT, "e", again=True),)


def test_but_an_alarm_goes_in_between():
    ways = [down(mqtt()), up(beidou(), train=Train("e", Load.EVENT, 2))]
    assert Order("beidou", Load.ALARM, "a") in orders(ways, event(tries={"beidou": Tried(1, 940.0)}), alarm())


def test_an_alarm_in_fragments_yields_to_a_new_top_alarm_only():
    way = up(beidou(), train=Train("a", Load.ALARM, 2))
    under_way = alarm(tries={"beidou": Tried(1, 940.0)})
    assert orders([way], under_way, alarm(key="b")) == (Order("beidou", Load.ALARM, "a", again=True),)
    assert orders([way], under_way, alarm(key="b", top=True)) == (Order("beidou", Load.ALARM, "b"),)


# Other lanes


def test_digests_go_by_the_cheapest_narrow_bearer_and_only_without_a_wide_one():
    assert carriers([up(mqtt()), up(beidou()), up(sbd())], digest=True) == set()
    ways = [down(mqtt()), up(sbd()), up(beidou())]
    assert Order("beidou", Load.DIGEST) in orders(ways, digest=True)
    assert "sbd" not in carriers(ways, digest=True)
    assert Order("sbd", Load.DIGEST) in orders([down(mqtt()), up(sbd()), down(beidou())], digest=True)


def test_a_paid_digest_waits_for_its_time():
    way = up(sbd(), served={Load.DIGEST: 200.0})
    assert carriers([way], digest=True) == set()
    assert carriers([way], digest=True, now=1100.0) == {"sbd"}
    assert carriers([way], digest=True, policy=Policy(paid_digest_every=60.0)) == {"sbd"}


def test_detail_goes_where_the_size_allows_after_ten_minutes():
    gone = replace(mqtt(), proof=Proof(state=State.DOWN, last=100.0, asked=990.0))
    soon = replace(mqtt(), proof=Proof(state=State.DOWN, last=500.0, asked=990.0))
    detail = Waiting(100, 0.0)
    assert Order("sbd", Load.DETAIL) in orders([gone, up(sbd()), up(beidou())], detail=detail)
    assert "sbd" not in carriers([soon, up(sbd()), up(beidou())], detail=detail)
    assert carriers([gone, up(beidou())], detail=detail) == set(), "77 bytes are for digests"


def test_an_event_waits_for_a_wide_bearer_no_longer_than_its_deadline():
    ways = [up(mqtt()), up(beidou())]
    assert carriers(ways, event(since=1000.0)) == set(), "the wide one carries it by itself"
    assert Order("beidou", Load.EVENT, "e") in orders(ways, event(since=1000.0), now=4700.0)
    assert carriers([down(mqtt()), up(beidou())], event()) == {"beidou"}


def test_events_are_not_thrown_at_bearers_that_are_down():
    idle = Proof(state=State.DOWN, misses=5, asked=999.0)
    assert carriers([replace(beidou(), proof=idle)], event()) == set()
    back = replace(idle, answers=1)
    assert carriers([replace(beidou(), proof=back)], event()) == {"beidou"}, "unless nothing else has answered at all"


def test_wide_bearers_are_told_their_lanes():
    vsat = Way("vsat", Traits(1 << 16, cost=0.02, credit=1000), wide=True, proof=UP)
    waiting = Waiting(1_000_000, oldest=500.0)
    everything = {Load.ALARM, Load.EVENT, Load.TELEMETRY, Load.BULK}

    def lanes(*ways, now):
        return choose(ways, Backlog(telemetry=waiting, bulk=waiting), now, NOON).open

    assert lanes(up(mqtt()), vsat, now=9000.0) == {"mqtt": everything, "vsat": {Load.ALARM, Load.EVENT}}
    assert lanes(down(mqtt()), vsat, now=1000.0)["vsat"] == {Load.ALARM, Load.EVENT}
    assert lanes(down(mqtt()), vsat, now=9000.0)["vsat"] == {Load.ALARM, Load.EVENT, Load.TELEMETRY}
    cheap = choose([vsat], Backlog(), 1000.0, NOON, Policy(cheap=0.02))
    assert cheap.open["vsat"] == everything


def test_an_idle_bearer_is_proven():
    way = up(sbd(), period=600.0)
    busy = up(mqtt(), busy=True)
    assert carriers([busy, way], now=1499.0) == set()
    assert orders([busy, way], now=1501.0) == (Order("sbd", Load.PROOF),)
    assert Order("sbd", Load.PROOF) in orders([down(mqtt()), way], now=1051.0), "four times as often in need"
    assert carriers([replace(sbd(), proof=Proof())]) == {"sbd"}, "and at once when nothing is known of it"


def test_a_bearer_without_a_way_back_is_neither_proven_nor_missed():
    way = Way("blind", Traits(100, min_interval=10.0, duplex=False))
    assert carriers([way]) == set()
    for nth in range(5):
        way = way.begin(Load.ALARM, 40, NOON, nth * 10.0).end(Accepted(), nth * 10.0 + 1).tick(nth * 100.0)
    assert way.proof.state is State.NEW
    assert carriers([way], alarm()) == {"blind"}


def test_airtime_is_a_hard_guard_also_for_alarms():
    limits = Limits(airtime=10.0)
    way = up(Way("lora", Traits(50, guard=10.0), Ledger(limits), air=1.0))
    way = replace(way, ledger=way.ledger.spend(Load.EVENT, Price(airtime=7.5), NOON, 900.0))
    assert carriers([way], event()) == set(), "a fifth is kept for alarms"
    assert carriers([way], alarm()) == {"lora"}
    full = replace(way, ledger=way.ledger.spend(Load.ALARM, Price(airtime=2.0), NOON, 950.0))
    assert carriers([full], alarm()) == set()
    assert carriers([full], alarm(since=4500.0), now=4600.0) == {"lora"}, "an hour later"


# What a way remembers


def test_a_send_takes_a_slot_and_money_and_a_refusal_gives_them_back():
    way = sbd(money=10.0)
    begun = way.begin(Load.EVENT, 40, NOON, 1000.0)
    assert (begun.busy, begun.ready) == (True, 1040.0)
    assert begun.ledger.money[Purse.EVENT] == 2.0, "40 bytes and 13 of frames are two credits"
    done = begun.end(Accepted(), 1010.0)
    assert not done.busy
    assert done.proof.waiting == (1050.0,)
    refused = begun.end(Declined("no-service", 30.0), 1010.0)
    assert (refused.ready, refused.ledger.money) == (1040.0, way.ledger.money)
    assert refused.proof.waiting == ()
    assert begun.end(Unknown("timeout"), 1010.0).proof.waiting == (1050.0,)


def test_a_bearer_that_only_refuses_goes_down():
    way, now = up(sbd()), 1000.0
    while way.proof.state is State.UP and now < 2000.0:
        way = way.begin(Load.EVENT, 40, NOON, now).end(Declined("no-service", 30.0), now + 1)
        now += 31.0
    assert way.proof.state is State.DOWN
    assert 120.0 < now - 1000.0 < 300.0


def test_the_answer_of_another_try_ends_the_refusals():
    way = replace(up(sbd()), refused=100.0).answered(1000.0)
    assert way.end(Declined("busy", 5.0), 1001.0).proof.misses == 0


def test_a_restart_forgets_no_spending_and_no_slot():
    way = up(sbd(money=100.0)).begin(Load.ALARM, 300, NOON, 1000.0).end(Accepted(), 1005.0).answered(1010.0)
    again = sbd(money=100.0).recall(way.save(1010.0), 5.0)
    assert again.ready == 35.0, "a new clock counts from somewhere else"
    assert again.ledger.left(NOON) == way.ledger.left(NOON)
    assert again.proof.state is State.UP
    assert again.proof.last == 5.0
    assert sbd().recall(way.save(1010.0), 5.0, elapsed=20.0).ready == 15.0


def test_slots_fill_up_again():
    ledger = Ledger(Limits(interval=60.0))
    for nth in range(5):
        ledger = ledger.spend(Load.EVENT, Price(), NOON, 60.0 * nth)
    assert ledger.slots_left(240.0) == pytest.approx(BURST - 5 + 4 * (1 - KEPT))
    assert ledger.slots_left(10_000.0) == BURST
    assert ledger.spend(Load.ALARM, Price(), NOON, 240.0).slots_left(240.0) == ledger.slots_left(240.0)
