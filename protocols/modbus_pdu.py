"""Modbus PDUs, the part that serial line and TCP share: function code and data (Modbus Application Protocol v1.1b3, §6).

Knows functions 1-6, 15 and 16 and nothing of units, checksums or headers. A request and its reply can look alike, so
whoever decodes says which of the two it is.
"""

from dataclasses import dataclass

from protocols.errors import LocalError, RemoteError

READ_COILS, READ_INPUTS, READ_HOLDING, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16

READS_BITS = frozenset({READ_COILS, READ_INPUTS})
READS_WORDS = frozenset({READ_HOLDING, READ_INPUT_REGISTERS})
READS = READS_BITS | READS_WORDS
WRITES_ONE = frozenset({WRITE_COIL, WRITE_REGISTER})
WRITES_MANY = frozenset({WRITE_COILS, WRITE_REGISTERS})
FUNCTIONS = READS | WRITES_ONE | WRITES_MANY

MOST = {
    READ_COILS: 2000,
    READ_INPUTS: 2000,
    READ_HOLDING: 125,
    READ_INPUT_REGISTERS: 125,
    WRITE_COILS: 1968,
    WRITE_REGISTERS: 123,
}
"""The most items of one request (§6.1-6.12): what fits a PDU of 253 bytes."""

ON, OFF, TOGGLE = 0xFF00, 0x0000, 0x5500
"""Values of function 5. Toggle is no standard; Waveshare boards know it."""

EXCEPTIONS = {
    1: "illegal function",
    2: "illegal address",
    3: "illegal value",
    4: "device failure",
    5: "acknowledge",
    6: "busy",
    7: "negative acknowledge",
    8: "memory parity",
    10: "gateway path unavailable",
    11: "gateway target silent",
}
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_FAILURE = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Request:
    """`values`: what is written. Function 5 keeps the raw word, since boards give it meanings beyond on and off."""

    function: int
    address: int
    count: int = 1
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """`values`: what was read (bits come in whole bytes, so up to seven too many). A write's reply repeats its address."""

    function: int
    values: tuple[int, ...] = ()
    address: int = 0
    count: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """An exception reply; `function` is the one that was refused."""

    function: int
    code: int


class Refused(RemoteError):
    """The device answered with an exception; `reason` is `exception-N`."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception-{code}", EXCEPTIONS.get(code, "unknown"))
        self.code = code


def word(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _words(data: bytes) -> tuple[int, ...]:
    return tuple(data[i] << 8 | data[i + 1] for i in range(0, len(data) - 1, 2))


def _bits(data: bytes) -> tuple[int, ...]:
    return tuple(byte >> n & 1 for byte in data for n in range(8))


def pack_words(values: tuple[int, ...]) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def pack_bits(values: tuple[int, ...]) -> bytes:
    packed = sum(1 << n for n, value in enumerate(values) if value)
    return packed.to_bytes(-(-len(values) // 8), "little")


def encode(pdu: Request | Reply | Refusal) -> bytes:
    try:
        return bytes([_code(pdu)]) + (
            bytes([pdu.code])
            if isinstance(pdu, Refusal)
            else _encode_request(pdu)
            if isinstance(pdu, Request)
            else _encode_reply(pdu)
        )
    except (OverflowError, ValueError) as wrong:
        raise LocalError("range", f"{pdu}: {wrong}") from None


def _code(pdu: Request | Reply | Refusal) -> int:
    if pdu.function not in FUNCTIONS:
        raise LocalError("function", str(pdu.function))
    return pdu.function | 0x80 if isinstance(pdu, Refusal) else pdu.function


def _encode_request(request: Request) -> bytes:
    function, address, count, values = request.function, request.address, request.count, request.values
    if not 1 <= count <= MOST.get(function, 1) or address + count > 0x10000:
        raise LocalError("range", f"{count} items from address {address}")
    head = address.to_bytes(2, "big")
    if function in READS:
        return head + count.to_bytes(2, "big")
    if len(values) != count:
        raise LocalError("range", f"{len(values)} values for {count} items")
    if function in WRITES_ONE:
        return head + values[0].to_bytes(2, "big")
    data = pack_bits(values) if function == WRITE_COILS else pack_words(values)
    return head + count.to_bytes(2, "big") + bytes([len(data)]) + data


def _encode_reply(reply: Reply) -> bytes:
    if reply.function in READS:
        data = pack_bits(reply.values) if reply.function in READS_BITS else pack_words(reply.values)
        return bytes([len(data)]) + data
    last = reply.values[0] if reply.function in WRITES_ONE else reply.count
    return reply.address.to_bytes(2, "big") + last.to_bytes(2, "big")


def request_length(data: bytes) -> int | None:
    """Length of the request PDU that begins with these bytes; 0 if none can; None if more bytes are needed to say."""
    if not data:
        return None
    if data[0] in READS or data[0] in WRITES_ONE:
        return 5
    if data[0] not in WRITES_MANY:
        return 0
    return None if len(data) < 6 else 6 + data[5]


def reply_length(data: bytes) -> int | None:
    """As `request_length`, for replies."""
    if not data:
        return None
    if data[0] & 0x80:
        return 2 if data[0] & 0x7F in FUNCTIONS else 0
    if data[0] in READS:
        return None if len(data) < 2 else 2 + data[1]
    return 5 if data[0] in FUNCTIONS else 0


def decode_request(data: bytes) -> Request:
    if request_length(data) != len(data):
        raise RemoteError("length", f"{len(data)} bytes are no request")
    function, address = data[0], word(data, 1)
    if function in WRITES_ONE:
        return Request(function, address, 1, (word(data, 3),))
    count = word(data, 3)
    if not 1 <= count <= MOST[function]:
        raise RemoteError("count", str(count), 3)
    if function in READS:
        return Request(function, address, count)
    size = -(-count // 8) if function == WRITE_COILS else 2 * count
    if data[5] != size:
        raise RemoteError("count", f"{data[5]} bytes for {count} items", 5)
    values = _bits(data[6:])[:count] if function == WRITE_COILS else _words(data[6:])
    return Request(function, address, count, values)


def decode_reply(data: bytes) -> Reply | Refusal:
    if reply_length(data) != len(data):
        raise RemoteError("length", f"{len(data)} bytes are no reply")
    function = data[0]
    if function & 0x80:
        return Refusal(function & 0x7F, data[1])
    if function in READS_BITS and data[1]:
        return Reply(function, _bits(data[2:]))
    if function in READS_WORDS and data[1] and data[1] % 2 == 0:
        return Reply(function, _words(data[2:]))
    if function in READS:
        raise RemoteError("count", f"{data[1]} bytes", 1)
    if function in WRITES_ONE:
        return Reply(function, (word(data, 3),), word(data, 1), 1)
    return Reply(function, (), word(data, 1), word(data, 3))
