"""Overheard Modbus RTU in JSON's terms, for people: `fengsui decode modbus-rtu`. Pure."""

from typing import Any

from protocols.modbus_match import Exchange
from protocols.modbus_pdu import EXCEPTIONS, Refusal, Reply, Request, decode_reply, decode_request
from protocols.modbus_rtu import Frame, Garbage, RtuStream, readings

CHUNK = 4096  # bytes at a time: the stream copies what it holds for every frame


def decode(data: bytes) -> list[dict[str, Any]]:
    """Everything in a capture, in order."""
    stream = RtuStream()
    chunks = (data[n : n + CHUNK] for n in range(0, len(data), CHUNK))
    found = [event for chunk in chunks for event in stream.receive(chunk, 0.0)]
    talk = Talk()
    return [talk.describe(event) for event in found + stream.flush()]


class Talk:
    """A conversation overheard: what answers the request before it is a reply, and is told with what was asked."""

    def __init__(self) -> None:
        self._asked: Exchange | None = None

    def describe(self, event: Frame | Garbage) -> dict[str, Any]:
        asked = self._asked
        if isinstance(event, Garbage):
            return describe(event)
        if asked is not None and event.unit == asked.unit and asked.answered_by(event.pdu):
            self._asked = None
            return _answer(asked, event)
        if any(isinstance(one, Request) for one in readings(event.pdu)):
            self._asked = Exchange(b"", event.unit, event.pdu)
        return describe(event)


def _answer(asked: Exchange, event: Frame) -> dict[str, Any]:
    request, row = decode_request(asked.pdu), _understood(decode_reply(event.pdu))
    if "values" in row:
        row["values"] = row["values"][: request.count]  # bits come in whole bytes
    head = {"unit": event.unit, "function": request.function, "is": row.pop("as")}
    return {**head, "address": request.address, "count": request.count, **row}


def describe(event: Frame | Garbage) -> dict[str, Any]:
    """A frame carries no direction: where it can be read as a request and as a reply, both are given."""
    if isinstance(event, Garbage):
        return {"error": event.reason, "bytes": event.data.hex()}
    understood = [_understood(pdu) for pdu in readings(event.pdu)]
    kinds = [one.pop("as") for one in understood]
    head = {"unit": event.unit, "function": event.pdu[0] & 0x7F, "is": " or ".join(kinds) or "unknown"}
    if len(understood) == 1:
        return {**head, **understood[0]}
    if not understood:
        return {**head, "bytes": event.pdu.hex()}
    return {**head, **dict(zip(kinds, understood, strict=True))}


def _understood(pdu: Request | Reply | Refusal) -> dict[str, Any]:
    if isinstance(pdu, Refusal):
        return {"as": "exception", "code": pdu.code, "meaning": EXCEPTIONS.get(pdu.code, "unknown")}
    if isinstance(pdu, Request):
        written = {"values": list(pdu.values)} if pdu.values else {}
        return {"as": "request", "address": pdu.address, "count": pdu.count, **written}
    values = {"values": list(pdu.values)} if pdu.values else {}
    where = {"address": pdu.address, "count": pdu.count} if pdu.count else {}
    return {"as": "reply", **where, **values}
