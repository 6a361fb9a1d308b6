"""The data recorder's side of an SDI-12 line: one command at a time, its break, its retries, its answer.

A `Machine` (`protocols.framing`) that also says when a break is due. Knows no measurement: that is a dialogue of several
commands (`sdi12_dialogue`), and who speaks when is the driver's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError
from protocols.framing import Send
from protocols.sdi12 import LONGEST, MOST_CHARACTERS, Acknowledged, Reply, Values, packet_size, parse
from protocols.sdi12_command import Command

CHARACTER = 10 / 1200  # seconds: 1200 baud, start, seven bits, parity, stop (v1.3 §4.1)
BREAK = 0.0125  # seconds of spacing; at least 12 ms (v1.3 §7.1)
MARKING = 0.0085  # seconds between break and command; at least 8.33 ms
AWAKE = 0.087  # seconds after the last character in which a sensor still needs no break
REST = 0.0167  # seconds at least before a command is sent again
LATE_RETRY = 0.100  # seconds after a break; one try must begin later (v1.3 §7.2)
LONGEST_LINE = 1 + MOST_CHARACTERS + 3 + 2  # address, values, checksum, CR LF; an extended answer is not longer


@dataclass(frozen=True, slots=True)
class Timing:
    """`answer`: seconds from the end of a command until its answer must have begun; `between`: the longest pause in an
    answer. `tries` of a command after one break, the whole repeated `series` times. `breaks`: the break is ours to make.
    """

    answer: float
    between: float
    tries: int
    series: int
    breaks: bool


DIRECT = Timing(answer=0.060, between=0.040, tries=3, series=3, breaks=True)
"""A line of our own. A sensor begins within 15 ms and pauses 1.66 ms at most (v1.3 §7.1); USB adapters hold back up to 16."""

ADAPTER = Timing(answer=1.5, between=0.5, tries=1, series=3, breaks=False)
"""A transparent adapter breaks, keeps the times and may give a whole answer at once: 0.67 s of 80 characters, and its own."""


class Break(NamedTuple):
    """Hold the line at spacing for `BREAK`, then at marking for `MARKING`."""


class Answered(NamedTuple):
    command: Command
    reply: Reply


class Failed(NamedTuple):
    """`reason` of the last try: silent, truncated, too-long, parity, crc, format, address."""

    command: Command
    reason: str
    detail: str = ""


class Retried(NamedTuple):
    reason: str
    detail: str


class Requested(NamedTuple):
    """A sensor's service request: its values are there."""

    address: str


class Noise(NamedTuple):
    data: bytes


Event = Send | Break | Answered | Failed | Retried | Requested | Noise
_SILENT = RemoteError("silent")


class Recorder:
    """`ask`, then whatever `receive` and `tick` give, until `Answered` or `Failed`."""

    def __init__(self, timing: Timing = ADAPTER) -> None:
        self._timing = timing
        self._command: Command | None = None
        self._crc: bool | None = None
        self._try = 0
        self._heard = b""
        self._wrong = _SILENT
        self._nothing: Values | None = None  # an answer without values, which may be a late service request
        self._again = False  # the deadline is for sending again
        self._broke_at = float("-inf")
        self._active_at = float("-inf")
        self._last_address = ""
        self.deadline: float | None = None

    @property
    def busy(self) -> bool:
        return self._command is not None

    def ask(self, command: Command, now: float, *, crc: bool | None = None) -> list[Event]:
        """`crc`: whether the measurement that a `D` belongs to was begun with a checksum asked for; None: as it comes."""
        if self._command is not None:
            raise LocalError("busy", command.text)
        self._command, self._crc, self._try = command, crc, 0
        return self._send(command, now)

    def forget(self) -> None:
        """Whoever asked does not want to know any more."""
        self._command, self._heard, self._nothing, self._again = None, b"", None, False
        self.deadline = None

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        self._active_at = now
        self._heard += data
        if self._command is None:
            return self._unasked()
        if self._again:  # what comes after a failed answer is its rest
            self._heard = b""
            return []
        self.deadline = max(now + self._timing.between, self.deadline or now)
        try:
            return self._completed(self._command, now)
        except RemoteError as wrong:
            return self._failed(self._command, wrong, now)

    def tick(self, now: float) -> Sequence[Event]:
        if self._command is None or self.deadline is None or now < self.deadline:
            return []
        if self._again:
            return self._send(self._command, now)
        if self._nothing is not None:
            return self._answered(self._command, self._nothing)
        if self._heard.endswith(b"\r") and self._command.verb != "DB":  # an adapter that keeps the LF
            self._heard += b"\n"
            try:
                return self._completed(self._command, now)
            except RemoteError as wrong:
                return self._failed(self._command, wrong, now)
        lacking = RemoteError("truncated", _shown(self._heard)) if self._heard else _SILENT
        return self._failed(self._command, lacking, now)

    def _send(self, command: Command, now: float) -> list[Event]:
        events: list[Event] = []
        start = now
        first = self._try % self._timing.tries == 0
        if self._timing.breaks and ((first and self._try) or self._asleep(command, now)):
            events.append(Break())
            self._broke_at, start = now + BREAK, now + BREAK + MARKING
        text = command.text.encode("ascii")
        events.append(Send(text))
        end = start + len(text) * CHARACTER
        self._heard, self._nothing, self._again = b"", None, False
        self._last_address, self._active_at = command.address, end
        self.deadline = end + self._timing.answer
        return events

    def _asleep(self, command: Command, now: float) -> bool:
        """After a while, and when another one was spoken to, sensors must be woken (v1.3 §7.1)."""
        return now - self._active_at > AWAKE or command.address != self._last_address

    def _completed(self, command: Command, now: float) -> list[Event]:
        """The answer, if it is whole; nothing while it is not."""
        heard = _without_echo(self._heard, command)
        if command.verb == "DB":
            return self._packet(command, heard.lstrip(b"\0\r\n"))
        line, end, rest = heard.partition(b"\n")
        line = _stripped(line)
        if not end:
            if len(heard) > LONGEST_LINE + 16:  # some noise in front
                raise RemoteError("too-long", _shown(heard))
            return []
        if not line:
            self._heard = rest
            return self._completed(command, now) if rest else []
        reply = parse(command, line, crc=self._crc)
        if isinstance(reply, Values) and not reply.values and command.verb == "D" and self._nothing is None:
            self._nothing, self._heard = reply, rest
            return self._completed(command, now) if rest else []
        return self._answered(command, reply)

    def _packet(self, command: Command, heard: bytes) -> list[Event]:
        size = packet_size(heard)
        if not size or len(heard) < size:
            if len(heard) > LONGEST:
                raise RemoteError("too-long", _shown(heard))
            return []
        return self._answered(command, parse(command, heard[:size]))

    def _answered(self, command: Command, reply: Reply) -> list[Event]:
        self.forget()
        if isinstance(reply, Acknowledged):
            self._last_address = reply.address
        return [Answered(command, reply)]

    def _failed(self, command: Command, wrong: RemoteError, now: float) -> list[Event]:
        """Again without a break, again with one, or no more."""
        self._try += 1
        if self._try >= self._timing.tries * self._timing.series:
            self.forget()
            return [Failed(command, wrong.reason, wrong.detail)]
        last = (self._try + 1) % self._timing.tries == 0 and self._timing.breaks
        self.deadline = max(now + REST, self._broke_at + LATE_RETRY if last else now)
        self._heard, self._nothing, self._again = b"", None, True
        return [Retried(wrong.reason, wrong.detail), *(self.tick(now) if self.deadline <= now else ())]

    def _unasked(self) -> list[Event]:
        """Between commands only service requests are expected."""
        *lines, self._heard = self._heard.split(b"\n")
        if len(self._heard) > LONGEST_LINE:
            lines, self._heard = [*lines, self._heard], b""
        found = [_stripped(line) for line in lines]
        return [Requested(chr(one[0])) if len(one) == 1 and one.isalnum() else Noise(one) for one in found if one]


def _without_echo(heard: bytes, command: Command) -> bytes:
    """Some adapters, and every line with one wire, give back what is sent; answers have no "!" (but for extended ones)."""
    echo = command.text.encode("ascii")
    before, found, after = heard.partition(echo)
    return after if found and not _stripped(before) else heard


def _stripped(line: bytes) -> bytes:
    """Without what a break or a sleeping adapter leaves in front: no printable character."""
    start = next((at for at, byte in enumerate(line) if 0x21 <= byte < 0x7F), len(line))
    return line[start:].rstrip(b"\r\0")


def _shown(data: bytes) -> str:
    return data[:80].decode("ascii", "backslashreplace")
