"""What a modem's machine tells whoever drives it. Pure values."""

from typing import NamedTuple

from protocols.modem_ladder import Rung


class Submitted(NamedTuple):
    """The service centre took every part; `references` as AT+CMGS gave them, for the status reports to come."""

    token: int
    references: tuple[int, ...]


class Refused(NamedTuple):
    """It did not go out. `wait`: seconds until another try makes sense; None: never as it is."""

    token: int
    reason: str
    wait: float | None


class Doubtful(NamedTuple):
    """It may have gone out, or a part of it."""

    token: int
    reason: str


class Arrived(NamedTuple):
    """A message from a number that is heard here: text of people and of platforms, or data."""

    sender: str
    body: str | bytes
    sent: int | None = None  # Unix seconds by the service centre


class Reported(NamedTuple):
    """What the network says of a message that was submitted: `delivered`, `trying`, `failed`; no token: of none of ours."""

    token: int | None
    to: str
    outcome: str
    status: int


class Told(NamedTuple):
    """Network time, and the zone in minutes where it was told."""

    unix: int
    zone: int | None
    source: str


class Phase(NamedTuple):
    """`starting`, `sim` (with the reason), `searching`, `ready`, `silent`."""

    name: str
    reason: str = ""


class Climbed(NamedTuple):
    """A rung of the recovery ladder was taken; `power` is the driver's to carry out."""

    rung: Rung
    reason: str


class Silent(NamedTuple):
    """No answer to AT: the line is to be opened anew."""


class Ignored(NamedTuple):
    """Something without consequence, to be counted: `unknown_sender`, `bad_pdu`, `stray` ..."""

    reason: str
