"""TOML tables → typed structures, telling every mistake at once.

msgspec stops at the first error; an operator at the end of a track wants all of them. So each field is converted on its
own, into nested tables and lists of tables too, and each problem says under which key.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from drivers.api import Problem
from drivers.values import Duration, Size, decode

T = TypeVar("T", bound=msgspec.Struct)


def collect(kind: type[T], data: Mapping[str, Any], at: str = "") -> tuple[T | None, list[Problem]]:
    """The structure, or None when it cannot be used, and everything that is wrong. `at` is the key of the table itself."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    found = [_unknown(key, at, fields) for key in data if key not in fields]
    values: dict[str, Any] = {}
    for key, field in fields.items():
        if key in data:
            values[field.name], problems = _value(field.type, data[key], at + key)
            found += problems
        elif field.required:
            found.append(Problem(at + key, "config.missing_key", {"type": _shown(field.type)}))
    if any(not problem.code.startswith("config.unknown_key") for problem in found):
        return None, found
    try:
        return kind(**values), found
    except ValueError as wrong:  # a rule across fields, from __post_init__
        return None, [*found, Problem(at.rstrip("."), "config.wrong_table", {"why": str(wrong)})]


def _value(kind: Any, value: Any, key: str) -> tuple[Any, list[Problem]]:
    if _is_table(kind) and isinstance(value, Mapping):
        return collect(kind, value, f"{key}.")
    if get_origin(kind) is list and _is_table(get_args(kind)[0]) and isinstance(value, Sequence):
        return _tables(get_args(kind)[0], value, key)
    try:
        return msgspec.convert(value, kind, dec_hook=decode), []
    except (msgspec.ValidationError, ValueError, OverflowError) as wrong:
        return None, [Problem(key, "config.wrong_value", {"value": repr(value)[:80], "why": str(wrong)})]


def _tables(kind: type[T], rows: Sequence[Any], key: str) -> tuple[list[Any], list[Problem]]:
    made, problems = [], []
    for label, row in _labelled(rows, key):
        one, wrong = collect(kind, row, f"{label}.") if isinstance(row, Mapping) else _value(kind, row, label)
        made.append(one)
        problems += wrong
    return made, problems


def _labelled(rows: Sequence[Any], key: str) -> Iterator[tuple[str, Any]]:
    """A table of a list is called by its name, where it has one, else by its place."""
    for place, row in enumerate(rows, 1):
        name = row.get("name") if isinstance(row, Mapping) else None
        yield f"{key}[{name if isinstance(name, str) else place}]", row


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _unknown(key: str, at: str, fields: Mapping[str, Any]) -> Problem:
    import difflib  # noqa: PLC0415 - only where there is a mistake

    near = difflib.get_close_matches(key, fields, n=1)
    if near:
        return Problem(at + key, "config.unknown_key_near", {"near": near[0]})
    return Problem(at + key, "config.unknown_key", {"known": ", ".join(sorted(fields))})


def _shown(kind: Any) -> str:
    names: dict[Any, str] = {
        Duration: 'duration as "10s"',
        Size: 'size as "64MiB"',
        str: "text",
        int: "integer",
        bool: "true or false",
    }
    choices = " | ".join(str(one) for one in get_args(kind))
    return names.get(kind) or choices or str(getattr(kind, "__name__", kind))
