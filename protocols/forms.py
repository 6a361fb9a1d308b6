"""Floating-point values as integers, and back, bit for bit.

A column of values has one **form**: the smallest power of ten that makes integers of all of them, the same for values
that are single-precision numbers (as most Modbus registers give), or the bit patterns themselves where neither fits.
Nothing is ever rounded away: a form is used only after it gave every value back.
"""

from array import array
from math import copysign, isfinite
from typing import Literal

from protocols.errors import LocalError, RemoteError

MOST_DECIMALS = (
    15  # a form up to this says value = number / 10**form; 15 digits survive binary64 (IEEE 754-2019 §5.12.2)
)
SINGLE = 0x10  # added to the decimals: the value is the binary32 number nearest to that decimal
PATTERN64 = 0x40  # the integers are binary64 bit patterns, as signed 64-bit numbers
PATTERN32 = 0x41  # likewise binary32 patterns of single-precision values
_LARGEST = 1 << 51  # a scaled value below this is found exactly by one rounding
_POWERS = tuple(float(10**decimals) for decimals in range(MOST_DECIMALS + 1))


def to_integers(values: list[float]) -> tuple[int, list[int]]:
    """The form of these values and their integers; LocalError for infinities and NaN, which no reading is."""
    found = _short(values[0]) if len(values) == 1 else _decimal(values)
    if found is None:
        if not all(map(isfinite, values)):
            raise LocalError("packed.value", "not finite")
        found = _single(values) or (PATTERN64, _patterns(values, "d", "q"))
    return found


def to_values(form: int, numbers: list[int]) -> list[float]:
    """The values of these integers; RemoteError for a form or a number that `to_integers` never gives."""
    try:
        values = _values(form, numbers)
    except (OverflowError, IndexError) as error:
        raise RemoteError("packed.value", str(error)) from error
    if form > MOST_DECIMALS and not all(map(isfinite, values)):
        raise RemoteError("packed.value", "not finite")
    return values


def _values(form: int, numbers: list[int]) -> list[float]:
    if form == PATTERN64:
        return _from_patterns(numbers, "q", "d")
    if form == PATTERN32:
        return _from_patterns(numbers, "i", "f")
    power = _POWERS[form & ~SINGLE]
    values = [number / power for number in numbers]
    return array("f", values).tolist() if form & SINGLE else values


def decimals(value: float) -> int:
    """Digits behind the point of the shortest decimal that is this value; negative where zeros end it."""
    digits, _, exponent = repr(value).partition("e")
    fraction = digits.partition(".")[2]
    return (0 if fraction == "0" else len(fraction)) - int(exponent or 0)


def _short(value: float) -> tuple[int, list[int]] | None:
    """As `_decimal`, for one value: an append is one row as a rule, and reading off its text is the quickest way."""
    text = repr(value)
    whole, _, fraction = text.partition(".")
    if not fraction or len(text) > MOST_DECIMALS or "e" in fraction or text == "-0.0":
        return _decimal([value])
    return (0, [int(whole)]) if fraction == "0" else (len(fraction), [int(whole + fraction)])


def _decimal(values: list[float]) -> tuple[int, list[int]] | None:
    if not all(map(isfinite, values)):
        return None
    form = max(decimals(values[0]), 0)
    most = max(map(abs, values))
    while form <= MOST_DECIMALS and most * _POWERS[form] < _LARGEST:
        power = _POWERS[form]
        numbers = [round(value * power) for value in values]
        again = [number / power for number in numbers]
        if again == values:
            return None if 0 in numbers and _has_negative_zero(values) else (form, numbers)
        unlike = next(value for value, other in zip(values, again, strict=True) if value != other)
        form = max(decimals(unlike), form + 1)
    return None


def _has_negative_zero(values: list[float]) -> bool:
    return any(value == 0 and copysign(1.0, value) < 0 for value in values)


def _single(values: list[float]) -> tuple[int, list[int]] | None:
    singles = array("f", values).tolist()
    if singles != values:
        return None
    short = [float(f"{value:.7g}") for value in singles]  # seven digits: what a display of a single shows
    if array("f", short).tolist() == singles and (found := _decimal(short)):
        return found[0] | SINGLE, found[1]
    return PATTERN32, _patterns(values, "f", "i")


def _patterns(values: list[float], real: Literal["d", "f"], whole: Literal["q", "i"]) -> list[int]:
    return array(whole, array(real, values).tobytes()).tolist()


def _from_patterns(numbers: list[int], whole: Literal["q", "i"], real: Literal["d", "f"]) -> list[float]:
    return array(real, array(whole, numbers).tobytes()).tolist()
