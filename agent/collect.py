"""TOML tables → typed structures, telling every mistake at once.

msgspec stops at the first error; an operator at the end of a track wants all of them. So each field is converted on its
own, and what is wrong is collected as findings with file, table and key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

import msgspec

from agent.say import say
from drivers.api import Problem
from drivers.values import Duration, Size, decode

T = TypeVar("T", bound=msgspec.Struct)
MOST_FINDINGS = 200  # a file that is wrong in more places than this is another kind of file


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake: where it stands and what to do, in words when asked."""

    file: str
    table: str
    problem: Problem

    @property
    def where(self) -> str:
        table = f"[{self.table}]" if self.table else ""
        return f"{self.file}: {table} {self.problem.key}".rstrip(": ").replace(":  ", ": ")

    def __str__(self) -> str:
        return f"{self.where}: {say(self.problem.code, key=self.problem.key, **self.problem.facts)}"

    def as_json(self) -> dict[str, Any]:
        facts = {name: str(value) for name, value in self.problem.facts.items()}
        return {
            "file": self.file,
            "table": self.table,
            "key": self.problem.key,
            "code": self.problem.code,
            "facts": facts,
            "text": say(self.problem.code, key=self.problem.key, **self.problem.facts),
        }


def collect(kind: type[T], data: Mapping[str, Any]) -> tuple[T | None, list[Problem]]:
    """The structure, or None when a field of it is missing or wrong, and everything that is wrong."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    found = [_unknown(key, fields) for key in data if key not in fields]
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key not in data:
            if field.required:
                found.append(Problem(key, "config.missing_key", {"type": _shown(field.type)}))
            continue
        try:
            values[field.name] = msgspec.convert(data[key], field.type, dec_hook=decode)
        except (msgspec.ValidationError, ValueError, OverflowError) as wrong:
            found.append(Problem(key, "config.wrong_value", {"value": repr(data[key])[:80], "why": str(wrong)}))
    if any(problem.code != "config.unknown_key" for problem in found):
        return None, found
    try:
        return kind(**values), found
    except ValueError as wrong:  # a rule across fields, from __post_init__
        return None, [*found, Problem("", "config.wrong_table", {"why": str(wrong)})]


def _unknown(key: str, fields: Mapping[str, Any]) -> Problem:
    import difflib  # only where there is a mistake

    near = difflib.get_close_matches(key, fields, n=1)
    if near:
        return Problem(key, "config.unknown_key_near", {"near": near[0]})
    return Problem(key, "config.unknown_key", {"known": ", ".join(sorted(fields))})


def _shown(kind: Any) -> str:
    names = {Duration: 'duration as "10s"', Size: 'size as "64MiB"', str: "text", int: "integer", bool: "true or false"}
    choices = " | ".join(str(one) for one in get_args(kind))
    return names.get(kind) or choices or str(getattr(kind, "__name__", kind))
