"""Makes tests/vectors/seal.json: `python -m tests.support.seal_vectors`. Ed25519 is deterministic, so it is always the
same file; a test holds the two together.
"""

import json
from pathlib import Path
from typing import Any

from protocols import alert_cbor, canonical, cose
from protocols.alert import ActionCode, Level, MsgType, Refusal, Status, digest_of
from protocols.area import Circle, Polygon
from protocols.keyring import fingerprint, seal_keyset
from protocols.seal import carry, seal, verify
from protocols.seal_json import decode_sealed
from tests.support.seals import COUNTY, ROOTS, T0, TEXT, alert, clock, keyring, private, public, sealed

FILE = Path(__file__).parents[1] / "vectors" / "seal.json"
HOLDERS = ("county", "bureau", "watch", "far", "small", "root 1", "root 2", "root 3")


def vectors() -> dict[str, Any]:
    ring = keyring()
    return {
        "note": "Keys are Ed25519; a seed is SHA-256 of 'fengsui test key NAME'. Public, and worth nothing.",
        "clock": T0,
        "keys": {
            name: {"seed": private(name).private_bytes_raw().hex(), "public": public(name).hex()} for name in HOLDERS
        },
        "keyset": {
            "sealed": seal_keyset(ring, [private("root 1"), private("root 2")]).hex(),
            "number": ring.number,
            "issuers": {str(issuer): holder.name for holder in ring.holders for issuer in holder.issuers},
            "fingerprint_of_roots": fingerprint(*ROOTS),
        },
        "believed": [_believed(name, *made) for name, made in _genuine().items()],
        "refused": [_refused(name, data) for name, data in _wrong().items()],
    }


def _genuine() -> dict[str, tuple[bytes, list[str]]]:
    shapes = (
        COUNTY,
        Circle(2_987_000, 12_155_000, 500),
        Polygon(((0, 17_990_000), (0, 18_010_000), (100, 18_000_000))),
    )
    exercise = {"status": Status.EXERCISE, "level": Level.BLUE, "action": ActionCode.PREPARE, "onset": T0 + 60}
    cancel = {"msg_type": MsgType.CANCEL, "seq": T0 + 60, "text_digest": digest_of(TEXT)}
    return {
        "one signer": (sealed("county"), ["county"]),
        "two signers": (sealed("county bureau"), ["bureau", "county"]),
        "the second signer's own copy": (sealed("bureau"), ["bureau"]),
        "with its text beside it": (sealed("county", TEXT), ["county"]),
        "exercise with an onset": (sealed("county", **exercise), ["county"]),
        "cancel": (sealed("county", **cancel), ["county"]),
        "everywhere, and shapes": (sealed("county", area=(0, *shapes)), ["county"]),
        "a signature that is not known": (seal(alert(), [private("root 1"), private("bureau")]), ["bureau"]),
        "text that was changed": (carry(sealed(text_digest=digest_of(TEXT)), "Go home."), ["county"]),
    }


def _wrong() -> dict[str, bytes]:
    good = sealed("county")
    payload, signature = alert_cbor.encode(alert()), good[-64:]
    float_level = payload.replace(b"\x01\x03\xf6", b"\xf9\x3c\x00\x03\xf6")
    return {
        "empty": b"",
        "the payload without a seal": payload,
        "one bit of the signature": good[:-1] + bytes([good[-1] ^ 1]),
        "one bit of the payload": good.replace(b"11A51", b"11A41"),
        "a byte after the end": good + b"\x00",
        "truncated": good[:-1],
        "unprotected kid": cose.SIGN1_TAG + canonical.encode([cose.EDDSA, {4: b"1"}, payload, signature]),
        "another algorithm": cose.SIGN1_TAG + canonical.encode([b"\xa1\x01\x26", {}, payload, signature]),
        "detached payload": cose.SIGN1_TAG + canonical.encode([cose.EDDSA, {}, None, signature]),
        "indefinite array": cose.SIGN1_TAG + b"\x9f" + good[2:] + b"\xff",
        "array head in two bytes": cose.SIGN1_TAG + b"\x98\x04" + good[2:],
        "tag in two bytes": b"\xd8\x12" + good[1:],
        "Sign1's signature in COSE_Sign": cose.SIGN_TAG
        + canonical.encode([b"", {}, payload, [[cose.EDDSA, {}, signature]]]),
        "no signatures": cose.SIGN_TAG + canonical.encode([b"", {}, payload, []]),
        "signed, but a float": cose.encode(float_level, [private("county")]),
        "signed, but a padded area code": cose.encode(_changed(11, [331000]), [private("county")]),
        "signed, but version 2": cose.encode(_changed(0, 2), [private("county")]),
        "signed by nobody known": sealed("root 1"),
        "an issuer nobody knows": sealed("root 1", issuer=77),
    }


def _changed(at: int, value: Any) -> bytes:
    fields = canonical.decode(alert_cbor.encode(alert()), 1024)
    fields[at] = value
    return canonical.encode(fields)


def _believed(name: str, data: bytes, holders: list[str]) -> dict[str, Any]:
    return {"name": name, "data": data.hex(), "holders": holders, "decoded": decode_sealed(data)}


def _refused(name: str, data: bytes) -> dict[str, Any]:
    found = verify(data, keyring(), clock())
    if not isinstance(found, Refusal):
        raise TypeError(name)
    return {"name": name, "data": data.hex(), "reason": found.reason, "offset": found.offset}


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
