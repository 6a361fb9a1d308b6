"""Translators' files: `.po` text ↔ entries → `.mo` bytes, as GNU gettext defines them. `python -m agent.po` compiles all.

Knows the two formats and the folder; nothing of what a sentence means. Only what we use of them is read: no contexts, no
domains. What is written depends on what is read and on nothing else, so that an unchanged source gives the same bytes.
"""

import re
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

LOCALE = Path(__file__).parent / "locale"

MO_MAGIC = 0x950412DE  # GNU gettext manual, "The Format of GNU MO Files"; we write little-endian
MO_HEAD = struct.Struct(
    "<7I"
)  # magic, revision, strings, two tables' offsets, hash table's size and offset (we have none)

_LINE = re.compile(r'(msgid|msgid_plural|msgstr|msgstr\[\d\])?\s*"((?:[^"\\]|\\.)*)"\s*$')
_ESCAPES = {"\\": "\\", '"': '"', "n": "\n", "t": "\t", "r": "\r"}


class Malformed(ValueError):
    """A line that is not PO: file, line number, the line."""


@dataclass(slots=True)
class Entry:
    """One text and its translation; `plural` is "" but for texts that count something."""

    key: str = ""
    plural: str = ""
    forms: list[str] = field(default_factory=list)
    fuzzy: bool = False

    @property
    def text(self) -> str:
        return self.forms[0] if self.forms else ""

    def record(self) -> tuple[bytes, bytes]:
        """As MO holds it: singular and plural in one key, the forms in one value, NUL between."""
        key = f"{self.key}\0{self.plural}" if self.plural else self.key
        return key.encode(), "\0".join(self.forms).encode()


def read(path: Path) -> list[Entry]:
    """All entries of a file in its order, the header (key "") among them; obsolete ones (#~) are passed over."""
    blocks = re.split(r"\n\s*\n", path.read_text("utf-8"))
    entries = (_entry(block, path) for block in blocks if block.strip())
    return [entry for entry in entries if entry is not None]


def compiled(entries: Iterable[Entry]) -> bytes:
    """The `.mo` of what is translated: sorted by key, as the format asks."""
    records = sorted(entry.record() for entry in entries if any(entry.forms) and not entry.fuzzy)
    keys, texts = (b"".join(part + b"\0" for part in column) for column in zip(*records, strict=True))
    tables = MO_HEAD.size, MO_HEAD.size + 8 * len(records)
    body = MO_HEAD.size + 16 * len(records)
    head = MO_HEAD.pack(MO_MAGIC, 0, len(records), *tables, 0, body)
    places = [*_places((key for key, _ in records), body), *_places((text for _, text in records), body + len(keys))]
    return head + b"".join(places) + keys + texts


def decompiled(data: bytes) -> Iterator[tuple[str, str]]:
    """The texts of a `.mo` of ours, and what they became."""
    _, _, count, keys, texts, *_ = MO_HEAD.unpack_from(data)
    for row in range(count):
        yield _at(data, keys + 8 * row), _at(data, texts + 8 * row)


def _at(data: bytes, place: int) -> str:
    size, start = struct.unpack_from("<2I", data, place)
    return data[start : start + size].decode()


def sources(locale: Path = LOCALE) -> list[Path]:
    return sorted(locale.glob("*/LC_MESSAGES/*.po"))


def stale(locale: Path = LOCALE) -> list[Path]:
    """Sources whose `.mo` is missing or not what they say now."""
    return [path for path in sources(locale) if _there(path) != compiled(read(path))]


def _there(path: Path) -> bytes:
    target = path.with_suffix(".mo")
    return target.read_bytes() if target.exists() else b""


def _places(parts: Iterable[bytes], start: int) -> Iterator[bytes]:
    for part in parts:
        yield struct.pack("<2I", len(part), start)
        start += len(part) + 1


def _entry(block: str, path: Path) -> Entry | None:
    entry, texts, last = Entry(), dict[str, str](), ""
    for line in block.splitlines():
        if line.startswith("#"):
            entry.fuzzy |= line.startswith("#,") and "fuzzy" in line
        elif (match := _LINE.match(line)) and (name := match[1] or last):
            last = name
            texts[name] = texts.get(name, "") + _unescaped(match[2])
        else:
            raise Malformed(f"{path}: {line}")
    if "msgid" not in texts:
        return None
    entry.key, entry.plural = texts.pop("msgid"), texts.pop("msgid_plural", "")
    entry.forms = [texts[name] for name in sorted(texts)]
    return entry


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text)


def main() -> int:
    """Write every `.mo` that is not in date, and name it."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else LOCALE
    for path in stale(folder):
        path.with_suffix(".mo").write_bytes(compiled(read(path)))
        print(path.with_suffix(".mo"))  # noqa: T201  a tool's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
