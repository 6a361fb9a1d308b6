"""A mobile network that carries nothing but SMS, between simulated modems and telephones of people. Pure but for the random
generator handed in; time is an argument.

A message that cannot be stored waits and is tried again, as a service centre does; a lost one is lost without a word.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from protocols import sms_content
from protocols.sms_content import Content
from protocols.sms_fields import Address, Stamp
from protocols.sms_numbers import international
from protocols.sms_pdu import Deliver, Pdu, StatusReport, Submit

CENTRE = Address("+8613800100500", 0x91)
ZONE = 480  # minutes east: Beijing
WAITING_MOST = 256  # messages kept for one number
RETRY = 30.0  # seconds until a modem that had no room or no signal is tried again
Take = Callable[[Pdu], bool]
"""A modem is given a message; False where it cannot have it now."""


class Heard(NamedTuple):
    """What came to a telephone."""

    sender: str
    content: Content
    at: float


@dataclass
class Telephone:
    """A person's: it takes everything."""

    number: str
    heard: list[Heard] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """Whole texts, parts joined in the order they came."""
        found: dict[tuple[str, int], dict[int, Content]] = {}
        said: list[str] = []
        for sender, content, _ in self.heard:
            place = content.place
            if place is None:
                said.append(content.text or "")
                continue
            parts = found.setdefault((sender, place.reference), {})
            parts[place.number] = content
            if len(parts) == place.total:
                said.append(sms_content.join([parts[number] for number in sorted(parts)]).text or "")
        return said


class SmsNetwork:
    """`loss` and `repeats` are shares of messages; `delay` seconds from one end to the other, at least and at most.
    `utc`: Unix seconds when the clock began.
    """

    def __init__(
        self,
        chance: random.Random | None = None,
        *,
        loss: float = 0.0,
        repeats: float = 0.0,
        delay: tuple[float, float] = (2.0, 6.0),
        utc: float = 1_793_580_000.0,
    ) -> None:
        self.loss, self.repeats, self.delay = loss, repeats, delay
        self.submitted: list[tuple[str, Submit]] = []
        self.lost = 0
        self._utc = utc
        self._chance = chance or random.Random(0)  # noqa: S311 - a network that plays the same every time, no secret
        self._modems: dict[str, Take] = {}
        self._telephones: dict[str, Telephone] = {}
        self._waiting: dict[str, deque[Pdu]] = {}
        self._coming: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = 0

    def attach(self, number: str, take: Take) -> None:
        self._modems[international(number)] = take

    def telephone(self, number: str) -> Telephone:
        return self._telephones.setdefault(international(number), Telephone(number))

    @property
    def deadline(self) -> float | None:
        return self._coming[0][0] if self._coming else None

    def tick(self, now: float) -> None:
        while self._coming and self._coming[0][0] <= now:
            at, _, then = heapq.heappop(self._coming)
            then(at)

    def time(self, now: float) -> int:
        """Unix seconds."""
        return int(self._utc + now)

    def submit(self, sender: str, tpdu: Submit, reference: int, now: float) -> None:
        """The service centre has taken it."""
        self.submitted.append((sender, tpdu))
        if self._chance.random() < self.loss:
            self.lost += 1
            return
        for _ in range(1 + (self._chance.random() < self.repeats)):
            self._later(
                now + self._chance.uniform(*self.delay), lambda at: self._arrive(sender, tpdu, reference, now, at)
            )

    def write(self, sender: str, to: str, body: str | bytes, now: float, *, reference: int = 1) -> None:
        """A person writes."""
        for content in sms_content.contents(body, reference):
            self.submit(sender, Submit(Address.of(to), content), 0, now)

    def retry(self, number: str, now: float) -> None:
        """There may be room again, or a signal."""
        waiting = self._waiting.get(international(number), deque())
        while waiting and self._modems[international(number)](waiting[0]):
            waiting.popleft()
        if waiting:
            self._later(now + RETRY, lambda at: self.retry(number, at))

    def _arrive(self, sender: str, tpdu: Submit, reference: int, sent: float, at: float) -> None:
        to, stamp = international(tpdu.to.text), Stamp.of(self.time(sent), ZONE)
        known = to in self._modems or to in self._telephones
        if to in self._telephones:
            self._telephones[to].heard.append(Heard(sender, tpdu.content, at))
        elif known:
            self._give(to, Pdu(Deliver(Address.of(sender), tpdu.content, stamp), CENTRE), at)
        if tpdu.report:
            status = 0x00 if known else 0x41  # received; incompatible destination
            report = StatusReport(reference, tpdu.to, stamp, Stamp.of(self.time(at), ZONE), status)
            self._later(at + 1.0, lambda then: self._give(international(sender), Pdu(report, CENTRE), then))

    def _give(self, number: str, pdu: Pdu, at: float) -> None:
        if number not in self._modems:
            return
        self._waiting.setdefault(number, deque(maxlen=WAITING_MOST)).append(pdu)
        self.retry(number, at)

    def _later(self, at: float, then: Callable[[float], None]) -> None:
        self._order += 1
        heapq.heappush(self._coming, (at, self._order, then))

    @property
    def waiting(self) -> Mapping[str, int]:
        """Messages that no modem could take, by number."""
        return {number: len(queue) for number, queue in self._waiting.items() if queue}
