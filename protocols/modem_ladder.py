"""What to try next with a modem that has no network or does not answer. Pure: time is an argument.

Harder and harder, and never in haste: a reset costs the SIM a write and the network a registration, and an outage of a
cell is not cured by either.
"""

from enum import Enum

RADIO_AFTER = 120.0  # seconds without a network: the radio off and on
RESTART_AFTER = 600.0  # the modem anew
POWER_AFTER = 1800.0  # its supply, where somebody wired that
DEAF_POWER_AFTER = 120.0  # without an answer there is nothing else to try
PAUSE = 600.0  # seconds between two rungs: networks punish registering in haste
LONG_AFTER, LONG_PAUSE = 3600.0, 3600.0  # it is not the modem


class Rung(Enum):
    RADIO = "radio"
    RESTART = "restart"
    POWER = "power"


class Ladder:
    """`lost` and `found` tell it how things are; `climb` says what to do now."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._deaf_since: float | None = None
        self._last = float("-inf")
        self._radio_cycled = False

    def lost(self, now: float) -> None:
        """No network."""
        self._since = now if self._since is None else self._since

    def found(self) -> None:
        """A network: the next loss begins at the bottom, but the pause since the last rung holds."""
        self._since, self._radio_cycled = None, False

    def deaf(self, now: float) -> None:
        """No answer to AT."""
        self._deaf_since = now if self._deaf_since is None else self._deaf_since

    def heard(self) -> None:
        self._deaf_since = None

    def without(self, now: float) -> float:
        """Seconds without a network."""
        return 0.0 if self._since is None else now - self._since

    def climb(self, now: float, *, denied: bool = False) -> Rung | None:
        """`denied`: the network knows this SIM and refuses it, which no reset changes soon."""
        if now - self._last < self._pause(now, denied=denied):
            return None
        rung = self._rung(now, denied=denied)
        if rung is not None:
            self._last = now
            self._radio_cycled = True
        return rung

    def _pause(self, now: float, *, denied: bool) -> float:
        deaf = 0.0 if self._deaf_since is None else now - self._deaf_since
        return LONG_PAUSE if denied or max(self.without(now), deaf) >= LONG_AFTER else PAUSE

    def _rung(self, now: float, *, denied: bool) -> Rung | None:
        if self._deaf_since is not None:
            return Rung.POWER if now - self._deaf_since >= DEAF_POWER_AFTER else None
        without = self.without(now)
        if without >= POWER_AFTER:
            return Rung.POWER
        if without >= RESTART_AFTER:
            return Rung.RESTART
        return Rung.RADIO if without >= RADIO_AFTER and not denied and not self._radio_cycled else None
