"""Sentences of BeiDou short-message modules: bytes → sentences whose checksum holds, and back.

This file knows the envelope, `$`, address, fields, `*` and two hex digits, and nothing of what a sentence says. What a
module hands out may be raw GBK with `*`, `,` and `$` in it, so a checksum is looked for from the right end of the line.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from protocols.checksums import xor8
from protocols.errors import RemoteError
from protocols.framing import Lines

LONGEST = 4096  # bytes of a line: the 3,500 digits of the longest BD-3 message (14,000 bits) and its envelope
_MOST_ENDINGS = 32  # places of a line where a checksum is looked for; a message of pure asterisks may cost no more
_HEAD = re.compile(rb"\$[A-Z][A-Z0-9]{4,7}(?=[,*])")
_BARE = re.compile(rb"[A-Z][A-Z0-9]{4},")  # some firmware leaves the `$` out
_ENDING = re.compile(rb"\*([0-9A-Fa-f]{2})")
_TEXT = re.compile(rb"[\x20-\x7e]+")


class Sentence(NamedTuple):
    """`BDTXR` and all that stands between its comma and the checksum, as bytes: raw GBK may be among it."""

    address: str
    body: bytes

    @property
    def kind(self) -> str:
        """TXR of BDTXR; the first two letters say who speaks (CC the host, BD or a satellite system the module)."""
        return self.address[2:]

    def parts(self, most: int = 0) -> list[bytes]:
        """The fields; with `most`, the last one is all the rest, whatever commas it has."""
        return self.body.split(b",", most - 1 if most else -1)

    def fields(self, least: int = 0) -> list[str]:
        """The fields of a sentence that is ASCII throughout."""
        try:
            found = self.body.decode("ascii").split(",")
        except UnicodeDecodeError as wrong:
            raise RemoteError("field", self.address, wrong.start) from None
        if len(found) < least:
            raise RemoteError("truncated", f"{self.address} has {len(found)} of {least} fields")
        return found


class Flaw(NamedTuple):
    """Bytes that are no sentence: `checksum`, `no-checksum`, `truncated` (merged into the next) or `garbage`.

    `offset` is where in the line it went wrong. A session has flaws of its own: `field`, `content`, `repeat`.
    """

    reason: str
    data: bytes
    offset: int


class Text(NamedTuple):
    """A line in plain words, as some modules say: `TCQ OK!`, `READY FOR TRANSMISSION`."""

    words: str


Found = Sentence | Flaw | Text


class Sentences:
    """Splits a stream into sentences; bounded, and in step again at the next `$` of a sentence or end of a line."""

    def __init__(self) -> None:
        self._lines = Lines(LONGEST, keep_tail=True)

    def feed(self, data: bytes) -> list[Found]:
        return [found for line in self._lines.feed(data) for found in split(line)]


def split(line: bytes) -> Iterator[Found]:
    """All there is in one line, in order. Sentences run into one when an end of line is lost."""
    heads = [head.start() for head in _HEAD.finditer(line)]
    if not heads:
        yield from _loose(line, 0)
        return
    yield from _loose(line[: heads[0]], 0)
    whole = sealed(line[heads[0] :]) if len(heads) > 1 and sealed(line[heads[0] : heads[1]]) is None else None
    if whole is not None:  # what looks like a sentence was part of the text of one
        yield whole[0]
        yield from _loose(line[heads[0] + whole[1] :], heads[0] + whole[1])
        return
    for start, end in pairwise([*heads, len(line)]):
        yield from _part(line[start:end], start, cut=end < len(line))


def _part(data: bytes, start: int, *, cut: bool) -> Iterator[Found]:
    found = sealed(data)
    if found is None:
        star = data.rfind(b"*")
        reason = "checksum" if _ENDING.search(data) else "truncated" if cut else "no-checksum"
        yield Flaw(reason, data, start + (star if star >= 0 else len(data)))
        return
    yield found[0]
    yield from _loose(data[found[1] :], start + found[1])


def sealed(data: bytes) -> tuple[Sentence, int] | None:
    """The sentence that begins with these bytes, and its length; the rightmost checksum that holds is the one."""
    begin = 1 if data.startswith(b"$") else 0
    for ending in reversed(list(_ENDING.finditer(data))[-_MOST_ENDINGS:]):
        body = data[begin : ending.start()]
        if xor8(body) == int(ending[1], 16):
            address, _, rest = body.partition(b",")
            if address.isascii() and address.isalnum():
                return Sentence(address.decode("ascii"), rest), ending.end()
    return None


def _loose(data: bytes, start: int) -> Iterator[Found]:
    """Outside of any `$`: a sentence without one, words, or noise."""
    data = data.strip()
    if not data:
        return
    found = sealed(data) if _BARE.match(data) else None
    if found is not None:
        yield found[0]
    elif _TEXT.fullmatch(data) and not data.startswith(b"*"):
        yield Text(data.decode("ascii"))
    else:
        yield Flaw("garbage", data, start)


def seal(address: str, *fields: str | bytes) -> bytes:
    """`$`, the address, its fields, the checksum and the end of the line."""
    parts = [address.encode("ascii"), *(one.encode("ascii") if isinstance(one, str) else one for one in fields)]
    body = b",".join(parts)
    return b"$%s*%02X\r\n" % (body, xor8(body))


def card_name(number: str) -> str:
    """A card's number as it is printed: seven digits or more. Modules drop leading noughts, or put one too many."""
    return number.lstrip("0").zfill(7)


def is_card(number: str) -> bool:
    """Digits; 2.1 cards have seven, those of BD-3 up to eight, and one nought too many."""
    return number.isascii() and number.isdigit() and 1 <= len(number) <= 10 and int(number) > 0


def integer(text: str) -> int:
    """A field that is a whole number; some firmware writes `9999.0`. An empty one is 0."""
    if not text.strip():
        return 0
    whole, _, fraction = text.strip().partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 10 and fraction.strip("0") == ""):
        raise RemoteError("field", text[:16])
    return int(whole)
