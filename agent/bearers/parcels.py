"""Messages on their way: sealed once, cut for each bearer that carries them, over when one receipt says so.

Pure: time is an argument. Knows what a message stands for (which numbers it settles, which digest it is), never its body.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from agent.bearers.lanes import Load
from agent.bearers.stock import Key
from agent.bearers.way import Train
from protocols.narrow.fragments import PATIENCE, Outgoing, Sending, one_way
from protocols.narrow.receipt import Receipt
from protocols.narrow.session import Message

MOST_PARCELS = 160  # in all: the stock's line, and what else can be under way on sixteen bearers


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers of one lane that are the platform's once the message is."""

    key: Key
    last: int


@dataclass(slots=True, eq=False)
class Parcel:
    """`on`: by bearer. `refused`: why the other side will never take it as it is."""

    load: Load
    message: Message
    spans: tuple[Span, ...] = ()
    mark: int = 0  # of a digest
    told: tuple[bytes, ...] = ()  # names that are known on the other side once this is
    born: float = 0.0
    name: str = ""  # the scheduler's key of what travels in pieces
    on: dict[str, Sending] = field(default_factory=dict)
    mtus: dict[str, int] = field(default_factory=dict)  # for what each was cut: a card may change its length
    refused: str = ""

    @property
    def lasting(self) -> bool:
        """Whether it is asked after again and again. Of a digest, a proof or a detail that nobody answers to there will
        be another.
        """
        return self.load <= Load.EVENT or bool(self.name)


class Parcels:
    """Those that nobody has acknowledged."""

    def __init__(self) -> None:
        self.all: dict[int, Parcel] = {}  # by the whole number of the message

    def put(self, parcel: Parcel) -> Parcel:
        """The oldest of the least urgent makes room: what it stands for is still in the stock."""
        while len(self.all) >= MOST_PARCELS:
            least = max(self.all.values(), key=lambda one: (one.load, -one.born))
            del self.all[least.message.counter]
        self.all[parcel.message.counter] = parcel
        return parcel

    def drop(self, parcel: Parcel) -> None:
        self.all.pop(parcel.message.counter, None)

    def carrying(self, key: Key) -> Parcel | None:
        return next((one for one in self.all.values() if any(span.key == key for span in one.spans)), None)

    def of(self, load: Load, name: str) -> Parcel | None:
        return next((one for one in self.all.values() if one.load is load and one.name == name), None)

    def train(self, bearer: str) -> Train | None:
        """What a bearer is in the middle of: the most urgent message of which datagrams are left."""
        begun = [one for one in self.all.values() if one.name and bearer in one.on and one.on[bearer].waiting]
        first = min(begun, key=lambda one: (one.load, one.born), default=None)
        return None if first is None else Train(first.name, first.load, first.on[bearer].waiting)

    def unsent(self, load: Load, bearer: str) -> Parcel | None:
        """Made, and declined when it should have gone."""
        waiting = (one for one in self.all.values() if one.load is load and bearer in one.on and one.on[bearer].waiting)
        return next(waiting, None)

    def begin(
        self, parcel: Parcel, bearer: str, mtu: int, *, address: bytes, patience: float, answers: bool
    ) -> Sending:
        """LocalError where it is too long for this bearer. `answers`: something can come back."""
        kind = Sending if answers else OneWay
        parcel.mtus[bearer] = mtu
        sending = parcel.on[bearer] = kind(parcel.message, mtu, address=address, patience=max(PATIENCE, patience))
        return sending

    def hear(self, counter: int, receipt: Receipt) -> Parcel | None:
        """A proven receipt; the parcel if it is delivered or refused by it. What stands for nothing is passed over."""
        parcel = self.all.get(counter)
        if parcel is None:
            return None
        for sending in parcel.on.values():
            sending.hear(receipt)
        if receipt.complete:
            self.drop(parcel)
            return parcel
        if receipt.refused is not None:
            parcel.refused = receipt.refused.name.lower()
            self.drop(parcel)
            return parcel
        return None

    def tick(self, now: float) -> list[tuple[Parcel, str]]:
        """Time passes: those that a bearer gave up, with its name."""
        given_up = []
        for parcel in list(self.all.values()):
            for bearer, sending in list(parcel.on.items()):
                late = sending.deadline is not None and now >= sending.deadline
                if parcel.lasting:
                    sending.tick(now)
                if sending.failed or (late and parcel.load is Load.DETAIL):
                    del parcel.on[bearer]
                    given_up.append((parcel, bearer))
        return given_up

    def forget(self, keep: Iterable[Key]) -> None:
        """Alarms and events that somebody else has settled need not go on."""
        held = set(keep)
        for parcel in list(self.all.values()):
            if parcel.load <= Load.EVENT and not any(span.key in held for span in parcel.spans):
                self.drop(parcel)

    def superseded(self, keep: int) -> list[Parcel]:
        """Digests beyond the newest: what they said is said again."""
        digests = [one for one in self.all.values() if one.load is Load.DIGEST and not one.name]
        return sorted(digests, key=lambda one: -one.born)[keep:]

    def deadline(self) -> float | None:
        """When to `tick`."""
        lasting = [one for one in self.all.values() if one.lasting or one.load is Load.DETAIL]
        moments = [sending.deadline for one in lasting for sending in one.on.values()]
        return min((moment for moment in moments if moment is not None), default=None)


class OneWay(Sending):
    """Over a bearer on which nothing comes back: everything once, with parity or twice, and that is all."""

    def __init__(self, message: Message, mtu: int, *, address: bytes = b"", patience: float = PATIENCE) -> None:
        super().__init__(message, mtu, address=address, patience=patience)
        self._datagrams = one_way(message, mtu, address=address)
        self._at = 0

    @property
    def waiting(self) -> int:
        return 0 if self.failed or self.done else len(self._datagrams) - self._at

    def next(self) -> Outgoing | None:
        return Outgoing(self._at, self._datagrams[self._at]) if self.waiting else None

    def sent(self, index: int, now: float) -> None:
        self._at = index + 1
        self.deadline = None if self.waiting else now

    def tick(self, now: float) -> None:
        if self.deadline is not None and now >= self.deadline:
            self.failed, self.deadline = "unanswerable", None
