"""A scripted MQTT 5 server for what no real broker does on demand: refusals, strange CONNACKs, disconnects.

Speaks just enough: CONNECT, SUBSCRIBE, PUBLISH at QoS 1, PINGREQ. For a verdict on real behaviour use `broker.Broker`.
"""

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Self

Suback = Callable[[list[str]], list[int]]
Puback = Callable[[str, bytes], int | None]


class FakeBroker:
    """`connack` is (reason code, property bytes); `puback` gives a reason code, or None for no answer at all."""

    def __init__(
        self,
        *,
        connack: tuple[int, bytes] = (0, b""),
        suback: Suback = lambda filters: [1] * len(filters),
        puback: Puback = lambda _topic, _payload: 0,
        owed: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        self.owed = list(owed)  # topics and payloads that a kept session sends in one segment with CONNACK
        self.acknowledged: list[int] = []  # message ids that the client acknowledged
        self.connack, self.suback, self.puback = connack, suback, puback
        self.port = 0
        self.published: list[tuple[str, bytes]] = []
        self.subscribed: list[list[str]] = []
        self.connects: list[bytes] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_what: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.close()

    def disconnect(self, reason: int) -> None:
        """DISCONNECT to everybody (MQTT 5 §3.14)."""
        for writer in list(self._writers):
            writer.write(_packet(0xE0, bytes([reason, 0])))
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                kind, body = await _read(reader)
                if answer := self._answer(kind, body):
                    writer.write(answer)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()
        finally:
            self._writers.discard(writer)

    def _answer(self, kind: int, body: bytes) -> bytes:
        match kind >> 4:
            case 1:
                self.connects.append(body)
                reason, properties = self.connack
                clean = body[7] & 2  # connect flags, MQTT 5 §3.1.2.3
                owed = [] if clean else self.owed
                connack = _packet(0x20, bytes([1 if owed else 0, reason, len(properties)]) + properties)
                return connack + b"".join(_publish(n, *one) for n, one in enumerate(owed, 1))
            case 3:
                return self._published(body)
            case 4:
                self.acknowledged.append(int.from_bytes(body[:2], "big"))
            case 8:
                filters = list(_filters(body[3:]))
                self.subscribed.append(filters)
                return _packet(0x90, body[:2] + b"\0" + bytes(self.suback(filters)))
            case 12:
                return _packet(0xD0, b"")
        return b""

    def _published(self, body: bytes) -> bytes:
        (length,) = struct.unpack_from("!H", body)
        topic = body[2 : 2 + length].decode()
        mid = body[2 + length : 4 + length]
        payload = body[5 + length + body[4 + length] :]  # property length fits one byte here
        self.published.append((topic, payload))
        reason = self.puback(topic, payload)
        return b"" if reason is None else _packet(0x40, mid + bytes([reason, 0]))


def _filters(body: bytes) -> "list[str]":
    found = []
    while body:
        (length,) = struct.unpack_from("!H", body)
        found.append(body[2 : 2 + length].decode())
        body = body[3 + length :]
    return found


def _packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes([kind, len(body)]) + body


def _publish(mid: int, topic: str, payload: bytes) -> bytes:
    return _packet(0x32, struct.pack("!H", len(topic)) + topic.encode() + struct.pack("!HB", mid, 0) + payload)


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return kind, await reader.readexactly(length)
