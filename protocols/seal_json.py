"""Sealed bytes as JSON, for people to look at. Nothing here is verified, and the answer says so."""

from datetime import UTC, datetime
from typing import Any

from protocols import alert_cbor, cose
from protocols.alert import Alert, displayable
from protocols.alert_cbor import MAX_PAYLOAD
from protocols.area import SCALE, Circle, Item, code_text
from protocols.codes import family
from protocols.errors import RemoteError
from protocols.seal import text_refused, uncarry

_LAST = 253402300799  # 9999-12-31T23:59:59Z, the last second ISO 8601 can say in four digits


def decode_sealed(data: bytes) -> dict[str, Any]:
    """What stands in a sealed alert, bare or in a carrier; RemoteError says what is wrong and at which byte."""
    sealed, text = uncarry(data)
    offset = data.index(sealed) if sealed is not data else 0
    try:
        envelope = cose.decode(sealed, MAX_PAYLOAD)
    except RemoteError as error:
        raise _moved(error, offset) from error
    try:
        alert = alert_cbor.decode(envelope.payload)
    except RemoteError as error:
        raise _moved(error, offset + sealed.index(envelope.payload)) from error
    return {
        "verified": False,
        "form": "COSE_Sign" if envelope.several else "COSE_Sign1",
        "signatures": [signature.value.hex() for signature in envelope.signatures],
        "algorithms": ["EdDSA" if signature.algorithm == cose.EDDSA else "SM2" for signature in envelope.signatures],
        "identity": cose.identity(envelope.payload).hex(),
        "bytes": len(sealed),
        "alert": alert_json(alert),
        **_text(alert, text),
    }


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert in CAP's words."""
    return {
        "issuer": alert.issuer,
        "seq": alert.seq,
        "status": alert.status.name.capitalize(),
        "msgType": alert.msg_type.name.capitalize(),
        "chain": alert.chain.hex(),
        "event": alert.event,
        "family": family(alert.event),
        "level": alert.level.name.lower(),
        "action": alert.action.name.lower().replace("_", "-"),
        "onset": None if alert.onset is None else _time(alert.onset),
        "expires": _time(alert.expires),
        "area": [_item(item) for item in alert.area],
        "text_digest": alert.text_digest.hex(),
    }


def _text(alert: Alert, text: str) -> dict[str, Any]:
    if not text:
        return {}
    refused = text_refused(alert, text)
    return {"text_refused": refused} if refused else {"text": displayable(text)}


def _item(item: Item) -> Any:
    if isinstance(item, int):
        return code_text(item)
    if isinstance(item, Circle):
        return {"circle": [item.lat / SCALE, item.lon / SCALE], "radius_m": item.radius}
    return {"polygon": [[lat / SCALE, lon / SCALE] for lat, lon in item.points]}


def _time(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat() if unix <= _LAST else f"@{unix}"


def _moved(error: RemoteError, by: int) -> RemoteError:
    return RemoteError(error.reason, error.detail, None if error.offset is None else error.offset + by)
