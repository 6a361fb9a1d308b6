"""The examples of every verb, given to the real parser; and the help that ends with them."""

import shlex
import tomllib

import pytest

from agent import cli
from agent.cli.parse import EXAMPLES
from agent.cli.tree import whole

FOUND = tomllib.loads(EXAMPLES.read_text("utf-8"))
PATHS = [node.path for node in whole().walk() if node.path]


def arguments(command):
    """What of a line of the shell is ours: behind `sudo`, before a pipe or a redirection, inside `<( )`."""
    words = shlex.split(command.replace("<(", " ").replace(")", " ") if "<(" in command else command)
    mine = words[words.index("fengsui") + 1 :]
    end = next((place for place, word in enumerate(mine) if word in ("|", ">")), len(mine))
    return mine[:end]


def test_every_verb_and_subverb_has_one_to_three_examples():
    assert sorted(FOUND) == sorted(PATHS)
    assert {path: len(some) for path, some in FOUND.items() if not 1 <= len(some) <= 3} == {}


@pytest.mark.parametrize(("path", "command"), [(path, command) for path, some in FOUND.items() for command in some])
def test_the_parser_takes_every_example(path, command):
    given = arguments(command)
    options = cli.parser(given).parse_args(given)
    assert options.verb == path.split()[0]
    assert set(path.split()) <= set(given)


@pytest.mark.parametrize("path", PATHS)
def test_help_ends_with_them(path, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main([*path.split(), "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert [command for command in FOUND[path] if command not in said] == []


def test_an_option_that_is_gone_would_be_noticed(capsys):
    with pytest.raises(SystemExit):
        cli.parser(["scan"]).parse_args(["scan", "--speed", "9600"])
    assert "--speed" in capsys.readouterr().err
