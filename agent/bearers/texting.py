"""Texts to and from the contacts, by whichever bearers carry texts for people: who is asked gets one, and one word in answer
acknowledges. Stops calls and nothing else; a number can be spoofed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from agent.bearers.sms_ack import acknowledges
from agent.spot.contacts import Person
from buffer.model import Lane
from drivers.api import Accepted, Bearer, Declined, Sent

log = logging.getLogger(__name__)

MOST_UNDER_WAY = 8  # texts at a time; a list of twenty people is asked one after the other
LONGEST = 120  # characters of the warning's own words: two parts of a Chinese text

Record = Callable[[str, Mapping[str, Any], Lane], object]


class Text(Protocol):
    @property
    def sender(self) -> str: ...
    @property
    def text(self) -> str: ...


@runtime_checkable
class Texter(Protocol):
    """A bearer that carries texts for people, too (`drivers.bearers.sms`)."""

    name: str

    async def send_text(self, number: str, text: str) -> Sent: ...
    def texts(self) -> AsyncIterator[Text]: ...
    def hear(self, numbers: Iterable[str]) -> None: ...


class Texting:
    """`words(alert)` is what is sent; `acknowledge(by)` hears of an answer. `reach` is an `agent.spot.contacts.Reach`."""

    def __init__(
        self,
        bearers: Iterable[Bearer],
        people: Sequence[Person],
        *,
        words: Callable[[bytes], str],
        acknowledge: Callable[[str], None],
        record: Record,
    ) -> None:
        self.texters = [bearer for bearer in bearers if isinstance(bearer, Texter)]
        self._people, self._words, self._acknowledge, self._record = people, words, acknowledge, record
        self._under_way: set[asyncio.Task[None]] = set()
        for texter in self.texters:
            texter.hear(person.number for person in people if person.number)

    def reach(self, person: Person, alert: bytes, attempt: int) -> None:
        """Returns at once; what became of it is an event."""
        if person.number and self.texters and len(self._under_way) < MOST_UNDER_WAY:
            task = asyncio.create_task(self._send(person, alert, attempt))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as ears:
            for texter in self.texters:
                ears.create_task(self._listen(texter))

    async def _listen(self, texter: Texter) -> None:
        async for text in texter.texts():
            person = acknowledges(text.sender, text.text, self._people)
            if person is not None:
                self._acknowledge(person.name)

    async def _send(self, person: Person, alert: bytes, attempt: int) -> None:
        """By the first that takes it."""
        name, sent = "", Outcome("declined", "no_bearer")
        for texter in self.texters:
            try:
                name, sent = texter.name, outcome(await texter.send_text(person.number, self._words(alert)))
            except Exception as fault:  # a driver's bug must not cost the next driver its turn
                log.exception("%s could not send a text", texter.name)
                name, sent = texter.name, Outcome("declined", type(fault).__name__)
            if sent.verdict != "declined":
                break
        facts = {"alert": alert.hex(), "contact": person.name, "attempt": attempt, "bearer": name}
        self._record("contact.texted", {**facts, "outcome": sent.verdict, "reason": sent.reason}, Lane.ALARM)


class Outcome(NamedTuple):
    """`accepted` by the network, `unknown`, or `declined`."""

    verdict: str
    reason: str = ""


def outcome(sent: Sent) -> Outcome:
    if isinstance(sent, Accepted):
        return Outcome("accepted")
    return Outcome("declined" if isinstance(sent, Declined) else "unknown", sent.reason)
