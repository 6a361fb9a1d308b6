"""What comes in by a bearer, taken apart and handed on: receipts, commands, hellos, sealed bytes. Judges no seal and settles
nothing itself; what is worth nothing is counted, and nobody is answered.
"""

from collections.abc import Callable
from dataclasses import dataclass

from agent.bearers.line import Line
from agent.bearers.pact import Pact
from drivers.api import Datagram
from protocols.errors import RemoteError
from protocols.narrow import control, header, receipt
from protocols.narrow.command import Command
from protocols.narrow.command import decode as decode_command
from protocols.narrow.control import Ping, Time
from protocols.narrow.header import Frame, Kind
from protocols.narrow.link import Link, Received
from protocols.narrow.reassembly import Reassembly
from protocols.narrow.receipt import Reason, Receipt
from protocols.narrow.session import Opened

GAP = 90.0  # seconds without a further piece before what is missing is said unasked: a slot of BeiDou, and half of one


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears of what. `proven(line, counter, receipt)`; `answered(line)`: the headend spoke, in this epoch, just now;
    `time(unix_ms, seconds)`: the headend's clock, at most so many seconds ago (None: nobody knows).
    """

    proven: Callable[[Line, int, Receipt], None]
    answered: Callable[[Line], None]
    command: Callable[[Line, Command], None]
    time: Callable[[int, float | None], None]


class Hearing:
    """Of one headend, by all its bearers."""

    def __init__(self, pact: Pact, ears: Ears) -> None:
        self._pact, self._ears = pact, ears
        self._reassembly = Reassembly()
        self._link = Link(pact, self._reassembly)

    def take(self, line: Line, datagram: Datagram, frame: Frame, now: float) -> None:
        """Anything but sealed bytes."""
        if frame.kind is Kind.HELLO:
            self._hello(line, frame)
        elif frame.kind is Kind.ACKS:
            self._acks(line, frame)
        elif frame.address and frame.address != self._pact.address_down:
            line.counts["foreign"] += 1
        else:
            self._message(line, datagram.sender, frame, now)

    def stalled(self, lines: dict[str, Line], now: float) -> None:
        """Messages of which nothing more comes: the other side is told what is missing."""
        for name, missing in self._reassembly.stalled(now, GAP):
            line = lines.get(name.sender.partition("\0")[0])
            if line is not None:
                line.owe(missing, name.sender.partition("\0")[2], now)

    def status(self) -> dict[str, int]:
        return {"unfinished": len(self._reassembly), "given_up": self._reassembly.given_up}

    def _hello(self, line: Line, frame: Frame) -> None:
        said = self._pact.answered(frame)
        line.counts["forged" if said is None else "hello"] += 1
        if said is not None and said.after is not None:
            self._ears.answered(line)
            if said.answer.unix_ms:
                self._ears.time(said.answer.unix_ms, said.after)

    def _acks(self, line: Line, frame: Frame) -> None:
        """Most rows are for others; a row for us that is not proven settles nothing."""
        try:
            rows = receipt.decode_many(frame.body)
        except RemoteError as wrong:
            line.counts[wrong.reason] += 1
            return
        for row in rows:
            if row.address != self._pact.address_down:
                continue
            counter = self._pact.proves(row)
            line.counts["forged" if counter is None else "acks"] += 1
            if counter is not None:
                self._ears.proven(line, counter, row.receipt)

    def _message(self, line: Line, sender: str, frame: Frame, now: float) -> None:
        got = self._link.receive(f"{line.name}\0{sender}", frame, now)
        line.counts[got.reason or frame.kind.name.lower()] += 1
        if got.receipt is not None:
            line.owe(self._judged(line, got), sender, now)
        elif got.opened is not None and not got.reason:
            self._opened(line, got.opened)

    def _judged(self, line: Line, got: Received) -> Receipt:
        """The receipt, or a refusal where the message says nothing that can be understood."""
        assert got.receipt is not None  # noqa: S101 - asked for by the caller
        if got.opened is None or got.reason:
            return got.receipt
        refused = self._opened(line, got.opened)
        return got.receipt if refused is None else Receipt(got.receipt.id, refused=refused)

    def _opened(self, line: Line, opened: Opened) -> Reason | None:
        try:
            if opened.kind is Kind.CONTROL:
                self._control(line, opened)
            elif opened.kind is Kind.COMMAND:
                self._ears.command(line, decode_command(opened.body))
            else:
                return Reason.UNSUPPORTED
        except RemoteError as wrong:
            line.counts[wrong.reason] += 1
            return Reason.MALFORMED
        return None

    def _control(self, line: Line, opened: Opened) -> None:
        self._ears.answered(line)
        for part in control.decode(opened.body):
            match part:
                case Receipt():
                    self._ears.proven(line, self._pact.session.counter_of(part.id), part)
                case Time(unix_ms):
                    self._ears.time(unix_ms, None)
                case Ping():
                    pass  # answered by the receipt that it asked for


def frame_of(line: Line, datagram: Datagram) -> Frame | None:
    """What a datagram holds, if it is one of ours and from somebody who may speak here."""
    if not line.hears(datagram.sender):
        line.counts["stranger"] += 1
        return None
    try:
        return header.decode(datagram.data)
    except RemoteError as wrong:
        line.counts[wrong.reason.removeprefix("frame.")] += 1
        return None
