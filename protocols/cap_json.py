"""An imported message as plain JSON values, for `fengsui decode` and for whoever wants to look before he signs. Words are
CAP's, times stay Unix seconds, and a resource's content is only counted.
"""

from dataclasses import fields, is_dataclass
from enum import Enum, StrEnum
from typing import Any

from protocols.cap import Imported, Resource


def plain(imported: Imported) -> dict[str, Any]:
    """Empty fields are left out: what is not there was not said."""
    values: dict[str, Any] = _plain(imported)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Resource):
        return {**_record(value), **({"content": f"{len(value.content)} characters"} if value.content else {})}
    if is_dataclass(value):
        return _record(value)
    if isinstance(value, Enum):
        return value.value if isinstance(value, StrEnum) else value.name.lower()
    if isinstance(value, tuple):
        return _named(value) if hasattr(value, "_fields") else [_plain(item) for item in value]
    return value


def _record(value: Any) -> dict[str, Any]:
    pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
    return {name: _plain(item) for name, item in pairs if item not in ("", (), None)}


def _named(value: Any) -> dict[str, Any]:
    return {name: _plain(item) for name, item in value._asdict().items() if item not in ("", (), None)}
