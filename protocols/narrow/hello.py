"""How a station announces an epoch, and what a headend makes of it.

    up     nonce 12 | AES-CCM( epoch number 4, salt 8, next counter 6, contexts 23 each ) | tag 8
    down   nonce 12 | AES-CCM( answer 1, highest epoch number 4, Unix milliseconds 6 ) | tag 8

Encrypted under the hello key, with direction and nonce; an answer also covers the nonce of the hello it answers, so that it
cannot be older than that. Randomness and time are arguments; files are their keeper's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from protocols.errors import LocalError, RemoteError
from protocols.narrow import context, keys
from protocols.narrow.context import Context
from protocols.narrow.counter import TURN
from protocols.narrow.header import Frame, Kind
from protocols.narrow.keys import EPOCH_SALT_BYTES, UP, Epoch
from protocols.narrow.session import Opened, Session

NONCE_BYTES = 12  # and the direction before it
UNASKED = bytes(NONCE_BYTES)  # in place of a hello's nonce: nobody said hello
MOST_CONTEXTS = 8
MOST_SESSIONS = 2  # epochs a headend still hears: the one spoken last, and the one before
DOWN = 1
_FIXED = 18  # bytes before the contexts


class Welcome(IntEnum):
    WELCOME = 0  # this epoch is known
    BEHIND = 1  # a higher one was seen: go above it
    WHO = 2  # something came that no known epoch opens: say hello


@dataclass(frozen=True, slots=True)
class Hello:
    """`counter` is the next the station will use; what comes with it below was sent before."""

    epoch: Epoch
    counter: int
    contexts: tuple[Context, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """`highest` is the highest epoch number the headend knows of this station; `unix_ms` its clock, 0 where it knows none."""

    welcome: Welcome
    highest: int
    unix_ms: int


def say(key: bytes, hello: Hello, nonce: bytes) -> Frame:
    """A hello as a frame; `nonce` is random and never used again."""
    if len(hello.contexts) > MOST_CONTEXTS:
        raise LocalError("hello.contexts", str(len(hello.contexts)))
    plain = hello.epoch.bytes + hello.counter.to_bytes(6) + b"".join(one.encode() for one in hello.contexts)
    return _frame(key, UP, nonce, plain, b"")


def hear(key: bytes, frame: Frame) -> tuple[Hello, bytes]:
    """A station's hello and its nonce; RemoteError if it is none, or forged."""
    nonce, plain = _open(key, UP, frame, b"")
    rest = plain[_FIXED:]
    if len(plain) < _FIXED or len(rest) % context.BYTES or len(rest) > MOST_CONTEXTS * context.BYTES:
        raise RemoteError("hello.length", f"{len(plain)} bytes")
    contexts = tuple(context.decode(rest[at : at + context.BYTES]) for at in range(0, len(rest), context.BYTES))
    epoch = Epoch(int.from_bytes(plain[:4]), plain[4 : 4 + EPOCH_SALT_BYTES])
    return Hello(epoch, int.from_bytes(plain[12:18]), contexts), nonce


def answer(key: bytes, said: Answer, nonce: bytes, hello: bytes = UNASKED) -> Frame:
    """`hello` is the nonce of the hello answered."""
    plain = bytes((said.welcome,)) + said.highest.to_bytes(4) + said.unix_ms.to_bytes(6)
    return _frame(key, DOWN, nonce, plain, hello)


def understand(key: bytes, frame: Frame, hello: bytes = UNASKED) -> Answer:
    """The headend's answer to the hello of this nonce; RemoteError if it is none."""
    _, plain = _open(key, DOWN, frame, hello)
    if len(plain) != 11 or plain[0] not in set(Welcome):
        raise RemoteError("hello.answer", f"{len(plain)} bytes")
    return Answer(Welcome(plain[0]), int.from_bytes(plain[1:5]), int.from_bytes(plain[5:]))


class Epochs:
    """A headend's sessions with one station: those it may still be speaking in, the one last spoken first.

    `begin(hello)` makes the session of a new epoch, with a counter of its own that begins at 0.
    """

    def __init__(self, begin: Callable[[Hello], Session], sessions: Sequence[Session] = (), highest: int = 0) -> None:
        self._begin = begin
        self.sessions = list(sessions)[:MOST_SESSIONS]
        self.highest = max([highest, *(one.epoch.number for one in self.sessions)])

    @property
    def current(self) -> Session | None:
        """For what is said to the station."""
        return self.sessions[0] if self.sessions else None

    def greet(self, hello: Hello) -> Welcome:
        """What to answer. A new epoch must be higher than any before; the one spoken until now is still heard."""
        if any(one.epoch == hello.epoch for one in self.sessions):
            return Welcome.WELCOME
        if hello.epoch.number <= self.highest:
            return Welcome.BEHIND
        self.highest = hello.epoch.number
        self.sessions = [self._begin(hello), *self.sessions][:MOST_SESSIONS]
        return Welcome.WELCOME

    def open(self, head: Frame, data: bytes) -> tuple[Session, Opened]:
        """As `Session.open`, in whichever epoch it was said. What is fresh makes its epoch the current one."""
        for session in self.sessions:
            try:
                opened = session.open(head, data)
            except RemoteError as wrong:
                if wrong.reason != "frame.forged":
                    raise
                continue
            if opened.fresh:
                self.sessions.sort(key=lambda one: one is not session)
            return session, opened
        raise RemoteError("frame.forged", "no epoch of this station")


def _frame(key: bytes, direction: int, nonce: bytes, plain: bytes, more: bytes) -> Frame:
    if len(nonce) != NONCE_BYTES:
        raise LocalError("hello.nonce", f"{len(nonce)} bytes")
    head = Frame(Kind.HELLO, int.from_bytes(nonce[:2]) % TURN, b"")
    return head._replace(body=nonce + keys.encrypt(key, bytes((direction,)) + nonce, plain, head.head + more))


def _open(key: bytes, direction: int, frame: Frame, more: bytes) -> tuple[bytes, bytes]:
    nonce, data = frame.body[:NONCE_BYTES], frame.body[NONCE_BYTES:]
    if frame.kind != Kind.HELLO or frame.piece or len(nonce) < NONCE_BYTES:
        raise RemoteError("hello.form", f"{len(frame.body)} bytes")
    return nonce, keys.decrypt(key, bytes((direction,)) + nonce, data, frame.head + more)
