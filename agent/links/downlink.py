"""What comes down the urgent link: warnings and commands, told apart by topic, acknowledged in the order they came.

A message is acknowledged to the broker when whoever judges it is done with it, refused ones too; a later one
that is done earlier waits for its turn, because MQTT orders acknowledgements (MQTT 5 §4.6). Reads no body.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from agent.links.mqtt_connection import LARGEST_INBOUND, RECEIVE_MAXIMUM
from agent.links.mqtt_words import Inbound
from drivers.api import Report
from protocols import envelope
from protocols.errors import RemoteError

log = logging.getLogger(__name__)

DIGITS = (2, 4, 6, 9, 12)  # province, prefecture, county, township, village (GB/T 2260, GB/T 10114)
MOST_FIRST = 128  # filters: the beacons of some twenty issuers for a village's six areas
MOST_FAILURES = 64  # messages remembered to have broken their handler
LONGEST_TOPIC = 256  # bytes of a response topic; ours are far shorter

Done = Callable[[], None]
OnWarning = Callable[[str, bytes, bool, Done], None]
"""`(bearer, payload, retained, done)`: as `agent.alerts.alerting.Alerting.submit`. Bodies too long are handed on cut, to be counted."""

OnTrust = Callable[[str, str, bytes, bool, Done], None]
"""`(kind, bearer, payload, retained, done)` of a beacon or a key-set: as `agent.trust.trusting.Trusting.hear`."""


class Command(NamedTuple):
    """A request of the platform. The answer goes to `response_topic` with `correlation`, and into the event lane."""

    verb: str
    payload: bytes
    response_topic: str  # empty: nobody waits for an answer
    correlation: bytes


OnCommand = Callable[[Command, Done], None]


@dataclass(slots=True)
class _Waiting:
    ack: Done
    done: bool = False


class Downlink:
    """`filters` to subscribe to and `receive` for what they bring."""

    def __init__(
        self,
        bearer: str,
        *,
        root: str,
        station: str,
        areas: Iterable[str],
        on_warning: OnWarning | None,
        on_command: OnCommand | None,
        report: Report,
        on_trust: OnTrust | None = None,
        issuers: Callable[[], Iterable[int]] = lambda: (),
    ) -> None:
        self.bearer = bearer
        self.received = self.foreign = self.overflow = 0
        self._root, self._station = root, station
        self._on_warning, self._on_command, self._on_trust = on_warning, on_command, on_trust
        self._report = report
        self._waiting: deque[_Waiting] = deque()
        self._broken: dict[bytes, None] = {}
        self._prefixes, self._issuers = prefixes(areas), issuers
        self.filters = tuple(_wanted(envelope.subscriptions(root, station, self._prefixes), on_warning, on_command))

    def first(self) -> list[str]:
        """What says whom to believe and what must have come: nothing else that a broker keeps may crowd it out."""
        if self._on_trust is None:
            return []
        issuers = sorted(self._issuers())
        beacons = (envelope.beacon(self._root, area, str(one)) for one in issuers for area in self._prefixes)
        return [envelope.keyset(self._root), *beacons][:MOST_FIRST]

    def begin(self) -> None:
        """A new connection: what the last one owed is void, the broker sends it again."""
        self._waiting.clear()

    def receive(self, message: Inbound) -> None:
        self.received += 1
        if len(self._waiting) >= 2 * RECEIVE_MAXIMUM:
            # The server was told its limit and does not keep it. Unacknowledged, it keeps the message for us.
            self.overflow += 1
            return
        mine = _Waiting(message.ack)
        self._waiting.append(mine)

        def done() -> None:
            mine.done = True
            self._acknowledge()

        try:
            self._hand_over(message, done)
        except Exception:
            if self._is_news(message):
                raise  # the connection is made anew, and the message comes again
            log.exception("a message on %s cannot be handled and is let go", message.topic)
            facts = {"bearer": self.bearer, "topic": message.topic, "bytes": len(message.payload)}
            self._report("downlink.failed", facts)
            done()

    def _hand_over(self, message: Inbound, done: Done) -> None:
        try:
            topic = envelope.parse(self._root, message.topic)
        except RemoteError:
            self.foreign += 1
            done()
            return
        if topic.kind == "warning" and self._on_warning is not None:
            self._on_warning(self.bearer, message.payload, message.retain, done)
        elif topic.kind in {"beacon", "keyset"} and self._on_trust is not None:
            self._on_trust(topic.kind, self.bearer, message.payload, message.retain, done)
        elif topic.kind == "command" and topic.owner == self._station and self._on_command is not None:
            self._command(self._on_command, topic.name, message, done)
        else:
            self.foreign += 1
            done()

    def _command(self, obey: OnCommand, verb: str, message: Inbound, done: Done) -> None:
        if message.retain or len(message.payload) > LARGEST_INBOUND:
            self.foreign += 1  # a kept command would be obeyed again at every connection
            done()
            return
        response = message.response_topic if self._may_answer(message.response_topic) else ""
        obey(Command(verb, message.payload, response, message.correlation[:LONGEST_TOPIC]), done)

    def _may_answer(self, topic: str) -> bool:
        """Never into the warnings: nobody may use this station's rights to speak as an issuer."""
        plain = topic.isprintable() and not set("+#$") & set(topic) and len(topic) <= LONGEST_TOPIC
        return plain and topic.startswith(f"{self._root}/") and not topic.startswith(f"{self._root}/warnings/")

    def _is_news(self, message: Inbound) -> bool:
        """Whether this message meets a bug for the first time. A second time it is let go, because nothing a stranger
        sends may stall the path.
        """
        identity = hashlib.blake2b(message.topic.encode() + b"\0" + message.payload, digest_size=16).digest()
        if identity in self._broken:
            return False
        self._broken[identity] = None
        if len(self._broken) > MOST_FAILURES:
            del self._broken[next(iter(self._broken))]
        return True

    def _acknowledge(self) -> None:
        while self._waiting and self._waiting[0].done:
            self._waiting.popleft().ack()


def prefixes(codes: Iterable[str]) -> list[str]:
    """The routing areas of a place: every administrative prefix of its codes, and `all`."""
    found = {code[:digits] for code in codes for digits in DIGITS if len(code) >= digits}
    return [*sorted(found, key=lambda each: (len(each), each)), "all"]


def _wanted(filters: Iterable[str], on_warning: OnWarning | None, on_command: OnCommand | None) -> Iterable[str]:
    for each in filters:
        if on_warning if each.endswith("/#") else on_command:
            yield each
