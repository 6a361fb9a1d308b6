import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.bearers.sms_ack import WORDS, acknowledges, is_word
from agent.spot.contacts import Person

WANG, LI, NOBODY = Person("王站长", "+8613900000001"), Person("Li", "13900000002"), Person("in the office")
PEOPLE = [NOBODY, WANG, LI]


@pytest.mark.parametrize(
    ("sender", "text", "person"),
    [
        ("+8613900000001", "收到", WANG),
        ("13900000001", "收到。", WANG),
        ("008613900000001", "１", WANG),
        ("+8613900000002", "ok", LI),
        ("8613900000002", " OK! ", LI),
        ("+8613900000002", "收到，谢谢！", LI),
        ("+8613900000003", "收到", None),
        ("10613900000001", "收到", None),
        ("", "收到", None),
        ("+8613900000001", "没收到", None),
        ("+8613900000001", "not ok", None),
        ("+8613900000001", "收到吗？", None),
        ("+8613900000001", "", None),
        ("+8613900000001", "1" * 41, None),
        ("+8613900000001", "12", None),
    ],
)
def test_who_acknowledges_with_what(sender, text, person):
    assert acknowledges(sender, text, PEOPLE) is person


@pytest.mark.parametrize("word", sorted(WORDS))
def test_every_word_counts_however_it_is_written(word):
    assert is_word(word)
    assert is_word(f" {word.upper()}. ")
    assert not is_word(f"{word} {word}")


@given(st.text(max_size=80))
def test_any_text_is_judged(text):
    assert isinstance(is_word(text), bool)
