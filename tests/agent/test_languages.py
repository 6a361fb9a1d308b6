"""Everything an operator reads, in both languages: a text that was not translated fails here, wherever it stands."""

import ast
import io
import json
import os
import pty
import re
import subprocess
import sys

import pytest

from agent import catalogue, say
from agent.cli import language, main
from agent.cli.parse import Parser, columns, wrapped
from agent.cli.status import print_status
from agent.why import told
from tests.support.literals import PROTOCOL_ERRORS, WORDS, alternatives, calls, reasons, said_words, template, texts_of
from tests.support.parsers import all_texts, parsers
from tests.support.sentences import areas, sentences
from tests.support.tree import LAYERS, ROOT, modules, parsed

HAN = re.compile("[一-鿿]")
HELP = {entry.key: entry.text for entry in areas("zh")[catalogue.HELP]}
PHRASES = {entry.key: entry.text for entry in areas("zh")[catalogue.PHRASES]}


@pytest.fixture(autouse=True)
def before(monkeypatch):
    monkeypatch.setattr(say, "_chosen", "en")
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "TERM", "LANGUAGE"):
        monkeypatch.delenv(name, raising=False)


def untranslated(texts, catalogue):
    return sorted(f"{where}: {text}" for text, where in texts.items() if not catalogue.get(text))


# Help


def test_every_text_of_every_parser_has_its_chinese():
    assert untranslated(all_texts(), HELP) == []


def test_nothing_is_translated_that_nobody_shows():
    import argparse
    import inspect

    theirs = inspect.getsource(argparse)
    ours = {
        node.value
        for path in modules("agent")
        if "cli" in path.parts
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    shown = all_texts().keys() | ours
    assert [key for key in HELP if key not in shown and repr(key)[1:-1] not in theirs] == []


def test_an_untranslated_text_is_found():
    parser = Parser(prog="fengsui new", description="Do what nobody has translated.")
    parser.add_argument("--brand-new", help="an option of tomorrow")
    from tests.support.parsers import texts

    found = {text: "new" for text in texts("new", parser) if text}
    assert untranslated(found, HELP) == [
        "new: BRAND_NEW",
        "new: Do what nobody has translated.",
        "new: an option of tomorrow",
    ]


# What stays in Latin letters: options, addresses, keys of a configuration, abbreviations, and these names.
NAMES = "Modbus|Ed25519|Debian|Python|Ctrl|LoRa|CoAP|SQLite|holder|issuers|public|may|areas|level|days|number|key"
NAMED = re.compile(rf"`[^`]*`|\S*[/=_\[\]{{}}\d]\S*|--?[a-z][\w-]*|fengsui(?: [a-z]+)*|[A-Z]{{2,}}\S*|\b(?:{NAMES})\b")


@pytest.mark.parametrize("path", [path for path, _ in parsers()])
def test_chinese_help_has_no_run_of_english(path, capsys):
    with pytest.raises(SystemExit) as left:
        main([*path.split(), "--lang", "zh", "--help"])
    assert left.value.code == 0
    text, _, _ = capsys.readouterr().out.partition("\n示例：")
    assert HAN.search(text)
    rest = NAMED.sub(" # ", text)
    assert re.findall(r"[A-Za-z]{3,} [A-Za-z]{2,} [A-Za-z]{2,}", rest) == []
    assert max(columns(line) for line in text.splitlines() if "{" not in line) <= 80


def test_argparse_itself_speaks_chinese(capsys):
    with pytest.raises(SystemExit) as left:
        main(["warn", "key", "--lang", "zh"])
    assert left.value.code == 2
    assert "错误：缺少以下参数" in capsys.readouterr().err
    assert "LANGUAGE" not in os.environ


def test_a_line_counts_columns_and_never_begins_with_a_closing_mark():
    lines = wrapped("读取 Modbus 寄存器，然后显示。" * 6, 21)
    assert all(columns(line) <= 22 for line in lines)  # a closing mark may stand one character out
    assert not any(line[0] in "，。" for line in lines)
    assert "".join("".join(lines).split()) == "".join(("读取 Modbus 寄存器，然后显示。" * 6).split())


# Causes


@pytest.mark.parametrize("tongue", ["en", "zh"])
def test_every_reason_in_the_source_has_a_sentence(tongue):
    known = sentences(tongue)
    found = {code: where for layer in LAYERS for code, where in reasons(layer)}
    assert sorted(f"{where}: {code}" for code, where in found.items() if f"reason.{code}" not in known) == []
    assert len(found) > 300


def test_every_text_that_is_raised_has_its_chinese():
    found = {text: where for layer in LAYERS for text, where in said_words(layer)}
    assert untranslated(found, PHRASES) == []
    assert len(found) > 200


def test_a_raised_text_and_a_new_reason_are_found():
    tree = ast.parse('raise LocalError("new-reason", f"{size} apples are too many") from None')
    (call,) = calls(tree)
    assert template(call.args[1]) == "{1} apples are too many"
    assert [text for text in texts_of(call) if text not in PHRASES] == ["{1} apples are too many"]
    assert call.func.id in PROTOCOL_ERRORS
    assert f"reason.{call.args[0].value}" not in sentences("en")
    assert [template(one) for one in alternatives(ast.parse('"a b" if x else f"c {d}"', mode="eval").body)] == [
        "a b",
        "c {1}",
    ]


# Of others' errors: numbers that help nobody, and types whose name says it already.
THEIRS = ("[Errno", "Expect", "Extra", "'{1}' codec", "invalid literal")


def test_a_phrase_keeps_its_facts():
    places = {key: (set(re.findall(r"\{\d\}", key)), set(re.findall(r"\{\d\}", text))) for key, text in PHRASES.items()}
    assert [key for key, (before, after) in places.items() if not after <= before] == []
    dropped = [key for key, (before, after) in places.items() if after != before]
    assert [key for key in dropped if not key.startswith(THEIRS)] == []


def test_a_cause_is_told_in_the_language_with_its_code():
    assert told("crc at byte 5: got 01, computed 02", "zh") == "校验和（CRC）不符（第 5 字节）：收到 01，算得 02 [crc]"
    assert told("crc", "en") == "the checksum (CRC) is wrong [crc]"
    assert told("a.toml: key-mode", "zh") == "a.toml: 密钥文件可被他人读取 [key-mode]"
    assert told(FileNotFoundError(2, "No such file or directory", "x"), "zh") == "没有该文件或目录：'x'"
    assert told("what nobody knows", "zh") == "what nobody knows"


def literals_printed(tree):
    """Sentences given to print or input, or to a stream, without the catalogue."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in PRINTS:
            for argument in node.args:
                text = template(argument)
                if text and WORDS.search(text):
                    yield text


PRINTS = {"print", "input", "write", "exit", "SystemExit", "add_row", "add_column", "tell"}


def test_no_sentence_is_printed_but_from_the_catalogue():
    found = [
        f"{path.relative_to(ROOT)}: {text}" for path in modules("agent") for text in literals_printed(parsed(path))
    ]
    assert found == []
    assert list(literals_printed(ast.parse('print(f"the {n} readings are lost")'))) == ["the {1} readings are lost"]


def test_every_code_that_is_said_has_a_sentence():
    known = sentences("en")
    found = []
    for path in modules("agent"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"say", "complain"} and node.args:
                codes = [one.value for one in alternatives(node.args[0]) if isinstance(one, ast.Constant)]
                found += [f"{path.relative_to(ROOT)}:{node.lineno}: {code}" for code in codes if code not in known]
    assert found == []


# Listings


def test_names_in_listings_are_chinese_and_json_is_not(capsys):
    assert main(["plan", "show", "11B03", "red", "--lang", "zh"]) == 0
    names = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert names
    assert all(HAN.search(name) for name in names)
    assert main(["plan", "show", "11B03", "red", "--json", "--lang", "zh"]) == 0
    assert all(name.isascii() for name in json.loads(capsys.readouterr().out))


def test_a_status_in_chinese_keeps_the_names_that_a_station_gave(capsys, monkeypatch):
    monkeypatch.setattr(say, "_chosen", "zh")
    print_status({"clock": {"trusted": True}, "sensors": {"river-1": {"state": "down", "counters": {"crc": 2}}}})
    assert capsys.readouterr().out.split() == [
        "时钟:", "可信:", "是", "传感器:", "river-1:", "状态:", "中断", "计数:", "crc:", "2",
    ]  # fmt: skip


# Which language


def config(tmp_path, tongue):
    file = tmp_path / "station.toml"
    file.write_text(f'[station]\nid = "s1"\nlanguage = "{tongue}"\n\n[warnings\n', encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("words", "tongue", "locale", "spoken"),
    [
        ((), "", "", "en"),
        ((), "", "zh_CN.UTF-8", "zh"),
        ((), "zh", "en_US.UTF-8", "zh"),
        ((), "en", "zh_CN.UTF-8", "en"),
        (("--lang", "en"), "zh", "zh_CN.UTF-8", "en"),
        (("--lang", "zh"), "en", "", "zh"),
    ],
)
def test_the_word_then_the_configuration_then_the_locale(words, tongue, locale, spoken, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LANG", locale)
    assert main(["check", "--config", str(config(tmp_path, tongue)), *words]) == 2
    assert bool(HAN.search(capsys.readouterr().err)) == (spoken == "zh")


def test_json_says_the_same_in_both_languages(tmp_path, capsys):
    answers = []
    for tongue in ("en", "zh"):
        main(["--lang", tongue, "check", "--json", "--config", str(config(tmp_path, "en"))])
        (finding,) = json.loads(capsys.readouterr().out)["findings"]
        answers.append({key: value for key, value in finding.items() if key != "text"})
    assert answers[0] == answers[1]


def test_lang_is_found_anywhere_but_behind_the_end_of_options():
    assert language.first(["check", "--lang", "zh", "--json"]) == ["--lang", "zh", "check", "--json"]
    assert language.first(["--lang=zh", "check"]) == ["--lang=zh", "check"]
    assert language.first(["check", "--", "--lang", "zh"]) == ["check", "--", "--lang", "zh"]


# Consoles


def run(*words, **environment):
    command = [sys.executable, "-m", "agent.cli", *words]
    clean = {name: value for name, value in os.environ.items() if name not in {"LC_ALL", "LC_MESSAGES", "LANG", "TERM"}}
    return subprocess.run(command, capture_output=True, check=False, timeout=60, env=clean | environment)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_without_han_gets_english_and_one_line(encoding):
    done = run("--help", LANG="zh_CN.UTF-8", PYTHONIOENCODING=encoding)
    assert done.returncode == 0
    assert b"sensors -> buffer -> platform" in done.stdout
    assert done.stderr.decode("ascii").splitlines() == [say.say("console.no_glyphs", language="zh")]


def test_nothing_is_unencodable(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    language.forgive_consoles()
    print("→ ≤ · … ° µ ┃━╇ ▁▂▃█ 龙潭 \udcff 😀", file=stream)
    stream.flush()
    assert stream.buffer.getvalue().decode().startswith("-> <= . ... deg u ")


def test_json_is_json_on_an_ascii_console(tmp_path):
    file = tmp_path / "龙潭.toml"
    done = run("check", "--json", "--config", str(file), PYTHONIOENCODING="ascii")
    assert "龙潭" in json.loads(done.stdout)["findings"][0]["file"]


@pytest.mark.parametrize(("words", "han"), [((), False), (("--lang", "zh"), True)])
def test_a_kernel_console_gets_english_unless_somebody_insists(words, han):
    """TERM=linux on a terminal; a file or a pipe has the glyphs of whoever reads it."""
    here, there = pty.openpty()
    environment = os.environ | {"LANG": "zh_CN.UTF-8", "TERM": "linux", "PYTHONIOENCODING": "utf-8"}
    environment.pop("LC_ALL", None)
    command = [sys.executable, "-m", "agent.cli", *words, "read", "--config", "none.toml"]
    done = subprocess.run(command, stdout=there, stderr=there, check=False, timeout=60, env=environment)
    os.close(there)
    said = os.read(here, 4096).decode()
    os.close(here)
    assert done.returncode == 2
    assert bool(HAN.search(said)) == han
    assert ("no characters for the language zh" in said) != han
