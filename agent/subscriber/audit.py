"""A subscriber's side of accounts: numbers issued against numbers held. Pure.

A station's key is believed as first seen (`station.started`, `station.key`, status, or the account itself) and never
replaced by another: who changes a station's key tells its platform.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from agent.links.account import TYPE, Account, opened
from agent.subscriber.holdings import Held, Holdings, Lane
from buffer.ranges import Ranges
from protocols.errors import RemoteError
from protocols.key import parse_key

KEY_EVENTS = ("station.started", "station.key")
MOST_ACCOUNTS = 10_000  # logs whose last account is kept, 2 kB each
MOST_KEYS = 10_000
KEY_BYTES = 32  # Ed25519, RFC 8032
# Reasons of a resend's answer for which asking again may help; agent.links.resend says them.
RETRY = frozenset({"unavailable", "later", "link", "refused", "not-issued", "unencodable"})


def is_public(text: object) -> bool:
    """32 bytes in hexadecimal."""
    try:
        return isinstance(text, str) and len(bytes.fromhex(text)) == KEY_BYTES
    except ValueError:
        return False


class Audit:
    """`take` every event of a station, once each."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._accounts: dict[tuple[str, str], Account] = {}
        self._keys: dict[str, str] = {}
        self.unsigned = 0

    def take(self, station: str, found: Mapping[str, Any]) -> None:
        """RemoteError for an account that is not this station's."""
        if found["type"] in KEY_EVENTS:
            self.see_key(station, found.get("key"))
        elif found["type"] == TYPE:
            self._take_account(station, found)
        elif found["type"] == "command.done" and found.get("verb") == "resend":
            self._take_answer(station, found)

    def see_key(self, station: str, key: object) -> None:
        if isinstance(key, str) and is_public(key) and station not in self._keys:
            if len(self._keys) >= MOST_KEYS:
                del self._keys[next(iter(self._keys))]
            self._keys[station] = key

    def key_of(self, station: str) -> str:
        """In hexadecimal; empty while none is known."""
        return self._keys.get(station, "")

    def missing(self, station: str | None = None) -> Iterator[tuple[Lane, Ranges]]:
        """Of closed logs: issued, neither held nor gone. Lost by somebody in between, or still on the way."""
        for of, issued, held in self._lanes():
            if station in (None, of.station):
                short = Ranges(held.numbers.holes(held.start, issued)).difference(held.gone)
                if short:
                    yield of, short

    def summary(self) -> dict[str, Any]:
        lanes = list(self._lanes())
        return {
            "accounts": len(self._accounts),
            "unsigned": self.unsigned,
            "issued": sum(issued for _, issued, _ in lanes),
            "held": sum(held.numbers.count for _, _, held in lanes),
            "gone": sum(held.gone.count for _, _, held in lanes),
            "missing": [of._asdict() | {"missing": short.encode(64).decode()} for of, short in self.missing()],
        }

    def save(self) -> dict[str, Any]:
        """The keys: accounts come again when anything changes, keys must not."""
        return {"keys": self._keys}

    def load(self, saved: Mapping[str, Any]) -> None:
        for station, key in saved.get("keys", {}).items():
            self.see_key(str(station), key)

    def _take_account(self, station: str, found: Mapping[str, Any]) -> None:
        if not found.get("sealed"):
            self.unsigned += 1
            return
        self.see_key(station, found.get("key"))
        try:
            public = bytes.fromhex(self._keys.get(station, ""))
        except ValueError as error:
            raise RemoteError("account.key", str(error)) from error
        if found.get("key") != public.hex():
            raise RemoteError("account.key", f"{station} had another key before")
        account = opened(found, public)
        if account.station != station:
            raise RemoteError("account.station", f"{account.station} on the topic of {station}")
        for gone in account.gone:
            self._gone(Lane(station, account.log, gone.lane), gone.ranges)
        if len(self._accounts) >= MOST_ACCOUNTS:
            del self._accounts[next(iter(self._accounts))]
        self._accounts[station, account.log] = account

    def _take_answer(self, station: str, found: Mapping[str, Any]) -> None:
        """What a resend will never bring is no hole to ask for again."""
        for each in found.get("missing") or ():
            try:
                key, reason = parse_key(station, str(each["range"])), str(each["reason"])
            except (KeyError, TypeError) as error:
                raise RemoteError("resend.answer", str(error)) from error
            if reason not in RETRY:
                self._gone(Lane(*key[:3]), Ranges([key[3:]]))

    def _gone(self, lane: Lane, ranges: Ranges) -> None:
        self._holdings.at(lane, 0, fresh=False).gone.update(ranges)

    def _lanes(self) -> Iterator[tuple[Lane, int, Held]]:
        """Every accounted lane of a closed log that is this subscriber's duty."""
        held = dict(self._holdings)
        for (station, log), account in self._accounts.items():
            if not account.closed:
                continue
            mine = [each for of, each in held.items() if of[:2] == (station, log)]
            there = self._holdings.whole or any(each.start == 1 for each in mine)
            for name, issued in account.issued.items():
                lane = Lane(station, log, name)
                if lane in held or there:
                    yield lane, issued, held.get(lane) or Held(1, 1)
