"""What a receiver says of a message: all of it is here, which pieces are, send all again, or it is not taken.

Between two sides that hold a session receipts travel encrypted (`control`). To many stations at once they go in the
clear, each with four bytes that only its station's headend can have made. Knows no pieces' contents and no bearer.
"""

import hmac
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError
from protocols.narrow.header import ADDRESS_BYTES, MOST_PIECES

MAC_BYTES = 4  # one forgery in four thousand million settles one message of one station
_COMPLETE, _AGAIN, _REFUSED = 0x00, 0x50, 0x60  # 2 to 64: a bitmap of that many pieces


class Reason(IntEnum):
    """Why a whole and genuine message is not taken. It settles nothing."""

    MALFORMED = 1  # the body cannot be read; not to be sent again as it is
    CONTEXT = 2  # it refers to a context that the receiver does not hold: to be sent with the context in full
    UNSUPPORTED = 3  # of a later version, or not wanted here
    BUSY = 4  # later
    OLD = 5  # its number is too far behind the newest to tell whether it came before: to be sent under a new one


class Receipt(NamedTuple):
    """Of the message `id`. One of: complete (all others empty), `held`, `again`, `refused`. `total` says which way of cutting
    the message `held` and `again` speak of: pieces of one total are the same on every bearer.
    """

    id: int
    held: frozenset[int] | None = None
    total: int = 0
    again: int = 0  # rises with every time that all is asked for anew; never 0
    refused: Reason | None = None

    @property
    def complete(self) -> bool:
        return self.held is None and not self.again and self.refused is None


def encode(receipt: Receipt) -> bytes:
    """2 bytes of id, one of form, and the form's own."""
    return receipt.id.to_bytes(2) + _form(receipt)


def read(data: bytes, at: int) -> tuple[Receipt, int]:
    """The receipt that begins at this byte, and where it ends."""
    if len(data) < at + 3:
        raise RemoteError("receipt.short", "id and form are wanted", len(data))
    number, form, at = int.from_bytes(data[at : at + 2]), data[at + 2], at + 3
    size = -(-form // 8) if form <= MOST_PIECES else 2 * (form == _AGAIN)
    value = data[at : at + size]
    if len(value) < size:
        raise RemoteError("receipt.short", f"{size} bytes wanted", at)
    if form == _COMPLETE:
        return Receipt(number), at
    if 2 <= form <= MOST_PIECES and not (bits := int.from_bytes(value, "little")) >> form:
        return Receipt(number, frozenset(place for place in range(form) if bits >> place & 1), form), at + size
    if form == _AGAIN and value[0] and 2 <= value[1] <= MOST_PIECES:
        return Receipt(number, total=value[1], again=value[0]), at + size
    if form & 0xF0 == _REFUSED:
        return Receipt(number, refused=_reason(form & 0x0F)), at
    raise RemoteError("receipt.form", f"{form:#04x} {value.hex()}", at - 1)


def mac(key: bytes, counter: int, receipt: Receipt) -> bytes:
    """What proves a receipt on a broadcast: over the whole number of the message, so that it fits no later one."""
    return hmac.digest(key, b"receipt" + counter.to_bytes(6) + _form(receipt), "sha256")[:MAC_BYTES]


class Addressed(NamedTuple):
    """A receipt on a broadcast: for the station of this address, if its MAC is right."""

    address: bytes
    receipt: Receipt
    mac: bytes


def encode_many(rows: Iterable[Addressed]) -> bytes:
    """Body of a broadcast: 10 bytes for a complete message, 12 for one of up to 16 pieces."""
    return b"".join(row.address + encode(row.receipt) + row.mac for row in rows)


def decode_many(body: bytes) -> list[Addressed]:
    """RemoteError for anything but a whole body."""
    return list(_rows(body))


def settles(row: Addressed, own: bytes, key: bytes, counter: int) -> bool:
    """Is this row for us, and proven, given the counter of our message of that id?"""
    return row.address == own and hmac.compare_digest(row.mac, mac(key, counter, row.receipt))


def fit(rows: Sequence[Addressed], room: int) -> int:
    """How many rows, from the first on, go into so many bytes."""
    for taken, row in enumerate(rows):
        room -= len(encode_many([row]))
        if room < 0:
            return taken
    return len(rows)


def _rows(body: bytes) -> Iterator[Addressed]:
    at = 0
    while at < len(body):
        address = body[at : at + ADDRESS_BYTES]
        receipt, end = read(body, at + ADDRESS_BYTES)
        at = end + MAC_BYTES
        if at > len(body):
            raise RemoteError("receipt.short", "a MAC is cut off", end)
        yield Addressed(address, receipt, body[end:at])


def _form(receipt: Receipt) -> bytes:
    if receipt.refused is not None:
        return bytes((_REFUSED | receipt.refused,))
    if receipt.complete:
        return bytes((_COMPLETE,))
    if not 2 <= receipt.total <= MOST_PIECES:
        raise LocalError("receipt.pieces", f"of {receipt.total}")
    if receipt.held is None:
        return bytes((_AGAIN, receipt.again, receipt.total))
    if not receipt.held <= set(range(receipt.total)):
        raise LocalError("receipt.pieces", f"{sorted(receipt.held)} of {receipt.total}")
    bits = sum(1 << place for place in receipt.held)
    return bytes((receipt.total,)) + bits.to_bytes(-(-receipt.total // 8), "little")


def _reason(code: int) -> Reason:
    """A reason of a later version is no less a refusal."""
    return Reason(code) if code in set(Reason) else Reason.UNSUPPORTED
