"""A token bucket: so much at once, so much a second after that. Pure; the caller's clock."""


class Bucket:
    """Full at the start. Amounts and rates in whatever is counted: bytes, commands."""

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self.burst, self.rate = burst, rate
        self._level, self._seen = burst, now

    def wait(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken. More than the burst is given when the bucket is full, or never would be."""
        self._refill(now)
        return max(0.0, (min(amount, self.burst) - self._level) / self.rate)

    def level(self, now: float) -> float:
        """What may be taken at once; less than nothing after a debt."""
        self._refill(now)
        return self._level

    def take(self, amount: float, now: float) -> None:
        """Also what is not there: the debt is waited for by whoever comes next."""
        self._refill(now)
        self._level -= amount

    def _refill(self, now: float) -> None:
        self._level = min(self.burst, self._level + max(0.0, now - self._seen) * self.rate)
        self._seen = now
