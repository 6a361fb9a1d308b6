"""What a bearer may still spend: money and messages a day, airtime an hour, slots now. Immutable; never overdrawn.

Three purses share a day's limit, so that no lane can starve another: events and routine (digests, detail, proofs) have two
fifths each of their own, routine spread over the day; what is left, a fifth at least, is kept for alarms, which may take
all. The day and the time are arguments: `day` counts days since 1970 with the fraction of today, by the best clock there is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from math import inf
from typing import Any

from agent.bearers.lanes import Load

KEPT = 0.2  # of the slots, the airtime and the money: for alarms
SLOW = 10.0  # seconds between sends, from which on a bearer's slots are worth keeping
BURST = 4.0  # slots that may go to other lanes in a row: with the one kept, five
DEBT = 1.0  # slots that an overdue digest may take in advance
OPENING = 1 / 8  # of the day's routine that may be spent from midnight on: three hours' worth
BIN = 60.0  # seconds: airtime is remembered by the minute
HOUR = 3600.0
_EASE = 1e-9  # sums of decimal prices are not exact


class Purse(IntEnum):
    ALARM = 0
    EVENT = 1
    ROUTINE = 2


SHARES = (1.0, 0.4, 0.4)  # of a day's limit, for each purse
Purses = tuple[float, float, float]
_EMPTY: Purses = (0.0, 0.0, 0.0)


def purse_of(load: Load) -> Purse:
    return Purse(min(load, Purse.ROUTINE))


@dataclass(frozen=True, slots=True)
class Limits:
    """`money` and `messages` a day, `airtime` seconds in any hour, `interval` seconds between two slots."""

    money: float = inf
    messages: float = inf
    airtime: float = inf
    interval: float = 0.0


@dataclass(frozen=True, slots=True)
class Price:
    """Of one datagram."""

    money: float = 0.0
    airtime: float = 0.0  # seconds


@dataclass(frozen=True, slots=True)
class Ledger:
    """Spent today by purse; airtime of the last hour by the minute; slots that other lanes than alarms may take."""

    limits: Limits = Limits()
    day: int = 0
    money: Purses = _EMPTY
    messages: Purses = _EMPTY
    air: tuple[tuple[int, float], ...] = ()  # minute, seconds of airtime begun in it
    slots: float = BURST
    slots_at: float = 0.0

    def affords(self, load: Load, price: Price, day: float, now: float) -> bool:
        return _paid(self._today(day), load, price, day) and self._on_air(load, price, now)

    def spend(self, load: Load, price: Price, day: float, now: float) -> "Ledger":
        today, purse = self._today(day), purse_of(load)
        taken = 0.0 if load is Load.ALARM else 1.0
        return replace(
            today,
            money=_added(today.money, purse, price.money),
            messages=_added(today.messages, purse, 1),
            air=self._aired(price.airtime, now),
            slots=self.slots_left(now) - taken,
            slots_at=now,
        )

    def give_back(self, load: Load, price: Price, now: float) -> "Ledger":
        """It did not go out. What midnight has wiped meanwhile does not become less than nothing."""
        purse, taken = purse_of(load), 0.0 if load is Load.ALARM else 1.0
        return replace(
            self,
            money=_added(self.money, purse, -min(price.money, self.money[purse])),
            messages=_added(self.messages, purse, -min(1, self.messages[purse])),
            air=self._aired(-price.airtime, now),
            slots=min(BURST, self.slots_left(now) + taken),
            slots_at=now,
        )

    def slots_left(self, now: float) -> float:
        """How many slots in a row may go to other lanes than alarms."""
        if self.limits.interval < SLOW:
            return BURST
        return min(BURST, self.slots + max(0.0, now - self.slots_at) * (1 - KEPT) / self.limits.interval)

    def slot_at(self, now: float, least: float) -> float:
        """When there will be so many."""
        if self.limits.interval < SLOW:
            return now
        return now + max(0.0, least - self.slots_left(now)) * self.limits.interval / (1 - KEPT)

    def left(self, day: float) -> tuple[float, float]:
        """Money and messages of today, for status."""
        today = self._today(day)
        return self.limits.money - sum(today.money), self.limits.messages - sum(today.messages)

    def save(self, now: float) -> dict[str, Any]:
        air = [[int(now // BIN) - minute, seconds] for minute, seconds in self._last_hour(now)]
        return {
            "day": self.day,
            "money": self.money,
            "messages": self.messages,
            "air": air,
            "slots": self.slots_left(now),
        }

    def recall(self, saved: Mapping[str, Any], now: float, elapsed: float) -> "Ledger":
        """What was spent before a restart that took `elapsed` seconds (0 where nobody knows: nothing is forgiven)."""
        minute = int((now - elapsed) // BIN)
        return replace(
            self,
            day=int(saved["day"]),
            money=_purses(saved["money"]),
            messages=_purses(saved["messages"]),
            air=tuple((minute - int(ago), float(seconds)) for ago, seconds in saved["air"][: int(HOUR / BIN) + 2]),
            slots=min(BURST, float(saved["slots"])),
            slots_at=now - elapsed,
        )

    def _today(self, day: float) -> "Ledger":
        """A clock that goes back opens no new day."""
        return replace(self, day=int(day), money=_EMPTY, messages=_EMPTY) if int(day) > self.day else self

    def _on_air(self, load: Load, price: Price, now: float) -> bool:
        most = self.limits.airtime * (1.0 if load is Load.ALARM else 1 - KEPT)
        return sum(seconds for _, seconds in self._last_hour(now)) + price.airtime <= most + _EASE

    def _aired(self, seconds: float, now: float) -> tuple[tuple[int, float], ...]:
        hour, minute = self._last_hour(now), int(now // BIN)
        if not seconds:
            return hour
        if hour and (hour[-1][0] == minute or seconds < 0):
            return (*hour[:-1], (hour[-1][0], max(0.0, hour[-1][1] + seconds)))
        return (*hour, (minute, max(0.0, seconds)))

    def _last_hour(self, now: float) -> tuple[tuple[int, float], ...]:
        """With the minute in which the hour began, which is counted whole."""
        first = int((now - HOUR) // BIN)
        return tuple(entry for entry in self.air if entry[0] >= first)


def _paid(today: Ledger, load: Load, price: Price, day: float) -> bool:
    purse = purse_of(load)
    share = SHARES[purse] * (min(1.0, day % 1 + OPENING) if purse is Purse.ROUTINE else 1.0)
    return all(
        spent[purse] + cost <= limit * share + _EASE and sum(spent) + cost <= limit + _EASE
        for spent, cost, limit in (
            (today.money, price.money, today.limits.money),
            (today.messages, 1, today.limits.messages),
        )
    )


def _added(purses: Purses, purse: Purse, amount: float) -> Purses:
    first, second, third = (held + (amount if place == purse else 0.0) for place, held in enumerate(purses))
    return first, second, third


def _purses(saved: Sequence[float]) -> Purses:
    first, second, third = (max(0.0, float(held)) for held in saved)
    return first, second, third
