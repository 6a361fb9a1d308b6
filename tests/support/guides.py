"""Guides as data: fenced blocks, the files that they define, commands with the output that they show.

```toml title="station.toml"      a file; a second block of the same name goes on with it
```console                        `$ command` lines, each followed by what it prints; `…` stands for what differs:
                                  in a line for some characters, alone for some lines
<!-- on PORT: 1=profile:NAME -->  simulated devices at the port that the commands name
<!-- a broker -->                 what the guide calls mqtt.example.org is there
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.tree import ROOT

DOCS = ROOT / "docs"
FENCE = re.compile(r"^([ ]*)```(\w*)(?: title=\"([^\"]+)\")?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
PORT = re.compile(r"^<!-- on (\S+): (.+) -->$", re.MULTILINE)
BROKER = re.compile(r"^<!-- a broker -->$", re.MULTILINE)
HEADING = re.compile(r"^(#+) ", re.MULTILINE)

# What is another each time: times, digests and keys, fingerprints in groups.
VARIABLE = [
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DATE"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b[0-9a-f]{4}(?: [0-9a-f]{4}){7}\b"), "PRINT"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "HEX"),
    (re.compile(r"[ \t]+"), " "),
]


class Block(NamedTuple):
    """A fenced block; `title` names the file that it is."""

    language: str
    title: str
    text: str
    start: int  # of its text, in the document


class Step(NamedTuple):
    """A command and what the guide says it prints."""

    command: str
    shown: str


def blocks(text: str) -> Iterator[Block]:
    for match in FENCE.finditer(text):
        indent, language, title, inside = match.groups()
        yield Block(language, title or "", re.sub(rf"^{indent}", "", inside, flags=re.MULTILINE), match.start(4))


def steps(console: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield Step(command, shown)


def plain(text: str) -> str:
    """The text with everything in it that is another each time under a name."""
    for pattern, name in VARIABLE:
        text = pattern.sub(name, text)
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def matches(shown: str, printed: str) -> bool:
    """What was printed is what the guide shows."""
    lines = [
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*?") + r"\n"
        for line in plain(shown).splitlines()
    ]
    return re.fullmatch("".join(lines), plain(printed) + "\n" if printed.strip() else "") is not None


def guides() -> list[Path]:
    """Every document that shows what a command prints, in either language."""
    pages = [*ROOT.glob("README*.md"), *sorted(DOCS.rglob("*.md"))]
    return [page for page in pages if any(one.language == "console" for one in blocks(page.read_text("utf-8")))]


def pairs() -> list[tuple[Path, Path]]:
    """Documents that are there in English and in Chinese."""
    return [
        (page.with_name(page.name.replace(".zh.md", ".md")), page)
        for page in sorted([*DOCS.rglob("*.zh.md"), *ROOT.glob("*.zh.md")])
    ]
