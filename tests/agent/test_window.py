"""The window on simulated links: time is a number, so that minutes of a slow link take milliseconds."""

import heapq
import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.links.window import FLOOR, Mark, Window

SEGMENT = 1448  # bytes of a full TCP segment over Ethernet


@dataclass
class Link:
    """A bottleneck of `rate` bytes per second with an endless queue, `delay` seconds of round trip, and loss as TCP shows it:
    what was sent behind a lost segment waits for its retransmission.
    """

    rate: float
    delay: float
    loss: float = 0.0
    seed: int = 1

    def __post_init__(self):
        self.free = self.ready = 0.0
        self.random = random.Random(self.seed)

    def carry(self, size, now):
        """When the acknowledgement of a message sent now is back, and how long it waited for others."""
        start = max(now, self.free)
        self.free = start + size / self.rate
        lost = self.loss and self.random.random() < 1 - (1 - self.loss) ** (size / SEGMENT)
        self.ready = max(self.ready, self.free + self.delay + (self.delay if lost else 0.0))
        return self.ready, start - now


@dataclass
class Outcome:
    used: float  # share of the link's rate
    waits: list  # seconds that something sent at once would have waited in the queue
    window: Window


def drain(link, seconds, window=None, warm=0.0, change=None):
    """Send without end for so long; statistics from `warm` on."""
    window = window or Window()
    now, moved, waits, acks = 0.0, 0, [], []
    while now < seconds:
        while window.room() >= window.message_size() or window.count == 0:
            size = window.message_size()
            back, _ = link.carry(size, now)
            heapq.heappush(acks, (back, len(acks), window.sent(size, now)))
        now, _, mark = heapq.heappop(acks)
        if change and now > change[0]:
            link.rate, change = change[1], None
        window.acked(mark, now)
        if now >= warm:
            moved += mark.size
            waits.append(max(0.0, link.free - now))
    return Outcome(moved / (link.rate * (seconds - warm)), waits, window)


def p99(values):
    return sorted(values)[int(len(values) * 0.99)]


@pytest.mark.parametrize(
    ("rate", "delay", "used", "wait"),
    [
        # bytes/s, round trip, share of the link to use at least, seconds an alarm may wait behind us
        (125_000, 0.02, 0.8, 0.12),  # 1 Mbit/s
        (125_000, 0.10, 0.8, 0.12),
        (125_000, 0.60, 0.8, 0.25),  # and by satellite
        (1_250_000, 0.05, 0.9, 0.05),
        (6_250_000, 0.60, 0.8, 0.25),  # 50 Mbit/s by satellite: a long fat link
        (1_200, 0.80, 0.8, 13.0),  # 9600 baud: the floor is all there is
    ],
)
def test_fills_the_link_and_leaves_room_for_an_alarm(rate, delay, used, wait):
    outcome = drain(Link(rate, delay), 120.0, warm=30.0)
    assert outcome.used >= used
    assert p99(outcome.waits) <= wait


@pytest.mark.parametrize("delay", [0.1, 0.6])
def test_loss_does_not_close_the_window(delay):
    """2 % each way is a lost segment in 25 to us."""
    outcome = drain(Link(1_250_000, delay, loss=0.04), 60.0, warm=10.0)
    assert outcome.used * 1_250_000 >= 60_000


def test_finds_a_link_that_got_faster():
    outcome = drain(Link(125_000, 0.1), 60.0, change=(20.0, 2_500_000.0), warm=30.0)
    assert outcome.used >= 0.8


def test_gives_way_on_a_link_that_got_slower():
    outcome = drain(Link(2_500_000, 0.1), 60.0, change=(20.0, 125_000.0), warm=30.0)
    assert outcome.used >= 0.8
    assert p99(outcome.waits) <= 0.3


def test_measures_the_round_trip_anew_and_is_not_fooled_by_its_own_queue():
    link = Link(125_000, 0.05)
    outcome = drain(link, 300.0)
    assert outcome.window.round_trip < 0.12
    assert outcome.window.size < 2 * FLOOR


def test_a_trickle_of_live_data_says_nothing_about_the_link():
    link, window, now = Link(1_250_000, 0.1), Window(), 0.0
    drain(link, 20.0, window)
    learnt = window.size
    while window.count:  # what was under way comes in
        window.acked(window.sent(0, 20.0)._replace(size=window.in_flight), 20.0)
        window.count = 0
    now = 21.0
    for _ in range(100):
        window.idle()
        mark = window.sent(2_000, now)
        window.acked(mark, now + 0.1)
        now += 10.0
    assert window.size >= learnt / 2


def test_the_first_message_fits_however_large():
    window = Window(floor=12_000)
    window.sent(500_000, 0.0)
    assert window.room() == 0
    assert window.count == 1


def test_messages_are_limited_too():
    window = Window(messages=3)
    for _ in range(3):
        window.sent(10, 0.0)
    assert window.room() == 0


@given(
    st.lists(st.tuples(st.integers(1, 100_000), st.floats(0, 5), st.booleans()), max_size=200),
)
def test_never_leaves_its_bounds(steps):
    window, now, out = Window(ceiling=1 << 20), 0.0, []
    for size, wait, acked in steps:
        now += wait
        if acked and out:
            window.acked(out.pop(0), now)
        else:
            mark = window.sent(size, now)
            assert isinstance(mark, Mark)
            out.append(mark)
        assert FLOOR <= window.size <= 1 << 20
        assert window.in_flight == sum(mark.size for mark in out)
        assert window.room() >= 0
        assert 0 < window.message_size() <= window.largest
