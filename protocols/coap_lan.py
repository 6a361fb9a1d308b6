"""A CoAP server for a handful of known nodes that post SenML, every message under OSCORE. Pure: datagrams in and out.

It does what such a node needs and nothing else: POST to one path, Block1, answers at once in the acknowledgement. Whoever
is not known, or cannot prove it, is told 4.01 now and then, and nothing is kept of them: all memory belongs to nodes.
A number is used only after `Opened` was given to whoever stores it; `serve` comes after that.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from protocols import coap_message as coap
from protocols import oscore
from protocols.coap_message import Block, Message
from protocols.coap_packet import Packet, Type, decode_packet, encode_packet
from protocols.errors import RemoteError
from protocols.oscore import Binding, Keys, Window
from protocols.senml_post import MOST_BYTES, Value, decode

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


class Posted(NamedTuple):
    """Values that a node posted, and the answer it gets."""

    node: str
    values: Sequence[Value]
    answer: bytes


class Server:
    """`wall`: for nodes whose clock is believed, the Unix time, or None."""

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

    def serve(self, opened: Opened, now: float, wall: float | None = None) -> Posted:
        """Take it, and say what became of it."""
        state = self._nodes[opened.binding.sender]
        try:
            inner, values = self._post(state, opened.inner, now, wall)
        except RemoteError as wrong:
            self.counts[wrong.reason] += 1
            inner, values = Message(coap.BAD_REQUEST, (), wrong.reason.encode()), []
        protected = oscore.protect_response(state.node.keys, opened.binding, coap.encode(inner))
        outer = Message(coap.CHANGED, ((coap.OSCORE, protected.option),), protected.payload)
        answer = self._answered(opened.packet, outer)
        state.answers[opened.peer, opened.packet.id, opened.packet.token] = answer
        while len(state.answers) > REMEMBERED:
            del state.answers[next(iter(state.answers))]
        return Posted(state.node.name, values, answer)

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

    # What a node asks

    def _post(self, state: _State, asked: Message, now: float, wall: float | None) -> tuple[Message, list[Value]]:
        refused = self._refused(asked)
        if refused:
            self.counts[coap.shown(refused)] += 1
            return Message(refused), []
        raw = asked.uint(coap.BLOCK1)
        if raw is None:
            return self._taken(asked.payload, asked, (), wall)
        block = Block.decode(raw)
        return self._block(state, block, asked, now, wall)

    def _refused(self, asked: Message) -> int:
        form = asked.uint(coap.CONTENT_FORMAT)
        checks = (
            (asked.strange or not asked.code, 0x82),
            (asked.path != self._path, coap.NOT_FOUND),
            (asked.code != coap.POST, coap.NOT_ALLOWED),
            (form not in (110, 112), coap.UNSUPPORTED),
        )
        return next((code for wrong, code in checks if wrong), 0)

    def _block(
        self, state: _State, block: Block, asked: Message, now: float, wall: float | None
    ) -> tuple[Message, list[Value]]:
        """The next piece of one body; a first piece begins anew."""
        option = ((coap.BLOCK1, coap.uint(block.value)),)
        if not block.number:
            state.body = b""
        elif block.number * block.size != len(state.body) or now > state.body_until:
            return Message(coap.INCOMPLETE, option), []
        if len(state.body) + len(asked.payload) > MOST_BYTES:
            state.body = b""
            return Message(coap.TOO_LARGE, option), []
        state.body += asked.payload
        state.body_until = now + BLOCKS_WAIT
        if block.more:
            return Message(coap.CONTINUE, option), []
        body, state.body = state.body, b""
        return self._taken(body, asked, option, wall)

    def _taken(
        self, body: bytes, asked: Message, options: Sequence[tuple[int, bytes]], wall: float | None
    ) -> tuple[Message, list[Value]]:
        values = decode(body, asked.uint(coap.CONTENT_FORMAT) or 0, wall)
        self.counts["posted"] += 1
        return Message(coap.CHANGED, options), values
