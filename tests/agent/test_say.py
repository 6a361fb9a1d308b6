"""The catalogues: one sentence a code, the same codes and the same facts in both languages."""

import string

import pytest

from agent import say


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setattr(say, "_chosen", "en")


def facts(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_codes_and_facts():
    english, chinese = say.catalogue("en"), say.catalogue("zh")
    assert english.keys() == chinese.keys()
    assert {code for code in english if facts(english[code]) != facts(chinese[code])} == set()


def test_chinese_sentences_are_chinese():
    assert [code for code, text in say.catalogue("zh").items() if not any("一" <= c <= "鿿" for c in text)] == []


def test_the_locale_decides_where_nobody_chose(monkeypatch):
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert say.choose() == "zh"
    assert say.choose("en") == "en"
    monkeypatch.setenv("LC_ALL", "C")
    assert say.choose() == "en"


def test_a_missing_fact_and_an_unknown_code_are_shown_not_raised():
    assert "{why}" in say.say("config.unreadable")
    assert say.say("no.such.code", a=1) == "no.such.code: a=1"


def test_what_comes_from_outside_cannot_move_the_terminal():
    assert "\x1b" not in say.say("config.unreadable", why="\x1b[2J\nroot#")
    assert "\u202e" not in say.say("config.unreadable", why="\u202egnp")
