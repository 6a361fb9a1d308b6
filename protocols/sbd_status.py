"""What the first field of +SBDIX means, as a table to hold against the manual. Knows no session, only numbers.

Source: Iridium ISU AT Command Reference 5.x, +SBDIX; 9602 and 9603 developer's guides. Waits: Ground Control's notes on
RockBLOCK (adaptive retry) and, where the code itself names one (36), the manual.
"""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class Fate(Enum):
    SENT = "sent"  # the gateway has it
    UNKNOWN = "unknown"  # it may have arrived: a session broke off after it may have been handed over
    NOT_SENT = "not sent"  # to be tried again
    FATAL = "fatal"  # this message will never go


class Status(NamedTuple):
    fate: Fate
    reason: str  # a stable code
    wait: float | None = None  # seconds until another try makes sense; None: the back-off of the pace decides


_SENT, _UNKNOWN, _NOT, _FATAL = Fate.SENT, Fate.UNKNOWN, Fate.NOT_SENT, Fate.FATAL
SOON, MINUTES_3, MINUTES_5, HOUR = 5.0, 180.0, 300.0, 3600.0  # seconds
RESERVED = Status(_NOT, "reserved")

STATUSES: Mapping[int, Status] = {
    # said by the gateway
    0: Status(_SENT, "sent"),
    1: Status(_SENT, "mt-too-big"),
    2: Status(_SENT, "location-refused"),
    3: Status(_SENT, "sent"),  # reserved, success
    4: Status(_SENT, "sent"),  # reserved, success
    5: RESERVED,
    6: RESERVED,
    7: RESERVED,
    8: RESERVED,
    10: Status(_UNKNOWN, "call-timeout"),
    11: Status(_NOT, "gateway-full", MINUTES_5),
    12: Status(_FATAL, "segments"),
    13: Status(_UNKNOWN, "session-incomplete"),
    14: Status(_FATAL, "segment-size"),
    15: Status(_NOT, "denied", HOUR),  # the subscription: nothing here heals it
    # said by the modem
    16: Status(_NOT, "locked", HOUR),  # +CULK: the key comes from the gateway's operator
    17: Status(_UNKNOWN, "gateway-silent"),
    18: Status(_UNKNOWN, "connection-lost"),
    19: Status(_UNKNOWN, "link-failure"),
    32: Status(_NOT, "no-service"),  # or as soon as +CIEV says that there is one
    33: Status(_NOT, "antenna", MINUTES_5),
    34: Status(_NOT, "radio-off", SOON),  # *R1 has been sent by then
    35: Status(_NOT, "busy", SOON),  # with a registration of its own
    36: Status(_NOT, "registration", MINUTES_3),
    37: Status(_NOT, "disabled", MINUTES_5),
    38: Status(_NOT, "traffic", MINUTES_5),
    64: Status(_NOT, "band", MINUTES_5),
    65: Status(_NOT, "hardware", MINUTES_5),  # PLL lock failure
}
FAULTS = frozenset({"antenna", "hardware", "locked", "denied"})
"""What no waiting heals: somebody has to come, or to call the operator."""


def meaning(code: int) -> Status:
    """Of any number; what the manual reserves (20–31 and the rest) is a failure."""
    return STATUSES.get(code, RESERVED)
