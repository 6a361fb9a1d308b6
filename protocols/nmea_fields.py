"""Fields of NMEA sentences: text to numbers, metres per second, degrees, times of day (IEC 61162-1, 7.2). Pure.

Empty fields are None, as they are common. A field that is no number is refused.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from protocols.errors import RemoteError
from protocols.scale import Scale

Fields = Sequence[str]
Decoded = dict[str, Any]

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)", re.ASCII)
_TO_MS = {"N": Scale(0.514444444444), "K": Scale(0.277777777778), "M": Scale(), "S": Scale(0.44704)}


def number(text: str) -> float | None:
    """None for an empty field; RemoteError for what is no plain decimal."""
    text = text.strip()
    if not text:
        return None
    if len(text) > 32 or not _NUMBER.fullmatch(text):
        raise RemoteError("field", text[:32])
    return float(text)


def integer(text: str) -> int | None:
    value = number(text)
    return None if value is None else int(value)


def speed(text: str, unit: str) -> float | None:
    """Metres per second; three decimals are finer than any anemometer."""
    value = number(text)
    if value is None:
        return None
    if unit not in _TO_MS:
        raise RemoteError("unit", unit[:8])
    return round(_TO_MS[unit](value), 3)


def celsius(text: str, unit: str) -> float | None:
    """The standard knows C alone; instruments that are set to Fahrenheit say F."""
    value = number(text)
    if value is None or unit in ("C", ""):
        return value
    if unit != "F":
        raise RemoteError("unit", unit[:8])
    return round((value - 32) / 1.8, 3)


def signed(text: str, side: str) -> float | None:
    """Degrees of a deviation or variation: west is less than nought."""
    value = number(text)
    return -value if value and side == "W" else value


def degrees(text: str, hemisphere: str, most: int) -> float | None:
    """ddmm.mmmm and N, S, E or W to signed degrees; nine decimals are a tenth of a millimetre."""
    if not text or not hemisphere:
        return None
    value = number(text)
    if value is None or hemisphere not in "NSEW":
        raise RemoteError("field", f"{text[:20]} {hemisphere[:2]}")
    whole, minutes = divmod(value, 100)
    if whole + minutes / 60 > most or minutes >= 60:
        raise RemoteError("field", text[:20])
    return round((whole + minutes / 60) * (-1 if hemisphere in "SW" else 1), 9)


def at(fields: Fields, index: int) -> str:
    """A field, or nothing where an older sentence ends."""
    return fields[index] if index < len(fields) else ""


def clock(text: str) -> str | None:
    """hhmmss.ss to hh:mm:ss.ss."""
    if not text:
        return None
    if number(text) is None or len(text) < 6 or not text[:6].isdigit():
        raise RemoteError("field", text[:16])
    return f"{text[:2]}:{text[2:4]}:{text[4:]}"


def named(*names: str) -> Callable[[Fields], Decoded]:
    """Numbers in order; an empty name skips a field."""
    return lambda fields: {name: number(at(fields, n)) for n, name in enumerate(names) if name}
