"""Parity: any `total` of the pieces are the message, and the share that is sent carries it through the loss of the air."""

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import LocalError
from protocols.narrow import parity
from protocols.narrow.fragments import PARITY_SHARE
from protocols.narrow.parity import _inverse, _times
from tests.support.scale import count


def slow_times(a, b):
    """Schoolbook multiplication in GF(256) by 11D."""
    product = 0
    for bit in range(8):
        product ^= (a << bit) * (b >> bit & 1)
    for bit in range(14, 7, -1):
        product ^= (0x11D << bit - 8) * (product >> bit & 1)
    return product


def test_the_field_is_the_one_that_is_written_down():
    assert all(_times(a, b) == slow_times(a, b) for a in range(0, 256, 7) for b in range(256))
    assert all(slow_times(a, _inverse(a)) == 1 for a in range(1, 256))


def test_every_choice_of_small_messages_gives_it_back():
    pieces = [b"abc", b"def", b"\0\xff\1", b"xyz"]
    every = dict(enumerate(pieces)) | parity.make(pieces, 4)
    for chosen in combinations(every, 4):
        assert parity.restore({place: every[place] for place in chosen}, 4) == pieces


@settings(max_examples=40)
@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 40), st.randoms(use_true_random=False))
def test_any_choice_gives_it_back(total, extra, size, rng):
    pieces = [rng.randbytes(size) for _ in range(total)]
    every = dict(enumerate(pieces)) | parity.make(pieces, extra)
    chosen = rng.sample(sorted(every), total)
    assert parity.restore({place: every[place] for place in chosen}, total) == pieces


def test_fewer_are_not_enough_and_unequal_ones_are_no_pieces():
    pieces = [b"ab", b"cd", b"ef"]
    made = parity.make(pieces, 2)
    with pytest.raises(LocalError):
        parity.restore(made, 3)
    for wrong, extra in (([b"ab", b"c"], 1), (pieces, 65), ([b"a"] * 65, 1)):
        with pytest.raises(LocalError):
            parity.make(wrong, extra)


def test_the_usual_share_at_the_usual_loss():
    """14 pieces at 4.5 %: with a fifth more 99.3 in 100 arrive; once 52."""
    rng, runs, total = random.Random(5), count(100_000), 14
    sent = total + -int(-total * PARITY_SHARE // 1)

    def arrive(pieces):
        return sum(sum(rng.random() >= 0.045 for _ in range(pieces)) >= total for _ in range(runs)) / runs

    assert sent == 17
    assert arrive(sent) > 0.99
    assert 0.48 < arrive(total) < 0.57
