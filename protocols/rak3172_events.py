"""What a RAK3172 (`protocols.rak3172`) gives. Pure data."""

from typing import NamedTuple

from protocols.rak3172_lines import Radio


class Ready(NamedTuple):
    """It hears and may send. `listens`: whether it hears before it talks."""

    radio: Radio
    listens: bool


class Mismatch(NamedTuple):
    """It is set otherwise than it should be, and nobody allowed to change that: nothing is sent."""

    name: str
    found: str


class Silent(NamedTuple):
    """It does not answer (`lost`), or refuses what it cannot do without; it is tried again."""

    command: str
    reason: str


class Received(NamedTuple):
    data: bytes
    rssi: int
    snr: int


class Done(NamedTuple):
    """What became of a send: `sent`, `unknown` or `refused`; `reason` in the module's words. `again`: worth another try."""

    outcome: str
    reason: str = ""
    again: bool = True


class Damaged(NamedTuple):
    """Something that was not the module's language, or that the radio heard damaged (`radio`)."""

    reason: str
