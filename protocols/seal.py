"""The seal: what makes an alert believed, never where it came from. Pure; keys and time are arguments.

`verify` answers who said it and what each signer's word is worth; whether it applies here, is new, or has expired is
decided in `agent.decide`, where the station's place and memory are known.
"""

from typing import TYPE_CHECKING

from protocols import alert_cbor, canonical, cose
from protocols.alert import _PROOF, MAX_TEXT_BYTES, Alert, ClockReading, Grant, Refusal, VerifiedAlert, digest_of
from protocols.alert_cbor import MAX_PAYLOAD
from protocols.errors import LocalError, RemoteError
from protocols.keyring import Keyring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_MESSAGE = 64 * 1024  # of anything on a warning topic, before it is looked at
CARRIER_VERSION = 1
MAX_CHECKS = 64  # signatures tried against keys: enough for two signers in a full key-set, in the worst order


def seal(alert: Alert, keys: "Sequence[Ed25519PrivateKey]") -> bytes:
    """The sealed bytes: COSE_Sign1 by one key, COSE_Sign by several."""
    return cose.encode(alert_cbor.encode(alert), keys)


def carry(sealed: bytes, text: str = "") -> bytes:
    """What goes over MQTT: the seal with its text beside it, or bare when there is none."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise LocalError("text-oversize", f"{len(text.encode())} bytes of text, at most {MAX_TEXT_BYTES}")
    return canonical.encode([CARRIER_VERSION, sealed, text]) if text else sealed


def uncarry(data: bytes) -> tuple[bytes, str]:
    """The sealed bytes and the text beside them, neither of them checked."""
    if len(data) > MAX_MESSAGE:
        raise RemoteError("oversize", f"{len(data)} bytes, at most {MAX_MESSAGE}")
    if not data.startswith(b"\x83"):  # not an array of three: bare sealed bytes, or nothing we know
        return data, ""
    match canonical.decode(data, MAX_MESSAGE):
        case [int(version), bytes(sealed), str(text)] if version == CARRIER_VERSION:
            return sealed, text
    raise RemoteError("malformed", f"a carrier is [{CARRIER_VERSION}, sealed bytes, text]", 0)


def verify(data: bytes, keyring: Keyring, clock: ClockReading) -> VerifiedAlert | Refusal:
    """What these bytes are worth: a sealed alert, bare or in a carrier with its text.

    Form is checked first and completely; no signature is looked at before that.
    """
    try:
        sealed, text = uncarry(data)
        envelope = cose.decode(sealed, MAX_PAYLOAD)
        alert = alert_cbor.decode(envelope.payload)
    except RemoteError as error:
        return Refusal(error.reason, error.detail, error.offset)
    owner = keyring.holder_of(alert.issuer)
    if owner is None:  # whoever signed: numbers that nobody answers for would be remembered without bound
        return Refusal("unknown-issuer", f"issuer {alert.issuer}")
    grants = _grants(envelope, alert.issuer, keyring, clock)
    if not grants:
        return Refusal("bad-signature", f"issuer {alert.issuer}, {len(envelope.signatures)} signatures")
    own = any(grant.holder == owner for grant in grants)
    refused = text_refused(alert, text)
    return VerifiedAlert(
        alert, cose.identity(envelope.payload), grants, own, "" if refused else text, refused, proof=_PROOF
    )


def text_refused(alert: Alert, text: str) -> str:
    """Why this text is not the alert's; empty if it is, or if there is none."""
    if len(text.encode()) > MAX_TEXT_BYTES:
        return "text-oversize"
    return "text-mismatch" if text and digest_of(text) != alert.text_digest else ""


def _grants(envelope: cose.Envelope, issuer: int, keyring: Keyring, clock: ClockReading) -> tuple[Grant, ...]:
    """What each signature that a valid key made is worth. One that fits no key is passed over: it may be by a key of
    the next key-set.
    """
    signed, checks = envelope.signed(), 0
    grants: list[Grant] = []
    keys = list(keyring.candidates(issuer, clock))
    for signature in envelope.signatures:
        for key in keys:
            if checks == MAX_CHECKS:
                return tuple(grants)
            checks += 1
            if cose.verifies(key.public, signature, signed):
                grants.append(key.grant_at(clock))
                keys.remove(key)
                break
    return tuple(grants)
