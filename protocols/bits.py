"""Sequences of integers in few bits: predict, then write what is left in exponential Golomb code.

Knows numbers and nothing of readings. A sequence is a **head** (whole bytes: how it was predicted, and where it starts)
and its **bits** (text of 0 and 1 while being made or read: Python splits and slices that in C). Every length and width
that is read is checked against a bound before it costs anything. The format is specified in docs/platform/packed.md.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError

MAX_VARINT = 10  # bytes: 70 bits, more than any 64-bit number needs
WIDEST = 70  # bits in one code: a second difference of 64-bit numbers, zigzagged, needs 67
FLAT = 63  # in place of the parameter k: every residual is zero, and no bits are written
_SHIFTS = range(0, 7 * MAX_VARINT, 7)
DEEPEST = 2  # order of differences
LONGEST_LEARNT = 9  # bits of an offset remembered with its meaning: at most 1,023 for each of 16 codes, 3 MB in all


def varint(value: int) -> bytes:
    """LEB128: seven bits a byte, least significant first, the high bit says that more follow."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> int:
    """Small numbers of either sign become small numbers: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return value << 1 if value >= 0 else ~(value << 1)


def unzigzag(value: int) -> int:
    return value >> 1 ^ -(value & 1)


class Reader:
    """Whole bytes from the front of a body; RemoteError where they end too soon."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value, at = 0, self.at
        for shift in _SHIFTS:
            try:
                byte = self.data[at]
            except IndexError:
                raise RemoteError("packed.short", offset=at) from None
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.at = at
                return value
        raise RemoteError("packed.varint", offset=at)

    def take(self, count: int) -> bytes:
        end = self.at + count
        if end > len(self.data):
            raise RemoteError("packed.short", f"{count} bytes wanted", self.at)
        part, self.at = self.data[self.at : end], end
        return part

    def bits(self) -> str:
        """All that is left, as text of 0 and 1."""
        rest = self.data[self.at :]
        return f"{int.from_bytes(rest):0{8 * len(rest)}b}" if rest else ""


class Head(NamedTuple):
    """How a sequence is written: differences of `order`, code parameter `k`, and the numbers it starts from."""

    order: int
    k: int
    starts: tuple[int, ...]

    def encode(self) -> bytes:
        return bytes((self.order | self.k << 2,)) + b"".join(varint(zigzag(start)) for start in self.starts)


def read_head(reader: Reader) -> Head:
    (mode,) = reader.take(1)
    order = mode & 3
    if order > DEEPEST:
        raise RemoteError("packed.order", offset=reader.at - 1)
    first = unzigzag(reader.varint())
    return Head(order, mode >> 2, (first, unzigzag(reader.varint())) if order == DEEPEST else (first,))


def still(value: int) -> bytes:
    """The head of a sequence that is `value` throughout; there are no bits."""
    return bytes((FLAT << 2,)) + varint(value << 1 if value >= 0 else ~(value << 1))


def write(values: Sequence[int]) -> tuple[bytes, str]:
    """Head and bits of a sequence, in the cheapest order of differences."""
    first = low = values[0]
    if len(values) == 1 or (low := min(values)) == max(values):
        return still(first), ""
    steps = [b - a for a, b in pairwise(values)]
    choices = [
        (Head(0, 0, (low,)), [value - low for value in values]),
        (Head(1, 0, (first,)), [zigzag(step) for step in steps]),
        (Head(2, 0, (first, steps[0])), [zigzag(b - a) for a, b in pairwise(steps)]),
    ]
    head, residuals = min(choices, key=lambda choice: _estimate(*choice))
    if not any(residuals):
        return head._replace(k=FLAT).encode(), ""
    k = _parameter(residuals)
    return head._replace(k=k).encode(), _golomb(residuals, k)


def read(head: Head, count: int, bits: str) -> tuple[list[int], str]:
    """The `count` numbers of a sequence, and the bits behind it."""
    order, k, starts = head
    if k == FLAT:
        if order == 0:
            return [starts[0]] * count, bits
        numbers = [0] * max(count - order, 0)
    else:
        numbers, bits = _ungolomb(bits, max(count - order, 0), _book(k, order > 0))
    if order == 0:
        low = starts[0]
        return [low + number for number in numbers], bits
    for start in reversed(starts):
        numbers = list(accumulate(numbers, initial=start))
    return numbers[:count], bits


def _estimate(head: Head, residuals: list[int]) -> int:
    """About as many bits as this choice will cost: a code is twice as long as its offset, with the best parameter less."""
    return 3 * sum(map(int.bit_length, residuals)) // 2 + 8 * len(head.encode())


def _parameter(residuals: list[int]) -> int:
    """The k that costs least; the cost has one valley, so it is walked down from the mean width."""
    k = min(sum(map(int.bit_length, residuals)) // len(residuals), FLAT - 1)
    cost = _cost(residuals, k)
    for step in (-1, 1):
        while 0 <= k + step < FLAT and (other := _cost(residuals, k + step)) < cost:
            k, cost = k + step, other
    return k


def _cost(residuals: list[int], k: int) -> int:
    one = 1 << k
    return sum([(residual + one).bit_length() for residual in residuals]) * 2 - len(residuals) * (k + 1)


def _golomb(residuals: list[int], k: int) -> str:
    """First the class of each number in unary, then the offset of each within its class."""
    one = 1 << k
    offsets = [bin(residual + one)[3:] for residual in residuals]
    if max(map(len, offsets)) > WIDEST:
        raise LocalError("packed.wide", "a number needs more than 64 bits")
    return "".join(["0" * (len(offset) - k) + "1" for offset in offsets]) + "".join(offsets)


class _Book(dict[str, int]):
    """What each offset of one code means. An offset tells its class by its length, so that one look-up decodes a number."""

    def __init__(self, k: int, signed: bool) -> None:
        super().__init__()
        self.k, self.signed = k, signed

    def __missing__(self, offset: str) -> int:
        number = int("1" + offset, 2) - (1 << self.k)
        if self.signed:
            number = unzigzag(number)
        if len(offset) <= LONGEST_LEARNT:
            self[offset] = number
        return number


@lru_cache(maxsize=16)
def _book(k: int, signed: bool) -> _Book:
    return _Book(k, signed)


def _ungolomb(bits: str, count: int, book: _Book) -> tuple[list[int], str]:
    *classes, rest = bits.split("1", count)
    if len(classes) < count:
        raise RemoteError("packed.short", f"{count} numbers wanted, {len(classes)} found")
    k = book.k
    ends = list(accumulate([len(zeros) + k for zeros in classes], initial=0))
    if ends[-1] > len(rest):
        raise RemoteError("packed.short", f"{ends[-1]} bits wanted, {len(rest)} left")
    if classes and len(max(classes)) + k > WIDEST:
        raise RemoteError("packed.wide", f"{len(max(classes))} zeros")
    return [book[rest[start:end]] for start, end in pairwise(ends)], rest[ends[-1] :]
