"""A Vaisala WXT5xx: answers queries, with and without checksum, or reports by itself; a day's weather in ten minutes."""

import math
from collections.abc import Sequence

from protocols.framing import Lines, Send
from protocols.vaisala import Field, Message, write

REPORTS_EVERY = 1.0  # seconds, in its automatic mode


class Transmitter:
    """A `Machine`. `invalid` are fields that it marks with `#`; `mute` says nothing; `damaged` spoils every answer."""

    def __init__(self, address: str = "0", *, automatic: bool = False, checked: bool = True) -> None:
        self.address, self.checked = address, checked
        self.invalid: set[str] = set()
        self.mute = self.damaged = False
        self.asked: list[str] = []
        self._lines = Lines(256)
        self.deadline: float | None = 0.0 if automatic else None

    def receive(self, data: bytes, now: float) -> Sequence[Send]:
        return [self._answer(line.decode("ascii", "replace"), now) for line in self._lines.feed(data) if not self.mute]

    def tick(self, now: float) -> Sequence[Send]:
        if self.deadline is None or now < self.deadline:
            return []
        self.deadline = now + REPORTS_EVERY
        return [] if self.mute else [self._said(kind, now, checked=self.checked) for kind in ("R1", "R2", "R3", "R5")]

    def _answer(self, line: str, now: float) -> Send:
        self.asked.append(line)
        checked = line[1:2].islower()
        kind = line[1:3].upper()
        if line[:1] != self.address:
            return Send(b"")
        if kind not in ("R1", "R2", "R3", "R5"):
            return Send(write(Message(self.address, "TX", ("Unknown cmd error",), checked)) + b"\r\n")
        return self._said(kind, now, checked=checked)

    def _said(self, kind: str, now: float, *, checked: bool) -> Send:
        fields = [Field(one.name, None, "#") if one.name in self.invalid else one for one in _fields(kind, now)]
        line = write(Message(self.address, kind, tuple(fields), checked))
        return Send((line[:-1] + b"~" if self.damaged else line) + b"\r\n")


def _fields(kind: str, now: float) -> Sequence[Field]:
    turn = math.sin(2 * math.pi * now / 600)
    wind, warmth = round(5 + 4 * turn, 1), round(15 + 8 * turn, 1)
    return {
        "R1": (Field("Dm", round(180 + 90 * turn), "D"), Field("Sm", wind, "M"), Field("Sx", wind + 1, "M")),
        "R2": (Field("Ta", warmth, "C"), Field("Ua", round(60 - 20 * turn, 1), "P"), Field("Pa", 1013.2, "H")),
        "R3": (Field("Rc", round(now / 600, 2), "M"), Field("Ri", 6.0, "M")),
        "R5": (Field("Th", warmth, "C"), Field("Vs", 12.1, "V")),
    }[kind]


def alone() -> Transmitter:
    """`sim:vaisala`."""
    return Transmitter()
