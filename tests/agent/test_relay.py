"""What is passed on to the next village: a table of cases, and six stations in a row in one simulated air."""

import random

import pytest

from agent.bearers.relay import (
    ENOUGH,
    HOPS,
    JITTER,
    MOST_HOPS,
    MOST_WAITING,
    REMEMBERED,
    Heard,
    Outlet,
    Relays,
    address,
    hops_of,
)
from drivers.api import Accepted, Declined, Unknown
from drivers.simulated.air import Air, Radio
from protocols.alert import Level, MsgType, Status, VerifiedAlert
from protocols.errors import LocalError, RemoteError
from protocols.seal import verify
from tests.support import seals

RING = seals.keyring()
LATE = 1000.0  # after every jitter


def half():
    """Chance that is none: half of the jitter."""
    return 0.5


def heard(signers="county", bearer="mqtt", hops=0, left=3600.0, **changed):
    data = seals.sealed(signers, **changed)
    return Heard(data, verify(data, RING, seals.clock()), bearer, hops, left)


def relays(*bearers, hour=36.0, airtime=0.5, **keys):
    return Relays([Outlet(name, hour, lambda _length: airtime) for name in bearers or ("lora",)], **keys)


def sent(one, now=LATE, outcome=None):
    """Everything that goes out by then."""
    found = []
    while forwards := one.due(now):
        for forward in forwards:
            one.settle(forward, outcome or Accepted(), now)
            found.append(forward)
    return found


@pytest.mark.parametrize(
    ("what", "passed_on"),
    [
        ({}, True),
        ({"hops": HOPS - 1}, True),
        ({"hops": HOPS}, False),
        ({"left": 0}, False),
        ({"bearer": "lora"}, True),
        ({"status": Status.EXERCISE}, True),
        ({"status": Status.TEST}, False),
        ({"msg_type": MsgType.CANCEL}, True),
    ],
)
def test_what_is_passed_on(what, passed_on):
    one = relays()
    assert one.hear(heard(**what), 0.0, half) is passed_on
    forwards = sent(one)
    assert bool(forwards) is passed_on
    if passed_on:
        assert forwards[0].sealed == heard(**what).sealed
        assert forwards[0].hops == what.get("hops", 0) + 1


def test_a_copy_is_passed_on_once_by_each_bearer():
    one = relays("lora", "kiss")
    assert one.hear(heard(), 0.0, half)
    assert not one.hear(heard(bearer="lora", hops=1), 1.0, half)
    assert sorted(forward.bearer for forward in sent(one)) == ["kiss", "lora"]
    assert not one.hear(heard(bearer="lora", hops=2), LATE, half)
    assert sent(one, LATE + 100) == []


def test_it_waits_a_random_while():
    low, high = JITTER
    for share in (0.0, 0.5, 1.0):
        one = relays()
        one.hear(heard(), 10.0, lambda share=share: share)
        at = 10.0 + low + share * (high - low)
        assert one.deadline == pytest.approx(at)
        assert one.due(at - 0.01) == []
        assert len(one.due(at + 0.01)) == 1
        assert one.deadline is None


def test_a_second_signers_copy_is_passed_on_too():
    one = relays()
    one.hear(heard("county"), 0.0, half)
    assert len(sent(one)) == 1
    assert one.hear(heard("bureau"), LATE, half)
    assert sent(one, 2 * LATE)[0].sealed == seals.sealed("bureau")
    assert not one.hear(heard("county bureau"), 2 * LATE, half)


def test_a_better_signed_copy_takes_the_place_of_the_one_that_waits():
    one = relays()
    one.hear(heard("county"), 0.0, half)
    one.hear(heard("county bureau"), 1.0, half)
    assert [forward.sealed for forward in sent(one)] == [seals.sealed("county bureau")]


def test_a_better_signed_copy_that_comes_while_the_first_is_being_sent():
    one = relays()
    one.hear(heard("county"), 0.0, half)
    (first,) = one.due(LATE)
    one.hear(heard("county bureau"), LATE, half)
    assert one.due(LATE + 1) == []
    one.settle(first, Accepted(), LATE + 1)
    assert [forward.sealed for forward in sent(one, LATE + 10)] == [seals.sealed("county bureau")]


def test_enough_copies_of_neighbours_make_ones_own_needless():
    one = relays()
    one.hear(heard(), 0.0, half)
    for number in range(ENOUGH):
        assert one.deadline is not None
        one.hear(heard(bearer="lora", hops=1 + number), 0.1, half)
    assert sent(one) == []
    other = relays()
    other.hear(heard(hops=2), 0.0, half)
    for _ in range(ENOUGH):  # of those nearer to the source: they reach other ears than we
        other.hear(heard(bearer="lora", hops=1), 0.1, half)
    assert len(sent(other)) == 1


@pytest.mark.parametrize(
    ("outcome", "times"),
    [(Accepted(), 1), (Unknown("port"), 1), (Declined("size", None), 1), (Declined("airtime", 60.0), 5)],
)
def test_what_became_of_it(outcome, times):
    one, tries = relays(), 0
    one.hear(heard(left=300.0), 0.0, half)
    for second in range(20, 1000):
        tries += len(sent(one, float(second), outcome))
    assert tries == times


def test_the_most_urgent_goes_first_and_one_at_a_time():
    one = relays()
    for number, level in enumerate([Level.BLUE, Level.RED, Level.ORANGE]):
        one.hear(heard("bureau", seq=seals.T0 + number, level=level), 0.0, half)
    one.hear(heard("bureau", seq=seals.T0 + 9, status=Status.EXERCISE), 0.0, half)
    (first,) = one.due(LATE)
    assert one.due(LATE) == []
    one.settle(first, Accepted(), LATE)
    order = [first, *sent(one)]
    alerts = [verify(forward.sealed, RING, seals.clock()).alert for forward in order]
    assert [(alert.status, alert.level) for alert in alerts] == [(0, 1), (0, 2), (0, 4), (1, 1)]


def test_never_more_airtime_than_it_may():
    one, log = relays(hour=2.0, airtime=0.5), []
    for number in range(20):
        one.hear(heard(seq=seals.T0 + number, left=20_000), 0.0, half)
    for second in range(0, 15_000, 10):
        log += [float(second)] * len(sent(one, float(second)))
    assert len(log) > 12
    assert max(sum(begin <= at < begin + 3600 for at in log) for begin in log) == 4


def test_what_never_fits_is_dropped():
    one = relays(hour=0.4, airtime=0.5)
    one.hear(heard(), 0.0, half)
    assert sent(one) == []
    assert sent(one, 2 * LATE) == []
    assert one.deadline is None


def test_what_has_expired_while_waiting_is_not_sent():
    one = relays()
    one.hear(heard(left=3.0), 0.0, half)
    assert sent(one) == []


def test_memory_is_bounded():
    one = relays()
    sample = heard()
    for number in range(REMEMBERED + 100):
        alert = VerifiedAlertDouble(sample.alert, number.to_bytes(32, "big"))
        one.hear(sample._replace(alert=alert), 0.0, half)
    assert len(one._seen) == REMEMBERED
    assert len(one._waiting) == MOST_WAITING


class VerifiedAlertDouble:
    """As many warnings as one likes, without as many signatures."""

    def __init__(self, alert: VerifiedAlert, identity: bytes):
        self.alert, self.holders, self.identity = alert.alert, alert.holders, identity


@pytest.mark.parametrize("hops", [0, 1, MOST_HOPS])
def test_hops_travel_in_the_address(hops):
    said = address("village-1", hops)
    assert len(said) == 3
    assert hops_of(said) == hops
    assert said[1:] == address("village-1", 0)[1:] != address("village-2", 0)[1:]
    assert hops_of(b"") == 0


def test_hops_that_cannot_be():
    with pytest.raises(LocalError):
        address("x", MOST_HOPS + 1)
    for wrong in (b"\x10ab", b"ab", b"abcd"):
        with pytest.raises(RemoteError):
            hops_of(wrong)


# Six stations in a row


class Station:
    def __init__(self, air, name, chance, **keys):
        self.air, self.chance = air, chance
        self.radio = air.join(Radio(name))
        self.relays = relays(airtime=AIRTIME, **keys)
        self.got, self.sent = [], 0

    def hear(self, data, bearer, hops, now):
        alert = verify(data, RING, seals.clock())
        if isinstance(alert, VerifiedAlert):
            self.got.append(alert.identity)
            self.relays.hear(Heard(data, alert, bearer, hops, 3600.0), now, self.chance.random)

    def step(self, now):
        for packet, _ in self.air.collect(self.radio, now):
            self.hear(packet[3:], "lora", hops_of(packet[:3]), now)
        if self.radio.sending_until > now or self.air.busy(self.radio, now):  # it listens before it talks
            return
        for forward in self.relays.due(now):
            self.sent += 1
            self.air.transmit(self.radio, address(self.radio.name, forward.hops) + forward.sealed, AIRTIME, now)
            self.relays.settle(forward, Accepted(), now)


AIRTIME, STEP = 0.4, 0.1


def chain(seed, *, loss=0.0, reach=1, hops=HOPS, data=None, first=0, count=6):
    chance = random.Random(seed)
    air = Air(chance, loss=loss, heard=lambda one, other: abs(int(one) - int(other)) <= reach)
    stations = [Station(air, str(number), chance, hops=hops) for number in range(count)]
    stations[first].hear(data or seals.sealed(), "mqtt", 0, 0.0)
    for tenth in range(1200):
        for station in stations:
            station.step(tenth * STEP)
    return stations, air


@pytest.mark.parametrize("seed", range(20))
def test_the_last_village_of_the_valley_hears_it(seed):
    stations, _ = chain(seed, hops=5)
    assert all(station.got for station in stations)
    assert [station.sent for station in stations] == [1, 1, 1, 1, 1, 0]  # nobody lies beyond the fifth hop


def test_hops_are_limited():
    stations, _ = chain(1, hops=2)
    assert [bool(station.got) for station in stations] == [True, True, True, False, False, False]


@pytest.mark.parametrize("seed", range(20))
def test_from_the_middle_and_all_in_reach_nobody_speaks_twice(seed):
    for reach in (1, 2, 5):
        stations, air = chain(seed, reach=reach, first=3)
        assert max(station.sent for station in stations) <= 1
        assert air.counts["sent"] <= 6


def test_where_all_hear_all_most_find_theirs_needless():
    sent_by = [chain(seed, reach=20, count=20)[1].counts["sent"] for seed in range(10)]
    assert sum(sent_by) <= 10 * 20 * 0.6


def test_where_each_is_heard_by_two_loss_seldom_cuts_the_valley():
    reached = sum(bool(chain(seed, loss=0.2, reach=2, hops=5)[0][5].got) for seed in range(20))
    assert reached >= 15
    assert sum(bool(chain(seed, loss=0.045, reach=2, hops=5)[0][5].got) for seed in range(20)) >= 18


@pytest.mark.parametrize("forged", [b"", b"\0" * 100, seals.sealed("far")[:-1] + b"\0"])
def test_what_is_not_verified_goes_nowhere(forged):
    stations, air = chain(1, data=forged or b"x")
    assert not any(station.got or station.sent for station in stations)
    assert air.counts["sent"] == 0
