"""When a card may send next. A pure clock: what the module says counts; where it says nothing, the card's own interval.

The hold outlives the program: whoever starts anew is told how much of it is left, or that nobody knows.
"""

LONGEST_INTERVAL = 3600.0  # seconds; cards are issued with 1 to 600
LONGEST_WAIT = 600.0  # seconds, or two intervals: more is no module's word, but text made to look like one
DIGIT = 0.001  # seconds by which two clocks may differ in their last digit: who waited as long as told is not early
UNKNOWN_INTERVAL = 60.0  # seconds, until a card has said its own: that of nearly all civil cards


class Hold:
    """`until` is machine time. `left` at the start: seconds, or None where nobody knows (then a whole interval)."""

    def __init__(self, left: float | None = None) -> None:
        self._left = left
        self._since: float | None = None  # the start, as long as a whole interval has to pass from it
        self.interval = UNKNOWN_INTERVAL
        self.until = 0.0

    def begin(self, now: float) -> None:
        """The first line is open; later ones change nothing."""
        if self._left is not None:
            self.until, self._left = max(self.until, now + self._left), None
        elif self._since is None and self.until == 0.0:
            self._since, self.until = now, now + self.interval

    def card(self, interval: float) -> None:
        """The card says its own interval: a hold that nobody knew is corrected by it."""
        self.interval = min(interval, LONGEST_INTERVAL) or UNKNOWN_INTERVAL
        if self._since is not None:
            self.until = self._since + self.interval

    def transmit(self, now: float) -> float:
        """A send begins now; until the module says otherwise, a whole interval. Returns `until`."""
        self._since, self.until = None, now + self.interval
        return self.until

    def sent(self, now: float, wait: float) -> float:
        """It went out, and the module may say how long to wait."""
        if wait > 0:
            self.until = now + self.believed(wait)
        return self.until

    def refused(self, now: float, wait: float) -> float:
        """It did not go out, whatever was held before."""
        self._since, self.until = None, now + self.believed(wait)
        return self.until

    def later(self, until: float) -> float:
        """Not before this, either."""
        self.until = max(self.until, until)
        return self.until

    def believed(self, wait: float) -> float:
        """A wait that a card can have."""
        return min(wait, max(LONGEST_WAIT, 2 * self.interval))

    def left(self, now: float) -> float:
        """Seconds until the next send may begin."""
        left = self.until - now
        return left if left > DIGIT else 0.0
