"""Modbus TCP: the MBAP header before a PDU (Modbus Messaging on TCP/IP v1.0b §3.1.3). Pure."""

from typing import NamedTuple

from protocols.errors import RemoteError

HEAD = 7  # transaction 2, protocol 2 (zero), length 2 (of unit and PDU), unit 1
MOST_LENGTH = 254


class Adu(NamedTuple):
    transaction: int
    unit: int
    pdu: bytes


def wrap(transaction: int, unit: int, pdu: bytes) -> bytes:
    return transaction.to_bytes(2, "big") + b"\0\0" + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit]) + pdu


def parse_head(head: bytes) -> tuple[int, int, int]:
    """Transaction, length (of unit and PDU) and unit of a header."""
    transaction, protocol, length = (int.from_bytes(head[n : n + 2], "big") for n in (0, 2, 4))
    if protocol:
        raise RemoteError("protocol", f"{protocol} is not Modbus", 2)
    if not 2 <= length <= MOST_LENGTH:
        raise RemoteError("length", str(length), 4)
    return transaction, length, head[6]


def split(data: bytes) -> tuple[list[Adu], bytes]:
    """All whole ADUs and the rest. RemoteError where the stream has lost its step: TCP has no way to find it again."""
    found: list[Adu] = []
    while len(data) >= HEAD:
        transaction, length, unit = parse_head(data)
        if len(data) < length + 6:
            break
        found.append(Adu(transaction, unit, data[HEAD : length + 6]))
        data = data[length + 6 :]
    return found, data
