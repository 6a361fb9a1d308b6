"""Numbers, data as letters, parts that arrive, the ladder: small things that decide much."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import gsm7, sms_letters
from protocols.modem_ladder import Ladder, Rung
from protocols.sms_content import Content, contents
from protocols.sms_join import MOST_OPEN, MOST_PARTS, PATIENCE, Joiner
from protocols.sms_numbers import Numbers, international, is_number


@pytest.mark.parametrize(
    ("written", "whole"),
    [
        ("+8613912345678", "8613912345678"),
        ("13912345678", "8613912345678"),
        ("008613912345678", "8613912345678"),
        ("8613912345678", "8613912345678"),
        ("053188881234", "8653188881234"),
        ("10086", "10086"),
        ("1069012345678901", "861069012345678901"),
        ("Weather", "Weather"),
    ],
)
def test_numbers_as_they_arrive(written, whole):
    assert international(written) == whole


def test_an_ending_that_fits_is_another_number():
    """A service can be given 106 and anybody's number."""
    people = Numbers(["+8613912345678", "10086"])
    assert people.find("13912345678") == "+8613912345678"
    assert people.find("10613912345678") is None
    assert people.find("+113912345678") is None
    assert people.find("39123456789") is None
    assert people.find("+8610086") is None
    assert people.find("10086") == "10086"
    assert people.find("") is None


@pytest.mark.parametrize(
    ("text", "good"), [("+8613912345678", True), ("10086", True), ("12", False), ("+", False), ("1x3", False)]
)
def test_numbers_to_send_to(text, good):
    assert is_number(text) is good


@given(st.binary(max_size=sms_letters.MOST))
def test_data_as_letters_fit_one_message_and_come_back(data):
    text = sms_letters.wrap(data)
    assert len(gsm7.encode(text)) <= 160
    assert len(contents(text)) == 1
    if data:
        assert sms_letters.unwrap(text) == data
        assert sms_letters.unwrap(text.replace("_", "§").replace("-", " ")) == data
        assert sms_letters.unwrap(text.replace("_", "/").replace("-", "+")) == data


@pytest.mark.parametrize("text", ["", "收到", "=", "=A", "=收到", "= a!", "OK", "=AAAAA"])
def test_texts_of_people_are_no_data(text):
    assert sms_letters.unwrap(text) is None


@given(st.text(max_size=60))
def test_any_text_is_letters_or_not_and_any_number_has_a_form(text):
    assert sms_letters.unwrap(text) is None or text.startswith(sms_letters.SIGN)
    assert Numbers([text]).find(text) in (text, None)
    is_number(text)


def test_parts_in_any_order_and_twice():
    parts = contents("山洪" * 100, 7)
    joiner = Joiner()
    found = [joiner.add("a", part, 0.0) for part in (parts[2], parts[0], parts[0], parts[1])]
    assert found[:-1] == [None] * 3
    assert found[-1].text == "山洪" * 100
    assert joiner.add("a", Content(0, b"x"), 0.0) == Content(0, b"x")


def test_parts_of_two_senders_do_not_mix():
    first, second = contents("a" * 200, 7)
    joiner = Joiner()
    assert joiner.add("a", first, 0.0) is None
    assert joiner.add("b", second, 0.0) is None
    assert joiner.add("a", second, 0.0).text == "a" * 200


def test_a_flood_of_parts_is_bounded():
    joiner = Joiner()
    part = contents("a" * 200, 0)[0]
    for sender in range(10_000):
        joiner.add(str(sender), part, 0.0)
    assert len(joiner._open) == MOST_OPEN
    assert joiner.dropped == 10_000 - MOST_OPEN
    joiner.add("late", part, PATIENCE)
    assert len(joiner._open) == 1
    long = contents("雨" * 67 * (MOST_PARTS + 1))
    assert all(joiner.add("x", part, 0.0) is None for part in long)
    assert len(joiner._open) == 1


# The ladder


def climbed(ladder, until, *, step=10.0, **how):
    return [(at * step, rung) for at in range(int(until / step)) if (rung := ladder.climb(at * step, **how))]


def test_ever_harder_never_in_haste():
    ladder = Ladder()
    ladder.lost(0.0)
    rungs = climbed(ladder, 4 * 3600)
    assert rungs[:3] == [(120.0, Rung.RADIO), (720.0, Rung.RESTART), (1320.0, Rung.RESTART)]
    assert rungs[3] == (1920.0, Rung.POWER)
    gaps = [after - before for (before, _), (after, _) in pairwise(rungs)]
    assert min(gaps) >= 600
    assert all(gap >= 3600 for (at, _), gap in zip(rungs, gaps, strict=False) if at >= 3600)
    assert len(rungs) < 12


def test_a_network_that_comes_back_and_goes_again():
    ladder = Ladder()
    ladder.lost(0.0)
    assert ladder.climb(120.0) is Rung.RADIO
    ladder.found()
    assert ladder.climb(10_000.0) is None
    ladder.lost(10_000.0)
    assert ladder.climb(10_120.0) is Rung.RADIO


def test_a_refused_sim_is_not_reset_in_haste():
    ladder = Ladder()
    ladder.lost(0.0)
    rungs = climbed(ladder, 3 * 3600, denied=True)
    assert [rung for _, rung in rungs if rung is Rung.RADIO] == []
    assert len(rungs) <= 3


def test_silence_has_one_cure():
    ladder = Ladder()
    ladder.deaf(0.0)
    assert climbed(ladder, 600) == [(120.0, Rung.POWER)]
    ladder.heard()
    assert ladder.climb(5000.0) is None
