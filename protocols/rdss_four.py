"""Frames of the 4.0 protocol, which the sentences replaced: `$`, four letters, length, own number, body, XOR of it all.

Read only, for `fengsui decode`: modules that speak nothing else are no longer sold. Layouts as in the public source of
two dispatchers' programs; what has none is shown as hex.
"""

from collections.abc import Callable, Mapping
from typing import Any

from protocols.checksums import xor8
from protocols.errors import RemoteError
from protocols.rdss_content import Form, shown

HEAD = 5  # bytes: `$TXSQ`
LEAST = HEAD + 2 + 3 + 1  # and length, own number, checksum
LONGEST = 512  # bytes: 1,680 bits and what is around them, or a list of 100 subordinates
Decoded = dict[str, Any]


def _request(body: bytes) -> Decoded:
    """TXSQ: kind of information, the other's number, length in bits, whether an answer is wanted, the message."""
    if len(body) < 7:
        raise RemoteError("truncated", "TXSQ")
    info, bits = body[0], int.from_bytes(body[4:6], "big")
    digits = bool(info & 0x02)
    return {
        "info": f"{info:02X}",
        "to": _number(body[1:4]),
        "bits": bits,
        "answer": bool(body[6]),
        **_content(body[7:], bits, digits=digits),
    }


def _message(body: bytes) -> Decoded:
    """TXXX: kind of information, who sent it, hour and minute, length in bits, the message, whether its CRC failed."""
    if len(body) < 9:
        raise RemoteError("truncated", "TXXX")
    info, bits = body[0], int.from_bytes(body[6:8], "big")
    return {
        "info": f"{info:02X}",
        "from": _number(body[1:4]),
        "time": f"{body[4]:02d}:{body[5]:02d}",
        "bits": bits,
        **_content(body[8:-1], bits, digits=bool(info & 0x20)),
        "crc_failed": bool(body[-1]),
    }


def _card(body: bytes) -> Decoded:
    """ICXX: frame 0 the card itself, frame 1 the numbers of its subordinates."""
    if body[:1] != b"\0":
        return {"subordinates": [_number(body[n : n + 3]) for n in range(1, len(body) - 2, 3)]}
    if len(body) < 11:
        raise RemoteError("truncated", "ICXX")
    return {
        "broadcast": _number(body[1:4]),
        "feature": body[4],
        "interval_s": int.from_bytes(body[5:7], "big"),
        "level": body[7],
        "encrypted": bool(body[8]),
        "subordinates": int.from_bytes(body[9:11], "big"),
    }


def _feedback(body: bytes) -> Decoded:
    """FKXX: the result, and which command it was, or how long to wait yet."""
    if len(body) < 5:
        raise RemoteError("truncated", "FKXX")
    results = {0: "sent", 1: "failed", 2: "signal", 3: "battery", 4: "early", 5: "encryption", 6: "checksum"}
    found: Decoded = {"result": results.get(body[0], body[0])}
    if body[0] == 4:
        return found | {"wait_s": int.from_bytes(body[1:5], "little")}
    return found | {"command": body[1:5].decode("ascii", "backslashreplace")}


def _powers(body: bytes) -> Decoded:
    return {"powers": list(body[:6])}


def _raw(body: bytes) -> Decoded:
    return {"body": body.hex()}


_BODIES: Mapping[str, Callable[[bytes], Decoded]] = {
    "TXSQ": _request,
    "TXXX": _message,
    "ICXX": _card,
    "FKXX": _feedback,
    "GLZK": _powers,
}
HEADS = frozenset(
    (*_BODIES, "ICJC", "DWSQ", "DWXX", "TXHZ", "XTZJ", "ZJXX", "SJSC", "SJXX", "BBDQ", "BBXX", "GLJC", "LZDQ", "LZXX")
)


def starts(data: bytes, at: int) -> bool:
    """Whether a frame could begin here: its four letters, and a length that one can have."""
    name = data[at + 1 : at + HEAD].decode("ascii", "replace")
    return data[at : at + 1] == b"$" and name in HEADS and LEAST <= _length(data, at) <= LONGEST


def _length(data: bytes, at: int) -> int:
    return int.from_bytes(data[at + HEAD : at + HEAD + 2], "big")


def decode_frame(data: bytes, at: int = 0) -> tuple[Decoded, int]:
    """What the frame says, and how long it is. RemoteError with the offset."""
    length = _length(data, at)
    frame = data[at : at + length]
    if len(frame) < length:
        raise RemoteError("truncated", f"{len(frame)} of {length} bytes", at + len(frame))
    if xor8(frame[:-1]) != frame[-1]:
        raise RemoteError("checksum", f"{frame[-1]:02X}, not {xor8(frame[:-1]):02X}", at + length - 1)
    name = frame[1:HEAD].decode("ascii")
    body = frame[HEAD + 5 : -1]
    found = _BODIES.get(name, _raw)(body)
    return {"protocol": "4.0", "sentence": name, "own": _number(frame[HEAD + 2 : HEAD + 5]), **found}, length


def _content(data: bytes, bits: int, *, digits: bool) -> Decoded:
    """Four bits a digit, or bytes; with `A4` in front mixed. A length that lies is refused."""
    if bits > 8 * len(data):
        raise RemoteError("length", f"{bits} bits in {len(data)} bytes")
    if digits and data[:1] != b"\xa4":
        return shown(Form.CODE, data.hex().upper().encode()[: bits // 4])
    content = data[: bits // 8]
    return shown(Form.MIXED if digits else Form.HANZI, content)


def _number(data: bytes) -> str:
    return f"{int.from_bytes(data, 'big'):07d}"
