"""Iridium SBD DirectIP: what gateway and ground say to each other over TCP, one message a connection. Pure.

A message is a revision, a length, and elements of identifier, length and content, in any order; what is not known here
is stepped over. All numbers are big-endian. Source: Iridium Short Burst Data Service Developers Guide 3.0, chapter 5.
"""

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError

REVISION = 1
HEAD = 3  # bytes: revision and length of what follows
LONGEST = 4096  # bytes behind the head: the largest payload (1,960) and every element once are half of it
PAYLOAD_MOST = 1960  # bytes of any modem's message; a 9602 sends 340 and takes 270
PLACES = 60_000  # thousandths of a minute in a degree

MO_HEADER, MO_PAYLOAD, MO_LOCATION, MO_CONFIRMATION = 0x01, 0x02, 0x03, 0x05
MT_HEADER, MT_PAYLOAD, MT_CONFIRMATION, MT_PRIORITY = 0x41, 0x42, 0x44, 0x46
_MO_HEADER = struct.Struct(">I15sBHHI")
_LOCATION = struct.Struct(">BBHBHI")
_MT_HEADER = struct.Struct(">4s15sH")
_MT_CONFIRMATION = struct.Struct(">4s15sIh")

FLUSH, RING, UPDATE_LOCATION, HIGH_PRIORITY, ASSIGN_MTMSN = 1, 2, 8, 16, 32  # disposition flags

MO_SESSIONS: Mapping[int, str] = {
    0: "sent",
    1: "mt-too-big",
    2: "location-refused",
    10: "timeout",
    12: "mo-too-big",
    13: "connection-lost",
    14: "protocol",
    15: "denied",
}
"""What the gateway says of a session. A message that is here has arrived, whatever this says."""

MT_STATUSES: Mapping[int, str] = {
    0: "taken-empty",
    -1: "imei-invalid",
    -2: "imei-unknown",
    -3: "too-long",
    -4: "empty",
    -5: "queue-full",
    -6: "unavailable",
    -7: "protocol",
    -8: "no-ring",
    -9: "not-attached",
    -10: "address-refused",
    -11: "mtmsn",
}
"""Above 0: queued, and at which place (1 to 50)."""
PASSING = frozenset({-5, -6})
"""What may be otherwise in a while; the rest is for people."""


class Location(NamedTuple):
    """Where the network believes the modem to be, in degrees; `radius` in km, four times of five."""

    latitude: float
    longitude: float
    radius: int


class Mo(NamedTuple):
    """A message from a modem, or a session without one."""

    imei: str
    momsn: int
    at: int  # Unix seconds, by the gateway
    payload: bytes = b""
    status: int = 0
    mtmsn: int = 0
    cdr: int = 0  # the gateway's own number of this session
    location: Location | None = None


class MoConfirmed(NamedTuple):
    """What the ground answers, where the gateway is set to wait for it."""

    taken: bool


class Mt(NamedTuple):
    """A message for a modem. `client` is ours, four bytes, and comes back with the confirmation."""

    imei: str
    payload: bytes = b""
    client: bytes = b"\0\0\0\0"
    flags: int = 0
    priority: int | None = None  # 1 highest to 5


class MtConfirmed(NamedTuple):
    client: bytes
    imei: str
    reference: int  # the gateway's own number; 0 where it failed
    status: int

    @property
    def queued(self) -> bool:
        return self.status >= 0


Message = Mo | MoConfirmed | Mt | MtConfirmed


def length(head: bytes) -> int:
    """How many bytes follow the head."""
    if len(head) < HEAD:
        raise RemoteError("truncated", f"{len(head)} of {HEAD} bytes", len(head))
    if head[0] != REVISION:
        raise RemoteError("revision", f"{head[0]}, not {REVISION}", 0)
    found = int.from_bytes(head[1:HEAD], "big")
    if found > LONGEST:
        raise RemoteError("length", f"{found} bytes where {LONGEST} are plenty", 1)
    return found


def decode(data: bytes) -> Message:
    """One whole message."""
    end = HEAD + length(data[:HEAD])
    if len(data) != end:
        raise RemoteError("length", f"{len(data)} bytes where {end} are told", min(len(data), end))
    elements: dict[int, tuple[int, bytes]] = {}
    for at, kind, content in _elements(data):
        if kind in elements:
            raise RemoteError("twice", f"element {kind:#04x}", at)
        elements[kind] = at, content
    for kind, read in ((MO_HEADER, _mo), (MT_HEADER, _mt), (MT_CONFIRMATION, _mt_confirmed)):
        if kind in elements:
            return read(elements)
    if MO_CONFIRMATION in elements:
        return _mo_confirmed(elements)
    raise RemoteError("header", "no element says what this is", HEAD)


def encode(message: Message) -> bytes:
    body = b"".join(bytes([kind]) + len(content).to_bytes(2, "big") + content for kind, content in _contents(message))
    return bytes([REVISION]) + len(body).to_bytes(2, "big") + body


def _elements(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = HEAD
    while at < len(data):
        end = at + 3 + int.from_bytes(data[at + 1 : at + 3], "big")
        if at + 3 > len(data) or end > len(data):
            raise RemoteError("truncated", f"element {data[at]:#04x} reaches beyond the message", at)
        yield at, data[at], data[at + 3 : end]
        at = end


_Elements = Mapping[int, tuple[int, bytes]]


def _fixed(elements: _Elements, kind: int, form: struct.Struct) -> tuple[int, tuple[int | bytes, ...]]:
    at, content = elements[kind]
    if len(content) != form.size:
        raise RemoteError("length", f"element {kind:#04x} has {len(content)} bytes, not {form.size}", at + 1)
    return at, form.unpack(content)


def _imei(digits: object, at: int) -> str:
    text = bytes(digits).decode("ascii", "replace") if isinstance(digits, bytes) else ""
    if not (text.isascii() and text.isdigit()):
        raise RemoteError("imei", repr(text), at)
    return text


def _mo(elements: _Elements) -> Mo:
    at, fields = _fixed(elements, MO_HEADER, _MO_HEADER)
    cdr, digits, status, momsn, mtmsn, session = fields
    return Mo(
        _imei(digits, at + 7),
        int(momsn),
        int(session),
        _payload(elements, MO_PAYLOAD),
        int(status),
        int(mtmsn),
        int(cdr),
        _location(elements) if MO_LOCATION in elements else None,
    )


def _payload(elements: _Elements, kind: int) -> bytes:
    at, content = elements.get(kind, (0, b""))
    if len(content) > PAYLOAD_MOST:
        raise RemoteError("length", f"{len(content)} bytes of payload where {PAYLOAD_MOST} fit", at + 1)
    return content


def _location(elements: _Elements) -> Location:
    at, fields = _fixed(elements, MO_LOCATION, _LOCATION)
    flags, north, north_part, east, east_part, radius = (int(field) for field in fields)
    latitude, longitude = north + north_part / PLACES, east + east_part / PLACES
    if flags & 0xFC or latitude > 90 or longitude > 180 or max(north_part, east_part) >= PLACES:
        raise RemoteError("location", f"flags {flags}, {latitude}, {longitude}", at + 3)
    return Location(-latitude if flags & 2 else latitude, -longitude if flags & 1 else longitude, radius)


def _mo_confirmed(elements: _Elements) -> MoConfirmed:
    at, content = elements[MO_CONFIRMATION]
    if content not in (b"\0", b"\1"):
        raise RemoteError("confirmation", content.hex(), at + 3)
    return MoConfirmed(content == b"\1")


def _mt(elements: _Elements) -> Mt:
    at, (client, digits, flags) = _fixed(elements, MT_HEADER, _MT_HEADER)
    priority = None
    if MT_PRIORITY in elements:
        priority = int(_fixed(elements, MT_PRIORITY, struct.Struct(">H"))[1][0])
    return Mt(_imei(digits, at + 7), _payload(elements, MT_PAYLOAD), _client(client), int(flags), priority)


def _mt_confirmed(elements: _Elements) -> MtConfirmed:
    at, (client, digits, reference, status) = _fixed(elements, MT_CONFIRMATION, _MT_CONFIRMATION)
    return MtConfirmed(_client(client), _imei(digits, at + 7), int(reference), int(status))


def _client(field: object) -> bytes:
    return field if isinstance(field, bytes) else b""


def _contents(message: Message) -> Iterator[tuple[int, bytes]]:
    match message:
        case Mo():
            yield (
                MO_HEADER,
                _MO_HEADER.pack(
                    message.cdr, _digits(message.imei), message.status, message.momsn, message.mtmsn, message.at
                ),
            )
            if message.location is not None:
                yield MO_LOCATION, _place(message.location)
            if message.payload:
                yield MO_PAYLOAD, _bounded(message.payload)
        case MoConfirmed(taken):
            yield MO_CONFIRMATION, bytes([taken])
        case Mt():
            yield MT_HEADER, _MT_HEADER.pack(message.client, _digits(message.imei), message.flags)
            if message.payload:
                yield MT_PAYLOAD, _bounded(message.payload)
            if message.priority is not None:
                yield MT_PRIORITY, message.priority.to_bytes(2, "big")
        case MtConfirmed(client, imei, reference, status):
            yield MT_CONFIRMATION, _MT_CONFIRMATION.pack(client, _digits(imei), reference, status)


def _digits(imei: str) -> bytes:
    if len(imei) != 15 or not (imei.isascii() and imei.isdigit()):
        raise LocalError("imei", f"{imei!r} is no 15 digits")
    return imei.encode()


def _bounded(payload: bytes) -> bytes:
    if len(payload) > PAYLOAD_MOST:
        raise LocalError("length", f"{len(payload)} bytes of payload where {PAYLOAD_MOST} fit")
    return payload


def _place(location: Location) -> bytes:
    flags = 2 * (location.latitude < 0) + (location.longitude < 0)
    north, north_part = divmod(round(abs(location.latitude) * PLACES), PLACES)
    east, east_part = divmod(round(abs(location.longitude) * PLACES), PLACES)
    return _LOCATION.pack(flags, north, north_part, east, east_part, location.radius)
