"""One event or alarm in few bytes, given back byte for byte: headend and station publish the same message.

    numbered head with the form | boot time (zigzag varint) | words' name 3, only of form 2 | the rest of the stored body

Form 0 is the stored body as it is. In forms 1 and 2 its beginning is told by head and boot time, long numbers and hexadecimal and
base64 texts go as bytes, and what is left is deflated with a preset dictionary: the one of the format, and in form 2 the station's
own words besides. Knows the form of a stored body (`protocols.event`), not what any event means.
"""

import binascii
import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import NamedTuple

from protocols import event
from protocols.bits import Reader, unzigzag, varint, zigzag
from protocols.errors import RemoteError
from protocols.narrow import deflated, numbered
from protocols.narrow.context import NAME_BYTES, Context, Contexts
from protocols.narrow.control import MOST_WORDS
from protocols.narrow.numbered import Numbered

_PLAIN, _SHORT, _OWN_WORDS = 0, 1, 2
_HEX, _BASE64, _DERIVED, _NUMBER = "\1", "\2", "\3", "\4"  # stand for a text; JSON never holds them as they are
_HEAD = re.compile(r'\{"type":"([^"\\]*)","boot":"([0-9a-f]{16})","at":(-?\d{1,18})(,.*)?\}', re.DOTALL)
_TEXTS = re.compile(
    r'(?<=")(?:([0-9a-f]{16,510})|([A-Za-z0-9+/]{24,338}={0,2}))(?=")|(?<=[:,\[])([1-9][0-9]{5,17})(?=[,}\]]|$)'
)
_LOCAL = re.compile(r'("rule":("(?:[^"\\]|\\.)*"),"alert":")([0-9a-f]{64}|\3)(?=")'.replace(r"\3", _DERIVED))


class Event(NamedTuple):
    """A stored body under its key. The head's context is that of its log and boot."""

    head: Numbered
    body: bytes

    def to_wire(self) -> bytes:
        """The message as the station would have published it."""
        head = self.head
        return event.to_wire(self.body, head.key, head.context.wall, floor=head.floor, kind=head.kind)


def encode(head: Numbered, body: bytes, *, full: bool, words: bytes = b"") -> bytes:
    """The body of an EVENT message. `full`: the context has not been acknowledged yet; `words`: the station's own, where
    those have been.
    """
    plain = numbered.encode(head, full=full, form=_PLAIN) + varint(0) + body
    tried = [_shortened(head, body, own, full=full) for own in ((b"", words) if words else (b"",))]
    return min((short for short in tried if short), key=len, default=plain)


def decode(data: bytes, station: str, contexts: Contexts) -> Event:
    """RemoteError for anything but a whole event: `context.unknown` where it refers to what was not told."""
    head, form, start = numbered.read(data, station, contexts)
    reader = Reader(data, start)
    at = unzigzag(reader.varint())
    if form == _PLAIN:
        return Event(head, data[reader.at :])
    if form not in {_SHORT, _OWN_WORDS}:
        raise RemoteError("event.form", str(form), 0)
    words = contexts.words_of(reader.take(NAME_BYTES)) if form == _OWN_WORDS else b""
    return Event(head, _restored(_inflated(data[reader.at :], words, reader.at), head.context, at).encode())


def name_of(words: bytes) -> bytes:
    """How a station's own words are called."""
    return hashlib.sha256(words).digest()[:NAME_BYTES]


def words_of(bodies: Iterable[bytes]) -> bytes:
    """A station's own words, from stored bodies as it will write them: of every rule that it may raise. The last ones stay
    where it would be too much; told once (`control.Words`), they bring an alarm into one datagram.
    """
    found = (_HEAD.fullmatch(body.decode()) for body in bodies)
    texts = [_taken_out(one[1] + (one[4] or ""))[0] for one in found if one]
    return "\n".join(texts).encode()[-MOST_WORDS:]


def _shortened(head: Numbered, body: bytes, words: bytes, *, full: bool) -> bytes:
    """The message; empty where the short form would not give back the same bytes."""
    context = head.context
    try:
        found = _HEAD.fullmatch(body.decode())
        if found is None or found[2] != context.boot.hex():
            return b""
        at, (text, blobs) = int(found[3]), _taken_out(found[1] + (found[4] or ""))
        rest = deflated.pack(text.encode(), words) + b"".join(blobs)
        if _restored(_inflated(rest, words, 0), context, at).encode() != body:
            return b""
    except (UnicodeDecodeError, RemoteError):
        return b""
    told = numbered.encode(head, full=full, form=_OWN_WORDS if words else _SHORT)
    return told + varint(zigzag(at)) + (name_of(words) if words else b"") + rest


def _restored(text: str, context: Context, at: int) -> str:
    comma = text.find(",")
    kind, rest = (text, "") if comma < 0 else (text[:comma], text[comma:])
    return f'{{"type":"{kind}","boot":"{context.boot.hex()}","at":{at}{rest}}}'


def _inflated(data: bytes, words: bytes, at: int) -> str:
    text, blobs = deflated.unpack(data, words, event.MAX_BODY, at)
    try:
        return _put_back(text.decode(), blobs)
    except UnicodeDecodeError as error:
        raise RemoteError("event.text", str(error), at) from error


# Texts that are really bytes or numbers


def _taken_out(text: str) -> tuple[str, list[bytes]]:
    """The text with a sign for each of them, and the bytes. The identity of a rule's own alarm follows from its name."""
    blobs: list[bytes] = []

    def take(found: re.Match[str]) -> str:
        if found[3]:
            blobs.append(varint(int(found[3])))
            return _NUMBER
        if found[1] and len(found[1]) % 2 == 0:
            blobs.append(_sized(bytes.fromhex(found[1])))
            return _HEX
        plain = _unbase64(found[0])
        if plain is None:
            return found[0]
        blobs.append(_sized(plain))
        return _BASE64

    derived = _LOCAL.sub(lambda found: found[1] + (_DERIVED if found[3] == _identity(found[2]) else found[3]), text)
    return _TEXTS.sub(take, derived), blobs


def _put_back(text: str, blobs: bytes) -> str:
    reader = Reader(blobs)

    def put(found: re.Match[str]) -> str:
        if found[0] == _NUMBER:
            return str(reader.varint())
        blob = reader.take(reader.byte())
        return blob.hex() if found[0] == _HEX else b64encode(blob).decode()

    text = re.sub(f"[{_HEX}{_BASE64}{_NUMBER}]", put, text)
    if reader.at != len(blobs):
        raise RemoteError("event.rest", f"{len(blobs) - reader.at} bytes too many")
    return _LOCAL.sub(lambda found: found[1] + (_identity(found[2]) if found[3] == _DERIVED else found[3]), text)


def _sized(blob: bytes) -> bytes:
    return bytes((len(blob),)) + blob


def _identity(name: str) -> str:
    """Of the alarm that a rule of this name raises, given as JSON (`protocols.alert.Local.identity`)."""
    try:
        return hashlib.sha256(f"local\0{json.loads(name)}".encode()).hexdigest()
    except (ValueError, UnicodeEncodeError) as error:
        raise RemoteError("event.rule", name[:40]) from error


def _unbase64(text: str) -> bytes | None:
    try:
        plain = b64decode(text, validate=True)
    except binascii.Error:
        return None
    return plain if b64encode(plain).decode() == text and len(plain) < 256 else None
