"""Which language a command speaks: `--lang` wherever it stands, else the configuration, else the locale; and whether this
console can show it. Found before anything is parsed, so that help and argparse's own errors speak it, too.
"""

import codecs
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from gettext import bindtextdomain, textdomain
from pathlib import Path
from typing import TextIO

from agent import catalogue, say
from agent.cli.common import DEFAULT_CONFIG, complain

# A kernel console has 512 glyphs at most (console_codes(4), setfont(8)): no Han, whatever the locale says.
GLYPHLESS = "linux"
# What our sentences and tables use beyond ASCII, for a console that has no more.
PLAIN = str.maketrans(
    {
        "→": "->",
        "←": "<-",
        "≤": "<=",
        "≥": ">=",
        "±": "+/-",
        "×": "x",
        "·": ".",
        "…": "...",
        "–": "-",
        "—": "-",
        "−": "-",
    }
    | {"°": "deg", "µ": "u", "²": "2", "³": "3", "‘": "'", "’": "'", "“": '"', "”": '"', "✓": "+", "✗": "x", "•": "*"}
    | dict(zip("─━│┃┄┌┐└┘├┤┬┴┼╭╮╰╯", "--||-++++" + "+" * 9, strict=True))
    | dict(zip("▁▂▃▄▅▆▇█░▒▓", "__..--=####"[:11], strict=True))
)
MOST_LOOKED_AT = 1 << 20  # bytes of a file that may be anything
_STATION = re.compile(r"^\s*\[station\]\s*(?:#.*)?$(.*?)(?=^\s*\[|\Z)", re.MULTILINE | re.DOTALL)
_LANGUAGE = re.compile(r"^\s*language\s*=\s*[\"'](\w+)[\"']", re.MULTILINE)


def first(arguments: Sequence[str]) -> list[str]:
    """The same arguments, `--lang` before the verb: it may be written anywhere."""
    rest = list(arguments)
    end = rest.index("--") if "--" in rest else len(rest)
    for place, word in enumerate(rest[:end]):
        size = 2 if word == "--lang" else 1
        if word.partition("=")[0] == "--lang":
            return rest[place : place + size] + rest[:place] + rest[place + size :]
    return rest


def asked(arguments: Sequence[str]) -> str:
    """What `--lang` says, "" where it is not there; `arguments` as `first` gives them."""
    if not arguments or not arguments[0].startswith("--lang"):
        return ""
    return arguments[0].partition("=")[2] or "".join(arguments[1:2])


def configured(arguments: Sequence[str]) -> str:
    """The language of the configuration that the command names, or of the usual one; "" where there is none. Looked for
    by line, not by a parser: a file with a mistake in it is explained in its own language.
    """
    file = DEFAULT_CONFIG
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, _, value = word.partition("=")
        if name == "--config":
            file = value or following
    try:
        with Path(file).open("rb") as stream:
            text = stream.read(MOST_LOOKED_AT).decode("utf-8", errors="replace")
    except OSError:
        return ""
    station = _STATION.search(text)
    found = _LANGUAGE.search(station[1]) if station else None
    return found[1] if found else ""


def speak(language: str, *, insisted: bool = False) -> None:
    """From here on in `language` ("": the locale's), or in English where this console cannot show it, and says so."""
    wanted = say.choose(language)
    if wanted != "en" and not (_encodable(wanted) and (insisted or not _glyphless())):
        say.choose("en")
        complain("console.no_glyphs", language=wanted)


def forgive_consoles() -> None:
    """A character that a console's encoding does not have is written in others, and never ends a command."""
    codecs.register_error("fengsui", _other_characters)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="fengsui")


@contextmanager
def argparse_too() -> Iterator[None]:
    """While it parses: argparse asks gettext for its errors, and gettext asks the environment which language it is."""
    before = os.environ.get("LANGUAGE")
    os.environ["LANGUAGE"] = say.chosen()
    bindtextdomain(catalogue.HELP, str(catalogue.folder_of(say.chosen(), catalogue.HELP) or catalogue.SHIPPED))
    textdomain(catalogue.HELP)
    try:
        yield
    finally:
        if before is None:
            del os.environ["LANGUAGE"]
        else:
            os.environ["LANGUAGE"] = before


def _encodable(language: str) -> bool:
    sample = say.say_in(language, "console.no_glyphs")
    return all(_fits(sample, stream) for stream in (sys.stdout, sys.stderr))


def _fits(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _glyphless() -> bool:
    return os.environ.get("TERM") == GLYPHLESS and any(stream.isatty() for stream in (sys.stdout, sys.stderr))


def _other_characters(wrong: UnicodeError) -> tuple[str, int]:
    if not isinstance(wrong, UnicodeEncodeError):
        raise wrong
    text = wrong.object[wrong.start : wrong.end].translate(PLAIN)
    return text.encode("ascii", "backslashreplace").decode("ascii"), wrong.end
