"""Small talk between a station and its headend, several parts in one message: receipts, a sign of life, the time.

    part     01 count receipts | 02 | 03 Unix milliseconds 6, error in seconds 2

Knows no session: what it reads was opened before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.errors import LocalError, RemoteError
from protocols.narrow import receipt
from protocols.narrow.receipt import Receipt

_RECEIPTS, _PING, _TIME = 1, 2, 3
MOST_RECEIPTS = 64  # of one message
MOST_ERROR = 0xFFFF  # seconds


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


Part = Receipt | Ping | Time


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
    return bytes((_PING,))


def _read(body: bytes, at: int) -> tuple[Sequence[Part], int]:
    code, rest = body[at], body[at + 1 :]
    if code == _RECEIPTS and rest:
        return _receipts(body, at + 2, rest[0])
    if code == _PING:
        return [Ping()], at + 1
    if code == _TIME and len(rest) >= 8:
        return [Time(int.from_bytes(rest[:6]), int.from_bytes(rest[6:8]))], at + 9
    raise RemoteError("control.part", f"part {code}, {len(rest)} bytes behind it", at)


def _receipts(body: bytes, at: int, count: int) -> tuple[list[Part], int]:
    if not 0 < count <= MOST_RECEIPTS:
        raise RemoteError("control.receipts", str(count), at - 1)
    found: list[Part] = []
    for _ in range(count):
        one, at = receipt.read(body, at)
        found.append(one)
    return found, at
