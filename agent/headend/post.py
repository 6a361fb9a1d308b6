"""Receipts on their way to stations: gathered for a moment, so that one datagram carries many. Pure.

On a bearer that reaches all at once they go in one broadcast, each with its MAC; else one control message a station.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from agent.headend.desk import Desk
from drivers.api import Traits
from protocols.narrow import control, header, receipt
from protocols.narrow.header import Frame, Kind
from protocols.narrow.receipt import Addressed, Receipt

MOST_GATHERED = 256  # on one bearer; the oldest is forgotten, and its station asks again


class Given(NamedTuple):
    """`number`: the whole number of the station's message; -1 where only the id is known."""

    receipt: Receipt
    number: int


class Parcel(NamedTuple):
    """A datagram to one station, or to all that hear (`station` empty)."""

    station: str
    data: bytes


class Post:
    """For one bearer."""

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._given: dict[tuple[str, int], Given] = {}

    def give(self, station: str, found: Receipt, number: int) -> None:
        """A later receipt of the same message takes the place of the earlier."""
        self._given.pop((station, found.id), None)
        self._given[station, found.id] = Given(found, number)
        while len(self._given) > MOST_GATHERED:
            del self._given[next(iter(self._given))]

    def collect(self, desks: Mapping[str, Desk], traits: Traits, number: Callable[[], int]) -> list[Parcel]:
        """What is to be sent now. `number`: two bytes for a broadcast's id, which means nothing."""
        given, self._given = self._given, {}
        by_station: dict[str, list[Given]] = defaultdict(list)
        for (station, _), one in given.items():
            by_station[station].append(one)
        if traits.broadcast and len(by_station) > 1:
            return list(self._to_all(by_station, desks, traits.mtu, number))
        return list(self._to_each(by_station, desks, traits.mtu))

    def _to_each(self, given: Mapping[str, list[Given]], desks: Mapping[str, Desk], mtu: int) -> Iterator[Parcel]:
        for station, rows in given.items():
            rest = [one.receipt for one in rows]
            named = header.address(station, up=False) if self._shared else b""
            while rest:
                count = _fitting(rest, mtu - header.overhead(piece=False, addressed=self._shared) - 8)
                message = desks[station].seal(Kind.CONTROL, control.encode(rest[:count]))
                if message is not None:
                    yield Parcel(station, header.encode(Frame(message.kind, message.id, message.data, address=named)))
                rest = rest[count:]

    def _to_all(
        self, given: Mapping[str, list[Given]], desks: Mapping[str, Desk], mtu: int, number: Callable[[], int]
    ) -> Iterator[Parcel]:
        rows = []
        for station, found in given.items():
            session = desks[station].session
            for one in found if session is not None else ():
                whole = one.number if one.number >= 0 else _likely(desks[station], one.receipt.id)
                proof = receipt.mac(session.keys.ack, whole, one.receipt) if session else b""
                rows.append(Addressed(header.address(station, up=False), one.receipt, proof))
        while rows:
            count = max(receipt.fit(rows, mtu - header.overhead(piece=False)), 1)
            body = receipt.encode_many(rows[:count])
            yield Parcel("", header.encode(Frame(Kind.ACKS, number() & 0xFFFF, body)))
            rows = rows[count:]


def _likely(desk: Desk, low: int) -> int:
    """The number behind an id of which nothing was opened yet: the nearest to the newest, as for a frame."""
    session = desk.session
    window = session.windows.get(0) if session is not None else None
    return next(iter(window.candidates(low))) if window is not None else low


def _fitting(receipts: list[Receipt], room: int) -> int:
    """How many go into one control message; at least one."""
    count = 1
    while count < min(len(receipts), control.MOST_RECEIPTS) and len(control.encode(receipts[: count + 1])) <= room:
        count += 1
    return count
