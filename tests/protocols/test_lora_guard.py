import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.lora_guard import DIPOLE, Breach, Guard, Power, Region, breaches, erp, erp_limit

CHINA = Region("cn470", (470.0, 510.0), 1.0, 36.0, (Power(200, 50, 200), Power(500, 10, 100)), True, "")


@pytest.mark.parametrize(("bandwidth", "milliwatts"), [(62.5, 50), (125, 50), (200, 50), (250, 25), (500, 50)])
def test_power_by_bandwidth(bandwidth, milliwatts):
    assert 10 ** (erp_limit(CHINA, bandwidth) / 10) == pytest.approx(milliwatts)


def test_no_signal_wider_than_the_rule_knows():
    assert erp_limit(CHINA, 501) == float("-inf")


@pytest.mark.parametrize(
    ("megahertz", "bandwidth", "conducted", "listens", "rules"),
    [
        (470.3, 125, 17, True, []),
        (470.0, 125, 17, True, ["band"]),  # half of the signal lies outside
        (509.95, 125, 17, True, ["band"]),
        (433.9, 125, 17, True, ["band"]),
        (470.3, 125, 22, True, ["power"]),
        (470.3, 250, 17, True, ["power"]),
        (470.3, 250, 13, True, []),
        (470.3, 125, 17, False, ["listen"]),
        (433.9, 600, 22, False, ["band", "power", "listen"]),
    ],
)
def test_what_a_region_does_not_allow(megahertz, bandwidth, conducted, listens, rules):
    found = breaches(CHINA, megahertz, bandwidth, erp(conducted, DIPOLE), listens=listens)
    assert [one.rule for one in found] == rules
    assert all(isinstance(one, Breach) for one in found)


def test_a_transmission_too_long_may_never_begin():
    guard = Guard(1.0, 36.0)
    assert guard.wait(0, 1000.0) == 0
    assert guard.wait(0, 1000.1) is None
    assert Guard(10.0, 0.5).wait(0, 600) is None


def test_an_hour_used_up_comes_back():
    guard = Guard(1.0, 3.0)
    for second in (0, 100, 200):
        assert guard.wait(second, 1000) == 0
        guard.spend(second, 1000)
    wait = guard.wait(300, 1000)
    assert 3300 <= wait <= 3361
    assert guard.left(300) == 0
    assert guard.wait(300 + wait, 1000) == 0
    assert guard.wait(300, 0.0) == 0


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0.1, 1500)), max_size=200))
def test_no_hour_ever_holds_more_than_it_may(asked):
    guard, now, sent = Guard(1.0, 5.0), 0.0, []
    for pause, airtime in asked:
        now += pause
        wait = guard.wait(now, airtime)
        if wait is None:
            assert airtime > 1000
        elif wait == 0:
            guard.spend(now, airtime)
            sent.append((now, airtime))
        else:
            assert copy.deepcopy(guard).wait(now + wait, airtime) == 0
    for begin, _ in sent:
        assert sum(ms for at, ms in sent if begin <= at < begin + 3600) <= 5000.001


@given(st.lists(st.floats(0, 30), min_size=300, max_size=300))
def test_what_is_remembered_is_bounded(pauses):
    guard, now = Guard(1.0, 3600.0), 0.0
    for pause in pauses:
        now += pause
        guard.spend(now, 1)
    assert len(guard._spent) <= 62
