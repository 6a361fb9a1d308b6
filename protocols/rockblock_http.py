"""Messages of RockBLOCK modems as the maker's server hands them on by HTTP, and the other way. Pure; opens nothing.

In: a form or JSON with the fields of the message and, signed with RS256, a JSON web token of the same fields. Where a
key is given, nothing is believed but what the token says. Out: fields of a form, and its one line of answer.
Sources: docs.groundcontrol.com, RockBLOCK web services, "Receiving MO messages" and "Sending MT messages"; RFC 7515, 7519.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from protocols.errors import LocalError, RemoteError

LONGEST = 16_384  # bytes of a request: 1,960 bytes in hexadecimal, twice, and the token's third more
PAYLOAD_MOST = 1960
FIELDS_MOST = 64
KEY_LEAST = 2048  # bits
MT_MOST = 270  # bytes that a 9602 takes
SIGNED = ("imei", "momsn", "transmit_time", "data")

GROUND_CONTROL = b"""-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlaWAVJfNWC4XfnRx96p9
cztBcdQV6l8aKmzAlZdpEcQR6MSPzlgvihaUHNJgKm8t5ShR3jcDXIOI7er30cIN
4/9aVFMe0LWZClUGgCSLc3rrMD4FzgOJ4ibD8scVyER/sirRzf5/dswJedEiMte1
ElMQy2M6IWBACry9u12kIqG0HrhaQOzc6Tr8pHUWTKft3xwGpxCkV+K1N+9HCKFc
cbwb8okRP6FFAMm5sBbw4yAu39IVvcSL43Tucaa79FzOmfGs5mMvQfvO1ua7cOLK
fAwkhxEjirC0/RYX7Wio5yL6jmykAHJqFG2HT0uyjjrQWMtoGgwv9cIcI7xbsDX6
owIDAQAB
-----END PUBLIC KEY-----
"""
"""The key that Ground Control publishes in its guide; a configuration may name another."""

MT_FAILURES: Mapping[int, str] = {
    10: "login",
    11: "imei-unknown",
    12: "no-rental",
    13: "no-credit",
    14: "hex",
    15: "too-long",
    16: "empty",
    99: "unavailable",
}


class RockBlockMo(NamedTuple):
    """A message from a modem. `signed`: all but the place is what the token says."""

    imei: str
    momsn: int
    at: int  # Unix seconds
    data: bytes
    latitude: float | None = None
    longitude: float | None = None
    radius: float | None = None  # km
    signed: bool = False


class Queued(NamedTuple):
    """The server has the message for the modem."""

    reference: str


class Failed(NamedTuple):
    code: int
    reason: str


def load_key(pem: bytes) -> RSAPublicKey:
    """LocalError where this is no RSA key, or one too short."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as wrong:
        raise LocalError("key", str(wrong)) from None
    if not isinstance(key, RSAPublicKey) or key.key_size < KEY_LEAST:
        raise LocalError("key", f"not an RSA key of at least {KEY_LEAST} bits")
    return key


def parse(body: bytes, key: RSAPublicKey | None = None) -> RockBlockMo:
    """A request's body, form or JSON. With a key, RemoteError unless the token is there, genuine and of these fields."""
    if len(body) > LONGEST:
        raise RemoteError("length", f"{len(body)} bytes", LONGEST)
    fields = _json(body) if body.lstrip()[:1] == b"{" else form(body)
    if key is None:
        return _message(fields, signed=False)
    if "JWT" not in fields:
        raise RemoteError("unsigned")
    claims = verify(fields["JWT"], key)
    differing = [name for name in SIGNED if claims.get(name) != fields.get(name)]
    if differing:
        raise RemoteError("claims", ", ".join(differing))
    return _message({**fields, **claims}, signed=True)


def verify(token: str, key: RSAPublicKey) -> dict[str, str]:
    """The claims of a genuine token. Its own word on how it is signed is not asked for more than to agree."""
    head, _, rest = token.partition(".")
    claims, _, signature = rest.partition(".")
    if _json(_unbase64(head)).get("alg") != "RS256":
        raise RemoteError("algorithm", "only RS256 is believed")
    try:
        key.verify(_unbase64(signature), f"{head}.{claims}".encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, UnicodeEncodeError):
        raise RemoteError("signature") from None
    return _json(_unbase64(claims))


def form(body: bytes) -> dict[str, str]:
    """The fields of `application/x-www-form-urlencoded` (WHATWG URL §5.1)."""
    pairs = body.split(b"&")
    if len(pairs) > FIELDS_MOST:
        raise RemoteError("fields", f"{len(pairs)} where {FIELDS_MOST} are plenty")
    return {_unquoted(name): _unquoted(value) for name, _, value in (pair.partition(b"=") for pair in pairs) if name}


def mt_fields(imei: str, username: str, password: str, data: bytes, *, flush: bool = False) -> dict[str, str]:
    """The form to be posted to send a message to a modem. It holds a password: not for any log."""
    if not 1 <= len(data) <= MT_MOST:
        raise LocalError("length", f"{len(data)} bytes; a modem takes 1 to {MT_MOST}")
    fields = {"imei": imei, "username": username, "password": password, "data": data.hex()}
    return {**fields, "flush": "yes"} if flush else fields


def mt_answer(text: str) -> Queued | Failed:
    """`OK,<id>` or `FAILED,<code>,<text>`."""
    words = text.strip()[:200].split(",", 2)
    if words[0] == "OK" and len(words) > 1:
        return Queued(words[1])
    if words[0] == "FAILED" and len(words) > 1 and re.fullmatch(r"\d{1,4}", words[1], re.ASCII):
        return Failed(int(words[1]), MT_FAILURES.get(int(words[1]), "unavailable"))
    raise RemoteError("answer", text[:80])


def _message(fields: Mapping[str, str], *, signed: bool) -> RockBlockMo:
    for name in SIGNED:
        if name not in fields:
            raise RemoteError("missing", name)
    if not re.fullmatch(r"\d{15}", fields["imei"], re.ASCII):
        raise RemoteError("imei", fields["imei"][:32])
    if not re.fullmatch(r"\d{1,9}", fields["momsn"], re.ASCII):
        raise RemoteError("momsn", fields["momsn"][:32])
    return RockBlockMo(
        fields["imei"],
        int(fields["momsn"]),
        _time(fields["transmit_time"]),
        _data(fields["data"]),
        _number(fields, "iridium_latitude"),
        _number(fields, "iridium_longitude"),
        _number(fields, "iridium_cep"),
        signed,
    )


def _data(text: str) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise RemoteError("data", "not hexadecimal") from None
    if len(data) > PAYLOAD_MOST:
        raise RemoteError("length", f"{len(data)} bytes of data")
    return data


def _time(text: str) -> int:
    """`21-10-31 10:41:50`, in UTC; other products of the house write `2021-10-31T10:41:50Z`."""
    match = re.fullmatch(r"(?:20)?(\d\d-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)Z?", text, re.ASCII)
    try:
        return int(datetime.fromisoformat(f"20{match[1]}T{match[2]}+00:00" if match else "").timestamp())
    except ValueError:
        raise RemoteError("time", text[:32]) from None


def _number(fields: Mapping[str, str], name: str) -> float | None:
    text = fields.get(name, "")
    return float(text) if re.fullmatch(r"-?\d{1,6}(\.\d{1,9})?", text, re.ASCII) else None


def _json(data: bytes) -> dict[str, str]:
    """Numbers as they are written, all else that is no text left out."""
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise RemoteError("json") from None
    if not isinstance(found, dict) or len(found) > FIELDS_MOST:
        raise RemoteError("json", "no object of fields")
    return {name: str(value) for name, value in found.items() if isinstance(value, str | int | float)}


def _unbase64(text: str) -> bytes:
    """Base64url without padding (RFC 7515 §2)."""
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError, ValueError):
        raise RemoteError("token", "not base64url") from None


def _unquoted(text: bytes) -> str:
    plain = re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes.fromhex(match[1].decode()), text.replace(b"+", b" "))
    return plain.decode("utf-8", "replace")
