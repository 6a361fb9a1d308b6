"""One epoch between a station and a headend: messages are sealed under the next number, and opened once.

Knows keys and numbers, not what a message says, nor how it is cut for a bearer.
"""

from collections.abc import Mapping
from typing import NamedTuple

from protocols.errors import LocalError, RemoteError
from protocols.narrow import keys as crypto
from protocols.narrow.counter import TURN, Counter, Window
from protocols.narrow.header import ENCRYPTED, MAX_MESSAGE, Frame, Kind
from protocols.narrow.keys import UP, Epoch, Keys

MOST_INSTANCES = 15  # headends that share one key: a station tries them all on what it cannot place


class Message(NamedTuple):
    """What goes out, still in one: cut for each bearer (`fragments.cut`), always the same bytes under its number."""

    kind: Kind
    counter: int
    data: bytes

    @property
    def id(self) -> int:
        return self.counter % TURN


class Opened(NamedTuple):
    """A genuine message. `fresh` is False where it came before: to be acknowledged again, and nothing else.

    `speaker` is 0 for a station, else the instance of the headend.
    """

    kind: Kind
    counter: int
    body: bytes
    speaker: int
    fresh: bool


class Session:
    """`speaks`: 0 in a station, the instance in a headend. `windows`: what was kept of the other side, by speaker."""

    def __init__(
        self, epoch: Epoch, keys: Keys, counter: Counter, speaks: int = UP, windows: Mapping[int, Window] | None = None
    ) -> None:
        if not 0 <= speaks <= MOST_INSTANCES:
            raise LocalError("narrow.instance", str(speaks))
        self.epoch, self.keys, self.counter = epoch, keys, counter
        self._speaks = speaks
        self.windows = dict(windows or {})
        self._own, self._other = (keys.up, keys.down) if speaks == UP else (keys.down, keys.up)

    def seal(self, kind: Kind, body: bytes) -> Message:
        """LocalError where no number is reserved, or the body is too long for any bearer."""
        if kind not in ENCRYPTED or len(body) > MAX_MESSAGE - crypto.TAG_BYTES:
            raise LocalError("frame.body", f"{kind.name}, {len(body)} bytes")
        number = self.counter.next()
        head = Frame(kind, number % TURN, b"").head
        return Message(kind, number, crypto.encrypt(self._own, crypto.nonce(self._speaks, number), body, head))

    def open(self, head: Frame, data: bytes) -> Opened:
        """The message in `data`, put together, that came under this head; RemoteError `frame.forged` if it is none.

        A number too old to tell is `frame.old`.
        """
        for speaker in self._speakers():
            window = self.windows.get(speaker, Window())
            for number in window.candidates(head.id):
                try:
                    body = crypto.decrypt(self._other, crypto.nonce(speaker, number), data, head.head)
                except RemoteError as wrong:
                    if wrong.reason != "frame.forged":
                        raise
                    continue
                return self._take(Opened(head.kind, number, body, speaker, fresh=True))
        raise RemoteError("frame.forged", "no key of ours made this")

    def take_back(self, opened: Opened) -> None:
        """A fresh message that was refused, or could not be kept: if it comes again it is fresh again, and not taken for
        one that was acknowledged.
        """
        self.windows[opened.speaker].remove(opened.counter)

    def seen(self, number: int) -> bool:
        """Whether a message of this id, if it is as new as it looks, was opened before. Anybody can say an id: only good
        for saying again what was said.
        """
        return any(window.seen(next(iter(window.candidates(number)))) for window in self.windows.values())

    def counter_of(self, number: int) -> int:
        """The whole number of the newest message of ours with this id."""
        newest = self.counter.peek - 1
        return newest - (newest - number) % TURN

    def _speakers(self) -> list[int]:
        """Those heard come first."""
        if self._speaks != UP:
            return [UP]
        return [*self.windows, *(one for one in range(1, MOST_INSTANCES + 1) if one not in self.windows)]

    def _take(self, opened: Opened) -> Opened:
        window = self.windows.setdefault(opened.speaker, Window())
        if window.too_old(opened.counter):
            raise RemoteError("frame.old", f"number {opened.counter}, newest {window.highest}")
        if window.seen(opened.counter):
            return opened._replace(fresh=False)
        window.add(opened.counter)
        return opened


def open_session(
    secret: bytes,
    station: str,
    epoch: Epoch,
    counter: Counter,
    speaks: int = UP,
    windows: Mapping[int, Window] | None = None,
) -> Session:
    """A session from what both sides agreed on (`keys.agree`)."""
    return Session(epoch, crypto.derive(secret, station, epoch), counter, speaks, windows)
