"""Registers decoded fast: what is known of one beforehand is worked out once. Pure.

The plain integers that nearly every map consists of get a function of their own; all else is `Register.decode`, and both say
the same.
"""

from collections.abc import Callable, Mapping, Sequence

from protocols.errors import RemoteError
from protocols.modbus_map import Register
from protocols.modbus_pdu import READS_BITS

Decode = Callable[[Sequence[int], int], float]
"""The value of a register whose first word is at this place of an answer; RemoteError as `Register.decode`."""

Raw = Callable[[Sequence[int], int], int]
MOST_RAW = 1 << 32  # of the types below

_RAW: Mapping[tuple[str, str], Raw] = {
    ("uint16", "ABCD"): lambda words, at: words[at],
    ("int16", "ABCD"): lambda words, at: (words[at] ^ 0x8000) - 0x8000,
    ("uint32", "ABCD"): lambda words, at: words[at] << 16 | words[at + 1],
    ("uint32", "CDAB"): lambda words, at: words[at + 1] << 16 | words[at],
    ("int32", "ABCD"): lambda words, at: ((words[at] << 16 | words[at + 1]) ^ 0x80000000) - 0x80000000,
    ("int32", "CDAB"): lambda words, at: ((words[at + 1] << 16 | words[at]) ^ 0x80000000) - 0x80000000,
}


def decoder(register: Register) -> Decode:
    order = "ABCD" if register.width == 1 and register.order == "CDAB" else register.order
    raw = _RAW.get((register.type, order))
    if raw is None or register.function in READS_BITS or not _finite(register):
        width = register.width
        return lambda words, at: register.decode(words[at : at + width])
    if register.missing:
        return _lacking(register, raw)
    return _scaled(register, raw)


def _finite(register: Register) -> bool:
    factor, offset, denominator = register.integers
    try:
        return bool((MOST_RAW * abs(factor) + abs(offset)) / denominator < float("inf"))
    except OverflowError:
        return False


def _scaled(register: Register, raw: Raw) -> Decode:
    factor, offset, denominator = register.integers
    if register.type == "uint16":  # most of all, and one call less
        return lambda words, at: (words[at] * factor + offset) / denominator
    return lambda words, at: (raw(words, at) * factor + offset) / denominator


def _lacking(register: Register, raw: Raw) -> Decode:
    factor, offset, denominator = register.integers
    missing, name = frozenset(register.missing), register.name

    def decode(words: Sequence[int], at: int) -> float:
        found = raw(words, at)
        if found in missing:
            raise RemoteError("missing", f"{name}: {found}")
        return (found * factor + offset) / denominator

    return decode
