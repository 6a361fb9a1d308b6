"""Messages that wait to be judged: one short line per bearer, served in turn, so that a flood on one delays no other.

Knows nothing of seals. Everything is bounded; what does not fit is counted and let go.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

# A judged message takes well under a millisecond, so a full line is judged within a second. In bytes: a flood of the
# largest messages stays below what a station can spare.
MOST_WAITING = 512
MOST_BYTES = 1 << 20
LARGEST = 64 * 1024  # bytes of one message; a sealed alert with its text has at most some 5,000
MOST_BEARERS = 32  # names come from the configuration; more than this is a mistake of ours, and shares one line

Done = Callable[[], None]


class Message(NamedTuple):
    bearer: str
    data: bytes
    retained: bool
    done: Done


class Intake:
    def __init__(self) -> None:
        self.dropped: Counter[tuple[str, str]] = Counter()  # (reason, bearer)
        self._lines: dict[str, deque[Message]] = {}
        self._bytes: Counter[str] = Counter()
        self._turn: deque[str] = deque()  # bearers with something waiting, next first

    def put(self, message: Message) -> str:
        """Why the message was not taken; empty if it was."""
        line = self._line(message.bearer)
        why = self._refusal(line, message)
        if why:
            self.dropped[why, message.bearer] += 1
            return why
        if not line:
            self._turn.append(message.bearer)
        line.append(message)
        self._bytes[message.bearer] += len(message.data)
        return ""

    def take(self) -> Message | None:
        """The oldest message of the bearer whose turn it is."""
        if not self._turn:
            return None
        bearer = self._turn.popleft()
        line = self._lines[bearer]
        message = line.popleft()
        self._bytes[bearer] -= len(message.data)
        if line:
            self._turn.append(bearer)
        return message

    def _line(self, bearer: str) -> deque[Message]:
        if bearer not in self._lines and len(self._lines) >= MOST_BEARERS:
            raise ValueError(f"more than {MOST_BEARERS} bearers")
        return self._lines.setdefault(bearer, deque())

    def _refusal(self, line: deque[Message], message: Message) -> str:
        if len(message.data) > LARGEST:
            return "too_large"
        full = len(line) >= MOST_WAITING or self._bytes[message.bearer] + len(message.data) > MOST_BYTES
        return "flooded" if full else ""
