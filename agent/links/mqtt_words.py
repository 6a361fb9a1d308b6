"""The words of an MQTT connection: how to make one, what the server granted, what is under way, why it ended.

Data and pure functions; nobody here opens a socket.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.links.tls import SecretError, Tls

log = logging.getLogger(__name__)


class LinkDown(Exception):
    """Why there is no connection: a stable `reason`, and what was seen."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}" if detail else reason)


class Will(NamedTuple):
    """What the server says for us when we fall silent; retained."""

    topic: str
    payload: bytes
    delay: int  # seconds, MQTT 5 only


@dataclass(frozen=True, slots=True)
class Options:
    """How to connect. Times in seconds. `clean` forgets what the server kept; `session_expiry` is how long it shall keep."""

    host: str
    port: int
    client_id: str
    version: str = "5"
    keepalive: int = 10
    clean: bool = True
    session_expiry: int = 0
    tls: Tls | None = None
    credentials: Path | None = None
    patience: float = 20.0
    retain: bool = True  # False once the server has said that it keeps nothing
    congestion: str = ""  # TCP congestion control; empty leaves the system's


class Granted(NamedTuple):
    """What the server said in CONNACK (MQTT 5 §3.2.2.3)."""

    session_present: bool = False
    receive_maximum: int = 65_535
    maximum_packet: int = 268_435_455
    maximum_qos: int = 2
    retain: bool = True
    untimed: bool = False  # TLS was believed without its validity times


class Flight:
    """A publish under way. `done` resolves to the PUBACK's reason code (0 on 3.1.1), or fails with LinkDown."""

    __slots__ = ("done", "mid", "sent", "size")

    def __init__(self, mid: int, size: int, sent: float, done: "asyncio.Future[int]") -> None:
        self.mid = mid
        self.size = size  # bytes of topic and payload
        self.sent = sent  # loop time
        self.done = done


class Inbound(NamedTuple):
    """A message from the server. `ack` tells the server that it is dealt with; without it, it comes again."""

    topic: str
    payload: bytes
    retain: bool
    response_topic: str
    correlation: bytes
    ack: Callable[[], None]


Receive = Callable[[Inbound], None]


def accepting(reason: int, *, no_subscribers_ok: bool) -> bool:
    """Whether a PUBACK settles. 0x10 says that nobody listens (MQTT 5 §3.4.2.1): received, and by no platform."""
    return reason < 0x80 and (no_subscribers_ok or reason != 0x10)


def slug(reason: ReasonCode) -> str:
    """`Not authorized` → `not-authorized`, as a stable code."""
    return str(reason.getName()).lower().replace(" ", "-")


def server_says(properties: Properties | None) -> str:
    return str(getattr(properties, "ReasonString", ""))[:200]


_TLS_REASONS = {
    "WRONG_VERSION_NUMBER": "tls.not-tls",
    "UNSUPPORTED_PROTOCOL": "tls.version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "tls.version",
}
_REASONS: dict[type[BaseException], str] = {
    SecretError: "secret",
    socket.gaierror: "name",
    TimeoutError: "timeout",
    ConnectionRefusedError: "connection-refused",
    OSError: "unreachable",
    asyncio.CancelledError: "closed-by-us",
}


def as_link_down(error: BaseException) -> LinkDown:
    """An exception of connecting as a reason an operator can act on."""
    if isinstance(error, LinkDown):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return LinkDown("tls.certificate", getattr(error, "verify_message", "") or str(error))
    if isinstance(error, ssl.SSLError):
        return LinkDown(_TLS_REASONS.get(error.reason or "", "tls.failed"), error.reason or str(error))
    for kind, reason in _REASONS.items():  # narrower kinds first
        if isinstance(error, kind):
            return LinkDown(reason, getattr(error, "strerror", None) or str(error))
    log.error("connecting failed inside", exc_info=error)
    return LinkDown("internal", type(error).__name__)


def blank(packet_type: int) -> Properties:
    """Properties of one kind of MQTT 5 packet (`paho.mqtt.packettypes`)."""
    made: Properties = Properties(packet_type)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    return made
