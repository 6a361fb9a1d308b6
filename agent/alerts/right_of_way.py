"""Telemetry stands aside while a warning is on its way from the link to the siren. Pure: time is an argument.

Verifying, journalling and the relay's answer each need a turn of the event loop, and encoding a block of a backlog takes
some milliseconds a turn. So the senders of telemetry pause after a warning message has come in, never for long at a
stretch and never more than half of the time, whatever arrives. What was found genuine and acts has its own stretch: noise
has used up nothing of that.
"""

STRETCH = 0.05  # seconds; a warning takes about 5 ms from the link to the relay's coil when nothing else is done


class RightOfWay:
    """One for the station. `claim` when a message of the warning topics arrives, `take` when one acts; `wait` says how long to
    stand aside.
    """

    def __init__(self) -> None:
        self._until = 0.0

    def claim(self, now: float) -> None:
        """Within a stretch, or as long again after it, another claim moves nothing: telemetry must live through a flood."""
        if now >= self._until + STRETCH:
            self._until = now + STRETCH

    def take(self, now: float) -> None:
        """A warning that acts: from now, whatever was claimed before. They are as rare as their signatures."""
        self._until = now + STRETCH

    def wait(self, now: float) -> float:
        """Seconds that telemetry stands aside from now; 0 when the way is free."""
        return max(0.0, self._until - now)
