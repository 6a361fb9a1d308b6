"""One station as its headend knows it: epochs, contexts, schemas; what a datagram says, and what is to be answered.

Pure but for randomness and the clock, which are handed in. Says what to publish and what to keep; does neither.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.headend.book import Letter
from agent.headend.holder import Holder
from protocols import columns, envelope, senml
from protocols.errors import ProtocolError, RemoteError
from protocols.key import Key
from protocols.narrow import control, detail, digest, event, hello, keys
from protocols.narrow.context import Contexts
from protocols.narrow.context import decode as read_context
from protocols.narrow.control import Ping, Words
from protocols.narrow.counter import BLOCK, Counter, decode_window
from protocols.narrow.digest_json import as_json
from protocols.narrow.header import Frame, Kind
from protocols.narrow.hello import Answer, Epochs, Hello, Welcome
from protocols.narrow.keys import Epoch
from protocols.narrow.link import Link
from protocols.narrow.reassembly import Reassembly
from protocols.narrow.receipt import Reason, Receipt
from protocols.narrow.schema import Schema, learn, parse
from protocols.narrow.session import Message, Opened, Session, open_session

log = logging.getLogger(__name__)

MOST_SCHEMAS = 8  # of one station: each configuration of its sensors makes one
SCHEMA_MARK = b"\0"  # a digest's first byte is never this: version 1 stands in its first three bits
WHO_EVERY = 600.0  # seconds between questions who is there: each of them costs a slot, and anybody can provoke them


@dataclass(slots=True)
class Heard:
    """What came of a datagram. `answers` go back by the bearer it came by; `receipts` by any, `settled` are the station's on ours."""

    reason: str = ""
    letters: list[Letter] = field(default_factory=list)
    answers: list[Frame] = field(default_factory=list)
    receipt: Receipt | None = None
    settled: list[Receipt] = field(default_factory=list)
    kind: str = ""
    number: int = -1  # of the message, where there is one
    refused: bool = False  # genuine and not understood
    keep: bool = False  # what is known of the station has changed in a way that must be on disk before the answer


class Desk:
    """`keep` is asked for a block of numbers and answers at once what is on disk."""

    def __init__(
        self,
        station: str,
        root: str,
        secret: bytes,
        instance: int,
        holder: Holder,
        reassembly: Reassembly,
        *,
        now: Callable[[], float],
        random: Callable[[int], bytes],
        kept: Mapping[str, Any],
    ) -> None:
        self.station, self.holder = station, holder
        self._root, self._secret, self._instance = root, secret, instance
        self._now, self._random = now, random
        self._hello_key = keys.hello_key(secret, station)
        self.contexts = Contexts()
        self._schemas: dict[bytes, Schema] = {}
        self._until: dict[str, int] = {}  # numbers reserved, by epoch
        self.must_keep = False
        self._asked_who = -WHO_EVERY
        self.epochs = Epochs(self._begin, self._load(kept), int(kept.get("highest", 0)))
        self._link = Link(self.epochs, reassembly)

    @property
    def session(self) -> Session | None:
        return self.epochs.current

    def hear(self, bearer: str, sender: str, frame: Frame, now: float) -> Heard:
        """A frame from this station, or from somebody who says so. Never an error."""
        if frame.kind is Kind.HELLO:
            return self._greet(frame)
        received = self._link.receive(f"{bearer} {sender}", frame, now)
        heard = Heard(received.reason, receipt=received.receipt, kind=frame.kind.name.lower())
        if received.opened is not None:
            heard.number = received.opened.counter
        if received.opened is not None and received.opened.fresh:
            self._take(received.opened, bearer, heard, wanted=received.receipt is not None)
            if heard.refused and received.session is not None:  # if it comes again it is fresh again
                received.session.take_back(received.opened)
        elif received.reason == "forged" and now - self._asked_who >= WHO_EVERY:
            self._asked_who = now
            heard.answers = [self._ask_who()]
        return heard

    def seal(self, kind: Kind, body: bytes) -> Message | None:
        """None before the station has said hello."""
        return self.session.seal(kind, body) if self.session is not None else None

    def save(self) -> dict[str, Any]:
        """JSON: what a restart needs. Keys are not in it: they follow from the headend's own."""
        sessions = [
            {
                "number": one.epoch.number,
                "salt": one.epoch.salt.hex(),
                "until": self._until.get(one.epoch.salt.hex(), 0),
                "windows": {str(who): window.encode().hex() for who, window in one.windows.items()},
            }
            for one in self.epochs.sessions
        ]
        return {
            "highest": self.epochs.highest,
            "sessions": sessions,
            "contexts": [one.encode().hex() for one in self.contexts.held.values()],
            "schemas": [one.text for one in self._schemas.values()],
            "words": [one.hex() for one in self.contexts.words.values()],
        }

    # What a message says

    def _take(self, opened: Opened, bearer: str, heard: Heard, *, wanted: bool) -> None:
        """A message that cannot be understood is answered with why, and settles nothing."""
        heard.keep = True
        readers: dict[Kind, Callable[[bytes, str, Heard], None]] = {
            Kind.CONTROL: self._control,
            Kind.EVENT: self._event,
            Kind.DATA: self._detail,
            Kind.DIGEST: self._digest,
        }
        try:
            readers.get(opened.kind, _unsupported)(opened.body, bearer, heard)
        except RemoteError as wrong:
            heard.reason = wrong.reason
            unknown = wrong.reason in {"context.unknown", "schema.unknown"}
            reason = (
                Reason.CONTEXT if unknown else Reason.UNSUPPORTED if "version" in wrong.reason else Reason.MALFORMED
            )
            heard.letters = []
            heard.refused = True
            if wanted:
                heard.receipt = Receipt(opened.counter & 0xFFFF, refused=reason)

    def _control(self, body: bytes, _bearer: str, heard: Heard) -> None:
        parts = control.decode(body)
        heard.settled = [one for one in parts if isinstance(one, Receipt)]
        for one in parts:
            if isinstance(one, Words):
                self.contexts.learn_words(event.name_of(one.words), one.words)
        heard.kind = "ping" if any(isinstance(one, Ping) for one in parts) else "control"

    def _event(self, body: bytes, _bearer: str, heard: Heard) -> None:
        found = event.decode(body, self.station, self.contexts)
        key = found.head.key
        if not self.holder.covers(key):
            heard.letters = [self._letter("events", found.to_wire(), heard)]
            self.holder.add(key)

    def _detail(self, body: bytes, _bearer: str, heard: Heard) -> None:
        """Numbers that the platform has already are left out: packed detail and the backlog may overlap."""
        found = detail.unpack(body, self.contexts, self._schemas.get)
        key = Key(self.station, found.context.log, "telemetry", found.first, found.first + len(found.numbers) - 1)
        for first, last in self.holder.missing(key):
            part = key._replace(first=first, last=last)
            bodies = [
                columns.pack(found.context.boot, found.numbers[number - found.first])
                for number in range(first, last + 1)
                if found.numbers[number - found.first]
            ]
            if len(bodies) == part.numbers:
                payload = senml.encode_json(part, bodies, found.context.wall, floor=0, kind="backlog")
                heard.letters.append(self._letter("readings", payload, heard))
                self.holder.add(part)

    def _digest(self, body: bytes, bearer: str, heard: Heard) -> None:
        if body[:1] == SCHEMA_MARK:
            self._learn(learn(body[1:]))
            return
        schema = self._schemas.get(digest.schema_of(body))
        if schema is None:
            raise RemoteError("schema.unknown", digest.schema_of(body).hex())
        said = as_json(digest.decode(body, schema), schema, station=self.station, bearer=bearer, received=self._now())
        payload = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        heard.letters = [self._letter("digest", payload, heard)]

    def _letter(self, topic: str, payload: bytes, heard: Heard) -> Letter:
        return Letter(0, envelope.up(self._root, self.station, topic), payload, self.station, heard.number)

    def _learn(self, schema: Schema) -> None:
        self._schemas.pop(schema.id, None)
        self._schemas[schema.id] = schema
        while len(self._schemas) > MOST_SCHEMAS:
            del self._schemas[next(iter(self._schemas))]

    # Epochs

    def _greet(self, frame: Frame) -> Heard:
        try:
            said, nonce = hello.hear(self._hello_key, frame)
        except RemoteError as wrong:
            return Heard(wrong.reason, kind="hello")
        welcome = self.epochs.greet(said)
        if welcome is Welcome.WELCOME:
            self.contexts.learn(said.contexts)
        answer = Answer(welcome, self.epochs.highest, round(self._now() * 1000))
        frames = [hello.answer(self._hello_key, answer, self._random(hello.NONCE_BYTES), nonce)]
        return Heard(answers=frames, keep=True, kind="hello")

    def _ask_who(self) -> Frame:
        answer = Answer(Welcome.WHO, self.epochs.highest, round(self._now() * 1000))
        return hello.answer(self._hello_key, answer, self._random(hello.NONCE_BYTES))

    def _begin(self, said: Hello) -> Session:
        return self._session(said.epoch, 0, {})

    def _session(self, epoch: Epoch, until: int, windows: Mapping[str, str]) -> Session:
        name = epoch.salt.hex()

        def reserve(wanted: int) -> None:
            """Written with the next commit, before any number of the block leaves (`service` sends after it keeps)."""
            self._until[name] = wanted
            self.must_keep = True
            counter.reserved(wanted)

        counter = Counter(until, reserve)
        self._until[name] = until + BLOCK
        self.must_keep = True
        counter.reserved(until + BLOCK)
        known = {int(who): decode_window(bytes.fromhex(kept)) for who, kept in windows.items()}
        return open_session(self._secret, self.station, epoch, counter, self._instance, known)

    def _load(self, kept: Mapping[str, Any]) -> list[Session]:
        """A damaged row costs a hello, never the start."""
        try:
            self.contexts.learn(read_context(bytes.fromhex(one)) for one in kept.get("contexts", ()))
            for words in map(bytes.fromhex, kept.get("words", ())):
                self.contexts.learn_words(event.name_of(words), words)
            for text in kept.get("schemas", ()):
                self._learn(parse(text))
            return [
                self._session(Epoch(one["number"], bytes.fromhex(one["salt"])), one["until"], one["windows"])
                for one in kept.get("sessions", ())
            ]
        except (ValueError, KeyError, TypeError, ProtocolError) as wrong:
            log.warning("what was kept of station %s cannot be read: %s", self.station, wrong)
            return []


def _unsupported(_body: bytes, _bearer: str, _heard: Heard) -> None:
    raise RemoteError("message.version", "a kind that stations do not say")
