"""The receiving side of a narrow bearer: datagrams in, genuine messages and the receipts to give out. Knows no bearer,
no clock and no disk.

A station has one `Link` for each headend; a headend one for each station, all sharing one `Reassembly`.
"""

from typing import NamedTuple, Protocol

from protocols.errors import RemoteError
from protocols.narrow.header import ENCRYPTED, Frame
from protocols.narrow.reassembly import Reassembly
from protocols.narrow.receipt import Reason, Receipt
from protocols.narrow.session import Opened, Session


class Received(NamedTuple):
    """What came of a datagram. `receipt` is what to answer, in `session`; None where nothing is asked for.

    `reason` is empty for a fresh message, else why there is none: `part`, `again` (it came before), `forged`, `old`,
    `short`, `long`, `kind`.
    """

    frame: Frame
    session: Session | None = None
    opened: Opened | None = None
    receipt: Receipt | None = None
    reason: str = ""


class Voices(Protocol):
    """The sessions with one other side: a station's one (`One`), or a headend's `hello.Epochs`."""

    @property
    def current(self) -> Session | None: ...
    def open(self, head: Frame, data: bytes) -> tuple[Session, Opened]: ...


class One:
    """A station's: the epoch it speaks in."""

    def __init__(self, session: Session) -> None:
        self.current: Session | None = session

    def open(self, head: Frame, data: bytes) -> tuple[Session, Opened]:
        session = self.current
        if session is None:
            raise RemoteError("frame.forged", "no epoch")
        return session, session.open(head, data)


class Link:
    """One other side, however many bearers lead to it. Whoever refuses a fresh message, or cannot keep it, says so by
    `Session.take_back` before the next datagram: what comes again is answered as complete.
    """

    def __init__(self, voices: Voices, reassembly: Reassembly) -> None:
        self.voices, self._reassembly = voices, reassembly

    def receive(self, sender: str, frame: Frame, now: float) -> Received:
        """An encrypted frame, whole or a piece. Never an error: what is worth nothing has a reason.

        `sender` names the other side and the bearer it was heard by: pieces from two bearers are put together apart.
        """
        if frame.kind not in ENCRYPTED:
            return Received(frame, reason="kind")
        if frame.piece is None:
            return self._open(frame, frame.body)
        session = self.voices.current
        if session and session.seen(frame.id):
            return Received(frame, session, receipt=Receipt(frame.id) if frame.wanted else None, reason="again")
        try:
            taken = self._reassembly.take(sender, frame, now, lambda data: self._whole(frame, data))
        except RemoteError as wrong:
            return Received(frame, reason=wrong.reason.removeprefix("frame."))
        return taken.found or Received(frame, session, receipt=taken.receipt, reason="part")

    def _whole(self, frame: Frame, data: bytes) -> Received | None:
        """None where the pieces are not all genuine. A message put together is always acknowledged."""
        found = self._open(frame._replace(wanted=True), data)
        return None if found.reason in {"forged", "short"} else found

    def _open(self, frame: Frame, data: bytes) -> Received:
        try:
            session, opened = self.voices.open(frame, data)
        except RemoteError as wrong:
            reason = wrong.reason.removeprefix("frame.")
            old = Receipt(frame.id, refused=Reason.OLD) if reason == "old" and frame.wanted else None
            return Received(frame, self.voices.current, receipt=old, reason=reason)
        receipt = Receipt(frame.id) if frame.wanted else None
        return Received(frame, session, opened, receipt, "" if opened.fresh else "again")
