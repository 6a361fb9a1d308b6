"""A module's session as a machine: its card, its beams, one message at a time, what comes in. No I/O and no clock.

    BOOT (3 s) → CARD (asked every 10 s) → READY → SENDING (feedback within 10 s) → READY

A message is refused at once where it cannot go (no card, too long, too early), waits a while for power, and ends with
one `Outcome`. No feedback at all is doubt: the module may have sent it, or have started anew in the middle; so its card
is read again. Before a message goes to the module its `Held` goes out, so that no restart forgets it.

One machine, left whole: what each sentence means depends on which of these states it is heard in.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from protocols.errors import LocalError, RemoteError
from protocols.framing import Event, Send
from protocols.rdss import Flaw, Sentence, Sentences, Text, card_name, is_card
from protocols.rdss_card import Card, Ici, Icp
from protocols.rdss_content import Coding, write
from protocols.rdss_events import Clock, Held, Incoming, Options, Outcome, Standing
from protocols.rdss_feedback import Feedback
from protocols.rdss_hold import Hold
from protocols.rdss_message import BROADCAST, Tci, Tcq, Txa, Txr
from protocols.rdss_repeats import Repeats
from protocols.rdss_request import CARD_3, CARD_21, Rmo
from protocols.rdss_signal import Bsi, Pwi
from protocols.rdss_time import nps, zda

BOOT = 3.0  # seconds from power on to the first question (makers' samples wait 1 to 3)
ANSWER = 10.0  # seconds for an answer of any kind; makers' own programs wait 2 to 8 and give up too soon
OTHER = 3.0  # seconds until the same is asked in the other protocol; an answer to the first is taken later, too
ASK_AGAIN_MOST = 60.0  # seconds between questions to a module that does not answer, or has no card
POWER_PATIENCE = 20.0  # seconds that a message waits for a beam: a cloud or a branch, not a roof
STALE = 30.0  # seconds after which the last word on the beams is no word
QUIET = 90.0  # seconds without a byte from a module that reports every few seconds: it is gone
REPORTS = {
    False: (Rmo("BSI", period="10"), Rmo("ZDA", period="60")),
    True: (Rmo("PWI", period="5"), Rmo("ZDA", period="60")),
}
UNEXPLAINED = (
    20.0  # seconds after a refusal without a wait: soon after, one was seen to be accepted (public transcript)
)
# Seconds after which a refusal may have gone away, where the module does not say itself.
RETRY: Mapping[str, float] = {
    "inhibited": 600.0,  # by the system: a matter of the control centre
    "silence": 600.0,  # switched on by a person
    "battery": 300.0,
    "power": 30.0,
    "no-card": 60.0,
    "permission": 3600.0,  # of the card or its contract: an operator's matter
    "checksum": 1.0,  # the line between us garbled it
}


class State(Enum):
    OFF = "off"
    BOOT = "boot"
    CARD = "card"
    READY = "ready"
    SENDING = "sending"


class Session:
    """See the head of the file. `start`, `receive`, `tick` and `send` take the time and give events."""

    def __init__(self, options: Options, left: float | None = None) -> None:
        self.options = options
        self.state = State.OFF
        self.card: Card | None = None
        self.power: Bsi | Pwi | None = None
        self.hold = Hold(left)
        self.coding = options.coding  # may be changed at any time, when the firmware is known
        self._sentences = Sentences()
        self._timer: float | None = None
        self._powered_at = self._heard_at = float("-inf")
        self._asks = 0
        self._waiting: tuple[bytes, float] | None = None  # the sentence, and until when it waits for power
        self._taken = False  # the module said in words that it took the message
        self._repeats = Repeats()

    @property
    def deadline(self) -> float | None:
        times = [self._timer, self._waiting and self._waiting[1]]
        if self.state is State.READY:
            times.append(self._heard_at + QUIET)
        return min((time for time in times if time is not None), default=None)

    @property
    def busy(self) -> bool:
        return self.state is State.SENDING or self._waiting is not None

    @property
    def mtu(self) -> int:
        """Bytes of a datagram."""
        return self.capacity(self.in_use)

    def capacity(self, coding: Coding) -> int:
        """What the operator set stands for what the tables do not know, but not above the frequency point's own length."""
        card = self.card or Card("0", "", 0, 3, encrypted=False, commander=False, bd3=self.options.protocol == "rsmc")
        if not self.options.most:
            return card.capacity(coding, self.options.point)
        top = card._replace(level=5) if card.bd3 else card._replace(level=4)
        return min(self.options.most, top.capacity(coding, self.options.point))

    @property
    def in_use(self) -> Coding:
        """Firmware that takes decimal digits only is common among BD-3 modules, so until hex is proven it is decimal."""
        bd3 = self.card.bd3 if self.card else self.options.protocol == "rsmc"
        return self.coding or (Coding.DECIMAL if bd3 else Coding.MIXED)

    def able(self, now: float) -> bool | None:
        """Whether there is power to send; None where the module does not say."""
        if self.power is None or now - self._powered_at > STALE:
            return None
        return self.power.able()

    def start(self, now: float) -> Sequence[Event]:
        """The line is open, or open anew; the module may have just been switched on."""
        self._sentences = Sentences()
        self.hold.begin(now)
        self.state, self._timer, self._waiting = State.BOOT, now + BOOT, None
        self._heard_at, self.power, self._asks = now, None, 0
        return []

    def send(
        self, data: bytes, to: str, now: float, *, unix: float | None = None, coding: Coding | None = None
    ) -> Sequence[Event]:
        """One message; its `Outcome` is among these events or comes later. `unix` is the time, where it is known from
        elsewhere; `coding` other than the one in use tries what the firmware takes.
        """
        coding = coding or self.in_use
        refusal = self._refusal(data, to, now, self.capacity(coding))
        if refusal is not None:
            return [refusal]
        try:
            sentence = self._placed(unix) + self._sentence(data, to, coding)
        except LocalError as wrong:
            return [Outcome(False, wrong.reason, None)]
        self._waiting = sentence, now + POWER_PATIENCE
        return self._try(now)

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        self._heard_at = now
        events: list[Event] = []
        for found in self._sentences.feed(data):
            if isinstance(found, Sentence):
                events += self._understand(found, now)
            elif isinstance(found, Text):
                self._taken |= found.words.startswith(("TCQ OK", "TXA OK"))
                events.append(found)
            else:
                events.append(found)
        return events

    def tick(self, now: float) -> Sequence[Event]:
        if self._waiting is not None and now >= self._waiting[1]:
            return self._impatient(now)
        if self.state is State.READY and now >= self._heard_at + QUIET:
            return self._ask(now)
        if self._timer is None or now < self._timer:
            return []
        if self.state is State.SENDING:
            self.hold.later(now + ANSWER)  # a late feedback must not be taken for the next one's
            reason = "no-feedback" if not self._taken else "taken"
            return [Held(self.hold.until), Outcome(None, reason), *self._ask(now)]
        silent = [Standing("silent")] if self.state is State.CARD and self._asks > 1 else []
        return [*silent, *self._ask(now)]

    # asking for the card

    def _ask(self, now: float) -> list[Event]:
        """Both protocols in turn, where it is not said which; ever less often."""
        both = (CARD_21, CARD_3) if self.card and not self.card.bd3 else (CARD_3, CARD_21)
        wanted = {"2.1": CARD_21, "rsmc": CARD_3}.get(self.options.protocol, both[self._asks % 2])
        first = self.options.protocol == "auto" and self._asks == 0
        pause = OTHER if first else min(ANSWER * max(self._asks, 1), ASK_AGAIN_MOST)
        self.state, self._timer = State.CARD, now + pause
        self._asks += 1
        return [Send(wanted)]

    def _read_card(self, card: Card, now: float) -> list[Event]:
        if self.options.protocol == ("2.1" if card.bd3 else "rsmc"):
            return []  # a module of both worlds answers in both; the configured one counts
        if self.state is not State.CARD:
            return []  # and else the first
        known, self.card = self.card, card
        self.hold.card(card.interval)
        if not card.present:
            self._timer = now + ASK_AGAIN_MOST
            return [Standing("no-card")]
        self.state, self._timer, self._asks = State.READY, None, 0
        setting = [Send(report.seal()) for report in REPORTS[card.bd3]]
        if self.options.beams is not None and not card.bd3:
            setting.append(Send(self.options.beams.seal()))
        new = [] if known == card else [card]
        return [*new, Standing("ready"), *setting]

    # sending

    def _refusal(self, data: bytes, to: str, now: float, most: int) -> Outcome | None:
        """Why a message cannot go now; nothing of it is the module's doing."""
        card, ready = self.card, self.state is State.READY
        refusals = (
            (self.busy, Outcome(False, "busy", ANSWER)),
            (card is not None and not card.present, Outcome(False, "no-card", RETRY["no-card"])),
            (not ready, Outcome(False, "starting" if self._asks < 3 else "silent", ANSWER)),
            (not 0 < len(data) <= most, Outcome(False, "length", None)),
            (not is_card(to), Outcome(False, "address", None)),
            (self.hold.left(now) > 0, Outcome(False, "early", self.hold.left(now))),
        )
        return next((outcome for wrong, outcome in refusals if wrong), None)

    def _sentence(self, data: bytes, to: str, coding: Coding) -> bytes:
        content = write(data, coding)
        if self.card is None or not self.card.bd3:
            return Txa(card_name(to), coding.form, content).seal()
        confirm = "2" if self.options.confirm else "1"
        number = to.lstrip("0")  # BD-3 writes its numbers without noughts in front
        return Tcq(number, str(self.options.point), confirm, coding.form, content, swapped=self.options.swapped).seal()

    def _placed(self, unix: float | None) -> bytes:
        """Where the station stands, for a module that cannot find out."""
        if unix is None or self.options.position is None or self.card is None or not self.card.bd3:
            return b""
        return nps(unix, *self.options.position)

    def _try(self, now: float) -> list[Event]:
        """Transmit what waits, if there is power."""
        if self._waiting is None or not self.able(now):
            return []
        return self._transmit(now)

    def _transmit(self, now: float) -> list[Event]:
        if self._waiting is None:
            return []
        sentence, self._waiting = self._waiting[0], None
        self.state, self._timer, self._taken = State.SENDING, now + ANSWER, False
        return [Held(self.hold.transmit(now)), Send(sentence)]

    def _impatient(self, now: float) -> list[Event]:
        """A module that never speaks of its beams may send all the same; it will say no where it must."""
        if self.able(now) is None:
            return self._transmit(now)
        self._waiting = None
        return [Outcome(False, "signal", RETRY["power"])]

    # what the module says

    def _understand(self, sentence: Sentence, now: float) -> list[Event]:
        handler = self._HANDLERS.get(sentence.kind)
        if handler is None or sentence.address.startswith("CC"):  # some modules echo
            return []
        try:
            return handler(self, sentence, now)
        except RemoteError as wrong:
            return [Flaw(wrong.reason, sentence.body, wrong.offset or 0)]

    def _ici(self, sentence: Sentence, now: float) -> list[Event]:
        return self._read_card(Ici.parse(sentence).card, now)

    def _icp(self, sentence: Sentence, now: float) -> list[Event]:
        return self._read_card(Icp.parse(sentence).card, now)

    def _bsi(self, sentence: Sentence, now: float) -> list[Event]:
        self.power, self._powered_at = Bsi.parse(sentence), now
        return self._try(now)

    def _pwi(self, sentence: Sentence, now: float) -> list[Event]:
        power = Pwi.parse(sentence)
        self.power, self._powered_at = power, now
        second = power.day_second
        told: list[Event] = [] if second is None else [Clock(None, second)]
        return told + self._try(now)

    def _zda(self, sentence: Sentence, _now: float) -> list[Event]:
        unix = zda(sentence)
        return [] if unix is None else [Clock(unix)]

    def _fki(self, sentence: Sentence, now: float) -> list[Event]:
        feedback = Feedback.parse(sentence)
        if feedback.command not in ("TXA", "TCQ"):
            return []
        if self.state is not State.SENDING:  # too late for its message; its wait is news all the same
            return [Held(self.hold.later(now + self.hold.believed(feedback.wait)))] if feedback.wait else []
        self.state, self._timer = State.READY, None
        if feedback.done:
            sure = feedback.reason == ""
            return [Held(self.hold.sent(now, feedback.wait)), Outcome(True if sure else None, feedback.reason)]
        return self._refused(feedback, now)

    def _refused(self, feedback: Feedback, now: float) -> list[Event]:
        unexplained = min(UNEXPLAINED, self.hold.interval)
        said = self.hold.believed(feedback.wait)
        wait = said or RETRY.get(feedback.reason, unexplained)
        until = self.hold.refused(now, said or min(wait, unexplained))
        asked = self._ask(now) if feedback.reason == "no-card" else []
        return [Held(until), Outcome(False, feedback.reason, wait), *asked]

    def _txr(self, sentence: Sentence, now: float) -> list[Event]:
        message = Txr.parse(sentence)
        if self._repeats.has(card_name(message.sender), message.clock, message.content, now):
            return [Flaw("repeat", message.content, 0)]
        return [Incoming(message.payload, card_name(message.sender), message.category == BROADCAST)]

    def _tci(self, sentence: Sentence, now: float) -> list[Event]:
        message = Tci.parse(sentence)
        if self._repeats.has(card_name(message.sender), message.clock, message.content, now):
            return [Flaw("repeat", message.content, 0)]
        broadcast = self.card is not None and message.broadcast_to(self.card.broadcast)
        return [Incoming(message.payload, card_name(message.sender), broadcast)]

    _HANDLERS: Mapping[str, Callable[["Session", Sentence, float], list[Event]]] = {
        "ICI": _ici,
        "ICP": _icp,
        "BSI": _bsi,
        "PWI": _pwi,
        "ZDA": _zda,
        "FKI": _fki,
        "TXR": _txr,
        "TCI": _tci,
    }
