"""Makes tests/vectors/sm2.json with OpenSSL's own SM2: `python -m tests.support.sm2_vectors`. Its signatures are random, so
each run makes another file; the tests need only one of them.
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from protocols import alert_cbor, canonical, cose
from tests.support.seals import alert, private

FILE = Path(__file__).parents[1] / "vectors" / "sm2.json"


def openssl(*arguments: object) -> bytes:
    return subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=True).stdout


class Key:
    """A key of OpenSSL's in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / "key.pem"
        openssl("genpkey", "-algorithm", "SM2", "-out", self._file)

    @property
    def public(self) -> bytes:
        return openssl("pkey", "-in", self._file, "-pubout", "-outform", "DER")[-65:]

    def sign(self, data: bytes) -> bytes:
        (self._folder / "data").write_bytes(data)
        der = openssl(
            "pkeyutl", "-sign", "-inkey", self._file, "-rawin", "-digest", "sm3", "-in", self._folder / "data",
            "-pkeyopt", "distid:1234567812345678",
        )  # fmt: skip
        return b"".join(number.to_bytes(32, "big") for number in _numbers(der))


def _numbers(der: bytes) -> list[int]:
    """The two integers of an ECDSA-Sig-Value (RFC 3279): SEQUENCE { r, s }, all lengths below 128."""
    found, at = [], 2
    while at < len(der):
        size = der[at + 1]
        found.append(int.from_bytes(der[at + 2 : at + 2 + size], "big"))
        at += 2 + size
    return found


def vectors() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        key, payload = Key(Path(name)), alert_cbor.encode(alert())
        bare = cose.Envelope(payload, (), several=False)
        one = cose.SIGN1_TAG + canonical.encode([cose.SM2, {}, payload, key.sign(bare.signed(cose.SM2))])
        several = cose.Envelope(payload, (), several=True)
        bureau = private("bureau").sign(several.signed(cose.EDDSA))
        rows = [[cose.SM2, {}, key.sign(several.signed(cose.SM2))], [cose.EDDSA, {}, bureau]]
        two = cose.SIGN_TAG + canonical.encode([b"", {}, payload, rows])
        identity = cose.identity(payload).hex()
        return {
            "note": "Seals by OpenSSL's SM2 with SM3, identity 1234567812345678; the second beside one of Ed25519 (`bureau`).",
            "openssl": openssl("version").decode().split(" (")[0].strip(),
            "public": key.public.hex(),
            "seals": [
                {"name": "one signer", "data": one.hex(), "holders": ["county"], "identity": identity},
                {
                    "name": "SM2 beside Ed25519",
                    "data": two.hex(),
                    "holders": ["bureau", "county"],
                    "identity": identity,
                },
            ],
        }


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8")
