"""Messages being put together from pieces, before anybody knows whether they are genuine. Time is an argument.

Anybody who can speak on a shared medium can say pieces. So everything is bounded, and different contents for one place are
kept beside each other, counted by how often they came (Misra and Gries, 1982): what makes up more than a third of all that
came for a place is never forgotten. Tried are the contents seen most often, then those with few places exchanged.
"""

from collections.abc import Callable, Iterator
from itertools import combinations, islice
from typing import Generic, NamedTuple, TypeVar

from protocols.errors import RemoteError
from protocols.narrow import fragments, parity
from protocols.narrow.header import MAX_MESSAGE, PARITY, Frame, Piece
from protocols.narrow.receipt import Receipt

MOST_OPEN = 4  # messages half put together, of one sender
MOST_BYTES = 256 * 1024  # of all pieces held; a headend allows more
TTL = 6 * 3600.0  # seconds without a new piece
ALTERNATIVES = 2  # different contents of one place
TRIES = 64  # ways to put a message together that are checked when a piece comes, at some ten microseconds each
OVERHEAD = 128  # bytes that a piece costs besides its own

T = TypeVar("T")
Check = Callable[[bytes], T | None]
"""What a message put together is worth; None if nothing: it was not put together right, or is forged."""


class Name(NamedTuple):
    """Whatever pieces of one message have in common. Another total or length is another message."""

    sender: str
    head: bytes
    total: int
    size: int


class Taken(NamedTuple, Generic[T]):
    """What came of a piece: the message, or the receipt to give if one is asked for."""

    found: T | None
    receipt: Receipt | None


class _Half:
    """The pieces of one message so far."""

    __slots__ = ("again", "bytes", "id", "new", "places", "touched")

    def __init__(self, number: int) -> None:
        self.id = number
        self.places: dict[int, dict[bytes, int]] = {}
        self.bytes = self.again = 0
        self.touched = 0.0
        self.new = False  # a piece came since the last receipt

    def put(self, index: int, content: bytes) -> bool:
        """Whether there is now something that was not there before."""
        place = self.places.setdefault(index, {})
        known = content in place
        if known or len(place) < ALTERNATIVES:
            place[content] = place.get(content, 0) + 1
            self.bytes += 0 if known else len(content) + OVERHEAD
            return not known
        for other in list(place):
            place[other] -= 1
            if not place[other]:
                del place[other]
                self.bytes -= len(other) + OVERHEAD
        return False

    def ways(self, count: int) -> Iterator[dict[int, bytes]]:
        """Ways to take `count` pieces, the most believable first; data before parity."""
        ranked = {
            index: sorted(place, key=lambda one: -place[one]) for index, place in sorted(self.places.items()) if place
        }
        if len(ranked) < count:
            return
        doubtful = [index for index, contents in ranked.items() if len(contents) > 1]
        for exchanged in range(min(len(doubtful), count) + 1):
            for places in combinations(doubtful, exchanged):
                chosen = {index: contents[index in places] for index, contents in ranked.items()}
                yield from _subsets(chosen, count, places)


class Reassembly:
    """Of all senders. `check` decides what is a message."""

    def __init__(self, *, most_open: int = MOST_OPEN, most_bytes: int = MOST_BYTES, ttl: float = TTL) -> None:
        self._most_open, self._most_bytes, self._ttl = most_open, most_bytes, ttl
        self._halves: dict[Name, _Half] = {}  # the one touched last stands last
        self._of: dict[str, list[Name]] = {}  # likewise, by sender
        self.bytes = 0  # of all pieces held
        self.given_up = 0  # messages forgotten unfinished

    def __len__(self) -> int:
        return len(self._halves)

    def take(self, sender: str, frame: Frame, now: float, check: Check[T]) -> Taken[T]:
        """A frame that is a piece; RemoteError where its message would be longer than any."""
        piece, size = frame.piece or Piece(0, 1), len(frame.body)
        if size * piece.total > MAX_MESSAGE + size:
            raise RemoteError("frame.long", f"{piece.total} pieces of {size} bytes")
        name = Name(sender, frame.head, piece.total, size)
        half = self._touch(name, frame.id, now)
        before = half.bytes
        grown = half.put(piece.place, frame.body)
        self.bytes += half.bytes - before
        half.new |= grown
        found = self._try(half, piece.total, check) if grown or frame.wanted else None
        if found is not None:
            self._forget(name)
            return Taken(found, None)
        self._trim(sender, now)
        return Taken(None, self._receipt(half, piece.total) if frame.wanted else None)

    def stalled(self, now: float, gap: float) -> list[tuple[Name, Receipt]]:
        """Messages that got a piece since their last receipt and then none for `gap` seconds: receipts to give unasked."""
        found = [(name, half) for name, half in self._halves.items() if half.new and now - half.touched >= gap]
        return [(name, self._receipt(half, name.total)) for name, half in found]

    def _touch(self, name: Name, number: int, now: float) -> _Half:
        half, own = self._halves.pop(name, None), self._of.setdefault(name.sender, [])
        if half is None:
            half = _Half(number)
        else:
            own.remove(name)
        self._halves[name] = half
        own.append(name)
        half.touched = now
        return half

    def _try(self, half: _Half, count: int, check: Check[T]) -> T | None:
        for pieces in islice(half.ways(count), TRIES):
            message = fragments.join(parity.restore(pieces, count))
            found = check(message) if message else None
            if found is not None:
                return found
        return None

    def _receipt(self, half: _Half, total: int) -> Receipt:
        """Enough pieces and yet no message: all again."""
        half.new = False
        held = frozenset(index for index, place in half.places.items() if place)
        if len(held) < total:
            return Receipt(half.id, frozenset(place for place in held if place < PARITY), total)
        half.again = min(half.again + 1, 255)
        return Receipt(half.id, total=total, again=half.again)

    def _trim(self, sender: str, now: float) -> None:
        """Those untouched for longest go first; the one just touched is the last to go."""
        if len(self._of[sender]) > self._most_open:
            self._give_up(self._of[sender][0])
        while len(self._halves) > 1:
            name, half = next(iter(self._halves.items()))
            if self.bytes <= self._most_bytes and now - half.touched <= self._ttl:
                return
            self._give_up(name)

    def _give_up(self, name: Name) -> None:
        self.given_up += 1
        self._forget(name)

    def _forget(self, name: Name) -> None:
        self.bytes -= self._halves.pop(name).bytes
        own = self._of[name.sender]
        own.remove(name)
        if not own:
            del self._of[name.sender]


def _subsets(chosen: dict[int, bytes], count: int, wanted: tuple[int, ...]) -> Iterator[dict[int, bytes]]:
    """Of more pieces than are needed, every choice that uses the exchanged ones."""
    rest = [index for index in chosen if index not in wanted]
    for others in combinations(rest, count - len(wanted)):
        yield {index: chosen[index] for index in sorted((*others, *wanted))}
