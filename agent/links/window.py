"""How much may be under way on one connection: in bytes by measured rate and round trip, and in messages. Pure.

The idea is BBR's (Cardwell et al., ACM Queue 14(5), 2016), at the grain of messages: a link carries rate × shortest round
trip; more than that only waits in somebody's queue, in front of the next alarm. Rate is the largest seen over the last
rounds, the round trip the smallest of late; a little more than their product is offered, so that a link which got faster
shows it. Loss does not enter: on a radio link it says nothing about room.
"""

from collections import deque
from typing import NamedTuple

FLOOR = 12_000  # bytes: 8 full packets, 0.1 s at 1 Mbit/s; TCP's own start is 10 packets (RFC 6928)
CEILING = 4 << 20  # bytes: 50 Mbit/s at 600 ms
LEAST_MESSAGE = 3_000  # bytes: below this a message is mostly its own head
START_GAIN = 2.0  # doubling each round until the rate stops growing
GROWTH = 1.25  # a round that brings less than this much more has found the end (BBR's full-pipe test)
FULL_ROUNDS = 3
GAIN = 1.25  # afterwards: what is offered beyond the product, to find a link that got faster
OWN_DELAY = 0.02  # seconds we may take between two steps ourselves; never counted as the link's
ROUNDS = 10  # a rate is remembered for so many round trips ...
LEAST_MEMORY = 1.0  # ... and at least for so many seconds
RTT_MEMORY = 15.0  # seconds until the shortest round trip is measured anew, with almost nothing under way
SHARE = 4  # messages that make up a window: fewer leave gaps, more are heads
MESSAGE_TIME = 0.05  # seconds that one message may keep the link busy


class Mark(NamedTuple):
    """What was true when a message was sent; handed back with its acknowledgement."""

    size: int
    sent: float
    delivered: int  # bytes acknowledged by then
    delivered_at: float  # and when the last of them was
    first_sent: float  # when the oldest message then under way had been sent
    limited: bool  # we had less to send than the window allowed: its rate says nothing about the link


class Window:
    """`room` before `sent`, `acked` for each acknowledgement. Times in seconds of any one clock."""

    def __init__(
        self, *, floor: int = FLOOR, ceiling: int = CEILING, messages: int = 100, largest: int = 64 << 10
    ) -> None:
        self.floor, self.ceiling, self.messages, self.largest = floor, ceiling, messages, largest
        self.in_flight = 0  # bytes
        self.count = 0  # messages
        self.size = floor  # bytes that may be under way
        self.delivered = 0
        self.round_trip = 0.0  # the shortest of late; 0 before the first acknowledgement
        self._rates: deque[tuple[float, float]] = deque()  # (when, bytes/s), decreasing: the first is the largest
        self._delivered_at = 0.0
        self._first_sent = 0.0
        self._shortest_at = 0.0
        self._probing = False
        self._starting = True
        self._full_rate = 0.0
        self._full_rounds = 0
        self._round_ends = 0  # bytes delivered at which the present round is over
        self._limited_until = 0  # bytes delivered up to which samples are limited by us

    @property
    def rate(self) -> float:
        """Bytes per second that the link was seen to carry."""
        return self._rates[0][1] if self._rates else 0.0

    def message_size(self) -> int:
        """How large the next message should be."""
        size = self.size // SHARE
        if self._rates:
            size = min(size, int(self.rate * MESSAGE_TIME))
        return min(self.largest, max(LEAST_MESSAGE, size))

    def room(self) -> int:
        """Bytes that may still be sent now. A message always fits into an empty window, however large it is."""
        if self.count >= self.messages:
            return 0
        limit = self.message_size() if self._probing else self.size
        return max(0, limit - self.in_flight)

    def sent(self, size: int, now: float) -> Mark:
        if self.count == 0:
            self._first_sent = self._delivered_at = now
        self.in_flight += size
        self.count += 1
        limited = self.delivered < self._limited_until
        return Mark(size, now, self.delivered, self._delivered_at, self._first_sent, limited)

    def idle(self) -> None:
        """There was room and nothing to send: what is under way now measures us, not the link."""
        self._limited_until = self.delivered + max(1, self.in_flight)

    def acked(self, mark: Mark, now: float) -> None:
        self.in_flight -= mark.size
        self.count -= 1
        self.delivered += mark.size
        self._delivered_at = now
        self._first_sent = mark.sent
        self._see_round_trip(max(now - mark.sent, 1e-6), now)
        self._see_rate(mark, now)
        self._resize()

    def _see_round_trip(self, took: float, now: float) -> None:
        if self._probing and self.count == 0:
            self._probing = False
            self.round_trip, self._shortest_at = took, now
        elif not self.round_trip or took <= self.round_trip:
            self.round_trip, self._shortest_at = took, now
        elif now - self._shortest_at > RTT_MEMORY and not self._starting:
            self._probing = True
            self._shortest_at = now

    def _see_rate(self, mark: Mark, now: float) -> None:
        """Bytes delivered since this message was sent, over the longer of sending and acknowledging them: neither a burst
        of ours nor a burst of acknowledgements looks like a fast link.
        """
        span = max(now - mark.delivered_at, mark.sent - mark.first_sent, 1e-6)
        rate = (self.delivered - mark.delivered) / span
        memory = max(ROUNDS * self.round_trip, LEAST_MEMORY)
        if not mark.limited or rate > self.rate:
            while self._rates and self._rates[-1][1] <= rate:
                self._rates.pop()
            self._rates.append((now, rate))
            while now - self._rates[0][0] > memory:
                self._rates.popleft()
        if mark.delivered >= self._round_ends:
            self._round_ends = self.delivered
            if not mark.limited:
                self._end_round()

    def _end_round(self) -> None:
        if not self._starting:
            return
        if self.rate >= self._full_rate * GROWTH:
            self._full_rate, self._full_rounds = self.rate, 0
            return
        self._full_rounds += 1
        self._starting = self._full_rounds < FULL_ROUNDS

    def _resize(self) -> None:
        gain = START_GAIN if self._starting else GAIN
        product = self.rate * max(self.round_trip, OWN_DELAY)
        self.size = int(min(self.ceiling, max(self.floor, gain * product)))
