"""A simulated BX-5K card: shows dynamic areas, and takes off what was not sent again in time, as the card does.

`fault`: `dead` never answers and shows nothing, `refusing` answers every command with an error, `silent` shows and does
not answer.
"""

import time
from collections.abc import Callable
from typing import Literal

from protocols import onbon_bx5k as bx
from protocols.errors import RemoteError

CardFault = Literal["", "dead", "refusing", "silent"]
ERROR_BUSY, ERROR_CHECKSUM = 3, 5


class LedCard:
    def __init__(self, fault: CardFault = "", now: Callable[[], float] = time.monotonic) -> None:
        self.fault, self.say = fault, _nobody
        self.updates = self.broken = 0
        self._now = now
        self._frames = bx.Frames()
        self._areas: dict[int, tuple[bx.Area, float]] = {}  # id -> area, when it was sent

    say: Callable[[bytes], None]

    @property
    def shown(self) -> str:
        """What stands on the panel now."""
        now = self._now()
        live = [area for area, at in self._areas.values() if now < at + area.timeout]
        return " ".join(area.text.decode("gb2312") for area in sorted(live, key=lambda area: area.id))

    def hear(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            if self.fault != "dead":
                self._obey(frame)

    def _obey(self, frame: bytes) -> None:
        try:
            error = self._carry_out(bx.decode(frame))
        except RemoteError:
            self.broken += 1
            error = ERROR_CHECKSUM
        if self.fault != "silent":
            self.say(bx.acknowledgement(error))

    def _carry_out(self, packet: bx.Packet) -> int:
        if self.fault == "refusing":
            return ERROR_BUSY
        if packet.command == bx.DYNAMIC_AREAS:
            deleted, areas = bx.unpacked(packet.data)
            for number in deleted:
                self._areas.pop(number, None)
            self._areas |= {area.id: (area, self._now()) for area in areas}
            self.updates += len(areas)
        return 0


def _nobody(_data: bytes) -> None:
    """No line is attached yet."""
