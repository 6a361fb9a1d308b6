"""The seal: what makes an alert believed, never where it came from. Pure; keys and time are arguments.

`verify` answers who said it and what each signer's word is worth; whether it applies here, is new, or has expired is
decided in `agent.alerts.decide`, where the station's place and memory are known.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocols import alert_cbor, canonical, cose, sm2
from protocols.alert import _PROOF, MAX_TEXT_BYTES, Alert, ClockReading, Grant, Refusal, VerifiedAlert, digest_of
from protocols.alert_cbor import MAX_PAYLOAD
from protocols.errors import LocalError, RemoteError
from protocols.keyring import Key, Keyring

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_MESSAGE = 64 * 1024  # of anything on a warning topic, before it is looked at
CARRIER_VERSION = 1
MAX_CHECKS = 64  # signatures tried against keys: enough for two signers in a full key-set, in the worst order
MAX_SLOW = (
    4  # of them by SM2, each of which costs as much as hundreds by Ed25519: two signers, each with an old and a new key
)


@dataclass(slots=True)
class Effort:
    """Checks that may still be spent: `left` on keys of others than the issuer, `slow` by SM2 on anybody's. A forgery costs
    them all, so a caller rations them; `short` says that there would have been more to try.
    """

    left: int = MAX_CHECKS
    slow: int = MAX_SLOW
    short: bool = False

    @property
    def whole(self) -> bool:
        """As much as one message can use."""
        return self.left >= MAX_CHECKS and self.slow >= MAX_SLOW


def seal(alert: Alert, keys: "Sequence[cose.Signer]", *, several: bool = False) -> bytes:
    """The sealed bytes: COSE_Sign1 by one key, COSE_Sign by several or where others may join (`countersign`)."""
    return cose.encode(alert_cbor.encode(alert), keys, several=several)


def countersign(data: bytes, key: cose.Signer) -> bytes:
    """What came, with another holder's signature, its text still beside it. LocalError if nobody can join it."""
    sealed, text = uncarry(data)
    return carry(cose.countersigned(cose.decode(sealed, MAX_PAYLOAD), key), text)


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


def verify(data: bytes, keyring: Keyring, clock: ClockReading, effort: Effort | None = None) -> VerifiedAlert | Refusal:
    """What these bytes are worth: a sealed alert, bare or in a carrier with its text.

    Form is checked first and completely; no signature is looked at before that. The issuer's own keys are always tried, those
    of SM2 as far as the effort goes.
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
    grants = _grants(envelope, alert.issuer, keyring, clock, effort or Effort())
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


def _grants(
    envelope: cose.Envelope, issuer: int, keyring: Keyring, clock: ClockReading, effort: Effort
) -> tuple[Grant, ...]:
    """What each signature that a valid key made is worth. One that fits no key is passed over: it may be by a key of
    the next key-set.
    """
    owner, keys = keyring.holder_of(issuer), list(keyring.candidates(issuer, clock))
    trial = Effort(MAX_CHECKS, effort.slow)
    own = list(_made(envelope, envelope.signatures, (key for key in keys if key.holder == owner), trial))
    left = [signature for signature in envelope.signatures if signature not in {made for made, _ in own}]
    trial.left = most = min(effort.left, trial.left)
    others = list(_made(envelope, left, (key for key in keys if key.holder != owner), trial))
    effort.left -= most - trial.left
    effort.slow, effort.short = trial.slow, trial.short
    return tuple(key.grant_at(clock) for _, key in (*own, *others))


def _made(
    envelope: cose.Envelope, signatures: "Sequence[cose.Signature]", keys: "Iterable[Key]", effort: Effort
) -> "Iterator[tuple[cose.Signature, Key]]":
    """Which key made which signature, as far as the effort goes."""
    left = list(keys)
    for signature in signatures:
        for key in [one for one in left if cose.fits(one.public, signature)]:
            if not _affords(effort, key):
                continue
            if envelope.is_by(key.public, signature):
                left.remove(key)
                yield signature, key
                break


def _affords(effort: Effort, key: Key) -> bool:
    """One check more by this key."""
    slow = sm2.is_public(key.public)
    if not effort.left or (slow and not effort.slow):
        effort.short = True
        return False
    effort.left -= 1
    effort.slow -= slow
    return True
