"""What a line between gateway and LoRa module carried, as rows: an E22's register frames and our datagrams, a RAK's lines."""

from collections.abc import Iterator
from typing import Any

from protocols import ebyte_e22 as e22
from protocols.errors import ProtocolError, RemoteError
from protocols.lora_frame import SYNC, decode_frame
from protocols.rak3172_lines import decode_line

MOST_BYTES = 1 << 20  # of a capture, looked at byte by byte


def decode(data: bytes) -> Iterator[dict[str, Any]]:
    """One row a thing, with the offset where it begins. What is none of ours ends it: RemoteError `lora.unknown`."""
    offset = 0
    while offset < min(len(data), MOST_BYTES):
        row, end = _one(data, offset)
        if row:
            yield {"offset": offset, **row}
        offset = end


def _one(data: bytes, offset: int) -> tuple[dict[str, Any], int]:
    if data.startswith(SYNC, offset):
        datagram, end = decode_frame(data, offset)
        return {"kind": "datagram", "data": datagram.hex(), "length": len(datagram)}, end
    if data.startswith(e22.SOFT, offset) and len(data) >= offset + 6:
        return _soft(data, offset)
    if data.startswith(e22.WRONG, offset):
        return {"kind": "e22.refused"}, offset + 3
    if data[offset] in (e22.SET, e22.READ, e22.SET_VOLATILE, e22.OVER_AIR[0]):
        return _registers(data, offset)
    return _line(data, offset)


def _soft(data: bytes, offset: int) -> tuple[dict[str, Any], int]:
    if data.startswith(e22.AMBIENT, offset):
        return {"kind": "e22.ask_noise"}, offset + 6
    if data[offset + 4] == 2:
        return {"kind": "e22.mode", "mode": data[offset + 5]}, offset + 6
    raise RemoteError("lora.unknown", "a command of the transparent mode", offset + 4)


def _registers(data: bytes, offset: int) -> tuple[dict[str, Any], int]:
    """`C1 start length` at the end of the bytes, or before another frame, is a question; else its registers follow."""
    try:
        frame, end = e22.decode_frame(data, offset)
    except RemoteError as wrong:
        if wrong.reason != "e22.truncated":
            raise
        frame, end = e22.decode_frame(data, offset, asks=True)
        if end < len(data):
            raise
    words = {e22.SET: "set", e22.READ: "read", e22.SET_VOLATILE: "set_volatile"}
    row: dict[str, Any] = {"kind": f"e22.{words[frame.command]}", "start": frame.start, "length": frame.length}
    if frame.over_air:
        row["over_air"] = True
    if frame.data:
        row["registers"] = frame.data.hex()
    if frame.start == 0 and len(frame.data) >= 7:
        row["settings"] = e22.decode_settings(frame.data)._asdict()
    return row, end


def _line(data: bytes, offset: int) -> tuple[dict[str, Any], int]:
    end = next((at for at in range(offset, len(data)) if data[at] in b"\r\n"), len(data))
    if end == offset:
        return {}, offset + 1
    try:
        return decode_line(data[offset:end].decode("ascii")), end + 1
    except (UnicodeDecodeError, ProtocolError):
        text = data[offset : min(end, offset + 40)]
        raise RemoteError("lora.unknown", repr(text), offset) from None
