"""JSPR, the language of Iridium's IMT modems (RockBLOCK 9704): requests, answers and news as lines of JSON. Pure codec.

`METHOD target {json}` goes out, `CODE target {json}` comes in, each ended by CR; 299 is what was not asked for. A message
travels in segments of base64 with a CRC behind it. Sources: the modem's open library `rockblock9704` 1.1.2 (formats), a
field report of captured sessions (lines and checks).
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from protocols.errors import LocalError, RemoteError

NEWS = 299
CODES: Mapping[int, str] = {
    200: "done",
    NEWS: "news",
    400: "not-ready",
    402: "already-set",
    405: "malformed",  # also the first answer after the port was opened: what stood on the line before was half a request
    406: "already",
    407: "json",
    410: "precondition",
    418: "not-now",
}
RAW_TOPIC = 244
PAYLOAD_MOST = 100_000  # bytes of one message
SEGMENT_MOST = 1446  # bytes of one segment
LINE_MOST = 8192  # bytes: a segment in base64 with its fields is a quarter of it
_SAFE = re.compile(r"[A-Za-z]{1,40}")
_LINE = re.compile(rb"([A-Z]{3,4}|[1-9]\d\d) ([A-Za-z]{1,40}) (\{.*\})")


class Request(NamedTuple):
    method: str  # GET or PUT
    target: str
    fields: Mapping[str, Any] = {}


class Response(NamedTuple):
    code: int
    target: str
    fields: Mapping[str, Any] = {}

    @property
    def news(self) -> bool:
        return self.code == NEWS


def encode(request: Request) -> bytes:
    """With a space behind every comma and colon: the modem insists."""
    if request.method not in ("GET", "PUT") or not _SAFE.fullmatch(request.target):
        raise LocalError("request", f"{request.method} {request.target}")
    line = f"{request.method} {request.target} {json.dumps(dict(request.fields), separators=(', ', ': '))}\r".encode()
    if len(line) > LINE_MOST:
        raise LocalError("length", f"{len(line)} bytes")
    return line


def decode(line: bytes) -> Request | Response:
    """One line, without its end, of either side."""
    if len(line) > LINE_MOST:
        raise RemoteError("length", f"{len(line)} bytes", LINE_MOST)
    match = _LINE.fullmatch(line.strip(b"\r\n"))
    if match is None:
        bare = re.fullmatch(rb"([1-9]\d\d)(?: ([A-Za-z]{1,40}))?", line.strip(b"\r\n "))
        if bare is None:
            raise RemoteError("line", line[:64].decode("ascii", "backslashreplace"), 0)
        return Response(int(bare[1]), (bare[2] or b"").decode())
    head, target, body = match.groups()
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as wrong:
        raise RemoteError("json", str(wrong), match.start(3)) from None
    if head.isdigit():
        return Response(int(head), target.decode(), fields)
    return Request(head.decode(), target.decode(), fields)


def crc(payload: bytes) -> bytes:
    """CRC-16/XMODEM, the more significant byte first."""
    return binascii.crc_hqx(payload, 0).to_bytes(2, "big")


def sealed(payload: bytes) -> bytes:
    """A message as it travels: its CRC behind it."""
    if not 1 <= len(payload) <= PAYLOAD_MOST:
        raise LocalError("length", f"{len(payload)} bytes; a message has 1 to {PAYLOAD_MOST}")
    return payload + crc(payload)


def opened(message: bytes) -> bytes:
    if len(message) < 3:
        raise RemoteError("truncated", f"{len(message)} bytes", len(message))
    payload, told = message[:-2], message[-2:]
    if crc(payload) != told:
        raise RemoteError("checksum", f"{told.hex()} told, {crc(payload).hex()} found", len(payload))
    return payload


def originate(topic: int, payload: bytes, reference: int) -> Request:
    """The wish to send; the modem then asks for segments (`messageOriginateSegment`, as news)."""
    fields = {"topic_id": topic, "message_length": len(sealed(payload)), "request_reference": reference}
    return Request("PUT", "messageOriginate", fields)


def segment(asked: Response, payload: bytes) -> Request:
    """What the modem asked for, out of a message that was wished to be sent."""
    message = sealed(payload)
    names = ("topic_id", "message_id", "segment_length", "segment_start")
    topic, number, length, start = (asked.fields.get(name) for name in names)
    if not (isinstance(start, int) and isinstance(length, int) and 0 <= start < start + length <= len(message)):
        raise RemoteError("segment", f"{length} bytes from {start} of {len(message)}")
    data = base64.b64encode(message[start : start + length]).decode()
    known = {"topic_id": topic, "message_id": number, "segment_length": length, "segment_start": start}
    return Request("PUT", "messageOriginateSegment", {**known, "data": data})


def segment_data(told: Request | Response) -> tuple[int, bytes]:
    """Where a segment begins in its message, and its bytes."""
    start, text = told.fields.get("segment_start"), told.fields.get("data")
    if not isinstance(start, int) or not isinstance(text, str) or not 0 <= start <= PAYLOAD_MOST:
        raise RemoteError("segment", "no place or no data")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RemoteError("segment", "not base64") from None
    if len(data) != told.fields.get("segment_length", len(data)) or len(data) > SEGMENT_MOST:
        raise RemoteError("segment", f"{len(data)} bytes")
    return start, data


def lines(data: bytes) -> Iterator[bytes]:
    """The lines of a capture."""
    return (line for line in re.split(rb"[\r\n]+", data) if line)
