from hypothesis import given
from hypothesis import strategies as st

from agent.bearers.budget import HOUR, KEPT, SHARES, Ledger, Limits, Price, Purse, purse_of
from agent.bearers.lanes import Load

DAY = 86_400.0
CENT = Price(money=1.0)


def spend(ledger, load, times, day=20_000.5, now=0.0, price=CENT):
    for _ in range(times):
        if not ledger.affords(load, price, day, now):
            break
        ledger = ledger.spend(load, price, day, now)
    return ledger


def test_each_lane_has_a_purse():
    assert [purse_of(load) for load in Load] == [Purse.ALARM, Purse.EVENT, *[Purse.ROUTINE] * 5]


def test_events_and_routine_leave_a_fifth_to_alarms():
    ledger = spend(Ledger(Limits(money=100.0)), Load.EVENT, 1000, day=20_000.99)
    ledger = spend(ledger, Load.DIGEST, 1000, day=20_000.99)
    assert ledger.money == (0.0, 40.0, 40.0)
    assert spend(ledger, Load.ALARM, 1000, day=20_000.99).money == (20.0, 40.0, 40.0)
    assert sum(SHARES[1:]) == 1 - KEPT


def test_alarms_may_take_all():
    ledger = spend(Ledger(Limits(messages=50)), Load.ALARM, 1000)
    assert ledger.messages[Purse.ALARM] == 50
    assert not ledger.affords(Load.EVENT, CENT, 20_000.5, 0.0)
    assert ledger.left(20_000.5) == (float("inf"), 0)


def test_routine_is_spread_over_the_day():
    ledger = Ledger(Limits(messages=100))
    morning = spend(ledger, Load.DETAIL, 1000, day=20_000.0)
    assert morning.messages[Purse.ROUTINE] == 5
    assert spend(morning, Load.DETAIL, 1000, day=20_000.5).messages[Purse.ROUTINE] == 25
    assert spend(morning, Load.DETAIL, 1000, day=20_000.9).messages[Purse.ROUTINE] == 40


def test_a_new_day_and_a_clock_that_goes_back():
    full = spend(Ledger(Limits(money=10.0)), Load.ALARM, 1000, day=20_000.9)
    assert full.affords(Load.ALARM, CENT, 20_001.0, 0.0)
    later = spend(full, Load.ALARM, 1000, day=20_001.0)
    assert not later.affords(Load.ALARM, CENT, 20_000.5, 0.0)
    assert not later.affords(Load.ALARM, CENT, 20_001.9, 0.0)


LOADS = st.sampled_from(list(Load))
STEPS = st.lists(st.tuples(LOADS, st.floats(0.0, 900.0), st.floats(0.0, 3.0), st.floats(0.0, 2.0), st.integers(0, 5)))


@given(STEPS, st.floats(1.0, 50.0), st.integers(1, 30), st.floats(1.0, 36.0))
def test_no_limit_is_ever_exceeded(steps, money, messages, airtime):
    """By any day, and by any hour, as an inspector with a stopwatch would count them; refusals give back."""
    ledger, now = Ledger(Limits(money, messages, airtime)), 0.0
    sent = []
    for load, pause, cost, air, refused in steps:
        now += pause
        price, day = Price(cost, air), 20_000.9 + now / DAY
        if not ledger.affords(load, price, day, now):
            continue
        ledger = ledger.spend(load, price, day, now)
        if refused == 0:
            ledger = ledger.give_back(load, price, now)
        else:
            sent.append((int(day), now, price))
    for today in {day for day, _, _ in sent}:
        mine = [price for day, _, price in sent if day == today]
        assert sum(price.money for price in mine) <= money + 1e-6
        assert len(mine) <= messages
    for _, start, _ in sent:
        assert sum(price.airtime for _, at, price in sent if start <= at < start + HOUR) <= airtime + 1e-6


def test_airtime_is_counted_over_any_hour():
    ledger, sent = Ledger(Limits(airtime=10.0)), []
    for nth in range(2000):
        now = 97.0 * nth
        if ledger.affords(Load.ALARM, Price(airtime=0.9), 20_000.5, now):
            ledger = ledger.spend(Load.ALARM, Price(airtime=0.9), 20_000.5, now)
            sent.append(now)
    most = max(sum(start <= at < start + HOUR for at in sent) for start in sent)
    assert most == 11, "all that the law allows, and no more"
    assert len(sent) > 10 * 2000 * 97.0 / HOUR, "hour after hour"


@given(STEPS)
def test_a_restart_forgives_nothing(steps):
    limits, ledger, now = Limits(100.0, 100, 36.0, 60.0), Ledger(Limits(100.0, 100, 36.0, 60.0)), 0.0
    for load, pause, cost, air, _ in steps:
        now += pause
        ledger = ledger.spend(load, Price(cost, air), 20_000.5, now)
    again = Ledger(limits).recall(ledger.save(now), 7.0, 0.0)
    assert again.left(20_000.5) == ledger.left(20_000.5)
    assert again.slots_left(7.0) <= ledger.slots_left(now) + 1e-9
    for load in Load:
        price = Price(airtime=1.0)
        assert again.affords(load, price, 20_000.5, 7.0) <= ledger.affords(load, price, 20_000.5, now)
    assert len(again.air) <= 62
