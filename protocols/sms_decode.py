"""`fengsui decode sms`: PDUs in hexadecimal, one a line, as JSON; parts that are all there also joined. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from protocols import sms_content, sms_pdu
from protocols.errors import RemoteError
from protocols.sms_content import Content
from protocols.sms_fields import ALPHANUMERIC, Address, Stamp
from protocols.sms_pdu import Deliver, Pdu, StatusReport, Submit

_KINDS = {Submit: "submit", Deliver: "deliver", StatusReport: "status-report"}
_HEXADECIMAL = frozenset(b"0123456789ABCDEFabcdef")
_AROUND = (b"AT", b"OK", b"ERROR", b"+", b"^", b"*", b"#", b"RDY", b"RING")  # of a dialogue, and of comments


def decode(data: bytes) -> Iterator[dict[str, Any]]:
    """Each PDU of a text; an error says its line and the octet within the PDU, or the column of what is no hexadecimal
    digit. What else a modem says around PDUs (`+CMGR: 0,,32`, OK) is passed over.
    """
    parts: dict[tuple[Any, ...], dict[int, Content]] = {}
    for number, line in enumerate(data.splitlines(), 1):
        digits = b"".join(line.strip().removeprefix(b">").rstrip(b"\x1a").split())
        if not digits or digits.upper().startswith(_AROUND):
            continue
        try:
            octets = unhexed(digits)
            pdu = sms_pdu.decode(octets)
        except RemoteError as wrong:
            yield {"line": number, "error": wrong.reason, "offset": wrong.offset, "detail": wrong.detail}
            continue
        yield {"line": number, **describe(pdu), "length": len(octets) - 1 - octets[0]}
        yield from _joined(pdu, parts)


def unhexed(digits: bytes) -> bytes:
    """RemoteError `hexadecimal` with the place of the first that is none, or of one too many."""
    wrong = next((at for at, digit in enumerate(digits) if digit not in _HEXADECIMAL), None)
    if wrong is None and len(digits) % 2:
        wrong = len(digits) - 1
    if wrong is not None:
        raise RemoteError("hexadecimal", "PDUs are written in pairs of hexadecimal digits", wrong)
    return bytes.fromhex(digits.decode("ascii"))


def describe(pdu: Pdu) -> dict[str, Any]:
    """A PDU, JSON-ready."""
    tpdu = pdu.tpdu
    row: dict[str, Any] = {"kind": _KINDS[type(tpdu)]}
    if pdu.centre is not None:
        row["centre"] = pdu.centre.text
    if isinstance(tpdu, Submit):
        row |= {"to": tpdu.to.text, "reference": tpdu.reference, "report": tpdu.report}
        row |= {"validity": tpdu.validity.seconds if tpdu.validity else None, **_content(tpdu.content)}
    elif isinstance(tpdu, Deliver):
        row |= {"from": tpdu.sender.text, **_named(tpdu.sender), "time": _time(tpdu.stamp), **_content(tpdu.content)}
    else:
        row |= {"reference": tpdu.reference, "to": tpdu.recipient.text, "time": _time(tpdu.stamp)}
        row |= {"discharged": _time(tpdu.discharged), "status": tpdu.status, "outcome": tpdu.outcome}
    return row


def _content(content: Content) -> dict[str, Any]:
    text, place = content.text, content.place
    row: dict[str, Any] = {"coding": content.coding.name.lower(), "dcs": content.dcs}
    row |= {"data": content.data.hex()} if text is None else {"text": text}
    if place is not None:
        row["part"] = {"reference": place.reference, "number": place.number, "total": place.total}
    others = [one for one in content.elements if place is None or one.identifier not in (0x00, 0x08)]
    if others:
        row["elements"] = [{"id": one.identifier, "data": one.data.hex()} for one in others]
    return row


def _named(address: Address) -> dict[str, Any]:
    return {"alphanumeric": True} if address.kind & 0x70 == ALPHANUMERIC & 0x70 else {}


def _time(stamp: Stamp) -> str | None:
    """With the zone that was sent."""
    unix, zone = stamp.unix, stamp.zone
    if unix is None or zone is None:
        return None
    shown = timezone(timedelta(minutes=zone))
    return datetime.fromtimestamp(unix, UTC).astimezone(shown).isoformat()


def _joined(pdu: Pdu, parts: dict[tuple[Any, ...], dict[int, Content]]) -> Iterator[dict[str, Any]]:
    tpdu = pdu.tpdu
    if isinstance(tpdu, StatusReport) or (place := tpdu.content.place) is None:
        return
    who = tpdu.to.text if isinstance(tpdu, Submit) else tpdu.sender.text
    found = parts.setdefault((type(tpdu), who, place.reference, place.total), {})
    found[place.number] = tpdu.content
    if len(found) == place.total > 1:
        whole = sms_content.join([found[number] for number in sorted(found)])
        yield {"kind": "joined", "of": _KINDS[type(tpdu)], "with": who, **_content(whole)}
        found.clear()
