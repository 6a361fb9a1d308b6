"""OSCORE (RFC 8613): one CoAP request and its answer, encrypted and bound to each other, over any transport. Pure.

AES-CCM-16-64-128 and HKDF with SHA-256, which every implementation must have (§3.2). Knows no sockets and no files: who
calls keeps the numbers, and stores that a number is used before it acts on it. Inner messages are bytes here
(`coap_message`). Group OSCORE and key exchange (EDHOC) are not spoken.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocols.errors import LocalError, RemoteError

ALGORITHM = 10  # AES-CCM-16-64-128 (RFC 9053 table 5)
KEY_BYTES, NONCE_BYTES, TAG_BYTES = 16, 13, 8
MOST_ID = NONCE_BYTES - 6  # bytes of a sender's id (§3.3)
MOST_NUMBER = (1 << 40) - 1  # a partial IV has five bytes (§7.2.1)
WINDOW = 32  # numbers behind the highest that may still come (§7.4, the default of DTLS)


class Option(NamedTuple):
    """What the OSCORE option says in the clear: number, sender, context; None where it says nothing."""

    number: int | None = None
    sender: bytes | None = None
    context: bytes | None = None


def encode_option(option: Option) -> bytes:
    """§6.1; no bytes at all where nothing is said."""
    number = b"" if option.number is None else _number(option.number)
    context = b"" if option.context is None else bytes((len(option.context),)) + option.context
    flags = len(number) | (option.sender is not None) << 3 | (option.context is not None) << 4
    return bytes((flags,)) + number + context + (option.sender or b"") if flags else b""


def decode_option(data: bytes) -> Option:
    if not data:
        return Option()
    flags, length = data[0], data[0] & 7
    if flags & 0xE0 or length > 5 or not flags:
        raise RemoteError("oscore.flags", f"{flags:02X}", 0)
    end = 1 + length
    number = data[1:end]
    if len(number) < length or (length > 1 and not number[0]):
        raise RemoteError("oscore.number", number.hex(), 1)
    context = None
    if flags & 0x10:
        size = data[end] if end < len(data) else 256
        context, end = data[end + 1 : end + 1 + size], end + 1 + size
    if end > len(data) or (not flags & 8 and end != len(data)):
        raise RemoteError("oscore.option", data.hex()[:40], min(end, len(data)))
    return Option(int.from_bytes(number) if length else None, data[end:] if flags & 8 else None, context)


def _number(number: int) -> bytes:
    if not 0 <= number <= MOST_NUMBER:
        raise LocalError("oscore.exhausted", str(number))
    return number.to_bytes(max((number.bit_length() + 7) // 8, 1))


@dataclass(frozen=True, slots=True)
class Keys:
    """A security context's keys (§3.2), of one side: what it sends under, what it receives under. Never shown."""

    sender: bytes
    recipient: bytes
    context: bytes | None
    sending: AESCCM
    receiving: AESCCM
    iv: bytes

    def __repr__(self) -> str:
        return f"Keys(sender={self.sender.hex()}, recipient={self.recipient.hex()})"


def derive(secret: bytes, sender: bytes, recipient: bytes, salt: bytes = b"", context: bytes | None = None) -> Keys:
    """Of the master secret and salt both sides share; `sender` and `recipient` are the other way round over there."""
    if max(len(sender), len(recipient)) > MOST_ID or sender == recipient:
        raise LocalError("oscore.id", f"{sender.hex()} and {recipient.hex()}")
    if len(secret) < KEY_BYTES:
        raise LocalError("oscore.secret", f"{len(secret)} bytes, at least {KEY_BYTES}")

    def output(identity: bytes, kind: str, length: int) -> bytes:
        info = cbor2.dumps([identity, context, ALGORITHM, kind, length])
        return HKDF(SHA256(), length, salt, info).derive(secret)

    sending, receiving = (AESCCM(output(one, "Key", KEY_BYTES), TAG_BYTES) for one in (sender, recipient))
    return Keys(sender, recipient, context, sending, receiving, output(b"", "IV", NONCE_BYTES))


class Binding(NamedTuple):
    """What ties an answer to its request: who asked, and under which number."""

    sender: bytes
    number: bytes

    @property
    def associated(self) -> bytes:
        """The AAD of both (§5.4)."""
        external = cbor2.dumps([1, [ALGORITHM], self.sender, self.number, b""])
        return cbor2.dumps(["Encrypt0", b"", external])


def _nonce(keys: Keys, binding: Binding) -> bytes:
    """§5.2."""
    padded = bytes((len(binding.sender),)) + binding.sender.rjust(MOST_ID, b"\0") + binding.number.rjust(5, b"\0")
    return bytes(a ^ b for a, b in zip(padded, keys.iv, strict=True))


class Protected(NamedTuple):
    """The OSCORE option and the payload of the outer message."""

    option: bytes
    payload: bytes
    binding: Binding


def protect_request(keys: Keys, number: int, inner: bytes) -> Protected:
    """`number` is this side's next, and never used again."""
    binding = Binding(keys.sender, _number(number))
    payload = keys.sending.encrypt(_nonce(keys, binding), inner, binding.associated)
    return Protected(encode_option(Option(number, keys.sender, keys.context)), payload, binding)


def open_request(keys: Keys, option: Option, payload: bytes) -> tuple[bytes, Binding]:
    """The inner message. RemoteError where it is not from the one who has these keys; the number is judged by `Window`."""
    if option.number is None or option.sender != keys.recipient or option.context not in (None, keys.context):
        raise RemoteError("oscore.option", "not of this sender", 0)
    binding = Binding(keys.recipient, _number(option.number))
    return _opened(keys, _nonce(keys, binding), payload, binding), binding


def protect_response(keys: Keys, binding: Binding, inner: bytes) -> Protected:
    """Under the request's own nonce, which the answerer uses once: only one answer to each request (§8.3)."""
    return Protected(b"", keys.sending.encrypt(_nonce(keys, binding), inner, binding.associated), binding)


def open_response(keys: Keys, binding: Binding, option: Option, payload: bytes) -> bytes:
    """`binding` is that of the request; an answer may have a number of its own (§8.4)."""
    own = binding if option.number is None else Binding(keys.recipient, _number(option.number))
    return _opened(keys, _nonce(keys, own), payload, binding)


def _opened(keys: Keys, nonce: bytes, payload: bytes, binding: Binding) -> bytes:
    try:
        return keys.receiving.decrypt(nonce, payload, binding.associated)
    except (InvalidTag, ValueError):
        raise RemoteError("oscore.tag", f"{len(payload)} bytes") from None


class Window(NamedTuple):
    """Which numbers of the other side were used: the highest, and of the `WINDOW` below it a bit each (0 the highest)."""

    highest: int = -1
    used: int = 0

    def fresh(self, number: int) -> bool:
        behind = self.highest - number
        return behind < 0 or (behind < WINDOW and not self.used >> behind & 1)

    def after(self, number: int) -> "Window":
        """With this one used; LocalError where it was."""
        if not self.fresh(number):
            raise LocalError("oscore.replay", str(number))
        ahead = number - self.highest
        if ahead > 0:
            return Window(number, (self.used << min(ahead, WINDOW) | 1) & (1 << WINDOW) - 1)
        return Window(self.highest, self.used | 1 << -ahead)
