"""A message cut for a bearer, and sent until the other side has all of it: selective repeat.

All pieces of a message are of one length: the last is filled up with 80 and zeros (ISO/IEC 7816-4), so that a piece of
another length cannot belong to it. Time is an argument; whose turn it is on a bearer, the caller decides.
"""

from typing import NamedTuple

from protocols.errors import LocalError
from protocols.narrow import header, parity
from protocols.narrow.header import MAX_MESSAGE, MOST_PIECES, Frame, Piece
from protocols.narrow.receipt import Receipt
from protocols.narrow.session import Message

PARITY_SHARE = 0.2  # of pieces more where nothing comes back: 14 at 4.5 % loss arrive in 99.3 of 100
PATIENCE = 45.0  # seconds to wait for a receipt: several times BeiDou's way there and back, less than its slot
MOST_ASKED = 6  # times in a row without any answer: then another bearer's turn
MOST_AGAIN = 4  # times all pieces are sent anew because forged ones came between them
_MARK = b"\x80"


def room(mtu: int, *, addressed: bool = False) -> int:
    """Bytes of a message that go out whole; a sealed body has a tag less."""
    return mtu - header.overhead(piece=False, addressed=addressed)


def pieces_of(length: int, mtu: int, *, addressed: bool = False) -> int:
    """How many datagrams a message of so many bytes takes; LocalError if more than there may be."""
    if length <= room(mtu, addressed=addressed):
        return 1
    size = mtu - header.overhead(piece=True, addressed=addressed)
    count = -(-(length + 1) // size) if size > 0 else MOST_PIECES + 1
    if count > MOST_PIECES or length > MAX_MESSAGE:
        raise LocalError("frame.long", f"{length} bytes, {mtu} at a time")
    return max(count, 2)


def cut(message: Message, mtu: int, *, address: bytes = b"", extra: int = 0) -> dict[int, Frame]:
    """Frames by place: one whole (0), or pieces, and `extra` of parity. Whole messages need no parity: send them twice."""
    frame = Frame(message.kind, message.id, message.data, address=address)
    count = pieces_of(len(message.data), mtu, addressed=bool(address))
    if count == 1:
        return {0: frame}
    size = -(-(len(message.data) + 1) // count)
    filled = (message.data + _MARK).ljust(size * count, b"\0")
    pieces = [filled[at : at + size] for at in range(0, size * count, size)]
    bodies = dict(enumerate(pieces)) | (parity.make(pieces, extra) if extra else {})
    return {index: frame._replace(body=body, piece=Piece(index, count)) for index, body in bodies.items()}


def one_way(message: Message, mtu: int, *, address: bytes = b"", share: float = PARITY_SHARE) -> list[bytes]:
    """All datagrams for a bearer on which nothing comes back, in the order to send them: whole twice, or with parity."""
    count = pieces_of(len(message.data), mtu, addressed=bool(address))
    frames = cut(message, mtu, address=address, extra=min(MOST_PIECES, -int(-count * share // 1)) if count > 1 else 0)
    datagrams = [header.encode(frame) for frame in frames.values()]
    return datagrams * 2 if count == 1 else datagrams


def join(pieces: list[bytes]) -> bytes:
    """The message in its pieces; empty where it is not filled up as it must be."""
    message, mark, filling = b"".join(pieces).rpartition(_MARK)
    return message if mark and not filling.strip(b"\0") and len(filling) < len(pieces) else b""


class Outgoing(NamedTuple):
    """A datagram to send, and its piece."""

    place: int
    data: bytes


class Sending:
    """One message on its way over one bearer. `next` says what to send, `sent` that it went out, `hear` what came back.

    It is over when `done` or `failed` says so. `deadline` is when to call `tick`; None: it is this side's turn, or over.
    """

    def __init__(self, message: Message, mtu: int, *, address: bytes = b"", patience: float = PATIENCE) -> None:
        self.message, self.patience = message, patience
        self.done = False
        self.failed = ""  # "unheard", "forged", or "refused" with the reason behind a dot
        self.deadline: float | None = None
        self._frames = cut(message, mtu, address=address)
        self._round = list(self._frames)
        self._held: frozenset[int] = frozenset()
        self._last = self._asked = self._again = 0

    @property
    def pieces(self) -> int:
        return len(self._frames)

    @property
    def waiting(self) -> int:
        """Datagrams left of this round."""
        return 0 if self.done or self.failed else len(self._round)

    def next(self) -> Outgoing | None:
        """What to send now; the same until `sent`. The last of a round asks for a receipt."""
        if not self.waiting:
            return None
        index = self._round[0]
        frame = self._frames[index]._replace(wanted=len(self._round) == 1)
        return Outgoing(index, header.encode(frame))

    def sent(self, index: int, now: float) -> None:
        """It went out, or may have. What was declined is not sent: say nothing, and ask `next` again."""
        if index in self._round:
            self._round.remove(index)
            self._last = index
            self.deadline = None if self._round else now + self.patience

    def hear(self, receipt: Receipt) -> None:
        """A proven receipt of this message, by whichever bearer. Old and repeated ones do no harm: what was once held stays
        so. One that speaks of another way of cutting is passed over.
        """
        if self.done or receipt.id != self.message.id or receipt.total not in {0, self.pieces}:
            return
        self._asked = 0
        if receipt.complete:
            self.done, self.failed, self.deadline = True, "", None
        elif receipt.refused is not None:
            self._fail(f"refused.{receipt.refused.name.lower()}")
        elif receipt.again:
            self._begin_again(receipt.again)
        elif receipt.held is not None:
            self._held |= receipt.held
            self._resend([index for index in self._frames if index not in self._held])

    def tick(self, now: float) -> None:
        """Nothing was heard: the last piece once more, since it asks for the receipt."""
        if self.deadline is None or now < self.deadline:
            return
        self._asked += 1
        if self._asked > MOST_ASKED:
            self._fail("unheard")
        else:
            self._round, self.deadline = [self._last], None

    def _resend(self, missing: list[int]) -> None:
        """In the middle of a round only what arrived falls out of it. All there and not complete: ask."""
        if self.deadline is None and self._round:
            self._round = [index for index in self._round if index in missing] or missing[-1:] or [self._last]
        else:
            self._round, self.deadline = missing or [self._last], None

    def _begin_again(self, turn: int) -> None:
        """Somebody mixed in pieces of his own. The receiver keeps all, and counts how often each came."""
        if turn <= self._again:
            return
        if turn > MOST_AGAIN:
            self._fail("forged")
            return
        self._again, self._held = turn, frozenset()
        self._round, self.deadline = list(self._frames), None

    def _fail(self, why: str) -> None:
        self.failed, self.deadline = why, None
