"""How stations are called: who speaks on a bearer, where an answer goes, whom a warning's area concerns. Knows no datagram."""

from collections.abc import Iterator

from agent.headend.config import HeadendConfig
from agent.links.downlink import prefixes
from protocols.narrow import header
from protocols.rdss import card_name

MOST_ADDRESSED = 64  # stations that may share three bytes of address


class Addresses:
    """A bearer names its senders; where its medium does not (`shared`), the frame has three bytes of its station's name."""

    def __init__(self, config: HeadendConfig) -> None:
        self._stations = config.stations
        self._shared = {one.name for one in config.bearers if one.shared}
        cards = {one.name for one in config.bearers if one.driver == "beidou"}
        self._to = {(bearer, one.id): at for one in config.stations for bearer, at in one.at.items()}
        self._senders = {
            (bearer, card_name(at) if bearer in cards else at): station for (bearer, station), at in self._to.items()
        }
        self._named: dict[bytes, list[str]] = {}
        for one in config.stations:
            self._named.setdefault(header.address(one.id, up=True), []).append(one.id)

    def speaker(self, bearer: str, sender: str) -> str | None:
        """The station that the bearer itself names."""
        return self._senders.get((bearer, sender))

    def who(self, bearer: str, sender: str, address: bytes) -> list[str]:
        """That one, else those that share the address in the frame."""
        named = self.speaker(bearer, sender)
        if named is not None:
            return [named]
        return self._named.get(address, [])[:MOST_ADDRESSED] if address and bearer in self._shared else []

    def to(self, bearer: str, station: str) -> str:
        """How a station is called on a bearer; "" where its medium names nobody."""
        return self._to.get((bearer, station), "")

    def framed(self, bearer: str, station: str) -> bytes:
        """How it is called in frames down that bearer."""
        return header.address(station, up=False) if bearer in self._shared else b""

    def reaches(self, bearer: str, station: str) -> bool:
        return bearer in self._shared or (bearer, station) in self._to

    def concerned(self, area: str) -> Iterator[str]:
        """Stations that would subscribe to this area, or to one within it."""
        for one in self._stations:
            if area == "all" or not one.areas or area in prefixes(one.areas):
                yield one.id
