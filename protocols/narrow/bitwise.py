"""Numbers as bits, most significant first: the pen that digest and detail are written with, and the eye that reads them.

A body is one run of bits filled up with fewer than eight zeros. Numbers of unknown size are exponential Golomb codes of
a parameter k: with y = number + 2**k of L bits, L - 1 - k zeros and then y. Specified in docs/platform/digest.md.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from protocols.bits import unzigzag, zigzag
from protocols.errors import RemoteError

MOST_ZEROS = 70  # before a code: a second difference of 64-bit numbers, zigzagged, needs 67 bits
STILL = 15  # in place of the parameter of a sequence: every residual is zero, and none is written
DEEPEST = 2  # order of differences


def code(number: int, k: int) -> str:
    """A number from 0 up as an exponential Golomb code."""
    y = number + (1 << k)
    return "0" * (y.bit_length() - 1 - k) + f"{y:b}"


def code_length(number: int, k: int) -> int:
    return 2 * (number + (1 << k)).bit_length() - 1 - k


def best_parameter(numbers: Sequence[int]) -> int:
    """The parameter below `STILL` with which these numbers cost least."""
    return min(range(STILL), key=lambda k: sum(code_length(number, k) for number in numbers))


class Pen:
    """Writes bits one behind the other."""

    __slots__ = ("_parts", "length")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.length = 0  # bits

    def text(self, bits: str) -> None:
        self._parts.append(bits)
        self.length += len(bits)

    def flag(self, value: bool) -> None:
        self.text("1" if value else "0")

    def fixed(self, value: int, width: int) -> None:
        self.text(f"{value:0{width}b}" if width else "")

    def octets(self, data: bytes) -> None:
        self.fixed(int.from_bytes(data), 8 * len(data))

    def number(self, value: int, k: int) -> None:
        self.text(code(value, k))

    def signed(self, value: int, k: int) -> None:
        self.number(zigzag(value), k)

    def sequence(self, numbers: Sequence[int], middle: int, k: int, step: int) -> None:
        """In the cheapest order of differences. `middle` and `k` say where the first number is expected, `step` how long
        the first difference may be; both sides know the three and the count.
        """
        if len(numbers) == 1:
            self.signed(numbers[0] - middle, k)
        elif numbers:
            self.text(min((_written(numbers, order, middle, k, step) for order in range(DEEPEST + 1)), key=len))

    def bytes(self) -> bytes:
        size = -(-self.length // 8)
        return (int("".join(self._parts) or "0", 2) << 8 * size - self.length).to_bytes(size)


def _written(numbers: Sequence[int], order: int, middle: int, k: int, step: int) -> str:
    starts, residuals = _differences(numbers, order)
    parameter = best_parameter(residuals) if any(residuals) else STILL
    head = f"{order:02b}{parameter:04b}" + code(zigzag(starts[0] - middle), k)
    head += "".join(code(zigzag(start), step) for start in starts[1:])
    return head if parameter == STILL else head + "".join([code(residual, parameter) for residual in residuals])


def _differences(numbers: Sequence[int], order: int) -> tuple[list[int], list[int]]:
    if order == 0:
        low = min(numbers)
        return [low], [number - low for number in numbers]
    starts, rest = [], list(numbers)
    for _ in range(order):
        starts.append(rest[0])
        rest = [b - a for a, b in pairwise(rest)]
    return starts, [zigzag(number) for number in rest]


class Eye:
    """Reads what a pen wrote. RemoteError, with the byte, where the bits end too soon or say what cannot be."""

    __slots__ = ("_at", "_bits")

    def __init__(self, data: bytes, start: int = 0) -> None:
        self._bits = f"{int.from_bytes(data):0{8 * len(data)}b}" if data else ""
        self._at = 8 * start

    def wrong(self, reason: str, detail: str = "") -> RemoteError:
        return RemoteError(reason, detail, self._at // 8)

    def fixed(self, width: int) -> int:
        end = self._at + width
        if end > len(self._bits):
            raise self.wrong("narrow.short", f"{width} bits wanted")
        part, self._at = self._bits[self._at : end], end
        return int(part or "0", 2)

    def flag(self) -> bool:
        return bool(self.fixed(1))

    def octets(self, count: int) -> bytes:
        return self.fixed(8 * count).to_bytes(count)

    def number(self, k: int, most: int | None = None) -> int:
        """`most` is the largest that makes sense here: every count is checked before it costs anything."""
        one = self._bits.find("1", self._at, self._at + MOST_ZEROS + 1)
        if one < 0:
            raise self.wrong("narrow.wide" if len(self._bits) - self._at > MOST_ZEROS else "narrow.short")
        zeros, self._at = one - self._at, one
        value = self.fixed(zeros + k + 1) - (1 << k)
        if most is not None and value > most:
            raise self.wrong("narrow.count", f"{value}, {most} at most")
        return value

    def signed(self, k: int) -> int:
        return unzigzag(self.number(k))

    def sequence(self, count: int, middle: int, k: int, step: int) -> list[int]:
        if count <= 1:
            return [middle + self.signed(k)] if count else []
        order, parameter = self.fixed(2), self.fixed(4)
        if order > DEEPEST:
            raise self.wrong("narrow.order")
        starts = [middle + self.signed(k)] + [self.signed(step) for _ in range(order - 1)]
        residuals = self._residuals(count - order, parameter, unzigzag if order else int)
        if order == 0:
            return [starts[0] + residual for residual in residuals]
        for start in reversed(starts):
            residuals = list(accumulate(residuals, initial=start))
        return residuals

    def _residuals(self, count: int, parameter: int, meaning: Callable[[int], int]) -> list[int]:
        return [0] * count if parameter == STILL else [meaning(self.number(parameter)) for _ in range(count)]

    def end(self) -> None:
        """Nothing may follow but the zeros that fill the last byte."""
        rest = self._bits[self._at :]
        if len(rest) > 7 or "1" in rest:
            raise self.wrong("narrow.rest", f"{len(rest)} bits too many")
