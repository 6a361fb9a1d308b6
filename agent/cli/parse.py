"""The parser of every verb: argparse, whose texts go through the catalogue when they are shown, and wrapped by columns.

Verbs write plain English literals; these are the keys of the catalogue's domain `help`. Knows nothing of any verb.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent import catalogue, say

EXAMPLES = Path(__file__).parent / "examples.toml"
# Two columns of a terminal each: East Asian Width W and F (Unicode Annex 11), as far as a text of ours can have them.
_WIDE = r"\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6"
_CLOSING, _OPENING = "，。；：！？、）》」』”’…·%", "（《「『“‘"
_PIECE = re.compile(rf"\s+|[{_OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}{_OPENING}]+)[{_CLOSING}]*|\S")
_VERB = argparse._SubParsersAction._ChoicesPseudoAction  # noqa: SLF001  it has no other name
_FILL = "\0"  # stands behind a wide character until a line is complete, so that len() counts columns


def shown(text: str) -> str:
    """A text of the command line in the language chosen."""
    return catalogue.texts(say.chosen(), catalogue.HELP).gettext(text) if text else text


def columns(text: str) -> int:
    return len(text) + len(re.findall(f"[{_WIDE}]", text))


def _filled(text: str) -> str:
    return re.sub(f"[{_WIDE}]", rf"\g<0>{_FILL}", text)


def _headed(text: str) -> str:
    """The colon behind a title of Han characters is a wide one."""
    return re.sub(rf"^([{_WIDE}]+):$", r"\1：", text, flags=re.MULTILINE)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken at spaces and between Han characters, never before a closing mark."""
    lines = [""]
    for piece in _PIECE.findall(" ".join(text.split())):
        if columns(lines[-1] + piece.rstrip()) > width and lines[-1]:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines]


def _room() -> int:
    """Columns of the terminal, by `COLUMNS` or its own word, else 80: as `shutil.get_terminal_size`, whose import with its
    compressors costs half a megabyte in a station that shows no help.
    """
    try:
        return int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        pass
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (AttributeError, ValueError, OSError):  # no output, a closed one, or none that is a terminal
        return 80


class Formatter(argparse.HelpFormatter):
    """argparse's, with every text translated at the last moment."""

    def __init__(
        self, prog: str, indent_increment: int = 2, max_help_position: int = 24, width: int | None = None
    ) -> None:
        super().__init__(prog, indent_increment, max_help_position, width or _room() - 2)

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, _filled(shown("usage: ")) if prefix is None else prefix)

    def start_section(self, heading: str | None) -> None:
        super().start_section(heading and shown(heading))

    def add_text(self, text: str | None) -> None:
        super().add_text(text and shown(text))

    def format_help(self) -> str:
        return _headed(super().format_help().replace(_FILL, ""))

    def _get_help_string(self, action: argparse.Action) -> str:
        return shown(action.help or "")

    def _metavar_formatter(self, action: argparse.Action, default_metavar: str | None) -> Any:
        ready = super()._metavar_formatter(action, default_metavar or "")
        if default_metavar is None or isinstance(action, _VERB):
            return ready  # add_argument only tries whether it fits; and the name of a verb is one in every language
        return lambda size: tuple(_filled(shown(one)) for one in ready(size))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(text, width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in wrapped(text, width - len(indent)))


class Parser(argparse.ArgumentParser):
    """A verb's, or a subverb's; its examples stand at the end of its help."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**{"formatter_class": Formatter, **given})

    def format_help(self) -> str:
        return super().format_help() + "".join(self._examples())

    def _examples(self) -> Iterator[str]:
        _command, _space, path = self.prog.partition(" ")
        found = examples(path) if path else {}
        if found:
            yield _headed(f"\n{shown('examples')}:\n")
        for command, meaning in found.items():
            yield f"  {command}\n      {shown(meaning)}\n"


def examples(path: str) -> dict[str, str]:
    """Command → what it is for, of a verb or subverb (`warn key`); read when help is printed, and only then."""
    import tomllib

    found: dict[str, dict[str, str]] = tomllib.loads(EXAMPLES.read_text("utf-8"))
    return found.get(path, {})
