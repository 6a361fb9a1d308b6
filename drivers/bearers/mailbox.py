"""What drivers of SMS have in common besides a device: whose messages count, which are datagrams and which are for people,
and how many may be sent. Knows no modem.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from drivers.api import Datagram, Declined, Traits
from drivers.bearers.common import Inbox
from drivers.bearers.people import Quota, Text, Texts
from drivers.bearers.sms_config import MessagesConfig
from protocols import sms_letters
from protocols.sms_content import MOST_OCTETS
from protocols.sms_numbers import Numbers, is_number

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
