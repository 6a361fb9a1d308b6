"""One AT engine: commands in, lines out, one command under way at a time. A `Machine`: no I/O, time is an argument.

It knows how a conversation goes (echo, reply, final result, prompt, what comes unasked in the middle of it) and how to
find back into it; what a command means is the business of whoever asks. One machine, left whole: what a line is depends on
what it is in the middle of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from heapq import heappop, heappush

from protocols import at_lines
from protocols.at_events import CANCELLED, LOST, REBOOT, TIMEOUT, Command, Done, Lost, Ready, Result, Stray, Unsolicited
from protocols.at_lines import Final
from protocols.errors import LocalError
from protocols.framing import Event, Lines, Send

LONGEST = 1200  # bytes of a line: 255 of a LoRa packet or 176 of a PDU, in hexadecimal, and some words
MOST_LINES = 600  # of one reply: AT+CMGL of the largest store (255 messages, two lines each)
MOST_QUEUED = 32  # commands: a whole start-up of the longest profile fits
GAP = 0.02  # seconds from a final result to the next command: faster than that, some modems lose characters
PROMPT_TIMEOUT = 10.0  # seconds for `>`
QUIET = 0.3  # seconds of silence that say the modem has nothing more to say
QUIET_MOST = 3.0  # seconds to wait for that on a line full of noise
SYNC_TIMEOUT = 1.0  # seconds for the OK of a bare AT (Quectel: 300 ms)
SYNC_TRIES = 3
ESCAPE, SUBMIT = b"\x1b", b"\x1a"  # end of a prompt: given up, and done (27.005 §3.5.1)
URGENT, NORMAL, IDLE = 0, 1, 2  # priorities


class _State(Enum):
    CLOSED = "closed"
    QUIETING = "quieting"  # ESC went out; waiting for silence
    KNOCKING = "knocking"  # AT went out
    SETTLING = "settling"  # OK came; waiting for silence, since it may have been an old one
    FREE = "free"
    PROMPTING = "prompting"  # the command went out, its payload waits for `>`
    WAITING = "waiting"  # for the final result


_SYNC = frozenset({_State.QUIETING, _State.KNOCKING, _State.SETTLING})
_BUSY = frozenset({_State.PROMPTING, _State.WAITING})


@dataclass(order=True, slots=True)
class _Queued:
    priority: int
    serial: int
    command: Command = field(compare=False)


class AtEngine:
    """`start`, then `ask`; what comes back is `Done`, `Unsolicited`, `Stray`, `Ready`, `Lost`, and `Send` to go out.

    `banners` are lines that a modem says when it begins anew: one of them ends the command under way. They may be changed
    at any time: what a modem also says while it is being set up is no banner then.
    """

    def __init__(self, *, banners: Sequence[str] = (), escape: bytes = ESCAPE, end: bytes = b"\r") -> None:
        self.deadline: float | None = None
        self.banners = tuple(banners)
        self._escape, self._end = escape, end
        self._lines = Lines(LONGEST)
        self._queue: list[_Queued] = []
        self._serial = 0
        self._state = _State.CLOSED
        self._command: Command | None = None
        self._reply: list[str] = []
        self._submitted = False
        self._header = ""  # of something unasked whose second line is still to come
        self._tries = 0
        self._bound = 0.0  # when silence is no longer waited for

    @property
    def dropped(self) -> int:
        """Bytes of lines that were too long."""
        return self._lines.lost

    @property
    def idle(self) -> bool:
        """Nothing is under way and nothing waits."""
        return self._state is _State.FREE and not self._queue

    def start(self, now: float) -> list[Event]:
        """The line is open, or the modem began anew: find out whether somebody is there. What was asked is cancelled."""
        given_up = self._give_up(CANCELLED)
        self._lines, self._header = Lines(LONGEST), ""
        return [*given_up, *self._sync(now)]

    def ask(self, command: Command, now: float, priority: int = NORMAL) -> list[Event]:
        """Say it in its turn: the more urgent first. LocalError `queue_full`, or `at_closed` before `start`."""
        if self._state is _State.CLOSED:
            raise LocalError("at_closed", command.text)
        if len(self._queue) >= MOST_QUEUED:
            raise LocalError("queue_full", command.text)
        if "\r" in command.text or "\n" in command.text or not command.text.isascii():
            raise LocalError("at_command", "a command is one line of ASCII")
        self._serial += 1
        heappush(self._queue, _Queued(priority, self._serial, command))
        return self.tick(now)

    def receive(self, data: bytes, now: float) -> list[Event]:
        events: list[Event] = []
        for raw in self._lines.feed(data.replace(b"\0", b"")):  # NULs come when a modem is reset
            events += self._line(raw, now)
        if self._is_prompt(self._lines.rest):  # it comes without an end of line
            self._lines.take_rest()
            events += self._prompted(now)
        if self._state in (_State.QUIETING, _State.SETTLING):
            self.deadline = min(now + QUIET, self._bound)
        return events + self.tick(now)

    def tick(self, now: float) -> list[Event]:
        """What the passing of time brings; nothing before `deadline`."""
        if self._state is _State.FREE and self._queue and self.deadline is None:
            self.deadline = now
        if self.deadline is None or now < self.deadline:
            return []
        if self._state in _BUSY:
            return [*self._finish(Final(TIMEOUT)), *self._sync(now)]
        if self._state in _SYNC:
            return self._synchronise(now)
        return self._next(now)

    # Finding each other

    def _synchronise(self, now: float) -> list[Event]:
        if self._state is _State.KNOCKING:
            return self._knocked_in_vain(now)
        if self._state is _State.QUIETING:
            self._wait(_State.KNOCKING, now + SYNC_TIMEOUT)
            return [Send(b"AT" + self._end)]
        self._wait(_State.FREE, now)
        return [Ready(), *self._next(now)]

    def _sync(self, now: float) -> list[Event]:
        self._tries = 0
        return self._knock(now)

    def _knock(self, now: float) -> list[Event]:
        self._tries += 1
        self._bound = now + QUIET_MOST
        self._wait(_State.QUIETING, now + QUIET)
        return [Send(self._escape)] if self._escape else []

    def _knocked_in_vain(self, now: float) -> list[Event]:
        if self._tries < SYNC_TRIES:
            return self._knock(now)
        self._wait(_State.CLOSED, None)
        return [*self._give_up(LOST), Lost()]

    def _give_up(self, word: str) -> list[Event]:
        """Everything asked and not answered ends with this word."""
        events = self._finish(Final(word)) if self._command else []
        events += [Done(one.command, Result(Final(word), [])) for one in sorted(self._queue)]
        self._queue.clear()
        return events

    # Asking

    def _next(self, now: float) -> list[Event]:
        if not self._queue:
            self.deadline = None
            return []
        command = self._command = heappop(self._queue).command
        self._reply, self._submitted = [], False
        if command.payload is None:
            self._wait(_State.WAITING, now + command.timeout)
        else:
            self._wait(_State.PROMPTING, now + PROMPT_TIMEOUT)
        return [Send(command.text.encode("ascii") + self._end)]

    def _is_prompt(self, text: bytes) -> bool:
        """A character of noise before it does no harm while it is waited for."""
        text = text.strip()
        return text == b">" or (self._state is _State.PROMPTING and text.endswith(b">"))

    def _prompted(self, now: float) -> list[Event]:
        command = self._command
        if self._state is _State.PROMPTING and command is not None and command.payload is not None:
            self._submitted = True
            self._wait(_State.WAITING, now + command.timeout)
            return [Send(command.payload + SUBMIT)]
        if self._state is _State.KNOCKING:  # our AT went into somebody's message: give that up and knock again
            return self._knocked_in_vain(now)
        return []

    def _finish(self, ended: Final) -> list[Event]:
        command, self._command = self._command, None
        return [Done(command, Result(ended, self._reply, self._submitted))] if command else []

    def _wait(self, state: _State, until: float | None) -> None:
        self._state, self.deadline = state, until

    # Hearing

    def _line(self, raw: bytes, now: float) -> list[Event]:
        if self._is_prompt(raw):
            return self._prompted(now)
        line = raw.strip(b" \t" + ESCAPE + SUBMIT).decode("ascii", "backslashreplace")
        if not line or self._is_echo(line):
            return []
        if line.startswith(self.banners):
            return self._began_anew(line, now)
        ended = at_lines.final(line)
        if self._header:
            return self._second(line, ended, now)
        if line.startswith(at_lines.BODIED) and not self._is_reply(line):
            self._header = line
            return []
        return self._heard(line) if ended is None else self._ended(line, ended, now)

    def _second(self, line: str, ended: Final | None, now: float) -> list[Event]:
        """What follows a header is its body, unless that was lost on the way."""
        header, self._header = self._header, ""
        if ended is None and not at_lines.is_spoken(line):
            return [Unsolicited(header, line)]
        return [Unsolicited(header), *(self._heard(line) if ended is None else self._ended(line, ended, now))]

    def _heard(self, line: str) -> list[Event]:
        if self._is_reply(line):
            if len(self._reply) < MOST_LINES:
                self._reply.append(line)
            return []
        return [Unsolicited(line) if at_lines.is_spoken(line) else Stray(line)]

    def _ended(self, line: str, ended: Final, now: float) -> list[Event]:
        if self._state in _BUSY:
            self._wait(_State.FREE, now + GAP)
            return self._finish(ended)
        if self._state is _State.KNOCKING:
            if not ended.ok:  # the AT was not understood: something stood before it
                return self._knocked_in_vain(now)
            self._bound = now + QUIET_MOST
            self._wait(_State.SETTLING, now + QUIET)
            return []
        if self._state in _SYNC:
            return []  # the end of something that nobody waits for any more
        return [Unsolicited(line) if at_lines.is_call(ended) else Stray(line)]

    def _began_anew(self, line: str, now: float) -> list[Event]:
        events: list[Event] = [Unsolicited(line)]
        if self._state in _BUSY:
            events = [*self._finish(Final(REBOOT)), *events, *self._sync(now)]
        return events

    def _is_reply(self, line: str) -> bool:
        return (
            self._state in _BUSY
            and self._command is not None
            and at_lines.replies(
                line, self._command.text, self._command.reply or at_lines.REPLIES.get(self._command.text)
            )
        )

    def _is_echo(self, line: str) -> bool:
        line = line.removeprefix(">").lstrip()
        if self._state is _State.KNOCKING:
            return not line or line == "AT"
        if self._command is None:
            return False
        payload = (self._command.payload or b"").decode("ascii", "replace")
        return not line or line == self._command.text or (self._submitted and line == payload)
