"""Which part of a frame is which series: by its place between separators, by a pattern, or by byte and type. Pure."""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

from protocols.errors import LocalError, RemoteError
from protocols.modbus_map import MOST_EXACT, shortest
from protocols.scale import Scale

TYPES: Mapping[str, int] = {
    "int8": 1, "uint8": 1, "bcd8": 1,
    "int16": 2, "uint16": 2, "bcd16": 2,
    "int24": 3, "uint24": 3, "bcd24": 3,
    "int32": 4, "uint32": 4, "bcd32": 4, "float32": 4,
    "int64": 8, "uint64": 8, "float64": 8,
}  # fmt: skip
"""Types and their bytes."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?", re.ASCII)
LONGEST_NUMBER = 32  # characters


@dataclass(frozen=True, slots=True)
class Piece:
    """Where a number is: exactly one of `place` (between separators, from 0), `pattern` (its first group), and `at` with
    `type` (from the first byte behind the start). `when`: places or bytes and what they must be, for this series to be
    in a frame at all. `missing` are numbers or words by which the instrument says that it has none.
    """

    name: str
    place: int | None = None
    pattern: str = ""
    at: int | None = None
    type: str = "uint16"
    order: Literal["big", "little"] = "big"
    base: int = 10
    when: Mapping[int, Sequence[str | int]] = field(default_factory=dict)
    missing: Sequence[float | str] = ()
    scale: Scale = field(default_factory=Scale)
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (self.place is not None) + bool(self.pattern) + (self.at is not None) != 1:
            raise LocalError("piece", "needs one of field, pattern and at")
        if self.type not in TYPES or self.base not in (10, 16) or min(self.place or 0, self.at or 0) < 0:
            raise LocalError("piece", f"type {self.type}, base {self.base}, field {self.place}, at {self.at}")
        try:
            compiled = re.compile(self.pattern, re.ASCII)
        except re.error as wrong:
            raise LocalError("piece", f"pattern: {wrong}") from wrong
        if self.pattern and not compiled.groups:
            raise LocalError("piece", "the pattern needs a group for the number")
        object.__setattr__(self, "_pattern", compiled)

    def value(self, data: bytes, text: str, places: Sequence[str]) -> float | None:
        """What the frame says of this series; None where it is not a frame with it. RemoteError `missing`, `field`, `nan`,
        `overflow` or `bcd`.
        """
        if self.when and not self._applies(data, places):
            return None
        if self.at is not None:
            return self._scaled(self._raw(data))
        said = self._said(text, places)
        return None if said is None else self._scaled(self._number(said))

    def _applies(self, data: bytes, places: Sequence[str]) -> bool:
        if self.at is not None:
            return all(at < len(data) and data[at] in wanted for at, wanted in self.when.items())
        return all(at < len(places) and places[at] in wanted for at, wanted in self.when.items())

    def _said(self, text: str, places: Sequence[str]) -> str | None:
        if self.place is not None:
            if self.place >= len(places):
                raise RemoteError("field", f"{self.name}: {len(places)} fields")
            return places[self.place].strip()
        found = self._pattern.search(text)
        return None if found is None else (found[1] or "").strip()

    def _number(self, said: str) -> float:
        if not said or said in self.missing:
            raise RemoteError("missing", f"{self.name}: {said}")
        if self.base == 16:
            if len(said) > LONGEST_NUMBER or not re.fullmatch(r"[0-9A-Fa-f]+", said):
                raise RemoteError("field", f"{self.name}: {said[:LONGEST_NUMBER]}")
            return int(said, 16)
        if len(said) > LONGEST_NUMBER or not _NUMBER.fullmatch(said):
            raise RemoteError("field", f"{self.name}: {said[:LONGEST_NUMBER]}")
        return float(said)

    def _raw(self, data: bytes) -> float:
        at = self.at or 0
        part = data[at : at + TYPES[self.type]]
        if len(part) != TYPES[self.type]:
            raise RemoteError("field", f"{self.name}: {len(data)} bytes")
        if self.type.startswith("float"):
            return _real(self.type, part if self.order == "big" else part[::-1])
        if self.type.startswith("bcd"):
            digits = (part if self.order == "big" else part[::-1]).hex()
            if not digits.isdigit():
                raise RemoteError("bcd", f"{self.name}: {digits}")
            return int(digits)
        return int.from_bytes(part, self.order, signed=self.type.startswith("int"))

    def _scaled(self, raw: float) -> float:
        if raw in self.missing:
            raise RemoteError("missing", f"{self.name}: {raw}")
        if raw != raw:  # noqa: PLR0124 - only NaN differs from itself
            raise RemoteError("nan", self.name)
        if not isfinite(raw) or (isinstance(raw, int) and abs(raw) > MOST_EXACT):
            raise RemoteError("overflow", f"{self.name}: {raw}")
        value = self.scale(raw)
        if not isfinite(value):
            raise RemoteError("overflow", f"{self.name}: {raw}")
        return value


def _real(kind: str, data: bytes) -> float:
    if kind == "float64":
        return float(struct.unpack(">d", data)[0])
    value = float(struct.unpack(">f", data)[0])
    return shortest(value) if isfinite(value) else value
