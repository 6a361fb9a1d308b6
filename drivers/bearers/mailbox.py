"""What drivers of SMS have in common besides a device: whose messages count, which are datagrams and which are for people,
and how many may be sent. Knows no modem.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

from drivers.api import Datagram, Declined, Sent, Told, Traits
from drivers.bearers.common import Inbox
from drivers.bearers.people import Quota, Text, Texts
from drivers.bearers.sms_config import MessagesConfig
from protocols import sms_letters
from protocols.sms_content import MOST_OCTETS
from protocols.sms_numbers import Numbers, is_number

NOT_BEFORE = 1_767_225_600  # 2026-01-01: before this was written no clock is right
CLOCK_ERROR = 2000  # ms: a network tells whole seconds, and when the modem heard them only it knows
TEXT_MOST = 600  # characters of one text for people, about nine parts of Chinese: what they cost stays foreseeable


class Mailbox:
    """`inbox` takes datagrams, `texts` what people wrote; `quota` counts what was sent."""

    def __init__(self, config: MessagesConfig, counters: Counter[str], inbox: Inbox, now: Callable[[], int]) -> None:
        self.texts, self.quota = Texts(counters), Quota(config.daily_messages)
        self._config, self._counters, self._inbox, self._now = config, counters, inbox, now
        self._platforms = Numbers([config.to, *config.allow], config.country)
        self._people = Numbers((), config.country)
        most = MOST_OCTETS if config.format == "data" else sms_letters.MOST
        self.traits = Traits(
            mtu=min(config.mtu, most),
            min_interval=float(config.interval),
            cost=config.cost,
            latency=float(config.latency),
        )

    def hear(self, numbers: Iterable[str]) -> None:
        """These people may write; datagrams are not taken from them."""
        self._people.add(numbers)

    def known(self, number: str) -> str | None:
        """As it stands in a list."""
        return self._platforms.find(number) or self._people.find(number)

    def letter(self, data: bytes) -> str | bytes | Declined:
        """What a datagram is sent as."""
        if not 1 <= len(data) <= self.traits.mtu:
            return self.declined("size", None)
        return data if self._config.format == "data" else sms_letters.wrap(data)

    def text(self, text: str) -> str | Declined:
        return text if 1 <= len(text) <= TEXT_MOST else self.declined("size", None)

    def refusal(self, number: str, now: float) -> Declined | None:
        """Why nothing may be sent to this number now."""
        if not is_number(number):
            return self.declined("no_number", None)
        wait = self.quota.wait(now)
        return self.declined("quota", wait) if wait else None

    def declined(self, reason: str, wait: float | None) -> Declined:
        self._counters[reason] += 1
        return Declined(reason, wait)

    def arrived(self, sender: str, body: str | bytes) -> None:
        """A datagram from a platform, a text from somebody known, or nothing that counts."""
        data = body if isinstance(body, bytes) else sms_letters.unwrap(body)
        platform, known = self._platforms.find(sender), self.known(sender)
        if data is not None and platform is not None:
            self._counters["received"] += 1
            self._inbox.put(Datagram(data, platform, self._now()))
        elif isinstance(body, str) and known is not None:
            self._counters["texts"] += 1
            self.texts.put(Text(known, body, self._now()))
        else:
            self._counters["unexpected" if known else "unknown_sender"] += 1


class MailCarrier:
    """What an SMS bearer does whatever carries its messages; heirs set what is declared here and say how one goes out."""

    _config: MessagesConfig
    _mail: Mailbox
    _told: Told | None = None
    _next: float = 0.0  # loop time of the next send

    @property
    def traits(self) -> Traits:
        return self._mail.traits

    async def send(self, data: bytes, to: str = "") -> Sent:
        return await self._submit(to or self._config.to, self._mail.letter(data))

    async def send_text(self, number: str, text: str) -> Sent:
        """For a person to read; in as many parts as it needs."""
        return await self._submit(number, self._mail.text(text))

    def texts(self) -> AsyncIterator[Text]:
        """What people wrote whose numbers are known (`hear`), and what platforms wrote that was no datagram."""
        return self._mail.texts

    def hear(self, numbers: Iterable[str]) -> None:
        """These people may write, too; datagrams are not taken from them."""
        self._mail.hear(numbers)

    def time(self) -> Told | None:
        return self._told

    async def _submit(self, number: str, body: str | bytes | Declined) -> Sent:
        now = asyncio.get_running_loop().time()
        if isinstance(body, Declined):
            return body
        if refused := self._mail.refusal(number, now):
            return refused
        self._next = now + self.traits.min_interval
        return await self._dispatch(number, body)

    async def _dispatch(self, number: str, body: str | bytes) -> Sent:
        """One message, whose turn it is."""
        raise NotImplementedError

    def _left(self, now: float) -> Mapping[str, Any]:
        """For the status: how soon, and how many more today."""
        ready_in = round(max(self._next - now, self._mail.quota.wait(now), 0.0), 1)
        return {"ready_in": ready_in, "daily_left": self._mail.quota.left(now)}
