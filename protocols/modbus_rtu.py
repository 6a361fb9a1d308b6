"""Modbus on a serial line: unit, PDU, CRC low byte first (Modbus over Serial Line v1.02 §2.5.1).

Pure. Frames carry no length and no direction, so whoever listens tries each reading of the bytes and believes the CRC.
"""

from collections.abc import Iterator
from typing import NamedTuple

from protocols.checksums import crc16
from protocols.errors import RemoteError
from protocols.modbus_pdu import Refusal, Reply, Request, decode_reply, decode_request, reply_length, request_length

MOST_BYTES = 256  # of one frame, §2.5.1.1
LEAST_BYTES = 5  # an exception reply


class Frame(NamedTuple):
    unit: int
    pdu: bytes


class Garbage(NamedTuple):
    """Bytes that are no frame, and what they look like: `crc`, `truncated` or `garbage`."""

    reason: str
    data: bytes


def seal(unit: int, pdu: bytes) -> bytes:
    """The frame of a PDU."""
    body = bytes([unit]) + pdu
    return body + crc16(body).to_bytes(2, "little")


def intact(frame: bytes) -> bool:
    """The CRC of a frame with its CRC behind it is zero."""
    return len(frame) >= LEAST_BYTES - 1 and crc16(frame) == 0


def unseal(frame: bytes) -> Frame:
    """Unit and PDU of exactly one frame."""
    if len(frame) < LEAST_BYTES:
        raise RemoteError("truncated", f"{len(frame)} bytes")
    if len(frame) > MOST_BYTES:
        raise RemoteError("length", f"{len(frame)} bytes")
    if crc16(frame):
        raise RemoteError("crc", f"got {frame[-2:].hex()}, computed {crc16(frame[:-2]).to_bytes(2, 'little').hex()}")
    return Frame(frame[0], frame[1:-2])


def lengths(data: bytes) -> Iterator[int | None]:
    """Length of the frame that could begin here, read as a request and as a reply; None where more bytes must tell."""
    for measure in (request_length, reply_length):
        length = measure(data[1:])
        if length is None:
            yield None
        elif 0 < length <= MOST_BYTES - 3:
            yield length + 3


def readings(pdu: bytes) -> list[Request | Reply | Refusal]:
    """Every way to understand a PDU: a request, a reply, both, or none."""
    found: list[Request | Reply | Refusal] = []
    for decode in (decode_request, decode_reply):
        try:
            found.append(decode(pdu))
        except RemoteError:
            continue
    return found
