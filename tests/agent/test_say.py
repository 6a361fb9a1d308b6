"""The catalogues: one sentence a code, the same codes and the same facts in every language; compiled and in date."""

import re
import shutil
import string
import subprocess
from collections import Counter

import pytest

from agent import catalogue, po, say, why
from tests.support.sentences import areas, sentences


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setattr(say, "_chosen", "en")


def facts(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_codes_and_facts():
    english, chinese = sentences("en"), sentences("zh")
    assert english.keys() == chinese.keys()
    assert {code for code in english if facts(english[code]) != facts(chinese[code])} == set()


def test_chinese_sentences_are_chinese():
    latin = re.compile(r"(?:[A-Za-z]|^$)")  # one that has nothing but facts and marks says nothing in any language
    bare = {code: re.sub(r"\{\w+\}", "", text) for code, text in sentences("zh").items()}
    assert [code for code, text in bare.items() if latin.search(text) and not re.search("[一-鿿]", text)] == []


@pytest.mark.parametrize("language", catalogue.languages())
def test_a_code_stands_once_and_has_a_sentence(language):
    found = [entry for area, entries in areas(language).items() if area not in catalogue.BY_TEXT for entry in entries]
    assert [key for key, count in Counter(entry.key for entry in found).items() if count > 1] == []
    assert [entry.key for entry in found if not entry.text] == []


def test_what_is_compiled_is_what_the_translators_wrote():
    assert [f"{path}: run `make messages`" for path in po.stale()] == []
    compiled = [path for path in po.LOCALE.glob("*/*/*.mo") if not path.with_suffix(".po").exists()]
    assert compiled == []


@pytest.mark.skipif(shutil.which("msgunfmt") is None, reason="GNU gettext is not installed")
def test_gnu_gettext_reads_what_we_compile(tmp_path):
    for path in po.sources():
        theirs = tmp_path / "back.po"
        subprocess.run(["msgunfmt", path.with_suffix(".mo"), "-o", theirs], check=True)
        assert {(e.key, e.plural, *e.forms) for e in po.read(theirs)} == {
            (e.key, e.plural, *e.forms) for e in po.read(path)
        }


def test_a_line_that_is_not_po_is_named(tmp_path):
    broken = tmp_path / "broken.po"
    broken.write_text('msgid "a"\nmsgstr b\n', encoding="utf-8")
    with pytest.raises(po.Malformed, match="msgstr b"):
        po.read(broken)


def test_the_locale_decides_where_nobody_chose(monkeypatch):
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert say.choose() == "zh"
    assert say.choose("en") == "en"
    monkeypatch.setenv("LC_ALL", "C")
    assert say.choose() == "en"


@pytest.fixture
def added(monkeypatch, tmp_path):
    """The operator's folder of languages."""
    kept = (catalogue.languages, catalogue.chain, catalogue.texts, catalogue._read, why._patterns)
    monkeypatch.setattr(catalogue, "ADDED", tmp_path)
    monkeypatch.setattr(say, "_chosen", "en")
    for one in kept:
        one.cache_clear()
    yield tmp_path
    for one in kept:
        one.cache_clear()


GOOD = (catalogue.SHIPPED / "zh/LC_MESSAGES/station.mo").read_bytes()


@pytest.mark.parametrize(
    "data",
    [b"", b"junk" * 99, GOOD[:30], GOOD[: len(GOOD) // 2], GOOD[:8] + b"\xff" * 4 + GOOD[12:], GOOD.replace(b"UTF-8", b"UTF-x")],
    ids=["empty", "junk", "head", "half", "count", "charset"],
)  # fmt: skip
def test_a_broken_catalogue_silences_nobody(added, data):
    """Not the siren's event, and not the command that would say what is wrong."""
    folder = added / "zh/LC_MESSAGES"
    folder.mkdir(parents=True)
    for area in ("station", *catalogue.BY_TEXT):
        (folder / f"{area}.mo").write_bytes(data)
    assert say.say_in("zh", "config.unreadable", why="No such file or directory") != "config.unreadable"
    assert catalogue.folder_of("zh", catalogue.HELP) == catalogue.SHIPPED


def test_a_folder_that_we_may_not_see_is_none(added, monkeypatch):
    def barred(*_more, **_named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(catalogue, "translation", barred)
    assert catalogue.folder_of("zh", catalogue.HELP) is None


@pytest.mark.parametrize(
    "text", ["{x.__class__}", "{x[0]}", "{x!r}", "{x:>99999999999}", "{", "}", "{} {0}", "{x", "%(x)s"]
)
def test_a_translators_braces_are_only_names(text):
    assert catalogue.filled(text, {"x": "fact"}) == text


def test_braces_that_are_meant_are_written_twice():
    assert catalogue.filled("{{{x}}} {{ {x} }} {y}", {"x": "{x}"}) == "{{x}} { {x} } {y}"


def test_a_language_dropped_in_is_spoken_and_falls_back_to_english(added):
    area = added / "bo" / "LC_MESSAGES" / "station.po"
    area.parent.mkdir(parents=True)
    area.write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
        'msgid "read.no_sensors"\nmsgstr "{file} ལ་ཚོར་ཆས་མེད།"\n',
        encoding="utf-8",
    )
    area.with_suffix(".mo").write_bytes(po.compiled(po.read(area)))
    assert say.choose("bo_CN") == "bo"
    assert say.say("read.no_sensors", file="x") == "x ལ་ཚོར་ཆས་མེད།"
    assert say.say("run.state", folder="x", why="y") == say.say_in("en", "run.state", folder="x", why="y")


def test_a_missing_fact_and_an_unknown_code_are_shown_not_raised():
    assert "{why}" in say.say("config.unreadable")
    assert say.say("no.such.code", a=1) == "no.such.code: a=1"


def test_what_comes_from_outside_cannot_move_the_terminal():
    assert "\x1b" not in say.say("config.unreadable", why="\x1b[2J\nroot#")
    assert "\u202e" not in say.say("config.unreadable", why="\u202egnp")
