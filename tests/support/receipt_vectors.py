"""Makes tests/vectors/receipt.json: `python -m tests.support.receipt_vectors`; the key is "station" as in seal.json."""

import json
from pathlib import Path

from protocols import receipt
from tests.support.seals import T0, TEXT, private, public

FILE = Path(__file__).parents[1] / "vectors" / "receipt.json"
ALERT = "0bd4" * 16
SAID = {
    "received": ("warning.received", {"alert": ALERT, "issuer": 1, "seq": T0, "bearer": "county"}),
    "a reading back": (
        "warning.ended",
        {
            "alert": ALERT,
            "actuator": "siren",
            "channel": "siren",
            "exercise": False,
            "reason": "",
            "evidence": {"seconds": 12.0, "coil": False, "volts": 23.87, "ended": "over", "text": TEXT},
        },
    ),
}


def vectors():
    made = []
    for number, (name, (kind, fields)) in enumerate(SAID.items(), 1):
        proof = receipt.sign("s-1", kind, fields, counter=number, said=T0, certain=True, key=private("station"))
        event = {"type": kind, "station": "s-1", **fields, **proof}
        made.append({"name": name, "event": event, "signed": receipt.covered("s-1", event).decode()})
    note = "Ed25519 over the UTF-8 of `signed`; the key's seed is SHA-256 of 'fengsui test key station'."
    return {"note": note, "public": public("station").hex(), "events": made}


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
