"""What CoAP's answers mean for a bearer (RFC 7252 §5.9, RFC 8516), and what protects its questions. No I/O but OSCORE's marks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from drivers.api import Accepted, Declined, Sent, Unknown
from drivers.oscore_files import Marks
from protocols import coap_message as coap
from protocols import oscore
from protocols.coap_message import Message
from protocols.errors import RemoteError
from protocols.oscore import Binding, Keys

OCTETS = 42  # application/octet-stream (RFC 7252 §12.3)
ETAG = 4
DEFAULT_AGE = 60.0  # seconds that an answer without Max-Age holds (RFC 7252 §5.10.5)
MISPLACED_AGAIN = 600.0  # seconds: a path or a right that somebody must mend
RESERVED = 64  # numbers, on disk before they are used: one write for so many requests
NEVER = frozenset({coap.BAD_REQUEST, coap.TOO_LARGE, 0x82, 0x96})  # 4.00, 4.13, 4.02, 4.22: not as it is
LATER = frozenset({coap.TOO_MANY, coap.UNAVAILABLE})  # 4.29, 5.03


def outcome(answer: Message) -> Sent:
    """What became of a datagram that was answered so."""
    word = coap.shown(answer.code)
    if answer.code >> 5 == 2:
        return Accepted(word)
    if answer.code in LATER:
        return Declined(word, max_age(answer))
    if answer.code in NEVER:
        return Declined(word, None)
    if answer.code >> 5 == 4:
        return Declined(word, MISPLACED_AGAIN)
    return Unknown(word)  # 5.xx: it may have been taken before something broke


def max_age(answer: Message) -> float:
    said = answer.uint(coap.MAX_AGE)
    return DEFAULT_AGE if said is None else float(said)


def etag(answer: Message) -> bytes:
    return next(iter(answer.all(ETAG)), b"")


class Question(NamedTuple):
    """To be sent: the message, and what its answer is opened with."""

    message: Message
    binding: Binding | None = None


@dataclass(slots=True)
class Clear:
    """Nothing is protected here: what is carried protects itself."""

    def ask(self, inner: Message) -> Question:
        return Question(inner)

    def answer(self, _question: Question, said: Message) -> Message:
        return said


class Sealed:
    """Every question under OSCORE, with a number that was never used before, also after a restart."""

    def __init__(self, keys: Keys, marks: Marks) -> None:
        self._keys, self._marks = keys, marks
        kept = marks.get("next") or [0]
        self._next = self._reserved = kept[0]

    def ask(self, inner: Message) -> Question:
        """OSError where the number cannot be stored: then nothing is sent under it."""
        if self._next >= self._reserved:
            self._marks.store({"next": [self._next + RESERVED]})
            self._reserved = self._next + RESERVED
        protected = oscore.protect_request(self._keys, self._next, coap.encode(inner))
        self._next += 1
        outer = Message(coap.POST, ((coap.OSCORE, protected.option),), protected.payload)
        return Question(outer, protected.binding)

    def answer(self, question: Question, said: Message) -> Message:
        """RemoteError where it is not from whom we asked; a refusal in the clear may come from whoever lies between."""
        option = said.all(coap.OSCORE)
        if not option or question.binding is None:
            raise RemoteError("coap.unprotected", coap.shown(said.code))
        inner = oscore.open_response(self._keys, question.binding, oscore.decode_option(option[0]), said.payload)
        return coap.decode(inner)


Shield = Clear | Sealed


def question(
    method: int, path: Sequence[str], options: Sequence[tuple[int, bytes]] = (), payload: bytes = b""
) -> Message:
    segments = [(coap.URI_PATH, part.encode()) for part in path]
    return Message(method, tuple(sorted([*segments, *options], key=lambda one: one[0])), payload)
