"""What systemd hears from us: sd_notify(3) in its few lines. Knows a socket's address; decides nothing, never raises.

Off systemd ($NOTIFY_SOCKET unset) every call does nothing. A datagram that systemd's full socket refuses is not waited
for, since the event loop must not: what it said is said again with the next one.
"""

import os
import socket
from collections.abc import Mapping

MICROSECONDS = 1_000_000
STATUS_LIMIT = 256  # characters; `systemctl status` shows one line


class Notifier:
    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading "@" stands for the NUL byte of an abstract address; anything but that and a path (vsock:) is not ours.
        self._address = "\0" + address[1:] if address.startswith("@") else address if address.startswith("/") else ""
        self._unsent: dict[str, str] = {}
        self.watchdog_period = _watchdog_period(environ)

    def ready(self, status: str) -> None:
        self._send(READY="1", STATUS=_one_line(status))

    def status(self, text: str) -> None:
        self._send(STATUS=_one_line(text))

    def watchdog(self, status: str) -> None:
        self._send(WATCHDOG="1", STATUS=_one_line(status))

    def stopping(self, status: str) -> None:
        self._send(STOPPING="1", STATUS=_one_line(status))

    def _send(self, **assignments: str) -> None:
        if not self._address:
            return
        self._unsent |= assignments  # one of each name, so it stays small
        lines = "\n".join(f"{name}={value}" for name, value in self._unsent.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as datagram:
                datagram.sendto(lines.encode(errors="replace"), self._address)
        except OSError:
            self._unsent.pop("WATCHDOG", None)  # said late, it would vouch for a moment that has passed
        else:
            self._unsent.clear()


def _watchdog_period(environ: Mapping[str, str]) -> float | None:
    """Seconds within which systemd wants to hear of progress; None where it watches no one or another process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / MICROSECONDS if microseconds.isdecimal() and int(microseconds) else None


def _one_line(text: str) -> str:
    """A line break in a status would start another assignment."""
    return " ".join(text.split())[:STATUS_LIMIT]
