"""The series of a station in order of value, said once, so that no name travels with a number.

A digest and a detail name a schema by two bytes of its digest; the text itself goes ahead of them, in an event or as a
message of its own. Specified in docs/platform/digest.md.
"""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from protocols import forms
from protocols.errors import LocalError, RemoteError

ID_BYTES = 2
MOST_SERIES = 256  # of a station; twenty are usual
MOST_TEXT = 32 * 1024  # bytes: 256 names of 64 characters and their numbers fit
MOST_DECIMALS = 9
MOST_K = 63
MOST_MIDDLE = 1 << 62
REMEMBERED = 16  # texts: a station's schema changes with its configuration
UNKNOWN_DECIMALS = 2  # of a series whose step nobody states: finer than most sensors resolve
UNKNOWN_K = 10  # and a span of about a thousand steps
_RAW = -15  # a deflate stream without zlib's header and checksum: RFC 1951 alone


class Series(NamedTuple):
    """Values travel as integers of 10**-`decimals`; those within 2**(k-1) of `middle` cost k + 1 bits, others more."""

    name: str
    unit: str  # UCUM
    decimals: int
    middle: int
    k: int

    def steps(self, value: float) -> int:
        return round(value * 10.0**self.decimals)

    def value(self, steps: int) -> float:
        return steps / 10.0**self.decimals


def series(name: str, unit: str, *, step: float = 0.0, span: tuple[float, float] | None = None) -> Series:
    """From what a sensor's description says: its resolution (0: unknown) and the values it can have."""
    decimals = min(max(forms.decimals(float(step)), 0), MOST_DECIMALS) if step > 0 else UNKNOWN_DECIMALS
    if span is None:
        return Series(name, unit, decimals, 0, UNKNOWN_K)
    low, high = (round(end * 10**decimals) for end in span)
    return Series(name, unit, decimals, (low + high) // 2, min((high - low).bit_length(), MOST_K))


@dataclass(frozen=True)
class Schema:
    """What matters most stands first."""

    series: tuple[Series, ...]

    @cached_property
    def text(self) -> str:
        return "\n".join(" ".join(map(str, one)) for one in self.series)

    @cached_property
    def id(self) -> bytes:
        return hashlib.sha256(self.text.encode()).digest()[:ID_BYTES]

    @cached_property
    def places(self) -> dict[tuple[str, str], int]:
        return {(one.name, one.unit): place for place, one in enumerate(self.series)}


def schema(of: Iterable[Series]) -> Schema:
    """LocalError for one that could not be announced."""
    made = Schema(tuple(of))
    try:
        if parse(made.text) == made:
            return made
    except RemoteError as error:
        raise LocalError(error.reason, error.detail) from error
    raise LocalError("schema.name", "a name or unit with a space in it")


def announce(of: Schema) -> bytes:
    """The body that makes a schema known: raw deflate of its text."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW)
    return packer.compress(of.text.encode()) + packer.flush()


def learn(body: bytes) -> Schema:
    unpacker = zlib.decompressobj(_RAW)
    try:
        text = unpacker.decompress(body, MOST_TEXT)
        if not unpacker.eof or unpacker.unused_data:
            raise RemoteError("schema.deflate", "not one whole deflate stream")
        return parse(text.decode())
    except (zlib.error, UnicodeDecodeError) as error:
        raise RemoteError("schema.deflate", str(error)) from error


@lru_cache(maxsize=REMEMBERED)
def parse(text: str) -> Schema:
    """The schema of this text: a line a series, `name unit decimals middle k`."""
    lines = text.split("\n")
    if len(lines) > MOST_SERIES or len(text) > MOST_TEXT:
        raise RemoteError("schema.long", f"{len(lines)} series, {len(text)} characters")
    found = Schema(tuple(map(_series, lines)))
    if len(found.places) < len(lines):
        raise RemoteError("schema.twice", "a series stands twice")
    return found


def _series(line: str) -> Series:
    words = line.split(" ")
    if len(words) != 5 or not all(words) or not line.isprintable():
        raise RemoteError("schema.line", repr(line[:80]))
    decimals, middle, k = map(_whole, words[2:])
    if not (0 <= decimals <= MOST_DECIMALS and abs(middle) <= MOST_MIDDLE and 0 <= k <= MOST_K):
        raise RemoteError("schema.line", repr(line[:80]))
    return Series(words[0], words[1], decimals, middle, k)


def _whole(word: str) -> int:
    digits = word.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19) or str(int(word)) != word:
        raise RemoteError("schema.line", repr(word[:80]))
    return int(word)
