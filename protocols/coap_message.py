"""A CoAP message without its transport: code, options, payload (RFC 7252 §3; the inner message of RFC 8613 §5.3). Pure."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError

MOST_OPTIONS = 32
POST, GET = 2, 1
CHANGED, CONTINUE = 0x44, 0x5F  # 2.04, 2.31
BAD_REQUEST, UNAUTHORIZED, BAD_OPTION, NOT_FOUND, NOT_ALLOWED = 0x80, 0x81, 0x82, 0x84, 0x85
INCOMPLETE, TOO_LARGE, UNSUPPORTED, TOO_MANY = 0x88, 0x8D, 0x8F, 0x9D  # 4.08, 4.13, 4.15, 4.29 (RFC 8516)
UNAVAILABLE = 0xA3  # 5.03
URI_PATH, CONTENT_FORMAT, MAX_AGE, BLOCK1, OSCORE = 11, 12, 14, 27, 9
UNDERSTOOD = frozenset(
    {URI_PATH, CONTENT_FORMAT, BLOCK1, 3, 7, 17}
)  # Uri-Host, Uri-Port, Accept: nothing depends on them


class Message(NamedTuple):
    """`options` in ascending order of number, each as often as it came."""

    code: int
    options: Sequence[tuple[int, bytes]] = ()
    payload: bytes = b""

    def all(self, number: int) -> list[bytes]:
        return [value for one, value in self.options if one == number]

    def uint(self, number: int) -> int | None:
        """The first option of that number as a number; None where there is none."""
        return next((int.from_bytes(value) for value in self.all(number)), None)

    @property
    def path(self) -> str:
        return "/".join(part.decode("utf-8", "replace") for part in self.all(URI_PATH))

    @property
    def strange(self) -> list[int]:
        """Options that must be understood (odd numbers) and are not."""
        return [number for number, _ in self.options if number & 1 and number not in UNDERSTOOD]


def uint(value: int) -> bytes:
    """As options hold it: no leading zeros, nothing for 0."""
    return value.to_bytes((value.bit_length() + 7) // 8)


def encode(message: Message) -> bytes:
    parts, last = [bytes((message.code,))], 0
    for number, value in sorted(message.options, key=lambda one: one[0]):
        (delta, more), (length, longer) = _extended(number - last), _extended(len(value))
        parts.append(bytes((delta << 4 | length,)) + more + longer + value)
        last = number
    return b"".join(parts) + (b"\xff" + message.payload if message.payload else b"")


def _extended(value: int) -> tuple[int, bytes]:
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes((value - 13,))
    if value < 65_805:
        return 14, (value - 269).to_bytes(2)
    raise LocalError("coap.option", str(value))


def decode(data: bytes) -> Message:
    if not data:
        raise RemoteError("coap.truncated", "", 0)
    options, at = list(_options(data)), 1
    at = options[-1][2] if options else 1
    if at < len(data) and at + 1 == len(data):
        raise RemoteError("coap.payload", "a marker with nothing behind it", at)
    return Message(data[0], tuple((number, value) for number, value, _ in options), data[at + 1 :])


def _options(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Number, value, and where the next one begins; up to the marker or the end."""
    at, number, count = 1, 0, 0
    while at < len(data) and data[at] != 0xFF:
        begin, count = at, count + 1
        delta, at = _value(data, at + 1, data[at] >> 4, begin)
        length, at = _value(data, at, data[begin] & 15, begin)
        number += delta
        if at + length > len(data) or count > MOST_OPTIONS:
            raise RemoteError("coap.option", f"option {number}", begin)
        yield number, data[at : at + length], at + length
        at += length


def _value(data: bytes, at: int, nibble: int, begin: int) -> tuple[int, int]:
    """The nibble with its one or two bytes more, and where the next byte is."""
    size = {13: 1, 14: 2}.get(nibble, 0)
    if nibble == 15 or at + size > len(data):
        raise RemoteError("coap.option", f"nibble {nibble}", begin)
    return (nibble if not size else int.from_bytes(data[at : at + size]) + (13 if size == 1 else 269)), at + size


class Block(NamedTuple):
    """Block1 (RFC 7959 §2.2): the `number`-th piece, more to come, of so many bytes."""

    number: int
    more: bool
    size: int

    @classmethod
    def decode(cls, value: int) -> "Block":
        if value & 7 == 7 or value >> 24:
            raise RemoteError("coap.block", str(value), None)
        return cls(value >> 4, bool(value & 8), 16 << (value & 7))

    @property
    def value(self) -> int:
        return self.number << 4 | self.more << 3 | self.size.bit_length() - 5


def shown(code: int) -> str:
    """`4.01` of 0x81."""
    return f"{code >> 5}.{code & 31:02d}"
