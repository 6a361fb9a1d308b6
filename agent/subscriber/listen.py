"""The reference subscriber: what a platform must do with the messages of a station, and no more.

It takes topics and payloads and gives items to print or store, each number once. It opens no connection and no file.
Whoever writes a platform can read this file as the contract in motion; docs/platform/subscriber.md tells the same story.
"""

import functools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agent.subscriber.audit import Audit
from agent.subscriber.holdings import Held, Holdings, Lane, checked, lane_of
from agent.subscriber.receipt_audit import ReceiptAudit
from buffer.ranges import Ranges
from protocols import envelope, event, record, resend
from protocols.errors import RemoteError
from protocols.event import iso
from protocols.key import MAX_NUMBER, Key, parse_key
from protocols.resolve import Measurement

PATIENCE = 2  # times the span from a status to its `next_by`, itself one and a half periods: three periods of silence
GONE = ("buffer.shed", "buffer.unreadable")  # events in which a station says what it no longer has
MOST_STATIONS = 10_000  # whose signs of life are kept
STATE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Item:
    """Something to print or store: a reading, an event, a status, a digest, a foreign body, or a problem."""

    kind: str
    station: str
    facts: Mapping[str, Any]

    @property
    def event(self) -> Mapping[str, Any] | None:
        return self.facts if self.kind == "event" else None

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "station": self.station, **self.facts}


@dataclass(slots=True)
class Sign:
    """A station's latest sign of life, in the subscriber's own time, and how long the next may take."""

    heard: float
    allowed: float | None = None  # seconds; None before the first status
    status: str = "unknown"


class Tracker:
    """`take` every message of a subscription to `{root}/+/readings`, `events`, `status` and `digest`, in order of arrival."""

    def __init__(
        self, root: str = envelope.DEFAULT_ROOT, *, whole: bool = False, now: Callable[[], float] = time.time
    ) -> None:
        self.root, self._now = root, now
        self.holdings = Holdings(whole=whole)
        self.audit = Audit(self.holdings)
        self.receipts = ReceiptAudit()
        self.messages = 0
        self.repeated = 0  # messages dropped whole, because every number was held
        self.duplicates = 0  # readings and events delivered again and dropped
        self.duplicates_in_effect = 0  # readings taken though some of their numbers were held: the message did not tell
        self.unreadable = 0  # messages outside the contract
        self._readings: Counter[str] = Counter()
        self._events: Counter[str] = Counter()
        self._signs: dict[str, Sign] = {}

    def take(self, topic: str, payload: bytes, *, kept: bool = False) -> list[Item]:
        """What is new in a message, which the broker `kept` or not. Nothing a station or a stranger sends raises; what is outside the contract is a problem."""
        self.messages += 1
        station = ""
        try:
            found = envelope.parse(self.root, topic)
            station = found.owner
            status = functools.partial(self._take_status, kept=kept)
            takes: dict[str, Callable[[str, bytes], Iterator[Item]]] = {
                "readings": self._take_readings,
                "events": self._take_event,
                "status": status,
            }
            items = list(takes.get(found.kind, _take_other)(station, payload))
        except RemoteError as wrong:
            self.unreadable += 1
            return [
                Item("problem", station, {"topic": topic[:200], "reason": wrong.reason, "detail": wrong.detail[:200]})
            ]
        self._sign(station).heard = self._now()
        return items

    def readings(self, station: str) -> int:
        """Readings taken, each once."""
        return self._readings[station]

    def complete(self, station: str | None = None) -> bool:
        """No number below a floor is missing, nor any of a closed log that the station has accounted for."""
        return next(self.missing(station), None) is None

    def missing(self, station: str | None = None) -> Iterator[tuple[Lane, Ranges]]:
        """What to ask for: holes, and what accounts show beyond them."""
        found = dict(self.holdings.holes(station))
        for lane, short in self.audit.missing(station):
            found[lane] = Ranges(sorted([*found.get(lane, ()), *short]))
        return iter(found.items())

    def silent(self) -> list[str]:
        """Stations that have not been heard for three of their status periods."""
        now = self._now()
        return [name for name, sign in self._signs.items() if sign.allowed and now - sign.heard > sign.allowed]

    def requests(self) -> Iterator[tuple[str, bytes]]:
        """Topic and payload of the commands that ask for everything that is missing again."""
        wanted: dict[str, list[Key]] = {}
        for lane, missing in self.missing():
            wanted.setdefault(lane.station, []).extend(Key(*lane, first, last) for first, last in missing)
        for station, keys in wanted.items():
            topic = envelope.command(self.root, station, resend.VERB)
            for start in range(0, len(keys), resend.MAX_RANGES):
                yield topic, resend.encode(keys[start : start + resend.MAX_RANGES])

    def summary(self) -> dict[str, Any]:
        """All of it as one JSON object."""
        holes = [lane._asdict() | {"holes": _text(missing)} for lane, missing in self.missing()]
        return {
            "complete": not holes,
            "holes": holes,
            "audit": self.audit.summary(),
            "acknowledgements": dict(self.receipts.counts),
            "silent": self.silent(),
            "readings": self._readings.total(),
            "events": self._events.total(),
            "messages": self.messages,
            "repeated": self.repeated,
            "duplicates_delivered": self.duplicates,
            "duplicates_in_effect": self.duplicates_in_effect,
            "unreadable": self.unreadable,
            "stations": {name: self._station(name) for name in sorted(self._signs)},
        }

    def save(self) -> bytes:
        """What must survive a restart of the subscriber."""
        return json.dumps({"version": STATE_VERSION, "lanes": self.holdings.save(), **self.audit.save()}).encode()

    def load(self, state: bytes) -> None:
        """What `save` wrote; ValueError for anything else."""
        try:
            found = json.loads(state)
            if found["version"] != STATE_VERSION:
                raise ValueError(f"version {found['version']}")
            self.holdings.load(found["lanes"])
            self.audit.load(found)
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"not a subscriber's state: {error}") from error

    def _station(self, name: str) -> dict[str, Any]:
        counts = {"readings": self._readings[name], "events": self._events[name]}
        return {"status": self._signs[name].status, "complete": self.complete(name)} | counts

    def _take_readings(self, station: str, payload: bytes) -> Iterator[Item]:
        message = record.decode(payload)
        held = self._held(station, message.key, message.floor, message.kind)
        known = held.numbers.covers(message.key.first, message.key.last)
        fresh = [] if known else list(self._fresh(held, message))
        self.repeated += known
        self.duplicates += len(message.measurements) - len(fresh)
        held.numbers.add(message.key.first, message.key.last)
        self._readings[station] += len(fresh)
        for measurement in fresh:
            yield Item("reading", station, _reading(measurement))
        for body in () if known else message.foreign:
            yield Item("foreign", station, {"id": message.key.text, "version": body[:1].hex(), "bytes": len(body)})

    def _fresh(self, held: Held, message: record.Message) -> Iterator[Measurement]:
        """Readings of numbers that are not held yet."""
        key = message.key
        overlaps = next(held.numbers.within(key.first, key.last), None) is not None
        for measurement in message.measurements:
            number = measurement.number
            if not (overlaps and number is not None and held.numbers.covers(number, number)):
                self.duplicates_in_effect += overlaps and number is None
                yield measurement

    def _take_event(self, station: str, payload: bytes) -> Iterator[Item]:
        found = event.decode(payload)
        key = parse_key(str(found.get("station")), str(found.get("id")))
        floor = found.get("floor")
        if not isinstance(floor, int) or not 0 <= floor <= MAX_NUMBER:
            raise RemoteError("event.floor", f"{floor!r:.40}")
        held = self._held(station, key, floor, str(found.get("kind")))
        if held.numbers.covers(key.first, key.last):
            self.repeated += 1
            self.duplicates += 1
            return
        held.numbers.add(key.first, key.last)
        self._events[station] += 1
        if found["type"] in GONE:
            self._take_loss(station, found)
        self.audit.take(station, found)
        proof = self.receipts.take(station, found, self.audit.key_of(station))
        yield Item("event", station, {**found, "proof": proof} if proof else found)

    def _take_loss(self, station: str, found: Mapping[str, Any]) -> None:
        """The station says that it has these numbers no more: they are lost, and no holes to be healed."""
        try:
            lane = checked(station, str(found["log"]), str(found["lane"]))
            ranges = [
                (int(first), int(last)) for first, last in found["ranges"] if 0 < int(first) <= int(last) <= MAX_NUMBER
            ]
        except (KeyError, ValueError, TypeError) as error:
            raise RemoteError("event.ranges", str(error)) from error
        self.holdings.at(lane, 0, fresh=False).gone.update(ranges)

    def _take_status(self, station: str, payload: bytes, *, kept: bool) -> Iterator[Item]:
        found = _object(payload)
        if found.get("station") != station or not isinstance(found.get("status"), str):
            raise RemoteError("status.shape", "station and status are wanted")
        self.audit.see_key(station, found.get("key"))
        sign = self._sign(station)
        sign.status = found["status"]
        sign.allowed = _allowed(found) or sign.allowed
        floors = None if kept else found.get("floors")  # the broker keeps a status; its floors may be old
        for lane, floor in floors.items() if isinstance(floors, dict) else ():
            if isinstance(floor, int) and 0 <= floor <= MAX_NUMBER:
                self.holdings.at(_lane(station, found.get("log"), lane), floor, fresh=True)
        yield Item("status", station, found)

    def _sign(self, station: str) -> Sign:
        if station not in self._signs and len(self._signs) >= MOST_STATIONS:
            del self._signs[next(iter(self._signs))]
        return self._signs.setdefault(station, Sign(self._now()))

    def _held(self, station: str, key: Key, floor: int, kind: str) -> Held:
        if key.station != station:
            raise RemoteError("record.station", f"{key.station} speaks on the topic of {station}")
        return self.holdings.at(lane_of(key), floor, fresh=kind == "live")


def _take_other(station: str, payload: bytes) -> Iterator[Item]:
    """A digest stands outside completeness; commands and warnings are not a subscriber's."""
    yield Item("digest", station, {"bytes": len(payload)})


def _lane(station: str, log: object, lane: object) -> Lane:
    try:
        return checked(station, str(log), str(lane))
    except ValueError as error:
        raise RemoteError("status.log", str(error)) from error


def _allowed(status: Mapping[str, Any]) -> float | None:
    """Seconds of silence that this status allows; None where it does not say (a last will)."""
    try:
        span = datetime.fromisoformat(status["next_by"]) - datetime.fromisoformat(status["at"])
    except (KeyError, TypeError, ValueError):
        return None
    return span.total_seconds() * PATIENCE


def _object(payload: bytes) -> dict[str, Any]:
    try:
        found = json.loads(payload[: event.MAX_BODY])
    except (ValueError, RecursionError) as error:
        raise RemoteError("status.json", str(error)[:200]) from error
    if not isinstance(found, dict):
        raise RemoteError("status.shape", "an object is wanted")
    return found


def _reading(measurement: Measurement) -> dict[str, Any]:
    when = None if measurement.time is None else iso(round(measurement.time * 1000))
    facts = {"series": measurement.name, "time": when, "value": measurement.value, "unit": measurement.unit}
    return facts | {"quality": measurement.quality}


def _text(ranges: Ranges) -> str:
    return ranges.encode(64).decode()
