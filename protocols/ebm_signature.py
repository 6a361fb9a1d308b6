"""The signature file beside an EBD (`EBDS_EBDB_….xml`), taken apart and checked against itself. Pure, without keys: the
SM2 signature over the package is not verified here, so nothing becomes believable by passing.

The value is 74 bytes: signing time (4, big-endian Unix seconds), certificate number (6), r and s (32 each). Time and
number stand in the XML too; where the two differ, somebody has changed one.
"""

import binascii
import re
from typing import Any, NamedTuple

from protocols.cap import Notes
from protocols.errors import RemoteError
from protocols.quoting import quoted
from protocols.xml_fields import Fields, Shape
from protocols.xml_guard import Node, parse

VALUE_BYTES = 74

SIGNATURE: Shape = {
    "Version": "?",
    "RelatedEBD": "1",
    "SignatureCert": "1",
    "SignatureTime": "1",
    "DigestAlgorithm": "1",
    "SignatureAlgorithm": "1",
    "SignatureValue": "1",
}
RELATED: Shape = {"EBDID": "1"}
CERTIFICATE: Shape = {"CertType": "?", "IssuerID": "?", "CertSN": "1"}
_HEX = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)


class SideCar(NamedTuple):
    package: str  # EBDID of what was signed
    certificate_type: str
    issuer: str
    certificate: str  # 12 hexadecimal digits
    time: int  # Unix seconds
    digest: str
    algorithm: str
    signature: bytes  # r ‖ s


def read_signature(data: bytes) -> SideCar:
    return _side_car(parse(data))


def decode_signature(root: Node) -> dict[str, Any]:
    car = _side_car(root)
    return {"kind": "ebm-signature", **car._asdict(), "signature": car.signature.hex(), "verified": False}


def _side_car(root: Node) -> SideCar:
    if root.name != "Signature":
        raise RemoteError("wrong-namespace", quoted(f"{{{root.space}}}{root.name}"))
    notes = Notes()
    fields = Fields(root, SIGNATURE, notes)
    value = _value(fields.need("SignatureValue"))
    certificate = _part(fields, "SignatureCert", CERTIFICATE, notes)
    car = SideCar(
        package=_part(fields, "RelatedEBD", RELATED, notes).need("EBDID"),
        certificate_type=certificate.text("CertType"),
        issuer=certificate.text("IssuerID"),
        certificate=certificate.need("CertSN").lower(),
        time=_time(fields.need("SignatureTime")),
        digest=fields.need("DigestAlgorithm"),
        algorithm=fields.need("SignatureAlgorithm"),
        signature=value[10:],
    )
    if (int.from_bytes(value[:4], "big"), value[4:10].hex()) != (car.time, car.certificate):
        raise RemoteError("signature-mismatch", "time or certificate differ from those that were signed")
    return car


def _part(fields: Fields, name: str, shape: Shape, notes: Notes) -> Fields:
    nodes = fields.nodes(name)
    if not nodes:
        raise RemoteError("missing-element", f"Signature/{name}")
    return Fields(nodes[0], shape, notes)


def _value(text: str) -> bytes:
    try:
        value = binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        raise RemoteError("bad-signature", "not base64") from None
    if len(value) != VALUE_BYTES:
        raise RemoteError("bad-signature", f"{len(value)} bytes instead of {VALUE_BYTES}")
    return value


def _time(text: str) -> int:
    if not _HEX.fullmatch(text):
        raise RemoteError("bad-time", quoted(text))
    return int(text, 16)
