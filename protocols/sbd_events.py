"""What comes of talking with an SBD modem. Every message sent ends with exactly one of Taken, Doubtful and Refused."""

from typing import NamedTuple


class Ready(NamedTuple):
    """The modem answers and has its settings."""

    imei: str


class Fault(NamedTuple):
    """It does not answer (`silent`), or cannot work (`sbd_status.FAULTS`)."""

    reason: str


class Received(NamedTuple):
    """A message came in."""

    data: bytes
    mtmsn: int


class Taken(NamedTuple):
    """The gateway has the message."""

    momsn: int


class Doubtful(NamedTuple):
    """The session broke off: the gateway may have it."""

    reason: str


class Refused(NamedTuple):
    """It did not go out. `retry_after` in seconds; None: it never will."""

    reason: str
    retry_after: float | None


class Clock(NamedTuple):
    """The network's count of 90 ms (`protocols.iridium_time`)."""

    ticks: int
