"""A datagram of a narrow bearer as an object for JSON: header and sizes, and whatever else can be known without keys."""

from typing import Any

from protocols.errors import RemoteError
from protocols.narrow import header, receipt, sealed
from protocols.narrow.header import ENCRYPTED, PARITY, Frame, Kind
from protocols.narrow.hello import NONCE_BYTES
from protocols.narrow.keys import TAG_BYTES
from protocols.narrow.receipt import Addressed, Receipt


def decode(data: bytes) -> dict[str, Any]:
    """RemoteError with the byte where it stops being a frame of this version."""
    frame = header.decode(data)
    row: dict[str, Any] = {"kind": frame.kind.name.lower(), "version": header.VERSION, "id": frame.id}
    row |= {"wanted": frame.wanted, "bytes": len(data), "header": len(data) - len(frame.body)}
    if frame.address:
        row["address"] = frame.address.hex()
    return row | (_piece(frame) if frame.piece else _whole(frame))


def _piece(frame: Frame) -> dict[str, Any]:
    place, total = frame.piece or (0, 0)
    parity = place >= PARITY
    said = {"place": place - PARITY if parity else place, "parity": parity, "total": total, "body": len(frame.body)}
    return {"piece": said, "message_at_most": total * len(frame.body) - 1}


def _whole(frame: Frame) -> dict[str, Any]:
    start = len(header.encode(frame)) - len(frame.body)
    if frame.kind is Kind.ACKS:
        return {"receipts": [_row(row) for row in _shifted(frame.body, start)]}
    if frame.kind is Kind.SEALED:
        return {"sealed": frame.body.hex(), "id_fits": sealed.fits(frame, frame.body)}
    least = TAG_BYTES + (NONCE_BYTES if frame.kind is Kind.HELLO else 0)
    if len(frame.body) < least:
        raise RemoteError("frame.short", f"{len(frame.body)} bytes of body, at least {least}", start + len(frame.body))
    hello = {} if frame.kind in ENCRYPTED else {"nonce": frame.body[:NONCE_BYTES].hex()}
    return hello | {"encrypted": len(frame.body) - least, "tag": frame.body[-TAG_BYTES:].hex()}


def _shifted(body: bytes, start: int) -> list[Addressed]:
    try:
        return receipt.decode_many(body)
    except RemoteError as wrong:
        at = None if wrong.offset is None else wrong.offset + start
        raise RemoteError(wrong.reason, wrong.detail, at) from wrong


def _row(row: Addressed) -> dict[str, Any]:
    return {"address": row.address.hex(), "id": row.receipt.id, **_said(row.receipt), "mac": row.mac.hex()}


def _said(one: Receipt) -> dict[str, Any]:
    if one.refused is not None:
        return {"refused": one.refused.name.lower()}
    if one.again:
        return {"again": one.again, "total": one.total}
    return {"complete": True} if one.held is None else {"held": sorted(one.held), "total": one.total}
