"""A wireless node for tests: CoAP requests under OSCORE, one datagram at a time."""

import asyncio
import json

from protocols import coap_message as coap
from protocols import oscore
from protocols.coap_message import Block, Message
from protocols.coap_packet import Packet, Type, decode_packet, encode_packet

SECRET = "0102030405060708090a0b0c0d0e0f10"  # noqa: S105 - that of RFC 8613, appendix C


def key_files(folder, number):
    """The station's file of a node and the node's own keys."""
    node, station = bytes([number]), b"s"
    file = folder / f"node{number}.json"
    file.write_text(json.dumps({"secret_hex": SECRET, "sender-id_hex": station.hex(), "recipient-id_hex": node.hex()}))
    file.chmod(0o600)
    return file, oscore.derive(bytes.fromhex(SECRET), node, station)


def post(payload, form=110, *, path="readings", code=coap.POST, block=None, options=()):
    found = [(coap.URI_PATH, part.encode()) for part in path.split("/")]
    found += [(coap.CONTENT_FORMAT, coap.uint(form))] if form is not None else []
    found += [(coap.BLOCK1, coap.uint(block.value))] if block is not None else []
    return Message(code, tuple(sorted([*found, *options])), payload)


class Node:
    """Builds requests and reads answers; keeps its number."""

    def __init__(self, keys, number=0):
        self.keys, self.number, self.id = keys, number, 0
        self.bindings = {}

    def request(self, message, *, kind=Type.CON):
        protected = oscore.protect_request(self.keys, self.number, coap.encode(message))
        self.number += 1
        self.id += 1
        token = self.id.to_bytes(2)
        self.bindings[token] = protected.binding
        outer = Message(coap.POST, ((coap.OSCORE, protected.option),), protected.payload)
        return encode_packet(Packet(kind, self.id, token, outer))

    def answer(self, data):
        """The inner message, or the code of an unprotected one."""
        packet = decode_packet(data)
        said = packet.message.all(coap.OSCORE)
        if not said:
            return packet.message.code
        binding = self.bindings[packet.token]
        inner = oscore.open_response(self.keys, binding, oscore.decode_option(said[0]), packet.message.payload)
        return coap.decode(inner)


class Wire(asyncio.DatagramProtocol):
    """A socket that asks and waits."""

    @classmethod
    async def open(cls, to):
        return (await asyncio.get_running_loop().create_datagram_endpoint(cls, remote_addr=to))[1]

    def connection_made(self, transport):
        self.transport, self.came = transport, asyncio.Queue()

    def datagram_received(self, data, _addr):
        self.came.put_nowait(data)

    async def ask(self, data, seconds=10.0):
        self.transport.sendto(data)
        async with asyncio.timeout(seconds):
            return await self.came.get()


def blocks(body, size, form=110):
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return [
        post(piece, form, block=Block(number, number + 1 < len(pieces), size)) for number, piece in enumerate(pieces)
    ]
