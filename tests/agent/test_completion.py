"""Completion in the shells themselves: their own bash, zsh and fish read the script and are asked what a TAB would give."""

import os
import shlex
import shutil
import subprocess

import pytest

from agent.cli import VERBS
from agent.cli.completion import SHELLS, script
from agent.cli.tree import whole
from drivers.profile import names

PROFILES = names(())
TOP = whole()


@pytest.fixture(scope="module", params=SHELLS)
def asked(request, tmp_path_factory):
    """What `shell` offers for a command line; its last word is the one that is begun."""
    shell, folder = request.param, tmp_path_factory.mktemp(request.param)
    if shutil.which(shell) is None:
        assert os.environ.get("CI") != "true", f"{shell} is not installed"
        pytest.skip(f"{shell} is not installed: its completion is not tried")
    file = folder / f"fengsui.{shell}"
    file.write_text(script(shell, TOP, PROFILES), encoding="utf-8")
    (folder / "my-gauge.toml").touch()

    def ask(line):
        done = subprocess.run(
            [shell, *(["--no-config"] if shell == "fish" else []), "-c", ASK[shell](file, line)],
            cwd=folder,
            env={**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return {one.partition("\t")[0] for one in done.stdout.split("\n") if one}

    return ask


def _bash(file, line):
    """As readline does it: cut at : and =, ask the function that `complete` has noted."""
    words = " ".join(shlex.quote(word) for word in line.replace("=", " = ").replace(":", " : ").split(" "))
    return (
        f"source {file}; [[ $(complete -p fengsui) == *'-F _fengsui '* ]]; COMP_WORDS=({words});"
        'COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _fengsui; printf "%s\\n" "${COMPREPLY[@]}"'
    )


def _zsh(file, line):
    """With the two functions of the completion system that the script calls, which here print what they are given."""
    words = " ".join(shlex.quote(word) for word in line.split(" "))
    return (
        "_describe() { local one; for one in ${(P)4}; do one=${one%%:*}; [[ $one == ${words[CURRENT]}* ]] && print -r -- $one; done };"
        "_files() { print -rl -- ${words[CURRENT]}*(N) }; compdef() { : };"
        f"source {file}; words=({words}); CURRENT=$#words; _fengsui"
    )


def _fish(file, line):
    return f"source {file}; complete -C {shlex.quote(line)}"


ASK = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def test_every_verb(asked):
    assert asked("fengsui ") == set(VERBS)
    assert asked("fengsui pro") == {"provision", "profile"}


def test_subverbs_behind_an_option_of_the_command(asked):
    assert asked("fengsui --lang zh buffer ") == {"stats", "tail", "export", "verify", "salvage"}


def test_every_option_of_every_verb(asked):
    for node in TOP.walk():
        wanted = {option.names[-1] for option in node.options if option.names[-1].startswith("--")}
        assert {one for one in asked(f"fengsui {node.path}".rstrip() + " --") if one.startswith("--")} == wanted, (
            node.path
        )


def test_choices_of_an_option_and_of_a_place(asked):
    assert asked("fengsui monitor /dev/x --parity ") == {"N", "E", "O"}
    assert asked("fengsui plan show 11B03 r") == {"red"}
    assert asked("fengsui completion ") == set(SHELLS)


def test_profiles_and_files(asked):
    assert asked("fengsui profile show qian") == {"qianjia-rain"}
    assert asked("fengsui profile check qianjia-rain sl651-") == {"sl651-level", "sl651-rain"}
    assert "my-gauge.toml" in asked("fengsui profile check my")
    assert "my-gauge.toml" in asked("fengsui check --config my")


def test_nothing_of_ours_is_started():
    for shell in SHELLS:
        text = script(shell, TOP, PROFILES)
        assert "@" not in text.replace("[@]", "").replace('"$@"', "")
        assert not {"python", "$(fengsui", "(fengsui "} & set(text.split())


def test_a_value_is_not_taken_for_a_verb(asked):
    assert asked("fengsui --lang zh wa") == {"warn", "watch"}
    assert asked("fengsui modbus read serial:///dev/ttyUSB0?baud=9600 1 0 2 --fc ") == {"1", "2", "3", "4"}
