"""What registers mean: words → a number in a unit. Pure; a map is data that a person can hold against the datasheet.

What is no number (NaN, infinity, a digit that BCD does not know, the device's own word for "nothing there") is refused,
never turned into a value.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from typing import Literal

from protocols.errors import LocalError, RemoteError
from protocols.modbus_pdu import READ_HOLDING, READS, READS_BITS
from protocols.scale import Scale

WIDTHS: Mapping[str, int] = {
    "bit": 1,
    "int16": 1,
    "uint16": 1,
    "bcd16": 1,
    "int32": 2,
    "uint32": 2,
    "float32": 2,
    "bcd32": 2,
    "int64": 4,
    "uint64": 4,
    "float64": 4,
}
"""Types and the registers they take."""

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
"""The four bytes of 0xAABBCCDD as they come: big; words swapped; bytes swapped; little. Wider types alike."""

MOST_EXACT = 1 << 53  # beyond, a double skips integers
_FLOATS: Mapping[str, str] = {"float32": ">f", "float64": ">d"}


@dataclass(frozen=True, slots=True)
class Register:
    """Where a number lies and how it is written there. The value is `raw * scale + offset`, computed in decimals:
    231 x 0.1 is 23.1 and nothing near it. `missing` are raw values by which the device says that it has none.
    """

    name: str
    address: int
    function: int = READ_HOLDING
    type: str = "uint16"
    order: str = "ABCD"
    scale: float = 1.0
    offset: float = 0.0
    bit: int = 0
    missing: tuple[float, ...] = ()
    _scaled: Scale = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.type not in WIDTHS or self.order not in ORDERS or self.function not in READS:
            raise LocalError("register", f"{self.name}: type {self.type}, order {self.order}, function {self.function}")
        if self.function in READS_BITS and self.type != "bit":
            raise LocalError("register", f"{self.name}: function {self.function} reads bits")
        if not 0 <= self.address <= 0x10000 - WIDTHS[self.type] or not 0 <= self.bit <= 15:
            raise LocalError("register", f"{self.name}: address {self.address}, bit {self.bit}")
        object.__setattr__(self, "_scaled", Scale(self.scale, self.offset))

    @property
    def width(self) -> int:
        return WIDTHS[self.type]

    @property
    def integers(self) -> tuple[int, int, int]:
        """See `protocols.scale.Scale.integers`."""
        return self._scaled.integers

    @property
    def step(self) -> float:
        """The resolution of an integer type; 0 where it is the device's affair."""
        return 0.0 if self.type in _FLOATS else abs(self.scale)

    def decode(self, words: Sequence[int]) -> float:
        """The number in these words; RemoteError `nan`, `overflow`, `bcd` or `missing`."""
        raw = self._raw(words)
        if raw in self.missing:
            raise RemoteError("missing", f"{self.name}: {raw}")
        if isinstance(raw, int) and abs(raw) > MOST_EXACT:
            raise RemoteError("overflow", f"{self.name}: {raw}")
        value = self._scaled(raw)
        if not isfinite(value):
            raise RemoteError("overflow", f"{self.name}: {raw}")
        return value

    def _raw(self, words: Sequence[int]) -> int | float:
        if len(words) != self.width:
            raise LocalError("register", f"{self.name}: {len(words)} words for {self.type}")
        if self.type == "bit":
            return words[0] & 1 if self.function in READS_BITS else words[0] >> self.bit & 1
        data = ordered(words, self.order)
        if self.type in _FLOATS:
            return self._float(data)
        if self.type.startswith("bcd"):
            return self._bcd(data)
        return int.from_bytes(data, "big", signed=self.type.startswith("int"))

    def _float(self, data: bytes) -> float:
        value: float = struct.unpack(_FLOATS[self.type], data)[0]
        if value != value:  # noqa: PLR0124 - only NaN differs from itself
            raise RemoteError("nan", self.name)
        if not isfinite(value):
            raise RemoteError("overflow", f"{self.name}: {value}")
        return shortest(value) if self.type == "float32" else value

    def _bcd(self, data: bytes) -> int:
        if not data.hex().isdigit():
            raise RemoteError("bcd", f"{self.name}: {data.hex()}")
        return int(data.hex())


def ordered(words: Sequence[int], order: str) -> bytes:
    """The bytes of these words, most significant first. They have one home on the wire and four habits."""
    inward: Literal["little", "big"] = "little" if order in ("BADC", "DCBA") else "big"
    arranged = reversed(words) if order in ("CDAB", "DCBA") else words
    return b"".join(word.to_bytes(2, inward) for word in arranged)


def shortest(value: float) -> float:
    """The shortest decimal that is this float32: 3.14, where a double would say 3.140000104904175."""
    packed = struct.pack(">f", value)
    for digits in (6, 7, 8):
        shorter = float(f"{value:.{digits}g}")
        if abs(shorter) < 3.4e38 and struct.pack(">f", shorter) == packed:
            return shorter
    return value


def overlapping(registers: Sequence[Register]) -> list[tuple[str, str]]:
    """Neighbours that share a register, bits of one word apart: in a map, nearly always a slip of the pen."""
    inorder = sorted(registers, key=lambda one: (one.function, one.address))
    return [
        (one.name, other.name)
        for one, other in pairwise(inorder)
        if one.function == other.function
        and other.address < one.address + one.width
        and "bit" not in (one.type, other.type)
    ]
