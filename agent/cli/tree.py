"""The command line as data, read off the parsers themselves, in the language chosen: for shell completion, the manual
page and their tests.

Knows argparse, and nothing of what a verb does.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agent import cli
from agent.cli.parse import shown

# Where a text is a file's name, though its type does not say so; and where it is the name of a profile.
FILES = {"source", "port", "ca", "cert", "tls_key", "credentials"}
PROFILES = {("profile show", "name"), ("profile check", "names")}


class Value(NamedTuple):
    """What may stand at a place: one of some words, or a kind of thing (`file`, `profile`) that the shell looks for."""

    words: tuple[str, ...] = ()
    kind: str = ""


class Option(NamedTuple):
    """An option; `value` is None where it takes none, `called` is how help names its value."""

    names: tuple[str, ...]
    called: str
    help: str
    value: Value | None


class Place(NamedTuple):
    """An argument by its place; `many`: it may come again."""

    called: str
    help: str
    value: Value
    many: bool


class Node(NamedTuple):
    """A verb or subverb; the command itself has the empty path."""

    path: str
    summary: str
    parser: argparse.ArgumentParser
    options: tuple[Option, ...]
    places: tuple[Place, ...]
    children: "tuple[Node, ...]"

    def walk(self) -> Iterator["Node"]:
        """Itself and all below it, in the order of help."""
        yield self
        for child in self.children:
            yield from child.walk()


def whole() -> Node:
    """Every verb with its own parser, each imported."""
    top = cli.parser()
    rooms = {verb: _children(cli.parser([verb])).choices[verb] for verb in cli.VERBS}
    verbs = tuple(_node(verb, summary, rooms[verb]) for verb, summary in _summaries(top))
    return _node("", "", top)._replace(children=verbs)


def _node(path: str, summary: str, parser: argparse.ArgumentParser) -> Node:
    actions = [one for one in _actions(parser) if one.help != argparse.SUPPRESS]
    steps = [one for one in actions if isinstance(one, argparse._SubParsersAction)] if path else []  # noqa: SLF001  it has no other name
    options = [_option(path, one) for one in actions if one.option_strings]
    places = [_place(path, one) for one in actions if path and not one.option_strings and one not in steps]
    below = [_node(f"{path} {name}", short, step.choices[name]) for step in steps for name, short in _summaries(parser)]
    return Node(path, summary, parser, tuple(options), tuple(places), tuple(below))


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001  argparse has no other way to list them


def _children(parser: argparse.ArgumentParser) -> Any:
    return next(one for one in _actions(parser) if isinstance(one, argparse._SubParsersAction))  # noqa: SLF001  as above


def _summaries(parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    return [(one.dest, shown(one.help or "")) for one in _children(parser)._choices_actions]  # noqa: SLF001  as above


def _option(path: str, action: argparse.Action) -> Option:
    takes = action.nargs != 0
    return Option(
        tuple(action.option_strings),
        _called(action) if takes else "",
        _help(action),
        _value(path, action) if takes else None,
    )


def _place(path: str, action: argparse.Action) -> Place:
    return Place(_called(action), _help(action), _value(path, action), action.nargs in ("*", "+"))


def _called(action: argparse.Action) -> str:
    if action.metavar:
        return shown(str(action.metavar))
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return action.dest.upper()


def _help(action: argparse.Action) -> str:
    return shown(action.help or "") % {"default": action.default, "prog": "fengsui"}


def _value(path: str, action: argparse.Action) -> Value:
    if action.choices is not None:
        return Value(tuple(map(str, action.choices)))
    if (path, action.dest) in PROFILES:
        return Value(kind="profile")
    return Value(kind="file" if action.type is Path or (action.type is None and action.dest in FILES) else "")
