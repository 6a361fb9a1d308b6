"""A BeiDou short-message module that exists only here, for both protocols: it answers, waits, refuses and forgets as such
modules do. A machine; several share a `Sky`. Nothing is drawn but from the random generator handed in.
"""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import ceil
from random import Random

from drivers.simulated.beidou_faults import Faults, garbled
from drivers.simulated.beidou_sky import DELAY, LOSS, Message, Sky, Terminal
from protocols.errors import ProtocolError
from protocols.framing import Event, Send
from protocols.rdss import Sentence, Sentences, card_name, seal
from protocols.rdss_card import Card, Ici, Icp
from protocols.rdss_content import Form
from protocols.rdss_feedback import Feedback
from protocols.rdss_message import Tci, Tcq, Txa, Txr
from protocols.rdss_request import OFF, Rmo
from protocols.rdss_signal import Beam, Bsi, Pwi

__all__ = ["DELAY", "LOSS", "BeidouModule", "Faults", "Sky", "alone", "alone_bd3", "card_2", "card_3"]

BOOT = 2.0  # seconds until it answers after power
THINK = 0.2  # seconds until it answers a question
TRANSMIT = 1.0  # seconds until it says what became of a message
TIMERS_MOST = 64
LINES_MOST = 256  # said and not carried away yet: a wire does not wait


def card_2(
    number: str, broadcast: str = "0000011", *, interval: int = 60, level: int = 3, commander: bool = False
) -> Ici:
    """A card of the 2.1 protocol, as its own sentence says it."""
    return Ici(number, "00" + number[-6:], broadcast, 0 if commander else 3, str(interval), level, "N", "0")


def card_3(
    number: str, broadcast: str = "2032472", *, interval: int = 1, level: int = 5, commander: bool = False
) -> Icp:
    """A card of BD-3."""
    head = [number, broadcast, "1", "3", "0", "N", "1", "Y", "1", "0", "0", "3", "1", str(interval), str(level)]
    return Icp((*head, "1", "1", "2", "2", "500" if commander else "0", "100", "10", "10"))


class BeidouModule:
    """See `protocols.framing.Machine`. `card` None: the slot is empty. `utc`: Unix seconds when it is first switched on.

    `sent` holds what was transmitted; a test reads it.
    """

    def __init__(
        self,
        sky: Sky,
        card: Ici | Icp | None,
        chance: Random,
        *,
        bd3: bool = False,
        faults: Faults | None = None,
        utc: float = 1_795_320_000.0,
    ) -> None:
        self.sky, self.faults, self.bd3 = sky, faults or Faults(), isinstance(card, Icp) or (card is None and bd3)
        self.sent: list[tuple[float, str, bytes]] = []
        self.early = self.starts = 0
        self._said = card or (card_3("0", "0") if bd3 else Ici("0000000", "00000000", "0000000", 0, "0", 0, "N", "0"))
        self.card: Card = self._said.card
        self.terminal = sky.join(Terminal(self.card.number, self.card.broadcast, self.card.commander))
        self._chance, self._utc = chance, utc
        self._sentences = Sentences()
        self._now = self._ready = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._out: deque[bytes] = deque(maxlen=LINES_MOST)
        self._reports: dict[str, float] = {}
        self._deaf = True

    def reached(self, wake: Callable[[], None]) -> None:
        """Whom to call when a message is on its way here."""
        self.terminal.woken = wake

    @property
    def deadline(self) -> float | None:
        if not self.starts:
            return 0.0
        times = [self.terminal.due, self._timers[0][0] if self._timers else None]
        return min((time for time in times if time is not None), default=None)

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        self._catch_up(now)
        if not self._deaf and not self.faults.mute:
            for found in self._sentences.feed(data):
                if isinstance(found, Sentence):
                    self._hear(found)
        return self._flush()

    def tick(self, now: float) -> Sequence[Event]:
        self._catch_up(now)
        return self._flush()

    def restart(self) -> None:
        """Power is gone and back: reports, questions under way and half a line are forgotten, the card's time is not."""
        self.starts += 1
        self._timers, self._sentences, self._reports, self._deaf = [], Sentences(), {}, True
        self._later(BOOT, self._awake)

    def _awake(self) -> None:
        self._deaf = False
        if self.bd3:
            self._out.append(b"READY FOR TRANSMISSION\r\n")
            self._set_report("PWI", 1.0)

    # Time

    def _later(self, wait: float, then: Callable[[], None]) -> None:
        self._order += 1
        if len(self._timers) < TIMERS_MOST:
            heapq.heappush(self._timers, (self._now + wait, self._order, then))

    def _catch_up(self, now: float) -> None:
        if not self.starts:  # it is switched on when first looked at
            self._now, self._utc = now, self._utc - now
            self.restart()
        while self._timers and self._timers[0][0] <= now:
            self._now, _, then = heapq.heappop(self._timers)
            then()
        self._now = now
        for message in self.sky.collect(self.terminal, now):
            if not self._deaf and self.card.present and self.faults.beams:
                self._deliver(message)

    def _clock(self) -> datetime:
        return datetime.fromtimestamp(self._utc + self._now, UTC)

    # What the host says

    def _hear(self, sentence: Sentence) -> None:
        if self.faults.echo:
            self._out.append(seal(sentence.address, sentence.body))
        try:
            self._obey(sentence)
        except ProtocolError:
            if sentence.kind in ("TXA", "TCQ"):
                self._later(THINK, lambda: self._refuse(11 if self.bd3 else 0, 0.0))

    def _obey(self, sentence: Sentence) -> None:
        if sentence.address == ("CCICR" if self.bd3 else "CCICA"):
            self._later(THINK, lambda: self._out.append(self._said.seal()))
        elif sentence.address == "CCRMO":
            self._switch(Rmo.parse(sentence))
        elif sentence.address == "CCTXA" and not self.bd3:
            txa = Txa.parse(sentence)
            self._asked(txa.to, txa.form, txa.content)
        elif sentence.address == "CCTCQ" and self.bd3:
            tcq = Tcq.parse(sentence)
            self._asked(tcq.to, tcq.form, tcq.content, int(tcq.point))

    def _switch(self, rmo: Rmo) -> None:
        period = 0.0 if rmo.mode == OFF else float(rmo.period or 0)
        if rmo.mode != OFF:
            self._report(rmo.kind)
        self._set_report(rmo.kind, period)

    def _set_report(self, kind: str, period: float) -> None:
        known = self._reports.get(kind, 0.0)
        self._reports[kind] = period
        if period and not known:
            self._later(period, lambda: self._repeat_report(kind))

    def _repeat_report(self, kind: str) -> None:
        if self._reports.get(kind, 0.0):
            self._report(kind)
            self._later(self._reports[kind], lambda: self._repeat_report(kind))

    def _report(self, kind: str) -> None:
        make = {"BSI": self._bsi, "PWI": self._pwi, "ZDA": self._zda}.get(kind)
        if make is not None:
            self._out.append(make())

    # Sending

    def _asked(self, to: str, form: Form, content: bytes, point: int = 0) -> None:
        if self.faults.restart:
            self.faults.restart = False
            if self._chance.random() < 0.5:
                self._transmit(to, form, content)
            self.restart()
        elif self.faults.silent:
            if self.faults.silent.popleft():
                self._transmit(to, form, content)
        else:
            self._later(TRANSMIT, lambda: self._judge(to, form, content, point))

    def _judge(self, to: str, form: Form, content: bytes, point: int) -> None:
        if self.faults.words:
            self._out.append(b"TCQ OK!\r\n" if self.bd3 else b"TXA OK!\r\n")
        if self.faults.refusals:
            self._refuse(*self.faults.refusals.popleft())
        elif not self.card.present:
            self._refuse(5 if self.bd3 else 0, 0.0)
        elif not self.faults.beams:
            self._refuse(4, 0.0)
        elif self._now < self._ready:
            self.early += 1
            self._refuse(1 if self.bd3 else 0, ceil(self._ready - self._now))
        elif _bits(form, content) > self.card.bits(point) or not content:
            self._refuse(6 if self.bd3 else 0, 0.0)
        else:
            self._transmit(to, form, content)
            self._feedback(0, 0.0 if self.bd3 else self.card.interval, done=True)

    def _transmit(self, to: str, form: Form, content: bytes) -> None:
        self._ready = self._now + self.card.interval
        if self.faults.decimal and form is Form.CODE:
            content = bytes(digit if 0x30 <= digit <= 0x39 else 0x30 for digit in content)
        self.sent.append((self._now, card_name(to), content))
        self.sky.send(self.terminal, to, form, content, self._now)

    def _refuse(self, code: int, wait: float) -> None:
        self._feedback(code, wait, done=False)

    def _feedback(self, code: int, wait: float, *, done: bool) -> None:
        command = "TCQ" if self.bd3 else "TXA"
        third = self.bd3 or self.faults.third
        clock = f"{self._clock():%H%M%S}" if third else None
        self._out.append(Feedback(command, done, code, wait, rate=not wait or done, clock=clock).seal())

    # What it says

    def _deliver(self, message: Message) -> None:
        line = self._tci(message) if self.bd3 else self._txr(message)
        self._out.extend([line] * (2 if self._chance.random() < self.faults.repeat else 1))

    def _txr(self, message: Message) -> bytes:
        return Txr("3" if message.broadcast else "1", message.sender, message.form, "", self._content(message)).seal()

    def _tci(self, message: Message) -> bytes:
        sender = ("0" if self.faults.noughts else "") + message.sender.lstrip("0")
        clock = f"{self._clock():%H%M%S}"
        return Tci(sender, message.to.lstrip("0"), "2", clock, message.form, "0", self._content(message)).seal()

    def _content(self, message: Message) -> bytes:
        """Hex, or raw as some firmware has it; a control character would end its line."""
        if not self.faults.raw or message.form is not Form.MIXED:
            return message.content
        data = bytes.fromhex(message.content[2:].decode("ascii"))
        return message.content if {10, 13} & set(data) else b"\xa4" + data

    def _bsi(self) -> bytes:
        if not self.faults.beams:
            return Bsi("00", "00", (0,) * 10).seal()
        return Bsi("01", "03", (3, 2, 2, 0, 3, 0, 0, 3, 0, 0)).seal()

    def _pwi(self) -> bytes:
        flag = "0" if self.faults.pwi_fields == 4 else None
        beams = (Beam("2", "51", "44", flag), Beam("4", "50", "43", flag)) if self.faults.beams else ()
        clock = f"{self._clock():%H%M%S}.00" if self.faults.clock else "000000.00"
        return Pwi(clock, ("00", f"{len(beams):02d}"), (), beams).seal()

    def _zda(self) -> bytes:
        clock = self._clock()
        time, date = f"{clock:%H%M%S}.00", (f"{clock:%d}", f"{clock:%m}", f"{clock:%Y}")
        if not self.faults.clock:
            time, date = "000000.00", ("01", "01", "2006")
        return seal("BDZDA", time, *date, "00", "00") if self.bd3 else seal("BDZDA", "1", time, *date, "+00", "00", "N")

    def _flush(self) -> Sequence[Event]:
        said = list(self._out)
        self._out.clear()
        return [] if self.faults.mute else [Send(piece) for piece in garbled(said, self.faults, self._chance)]


def _bits(form: Form, content: bytes) -> int:
    """What so much content takes on the air."""
    return {Form.CODE: 4 * len(content), Form.MIXED: 4 * len(content)}.get(form, 7 * len(content))


def alone() -> BeidouModule:
    """A module whose only peer is itself: what goes to its own number, 0242286, comes back."""
    return _under_its_own_sky(card_2("0242286"))


def alone_bd3() -> BeidouModule:
    """As `alone`, of BD-3; its number is 15240507."""
    return _under_its_own_sky(card_3("15240507", interval=30))


def _under_its_own_sky(card: Ici | Icp) -> BeidouModule:
    sky, module = Random(2), Random(1)  # noqa: S311 - a device that plays the same every time, no secret
    return BeidouModule(Sky(sky, loss=LOSS), card, module)
