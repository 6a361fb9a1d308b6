"""Names of administrative areas, from a table of the provinces and the operator's own file. Looks up; decides nothing."""

import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from drivers.api import Problem
from protocols.alert import displayable
from protocols.area import UNITS, code_text, parse_code
from protocols.errors import LocalError

SHIPPED = Path(__file__).parents[1] / "data" / "areas.toml"
LARGEST = 4 << 20  # bytes; the 40,000 townships of the country have 2 MB
LONGEST = 40  # characters of a name

Table = Mapping[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Names:
    """`table` has the names of a code, the one to be shown first."""

    table: Table = field(default_factory=dict)

    def whole(self, code: int) -> str:
        """As people say it, from the province down: 浙江省 江北区 榆树村; the code for what has no name."""
        digits = code_text(code)
        above = [int(digits[:size]) for size in UNITS if size < len(digits)] if code else []
        named = [self.table[one][0] for one in above if one in self.table]
        return " ".join([*named, self.table[code][0] if code in self.table else digits])

    def accepted(self, code: int) -> tuple[str, ...]:
        """What a person may type for it: one of its names; the code only where it has none."""
        return self.table.get(code) or (code_text(code),)

    def is_meant(self, typed: str, codes: Iterable[int]) -> bool:
        """Does what was typed name one of these areas?"""
        return _plain(typed) in {_plain(name) for code in codes for name in self.accepted(code)}

    def shown(self, codes: Iterable[int]) -> str:
        return "、".join(dict.fromkeys(self.whole(code) for code in codes))


def load(own: Path | None = None) -> tuple[Names, list[Problem]]:
    """The shipped names with the operator's over them, as far as they can be used, and what is wrong with the rest."""
    problems: list[Problem] = []
    table: dict[int, tuple[str, ...]] = {}
    for path in (SHIPPED, own):
        if path is not None:
            table |= dict(_rows(path, problems))
    return Names(table), problems


def _rows(path: Path, problems: list[Problem]) -> Iterator[tuple[int, tuple[str, ...]]]:
    try:
        with path.open("rb") as file:
            rows = tomllib.loads(file.read(LARGEST).decode())
    except (OSError, ValueError) as wrong:
        problems.append(Problem("names", "names.unreadable", {"file": path.name, "why": str(wrong)[:200]}))
        return
    for key, value in rows.items():
        names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
        if not (names and all(isinstance(name, str) and displayable(name, LONGEST) == name != "" for name in names)):
            problems.append(Problem("names", "names.name", {"file": path.name, "area": key, "most": LONGEST}))
            continue
        try:
            yield parse_code(key), names
        except LocalError as wrong:
            problems.append(Problem("names", "names.code", {"file": path.name, "why": wrong.detail}))


def _plain(name: str) -> str:
    """Full-width letters, blanks and capitals make no difference."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
