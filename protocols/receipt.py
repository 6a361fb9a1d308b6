"""The signature of an acknowledgement: the station's key over everything the event says, with a counter that never repeats.

Signed are the words of `HEAD` and the event as canonical JSON (RFC 8785, JCS) with its station and type, but without what a
message adds on its way (`WAY`) and without the signature itself. Plain Ed25519, so that any platform can check it.
"""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from protocols import cose
from protocols.errors import LocalError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# Begins like no COSE structure, so that the station's other signatures (accounts) can never be taken for this one.
HEAD = b"fengsui acknowledgement 1\n"
WAY = frozenset({"version", "id", "kind", "floor", "time", "trusted", "boot", "at", "station", "signature"})
# What became of a warning, and what would hide it: the station's own alarms, its key switch, and who was asked and answered.
KINDS = ("warning.", "rule.", "alarm.", "inhibit.", "contact.")
MAX_COUNTER = (1 << 53) - 1  # what JSON's numbers can say exactly everywhere


def sign(
    station: str,
    kind: str,
    fields: Mapping[str, Any],
    *,
    counter: int,
    said: int,
    certain: bool,
    key: "Ed25519PrivateKey",
) -> dict[str, Any]:
    """The fields that an acknowledgement carries besides; LocalError where it says what JSON cannot."""
    if not 0 < counter <= MAX_COUNTER:
        raise LocalError("receipt.counter", str(counter))
    proof: dict[str, Any] = {"counter": counter, "said": said, "certain": certain}
    signed = covered(station, {**fields, **proof, "type": kind})
    return proof | {"signature": b64encode(key.sign(signed)).decode()}


def verifies(event: Mapping[str, Any], public: bytes) -> bool:
    """Is this event, as it came over the wire, what the key's station has said?"""
    try:
        signature = b64decode(str(event.get("signature")), validate=True)
        return cose.verifies(public, signature, covered(str(event.get("station")), event))
    except (ValueError, LocalError):
        return False


def covered(station: str, event: Mapping[str, Any]) -> bytes:
    """The bytes that are signed."""
    said = {name: value for name, value in event.items() if name not in WAY}
    try:
        plain = json.loads(json.dumps({**said, "station": station}, default=str, allow_nan=False))
        return HEAD + canonical_json(plain).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise LocalError("receipt.json", str(error)) from error


def canonical_json(value: Any) -> str:
    """RFC 8785: no blanks, names in the order of their UTF-16, numbers as ECMAScript writes them."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical_json(name)}:{canonical_json(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _number(value: float) -> str:
    """ECMAScript's Number::toString: the shortest digits, as Python's, laid out by other thresholds."""
    if value == 0:
        return "0"
    if 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(repr(value)), "f")
        return re.sub(r"\.0+$", "", text)
    digits, exponent = f"{Decimal(repr(value)).normalize():e}".split("e")
    return f"{digits}e{int(exponent):+d}"
