"""Pieces that stand for lost ones where nobody can ask for them again: any `count` of all that were made are enough.

A Cauchy code over GF(256) with x^8+x^4+x^3+x^2+1 (0x11D). A piece's place in the header is its point: parity piece `p` is
the sum of data piece `i` over `p ^ i`, which is never zero, since parity begins at 64. Knows equal pieces, nothing else.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from protocols.errors import LocalError
from protocols.narrow.header import MOST_PIECES, PARITY

_POLYNOMIAL = 0x11D


def _powers() -> tuple[list[int], list[int]]:
    power, logarithm, value = [0] * 510, [0] * 256, 1
    for exponent in range(255):
        power[exponent] = power[exponent + 255] = value
        logarithm[value] = exponent
        value = value << 1 ^ (_POLYNOMIAL if value & 0x80 else 0)
    return power, logarithm


_POWER, _LOG = _powers()


def _inverse(value: int) -> int:
    return _POWER[255 - _LOG[value]]


def _times(a: int, b: int) -> int:
    return _POWER[_LOG[a] + _LOG[b]] if a and b else 0


@lru_cache(maxsize=256)
def _table(factor: int) -> bytes:
    return bytes(_times(factor, value) for value in range(256))


def _sum(terms: Sequence[tuple[int, bytes]], size: int) -> bytes:
    """Pieces times their factors, added up. Addition is XOR, and an integer XORs all bytes at once."""
    total = 0
    for factor, piece in terms:
        total ^= int.from_bytes(piece.translate(_table(factor)))
    return total.to_bytes(size)


def make(pieces: Sequence[bytes], extra: int) -> dict[int, bytes]:
    """`extra` pieces of parity, by place."""
    if len({len(piece) for piece in pieces}) != 1 or not 0 <= extra <= MOST_PIECES or len(pieces) > MOST_PIECES:
        raise LocalError("parity.pieces", f"{len(pieces)} pieces, {extra} of parity")
    size = len(pieces[0])
    return {
        point: _sum([(_inverse(point ^ index), piece) for index, piece in enumerate(pieces)], size)
        for point in range(PARITY, PARITY + extra)
    }


def restore(held: Mapping[int, bytes], count: int) -> list[bytes]:
    """All data pieces from any `count` pieces of one length; LocalError where there are fewer."""
    lost = [index for index in range(count) if index not in held]
    points = [index for index in held if index >= PARITY][: len(lost)]
    if len(points) < len(lost):
        raise LocalError("parity.few", f"{len(held)} of {count} pieces")
    size = len(next(iter(held.values())))
    known = [(index, piece) for index, piece in held.items() if index < PARITY]
    rest = [_sum([(1, held[p]), *((_inverse(p ^ index), piece) for index, piece in known)], size) for p in points]
    found = dict(known) | dict(zip(lost, _solve([[_inverse(p ^ i) for i in lost] for p in points], rest), strict=True))
    return [found[index] for index in range(count)]


def _solve(rows: list[list[int]], right: list[bytes]) -> list[bytes]:
    """Gauss and Jordan. Every square part of a Cauchy matrix can be inverted, so that no pivot is ever missing."""
    for at in range(len(rows)):
        pivot = next(row for row in range(at, len(rows)) if rows[row][at])
        rows[at], rows[pivot], right[at], right[pivot] = rows[pivot], rows[at], right[pivot], right[at]
        scale = _inverse(rows[at][at])
        rows[at], right[at] = [_times(scale, value) for value in rows[at]], right[at].translate(_table(scale))
        for row, factor in [(row, rows[row][at]) for row in range(len(rows)) if row != at and rows[row][at]]:
            rows[row] = [value ^ _times(factor, own) for value, own in zip(rows[row], rows[at], strict=True)]
            right[row] = _sum([(1, right[row]), (factor, right[at])], len(right[at]))
    return right
