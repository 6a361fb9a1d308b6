"""`fengsui manual`: the manual page (roff, man macros), made from the parsers, in the language that is chosen."""

import argparse
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from agent import __version__
from agent.cli.parse import examples, shown

if TYPE_CHECKING:
    from agent.cli.tree import Node, Option, Place

# Where a line of Chinese may end, which roff does not know: before a Han character, but not behind an opening mark.
_HAN = re.compile(r"[\u3001-\u3009\u300b\u300d\u300f-\u9fff\uff01-\uff07\uff09-\uff60](?=[\u4e00-\u9fff])")
FILES = {
    "/etc/fengsui/station.toml": "the station's configuration; what it names lies beside it",
    "/etc/fengsui/profiles/": "profiles of the station's own devices",
    "/etc/fengsui/headend.toml": "the headend's configuration",
    "/var/lib/fengsui/": "what must survive: buffer, keys, key-set",
    "/run/fengsui/control.sock": "where a running agent answers",
}


def add(verbs: Any) -> None:
    verb = verbs.add_parser(
        "manual",
        description="Print the manual page: every command, its options and examples, in the language of --lang or the locale.",
        epilog="Exit codes: 0 printed.",
    )
    verb.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    from agent.cli.tree import whole

    print("\n".join(page(whole())))
    return 0


def page(top: "Node") -> Iterator[str]:
    """The lines of the page."""
    yield f'.TH FENGSUI 1 "" "fengsui {__version__}" "Fengsui"'
    yield ".ad l"  # lines of Han characters and long options cannot be stretched
    yield from (".SH " + shown("NAME"), "fengsui \\- " + _plain(shown("a field station's agent")))
    yield from (".SH " + shown("SYNOPSIS"), r".B fengsui", _plain(shown("[--lang en|zh] COMMAND [ARGUMENT ...]")))
    yield from (".SH " + shown("DESCRIPTION"), _plain(shown(top.parser.description or "")))
    yield from (".SH " + shown("OPTIONS"), *_entries(top))
    yield ".SH " + shown("COMMANDS")
    for node in top.walk():
        if node.path:
            yield from _command(node)
    yield from (".SH " + shown("EXIT STATUS"), _plain(shown(top.parser.epilog or "")))
    yield ".SH " + shown("FILES")
    for file, what in FILES.items():
        yield from (".TP", rf"\fI{_plain(file)}\fR", _plain(shown(what)))


def _command(node: "Node") -> Iterator[str]:
    yield f".SS fengsui {_plain(node.path)}{''.join(map(_synopsis, node.places))}"
    yield _plain(shown(node.parser.description or "") or f"{node.summary}.")
    yield from _entries(node)
    if node.parser.epilog:
        yield from (".PP", _plain(shown(node.parser.epilog)))
    for command, meaning in examples(node.path).items():
        yield from (".PP", _plain(shown(meaning)), ".RS", ".nf", _plain(command), ".fi", ".RE")


def _synopsis(place: "Place") -> str:
    return rf" \fI{_plain(place.called)}\fR" + (" ..." if place.many else "")


def _entries(node: "Node") -> Iterator[str]:
    """Arguments and options; `--help`, which each has, is said once."""
    for place in node.places:
        if place.help:
            yield from (".TP", rf"\fI{_plain(place.called)}\fR", _plain(place.help))
    for option in node.options:
        if "--help" not in option.names or not node.path:
            yield from (".TP", _names(option), *filter(None, [_plain(option.help)]))


def _names(option: "Option") -> str:
    value = rf" \fI{_plain(option.called)}\fR" if option.called else ""
    return ", ".join(rf"\fB{_plain(name)}\fR" for name in option.names) + value


def _plain(text: str) -> str:
    """Text that roff prints as it stands: no escapes, no requests, hyphens that can be copied into a shell."""
    safe = _HAN.sub(r"\g<0>\:", " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-"))
    return rf"\&{safe}" if safe.startswith((".", "'")) else safe
