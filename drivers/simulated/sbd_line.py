"""The serial side of a simulated SBD modem: commands in, result lines out, what comes later, and everything that can go
wrong between. Knows no command.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocols.framing import Event, Send

COMMAND_MOST = 512  # bytes of one line; a text of +SBDWT is one
TIMERS_MOST = 64


@dataclass
class Faults:
    """What is wrong at present; each can be changed at any time."""

    loss: float = 0.0  # of sessions break off; of half of these the message has arrived
    statuses: deque[int] = field(default_factory=deque)  # of the next sessions, whatever else would have become of them
    noise: float = 0.0  # of lines have a byte of it in front
    torn: bool = False  # what is said comes in pieces of any size
    ring_inside: bool = False  # SBDRING between a result and its OK
    swallowed: float = 0.0  # of results of sessions get lost on the line
    spaced: bool = True  # `+SBDIX: 0, 1` as against `+SBDIX:0,1`
    restart: bool = False  # loses power in the middle of the next session
    mute: bool = False  # does not answer at all


class ModemLine:
    """See `protocols.framing.Machine`. `busy`: what is written to it now is lost, as during a session."""

    def __init__(self, chance: random.Random, faults: Faults) -> None:
        self.faults, self.echo, self.busy = faults, True, False
        self._chance = chance
        self._now = 0.0
        self._heard = b""
        self._promised: int | None = None  # bytes of a message to come, its sum with it
        self._promises = 0
        self._out: list[bytes] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0

    @property
    def deadline(self) -> float | None:
        return self._timers[0][0] if self._timers else None

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        self._catch_up(now)
        if not self.faults.mute and not self.busy:
            self._heard += data
            while self._heard and self._hear():
                pass
        return self._flush()

    def tick(self, now: float) -> Sequence[Event]:
        self._catch_up(now)
        return self._flush()

    def command(self, line: str) -> None:
        raise NotImplementedError

    def written(self, data: bytes) -> None:
        """What was promised, and has come."""
        raise NotImplementedError

    # Time

    def later(self, wait: float, then: Callable[[], None]) -> None:
        self._order += 1
        if len(self._timers) < TIMERS_MOST:
            heapq.heappush(self._timers, (self._now + wait, self._order, then))

    def busy_for(self, wait: float, then: Callable[[], None]) -> None:
        def done() -> None:
            self.busy = False
            then()

        self.busy = True
        self.later(wait, done)

    def forget(self) -> None:
        """Power is gone: nothing that was to come will."""
        self._timers, self._heard, self._promised, self.busy, self.echo = [], b"", None, False, True

    def _catch_up(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            self._now, _, then = heapq.heappop(self._timers)
            then()
        self._now = now

    # What it hears

    def promise(self, length: int, wait: float, broken: Callable[[], None]) -> None:
        """The next `length` bytes are no command."""
        self._promised = length
        self._promises = promise = self._promises + 1

        def give_up() -> None:
            if self._promised is not None and self._promises == promise:
                self._promised, self._heard = None, b""
                broken()

        self.later(wait, give_up)

    def _hear(self) -> bool:
        if self._promised is not None:
            if len(self._heard) < self._promised:
                return False
            data, self._heard = self._heard[: self._promised], self._heard[self._promised :]
            self._promised = None
            self.written(data)
            return True
        line, end, rest = self._heard.partition(b"\r")
        if not end:
            self._heard = self._heard[-COMMAND_MOST:]
            return False
        self._heard = rest
        if self.echo:
            self._out.append(line + b"\r")
        self.command(line.strip(b"\n").decode("ascii", "replace"))
        return not self.busy

    # What it says

    def say(self, data: bytes) -> None:
        self._out.append(data)

    def answer(self, *lines: str) -> None:
        self._out += [f"\r\n{line}\r\n".encode() for line in lines]

    def ok(self, *lines: str) -> None:
        self.answer(*lines, "OK")

    def result(self, name: str, *fields: object) -> str:
        space = " " if self.faults.spaced else ""
        return f"{name}:{space}{f',{space}'.join(map(str, fields))}"

    def _flush(self) -> Sequence[Event]:
        said, self._out = self._out, []
        if self.faults.mute:
            return []
        noisy = [self._noise() + one if one.startswith(b"\r\n") else one for one in said]
        return [Send(piece) for piece in self._tear(b"".join(noisy))]

    def _noise(self) -> bytes:
        return bytes([self._chance.randrange(0x80, 0x100)]) if self._chance.random() < self.faults.noise else b""

    def _tear(self, data: bytes) -> list[bytes]:
        if not self.faults.torn:
            return [data] if data else []
        pieces = []
        while data:
            size = self._chance.randint(1, 7)
            pieces.append(data[:size])
            data = data[size:]
        return pieces
