"""When the next SBD session may begin: recharge, back-off, and the guard over registrations. Pure."""

from collections.abc import Callable

Chance = Callable[[], float]
"""A number from 0 up to 1."""

LADDER = (
    0.0,
    5.0,
    5.0,
    30.0,
    30.0,
)  # seconds at most before the next try, each drawn anew (Ground Control, adaptive retry)
LADDER_END = 300.0  # seconds between all tries after those
REGISTRATION_MIN = 180.0  # seconds between two AT+SBDREG (ISU AT Command Reference, +SBDREG; broken: code 36)


class Pace:
    """`recharge`: seconds that the supercapacitor of a RockBLOCK wants between sessions."""

    def __init__(self, chance: Chance, recharge: float = 0.0) -> None:
        self.recharge = recharge
        self.failures = 0
        self._chance = chance
        self._charged = 0.0
        self._next = 0.0
        self.register_next = 0.0

    def ready(self) -> float:
        """The moment from which on a session may begin."""
        return max(self._charged, self._next)

    def succeeded(self, now: float) -> None:
        self.failures, self._next, self._charged = 0, now, now + self.recharge

    def failed(self, now: float, wait: float | None = None) -> None:
        """`wait`: what the answer itself asked for."""
        self._charged = now + self.recharge
        self._next = now + (self._step() if wait is None else wait)
        self.failures += 1

    def relieved(self, now: float) -> None:
        """What the failures came from is over: there is service again."""
        self.failures, self._next = 0, now

    def _step(self) -> float:
        if self.failures >= len(LADDER):
            return LADDER_END
        return LADDER[self.failures] * self._chance()

    def registered(self, now: float) -> None:
        """A registration was tried, or the modem said that one had been."""
        self.register_next = now + REGISTRATION_MIN
