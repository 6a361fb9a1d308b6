"""Scaling in decimals: 231 x 0.1 is 23.1 and nothing near it, because that is what the datasheet says. Pure."""

from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite

from protocols.errors import LocalError, RemoteError


@dataclass(frozen=True, slots=True)
class Scale:
    """`raw * factor + offset`, rounded once; RemoteError `overflow` for what no float holds."""

    factor: float = 1.0
    offset: float = 0.0
    _integers: tuple[int, int, int] = field(init=False, repr=False)  # factor and offset over one power of ten

    def __post_init__(self) -> None:
        if not (self.factor and isfinite(self.factor) and isfinite(self.offset)):
            raise LocalError("scale", f"factor {self.factor}, offset {self.offset}")
        parts = [Decimal(repr(number)) for number in (self.factor, self.offset)]
        places = max(0, *(-int(part.as_tuple().exponent) for part in parts))
        ten = Decimal(10) ** places
        object.__setattr__(self, "_integers", (int(parts[0] * ten), int(parts[1] * ten), 10**places))

    @property
    def integers(self) -> tuple[int, int, int]:
        """Factor and offset over one power of ten, the third: all that scaling an integer takes."""
        return self._integers

    def __call__(self, raw: float) -> float:
        if isinstance(raw, int):
            factor, offset, denominator = self._integers
            try:
                return (raw * factor + offset) / denominator
            except OverflowError:
                raise RemoteError("overflow", f"{raw}") from None
        if self.factor == 1 and not self.offset:
            return raw
        return float(Decimal(repr(raw)) * Decimal(repr(self.factor)) + Decimal(repr(self.offset)))
