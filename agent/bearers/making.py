"""The next datagram of a bearer for what was chosen: sealed once, cut for the bearer, a hello before everything.

Decides nothing about whose turn it is, and sends nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

from agent.bearers.lanes import Load
from agent.bearers.letters import Letter, Letters
from agent.bearers.line import Line
from agent.bearers.pact import Pact
from agent.bearers.parcels import Parcel, Parcels
from agent.bearers.schedule import Order
from agent.bearers.stock import Key, Stock
from buffer.model import Lane
from protocols.narrow import control, header, schema
from protocols.narrow.control import Ping
from protocols.narrow.header import Kind

DIGESTS = 8  # that nobody acknowledged and that still may be; older ones are superseded anyway
LOADS = {Lane.ALARM: Load.ALARM, Lane.EVENT: Load.EVENT}
OWED = "receipts "  # key of what a bearer owes, before its name
SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class Ready:
    """A datagram about to go. `sent(now)` once it went, or may have; `wanted`: an answer is due if it arrives; `instead`
    of what was chosen, which is still to go.
    """

    data: bytes
    wanted: bool
    sent: Callable[[float], None] = lambda _now: None
    to: str = ""
    instead: bool = False


class Making:
    """Of one platform. `parcels` are under way in the present epoch."""

    def __init__(self, pact: Pact, letters: Letters, stock: Stock) -> None:
        self.parcels = Parcels()
        self._pact, self._letters, self._stock = pact, letters, stock
        self._epoch = pact.session.epoch

    def renew(self) -> None:
        """Nobody can read any more what was sealed in an epoch that is over."""
        if self._epoch != self._pact.session.epoch:
            self._epoch = self._pact.session.epoch
            self.parcels = Parcels()

    async def ready(self, line: Line, order: Order, key: Key | None, now: float) -> Ready | None:
        """The datagram that is due. A hello before everything, while the headend does not know our epoch."""
        if not self._pact.known and line.must_greet(self._pact.round, now):
            return self._hello(line)
        if order.key.startswith(OWED):
            return self._receipts(line)
        if key is not None:
            return self._numbered(line, key, now)
        if order.load is Load.DIGEST or order.key == SCHEMA:
            return self._digest(line, now)
        if order.load is Load.DETAIL:
            return await self._detail(line, now)
        return self._proof(line, now)

    def _hello(self, line: Line) -> Ready | None:
        context = self._letters.present()
        frame = self._pact.greet((context,))
        data = header.encode(frame._replace(address=line.address))
        if len(data) > line.mtu:
            data = header.encode(self._pact.greet()._replace(address=line.address))
        if len(data) > line.mtu:
            return None
        return Ready(data, wanted=True, sent=lambda at: line.has_greeted(self._pact.round, at), instead=True)

    def _receipts(self, line: Line) -> Ready | None:
        owed = list(line.owed.values())
        while owed and len(control.encode(owed)) > line.room:
            owed.pop()
        message = self._pact.seal(Kind.CONTROL, control.encode(owed)) if owed else None
        if message is None:
            return None
        frame = header.Frame(message.kind, message.id, message.data, address=line.address)
        return Ready(header.encode(frame), wanted=False, sent=lambda _now: line.paid(owed), to=line.said_to)

    def _numbered(self, line: Line, key: Key, now: float) -> Ready | None:
        held = self._stock.held.get(key)
        if held is None:
            return None
        parcel = self.parcels.carrying(key) or self._sealed(LOADS[key.lane], Kind.EVENT, self._letters.event(held), now)
        if parcel is not None:
            parcel.name = name_of(key)
        return self._next(line, parcel) if parcel is not None else None

    def _digest(self, line: Line, now: float) -> Ready | None:
        """Of now; the schema before the first that names it."""
        if not self._pact.knows_schema(self._letters.schema.id):
            parcel = self.parcels.of(Load.DIGEST, SCHEMA) or self._schema(now)
            return self._next(line, parcel) if parcel is not None else None
        letter = self._letters.digest(line.room)
        parcel = self._sealed(Load.DIGEST, Kind.DIGEST, letter, now) if letter is not None else None
        for old in self.parcels.superseded(DIGESTS):
            self.parcels.drop(old)
        return self._next(line, parcel) if parcel is not None else None

    def _schema(self, now: float) -> Parcel | None:
        its = self._letters.schema
        parcel = self._sealed(Load.DIGEST, Kind.DIGEST, Letter(b"\0" + schema.announce(its)), now)
        if parcel is not None:
            parcel.name = SCHEMA
        return parcel

    async def _detail(self, line: Line, now: float) -> Ready | None:
        if not self._pact.knows_schema(self._letters.schema.id):
            return self._digest(line, now)
        waiting = self.parcels.unsent(Load.DETAIL, line.name)
        if waiting is None:
            besides = [span for one in self.parcels.all.values() if one.load is Load.DETAIL for span in one.spans]
            letter = await self._letters.detail(line.room, besides)
            waiting = self._sealed(Load.DETAIL, Kind.DATA, letter, now) if letter is not None else None
        return self._next(line, waiting) if waiting is not None else None

    def _proof(self, line: Line, now: float) -> Ready | None:
        parcel = self._sealed(Load.PROOF, Kind.CONTROL, Letter(control.encode([Ping()])), now)
        return self._next(line, parcel) if parcel is not None else None

    def _sealed(self, load: Load, kind: Kind, letter: Letter, now: float) -> Parcel | None:
        message = self._pact.seal(kind, letter.body)
        if message is None:
            return None
        return self.parcels.put(Parcel(load, message, letter.spans, letter.mark, letter.told, born=now))

    def _next(self, line: Line, parcel: Parcel) -> Ready | None:
        """The next datagram of a message by this bearer. LocalError: too long for it."""
        sending = parcel.on.get(line.name)
        if sending is None or parcel.mtus.get(line.name) != line.mtu:
            answers = line.bearer.traits.duplex
            sending = self.parcels.begin(
                parcel, line.name, line.mtu, address=line.address, patience=line.patience, answers=answers
            )
        if not sending.waiting and sending.deadline is not None:
            sending.tick(sending.deadline)
        out = sending.next()
        if out is None:
            return None
        wanted = sending.waiting == 1
        return Ready(out.data, wanted=wanted, sent=lambda at: sending.sent(out.place, at))


def name_of(key: Key) -> str:
    return f"{key.lane.name.lower()}/{key.log}/{key.number}"
