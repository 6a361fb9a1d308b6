"""Small talk between a station and its headend, several parts in one message: receipts, a sign of life, the time, the words
that a station's events are made of.

    part     01 count receipts | 02 | 03 Unix milliseconds 6, error in seconds 2 | 04 length 2, words deflated

Knows no session: what it reads was opened before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.errors import LocalError, RemoteError
from protocols.narrow import deflated, receipt
from protocols.narrow.receipt import Receipt

_RECEIPTS, _PING, _TIME, _WORDS = 1, 2, 3, 4
MOST_RECEIPTS = 64  # of one message
MOST_ERROR = 0xFFFF  # seconds
MOST_WORDS = 4096  # bytes of a station's own: of some twenty rules


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for nothing but the receipt that every message asks for: the cheapest proof of both ways."""


@dataclass(frozen=True, slots=True)
class Time:
    """What the headend's clock said when this was sealed. It may have been held back since: it proves only that it is not
    earlier. The answer to a `hello` is better: it cannot be older than the hello.
    """

    unix_ms: int
    error: int  # seconds


@dataclass(frozen=True, slots=True)
class Words:
    """A station's own words, to be held under their name (`Contexts.learn_words`) from then on."""

    words: bytes


Part = Receipt | Ping | Time | Words


def encode(parts: Sequence[Part]) -> bytes:
    """Receipts first."""
    receipts = [part for part in parts if isinstance(part, Receipt)]
    if len(receipts) > MOST_RECEIPTS:
        raise LocalError("control.receipts", str(len(receipts)))
    head = bytes((_RECEIPTS, len(receipts))) + b"".join(map(receipt.encode, receipts)) if receipts else b""
    return head + b"".join(_encode(part) for part in parts if not isinstance(part, Receipt))


def decode(body: bytes) -> list[Part]:
    """RemoteError for a part that is not known: it cannot be told where the next begins."""
    parts: list[Part] = []
    at = 0
    while at < len(body):
        found, at = _read(body, at)
        parts += found
    return parts


def _encode(part: Part) -> bytes:
    if isinstance(part, Time):
        return bytes((_TIME,)) + part.unix_ms.to_bytes(6) + min(part.error, MOST_ERROR).to_bytes(2)
    if isinstance(part, Words):
        packed = deflated.pack(part.words)
        return bytes((_WORDS,)) + len(packed).to_bytes(2) + packed
    return bytes((_PING,))


def _read(body: bytes, at: int) -> tuple[Sequence[Part], int]:
    code, rest = body[at], body[at + 1 :]
    if code == _RECEIPTS and rest:
        return _receipts(body, at + 2, rest[0])
    if code == _PING:
        return [Ping()], at + 1
    if code == _TIME and len(rest) >= 8:
        return [Time(int.from_bytes(rest[:6]), int.from_bytes(rest[6:8]))], at + 9
    if code == _WORDS and len(rest) >= 2 + (size := int.from_bytes(rest[:2])):
        return [_words(rest[2 : 2 + size], at + 3)], at + 3 + size
    raise RemoteError("control.part", f"part {code}, {len(rest)} bytes behind it", at)


def _words(data: bytes, at: int) -> Words:
    found, rest = deflated.unpack(data, b"", MOST_WORDS, at)
    if rest:
        raise RemoteError("control.words", f"{len(rest)} bytes behind them", at)
    return Words(found)


def _receipts(body: bytes, at: int, count: int) -> tuple[list[Part], int]:
    if not 0 < count <= MOST_RECEIPTS:
        raise RemoteError("control.receipts", str(count), at - 1)
    found: list[Part] = []
    for _ in range(count):
        one, at = receipt.read(body, at)
        found.append(one)
    return found, at
