"""A CoAP server for a handful of known nodes that post SenML, every message under OSCORE. Pure: datagrams in and out.

It does what such a node needs and nothing else: POST to one path, Block1, answers at once in the acknowledgement. Whoever
is not known, or cannot prove it, is told 4.01 now and then, and nothing is kept of them: all memory belongs to nodes.
A number is used only after `Opened` was given to whoever stores it; `serve` comes after that.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from protocols import coap_message as coap
from protocols import oscore
from protocols.coap_message import Block, Message
from protocols.coap_packet import Packet, Type, decode_packet, encode_packet
from protocols.errors import RemoteError
from protocols.oscore import Binding, Keys, Window
from protocols.senml_post import CBOR, JSON, MOST_BYTES, Value, decode

REMEMBERED = 4  # answers to a node's last requests, for repeats of those (RFC 7252 §4.2); NSTART is 1
BLOCKS_WAIT = 120.0  # seconds between two pieces of one body
STRANGERS = 1.0  # answers a second to those who prove nothing: nobody is flooded by our hand
PATH = "readings"


class Node(NamedTuple):
    """`rate`: requests a minute, the pieces of a body each counted."""

    name: str
    keys: Keys
    rate: float = 60.0


@dataclass(slots=True)
class _Bucket:
    """So many a second, and so many at once."""

    rate: float
    most: float
    filled: float
    at: float = 0.0

    def take(self, now: float) -> bool:
        self.filled = min(self.filled + (now - self.at) * self.rate, self.most)
        self.at = now
        if self.filled < 1:
            return False
        self.filled -= 1
        return True


@dataclass(slots=True)
class _State:
    """All that is kept of a node."""

    node: Node
    bucket: _Bucket
    window: Window = field(default_factory=Window)
    answers: dict[tuple[str, int, bytes], bytes] = field(default_factory=dict)
    body: bytes = b""
    body_until: float = 0.0


class Answer(NamedTuple):
    """To be sent back as it is."""

    data: bytes


class Opened(NamedTuple):
    """A request of a known node under a number not used before. `window` is to be stored, then `serve` is to be called."""

    node: str
    window: Window
    inner: Message
    packet: Packet
    binding: Binding
    peer: str


Take = Callable[[list[Value]], None]
"""Takes what was posted; RemoteError where it cannot be what it should."""


class Server:
    """`receive` each datagram; what comes back `Opened` is to be stored, then `serve`d."""

    def __init__(self, nodes: Sequence[Node], *, path: str = PATH) -> None:
        self.counts: Counter[str] = Counter()
        self._path = path
        self._nodes = {
            one.keys.recipient: _State(one, _Bucket(one.rate / 60, max(one.rate / 6, 8), max(one.rate / 6, 8)))
            for one in nodes
        }
        self._strangers = _Bucket(STRANGERS, 10, 10)

    def restore(self, node: str, window: Window) -> None:
        """As it was before a restart."""
        for state in self._nodes.values():
            if state.node.name == node:
                state.window = window

    def receive(self, data: bytes, peer: str, now: float) -> Answer | Opened | None:
        """What a datagram asks for: nothing, an answer at once, or to be stored and served."""
        try:
            packet = decode_packet(data)
        except RemoteError:
            return self._strange("malformed")
        if packet.type not in (Type.CON, Type.NON):
            return self._strange("response")
        if not packet.message.code:
            return self._strange("ping", packet, now)
        return self._open(packet, peer, now)

    def serve(self, opened: Opened, now: float, take: Take, wall: float | None = None) -> bytes:
        """What becomes of the request, and the answer to it. `wall`: Unix time, where the node's clock is believed."""
        state = self._nodes[opened.binding.sender]
        try:
            inner, body = self._asked(state, opened.inner, now)
            if body is not None:
                take(decode(body, opened.inner.uint(coap.CONTENT_FORMAT) or 0, wall))
                self.counts["posted"] += 1
        except RemoteError as wrong:
            self.counts[wrong.reason] += 1
            inner = Message(coap.BAD_REQUEST, (), wrong.reason.encode())
        protected = oscore.protect_response(state.node.keys, opened.binding, coap.encode(inner))
        outer = Message(coap.CHANGED, ((coap.OSCORE, protected.option),), protected.payload)
        answer = self._answered(opened.packet, outer)
        state.answers[opened.peer, opened.packet.id, opened.packet.token] = answer
        while len(state.answers) > REMEMBERED:
            del state.answers[next(iter(state.answers))]
        return answer

    def _open(self, packet: Packet, peer: str, now: float) -> Answer | Opened | None:
        said = packet.message.all(coap.OSCORE)
        if not said:
            return self._strange("plain", packet, now)
        try:
            option = oscore.decode_option(said[0])
            state = self._nodes[option.sender or b""] if option.sender is not None else None
            if state is None:
                return self._strange("unknown", packet, now)
            inner, binding = oscore.open_request(state.node.keys, option, packet.message.payload)
        except KeyError:
            return self._strange("unknown", packet, now)
        except RemoteError as wrong:
            return self._strange(wrong.reason, packet, now)
        return self._admit(state, inner, binding, packet, peer, now)

    def _admit(
        self, state: _State, inner: bytes, binding: Binding, packet: Packet, peer: str, now: float
    ) -> Answer | Opened | None:
        """From here on it is known who speaks."""
        number = int.from_bytes(binding.number)
        known = state.answers.get((peer, packet.id, packet.token))
        if not state.window.fresh(number):
            if known is not None:
                self.counts["repeated"] += 1
                return Answer(known)
            return self._strange("replay", packet, now)
        if not state.bucket.take(now):
            return self._strange("rate", packet, now, coap.TOO_MANY)
        try:
            message = coap.decode(inner)
        except RemoteError as wrong:
            message = Message(0, (), wrong.reason.encode())
        state.window = state.window.after(number)
        return Opened(state.node.name, state.window, message, packet, binding, peer)

    def _strange(
        self, why: str, packet: Packet | None = None, now: float = 0.0, code: int = coap.UNAUTHORIZED
    ) -> Answer | None:
        """Counted; whoever wants an acknowledgement may be told, unprotected and without a word more."""
        self.counts[why] += 1
        if packet is None or packet.type is not Type.CON or not self._strangers.take(now):
            return None
        if not packet.message.code:  # CoAP's ping (RFC 7252 §4.3)
            return Answer(encode_packet(Packet(Type.RST, packet.id, b"", Message(0))))
        return Answer(self._answered(packet, Message(code)))

    def _answered(self, packet: Packet, message: Message) -> bytes:
        """In the acknowledgement, or as a message of its own where none is wanted."""
        kind = Type.ACK if packet.type is Type.CON else Type.NON
        return encode_packet(Packet(kind, packet.id, packet.token, message))

    # What a node asks: the answer, and the whole body where there is one now

    def _asked(self, state: _State, asked: Message, now: float) -> tuple[Message, bytes | None]:
        refused = self._refused(asked)
        if refused:
            self.counts[coap.shown(refused)] += 1
            return Message(refused), None
        block = asked.uint(coap.BLOCK1)
        if block is None:
            return Message(coap.CHANGED), asked.payload
        return self._block(state, Block.decode(block), asked.payload, now)

    def _refused(self, asked: Message) -> int:
        form = asked.uint(coap.CONTENT_FORMAT)
        checks = (
            (asked.strange or not asked.code, coap.BAD_OPTION),
            (asked.path != self._path, coap.NOT_FOUND),
            (asked.code != coap.POST, coap.NOT_ALLOWED),
            (form not in (JSON, CBOR), coap.UNSUPPORTED),
        )
        return next((code for wrong, code in checks if wrong), 0)

    def _block(self, state: _State, block: Block, piece: bytes, now: float) -> tuple[Message, bytes | None]:
        """The next piece of one body; a first piece begins anew."""
        option = ((coap.BLOCK1, coap.uint(block.value)),)
        if not block.number:
            state.body = b""
        elif block.number * block.size != len(state.body) or now > state.body_until:
            return Message(coap.INCOMPLETE, option), None
        state.body, state.body_until = state.body + piece, now + BLOCKS_WAIT
        if len(state.body) > MOST_BYTES:
            state.body = b""
            return Message(coap.TOO_LARGE, option), None
        if block.more:
            return Message(coap.CONTINUE, option), None
        body, state.body = state.body, b""
        return Message(coap.CHANGED, option), body
