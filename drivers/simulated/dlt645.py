"""An electricity meter that speaks DL/T 645-2007, as a machine, with what goes wrong on such lines."""

from collections.abc import Mapping, Sequence

from protocols.dlt645 import (
    ANY_ADDRESS,
    FROM_METER,
    IDENTIFIER,
    READ_ADDRESS,
    REFUSED,
    WAKE,
    Dlt645Stream,
    Frame,
    bcd,
    encode,
)
from protocols.dlt645_items import ITEMS
from protocols.framing import Flaw, Send

MAINS = {
    "02010100": 231.4,
    "02010200": 230.9,
    "02010300": 232.0,
    "02020100": 0.512,
    "02020200": -0.25,
    "02020300": 0.0,
    "02030000": 0.1183,
    "02060000": 0.998,
    "02800002": 50.01,
    "00010000": 54623.71,
}
NO_SUCH_ITEM = 0x02


class Meter:
    """A `Machine`: `values` by data identifier; `damaged` spoils checksums, `mute` says nothing, `echo` gives back."""

    def __init__(self, address: str = "000000000161", values: Mapping[str, float] | None = None) -> None:
        self.address = address
        self.values = dict(MAINS if values is None else values)
        self.mute = self.damaged = self.echo = False
        self.asked: list[Frame] = []
        self.deadline: float | None = None
        self._stream = Dlt645Stream()

    def receive(self, data: bytes, now: float) -> Sequence[Send]:  # noqa: ARG002 - the face of a Machine
        said = [Send(data)] if self.echo else []
        for frame in self._stream.feed(data):
            if isinstance(frame, Flaw) or frame.address not in (self.address, ANY_ADDRESS) or self.mute:
                continue
            self.asked.append(frame)
            answer = encode(self._answer(frame), wake=WAKE)
            said.append(Send(answer[:-2] + b"\x00\x16" if self.damaged else answer))
        return said

    def tick(self, now: float) -> Sequence[Send]:  # noqa: ARG002 - the face of a Machine
        return []

    def _answer(self, frame: Frame) -> Frame:
        if frame.control == READ_ADDRESS:
            return Frame(self.address, READ_ADDRESS | FROM_METER, bytes.fromhex(self.address)[::-1])
        if frame.control in IDENTIFIER and frame.item in self.values:
            item = ITEMS[frame.item]
            number = bcd(self.values[frame.item], item.size, item.decimals, signed=item.signed)
            return Frame(self.address, frame.control | FROM_METER, frame.data + number)
        return Frame(self.address, frame.control | FROM_METER | REFUSED, bytes((NO_SUCH_ITEM,)))


def alone() -> Meter:
    """`sim:dlt645`."""
    return Meter()
