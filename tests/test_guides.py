"""The guides, walked: what they show is what is printed, in both languages, and both say the same."""

import re
import shlex
import tomllib

import pytest

from agent import cli
from agent.cli import language
from tests.support import guides
from tests.support.desk import walk
from tests.support.tree import ROOT, files

PAGES = {str(page.relative_to(ROOT)): page for page in guides.guides()}
PAIRS = {str(english.relative_to(ROOT)): (english, chinese) for english, chinese in guides.pairs()}


@pytest.mark.broker
@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_guide_shows_what_is_printed(page):
    wrong = [
        f"$ {step.command}\n--- printed\n{printed}--- shown\n{step.shown}"
        for _start, step, printed in walk(page)
        if not guides.matches(step.shown, printed)
    ]
    assert wrong == []


SHELL = sorted(
    {
        line.partition(" #")[0].strip()
        for page in files(".md")
        for block in guides.blocks(page.read_text("utf-8"))
        if block.language == "sh"
        for line in block.text.splitlines()
        if re.match(r"(?:sudo )?(?:fengsui|fs) ", line)
    }
)


@pytest.mark.parametrize("command", SHELL)
def test_every_command_of_every_document_is_understood(command):
    words = shlex.split(command.partition(" | ")[0])
    given = language.first(words[2 if words[0] == "sudo" else 1 :])
    try:
        assert cli.parser(given).parse_args(given).verb in given
    except SystemExit as left:
        assert left.code == 0, command  # noqa: PT017  `--help` leaves as well


@pytest.mark.parametrize(("english", "chinese"), PAIRS.values(), ids=PAIRS)
def test_both_languages_say_the_same(english, chinese):
    """Headings, commands, settings; a setting may differ only where it is words for people."""
    texts = [page.read_text("utf-8") for page in (english, chinese)]
    heads = [[len(head) for head in guides.HEADING.findall(guides.FENCE.sub("", text))] for text in texts]
    assert heads[0] == heads[1]
    assert list(commands(texts[0])) == list(commands(texts[1]))
    ours, theirs = (list(settings(text)) for text in texts)
    assert len(ours) == len(theirs)
    assert [pair for pair in zip(ours, theirs, strict=True) if not alike(*pair)] == []


def commands(text):
    for block in guides.blocks(text):
        if block.language == "console":
            yield from (step.command for step in guides.steps(block.text))
        elif block.language == "sh":
            yield from (re.sub(r"\s*#.*", "", line) for line in block.text.splitlines() if line.strip())


def settings(text):
    for block in guides.blocks(text):
        if block.language == "toml":
            yield block.title, tomllib.loads(block.text)


def alike(one, other):
    if isinstance(one, dict) and isinstance(other, dict):
        return set(one) == set(other) and all(alike(one[key], other[key]) or key == "language" for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other or (isinstance(one, str) and bool(re.search(r"[一-鿿]", str(other))))


# What an operator or a technician reads; what is left is for those who build platforms, or this.
OPERATORS = [
    "README.md",
    *(f"docs/{name}.md" for name in ("bench", "site", "sensors", "sensors-line", "derived", "bearers")),
]
OPERATORS += [f"docs/{name}.md" for name in ("beidou", "iridium", "headend", "install", "bearers/sms", "bearers/lora")]
OPERATORS += ["docs/bearers/coap.md", "docs/operator/first-hour.md", "docs/operator/rules.md"]


@pytest.mark.parametrize("page", OPERATORS)
def test_what_operators_read_is_there_in_both_languages_and_each_names_the_other(page):
    english = ROOT / page
    chinese = english.with_name(english.name.replace(".md", ".zh.md"))
    assert f"({chinese.name})" in english.read_text("utf-8")
    assert f"({english.name})" in chinese.read_text("utf-8")
    assert len(re.findall(r"[一-鿿]", chinese.read_text("utf-8"))) > 200


def test_a_wrong_output_is_noticed():
    shown = "a is 3 m\n…\nat 10:20:30 …: done\n"
    assert guides.matches(shown, "a is 3 m\nb\nc\nat 11:22:33 key 7: done\n")
    assert guides.matches(shown, "a  is 3 m\nat 11:22:33 x: done\n")
    assert not guides.matches(shown, "a is 4 m\nat 11:22:33 x: done\n")
    assert not guides.matches(shown, "a is 3 m\nat 11:22:33 x: done\nand more\n")
    assert not guides.matches("", "something\n")
