"""A CoAP message on UDP: type, id, token and the message (RFC 7252 §3). Pure."""

from enum import IntEnum
from typing import NamedTuple

from protocols.coap_message import Message, decode, encode
from protocols.errors import LocalError, RemoteError

MOST_TOKEN = 8  # bytes


class Type(IntEnum):
    CON = 0
    NON = 1
    ACK = 2
    RST = 3


class Packet(NamedTuple):
    type: Type
    id: int
    token: bytes
    message: Message


def decode_packet(data: bytes) -> Packet:
    if len(data) < 4:
        raise RemoteError("coap.truncated", "", len(data))
    length = data[0] & 15
    if data[0] >> 6 != 1:
        raise RemoteError("coap.version", str(data[0] >> 6), 0)
    if length > MOST_TOKEN or len(data) < 4 + length or (not data[1] and len(data) > 4):
        raise RemoteError("coap.token", str(length), 0)
    message = decode(data[1:2] + data[4 + length :])
    return Packet(Type(data[0] >> 4 & 3), int.from_bytes(data[2:4]), data[4 : 4 + length], message)


def encode_packet(packet: Packet) -> bytes:
    if len(packet.token) > MOST_TOKEN:
        raise LocalError("coap.token", str(len(packet.token)))
    body = encode(packet.message)
    head = bytes((0x40 | packet.type << 4 | len(packet.token), body[0])) + packet.id.to_bytes(2)
    return head + packet.token + body[1:]
