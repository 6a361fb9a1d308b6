"""Every parser of the command line, and every text of it that an operator reads."""

import argparse

from agent import cli
from agent.cli.parse import Parser, examples


def parsers():
    """Path (`warn key`) and parser, the top's among them."""
    yield "", cli.parser()
    for verb in cli.VERBS:
        yield from below(verb, children(cli.parser([verb]))[verb])


def below(path, parser):
    yield path, parser
    for name, child in children(parser).items():
        yield from below(f"{path} {name}", child)


def children(parser):
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return found[0].choices if found else {}


def texts(path, parser):
    """The English literals: keys of the catalogue."""
    assert isinstance(parser, Parser), path
    yield from (parser.description, parser.epilog)
    for group in parser._action_groups:
        yield from (group.title, group.description) if group._group_actions else ()
    for action in parser._actions:
        if action.help != argparse.SUPPRESS:
            yield from (action.help, metavar(action))
        if isinstance(action, argparse._SubParsersAction):
            yield from (one.help for one in action._choices_actions)
    yield from examples(path).values()


def all_texts():
    """Text → where it is."""
    return {text: path or "fengsui" for path, parser in parsers() for text in texts(path, parser) if text}


def metavar(action):
    """As usage names its value: given, or made of its name; None where there is no value, or its choices are shown."""
    if action.nargs == 0 or (action.choices and not action.metavar):
        return None
    return action.metavar or (action.dest.upper() if action.option_strings else action.dest)
