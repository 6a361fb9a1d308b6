"""The session with a cellular or Tiantong modem: whose turn it is, what is due, what to do when it falls silent. A `Machine`.

It runs the procedures of `modem_procedures` over an `AtEngine`, one at a time: what arrived first, then what is to be
sent, then what is due. No I/O; time is an argument. One machine, left whole: each of its steps asks what is under way.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from protocols.at import AtEngine
from protocols.at_events import Command, Done, Lost, Ready, Result, Stray, Unsolicited
from protocols.at_lines import Final
from protocols.cellular import Sim
from protocols.errors import LocalError
from protocols.framing import Event, Send
from protocols.modem_dialect import Dialect
from protocols.modem_events import Climbed, Ignored, Phase, Refused, Silent, Submitted, Told
from protocols.modem_ladder import Ladder, Rung
from protocols.modem_procedures import BROKEN, Interrupted, Pause, Procedure, Procedures, Sending
from protocols.network_time import reported, spelled
from protocols.sms_desk import Desk
from protocols.sms_pdu import Pdu

WATCH, WATCH_SEARCHING = 30.0, 10.0  # seconds between looks at signal and registration
SWEEP = 300.0  # seconds between sweeps of the stores, in case an announcement was lost
CLOCK = 300.0  # seconds between questions for the time
AGAIN = 30.0  # seconds until a start that led nowhere is tried anew
MOST_SENDS = 8
MOST_ANNOUNCED = 32  # messages announced and not yet read; beyond, a sweep finds them
WAITS: Mapping[str, float] = {"starting": 10.0, "searching": 30.0, "sim": 60.0, "silent": 60.0, "busy": 10.0}
"""Seconds until a message that was refused in that phase may be tried again."""
_NOTHING = Result(Final("OK"), [])


class Modem:
    """`start` when the line is open, `send` for messages. `heard_from(number)`: whose messages count; nobody else's do.

    `not_before`: Unix seconds before which no clock is right. `power`: somebody can take the supply away, on
    `Climbed(Rung.POWER)`. What was learned of the modem stands in `procedures`.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        pin: str = "",
        heard_from: Callable[[str], bool] = lambda _number: True,
        report: bool = False,
        validity: float = 86_400.0,
        reference: int = 0,
        not_before: int = 0,
        power: bool = False,
    ) -> None:
        self.dialect = dialect
        self.phase = Phase("starting")
        self.procedures = Procedures(dialect, self._said, self._take, pin)
        self._not_before, self._power = not_before, power
        self._engine, self._ladder = AtEngine(), Ladder()
        self._desk = Desk(heard_from, report=report, validity=validity, reference=reference)
        self._out: list[Event] = []
        self._now = 0.0
        self._work: Procedure | None = None
        self._command: Command | None = None  # what the procedure under way waits for
        self._resume: float | None = None  # when it goes on after a pause
        self._answering = self._fit = False
        self._sends: deque[Sending] = deque()
        self._announced: deque[tuple[str, int]] = deque(maxlen=MOST_ANNOUNCED)
        self._read_last = False
        self.launched = False  # a message is on its way to the modem
        self._due = {"watch": 0.0, "sweep": 0.0, "clock": 0.0}

    # The face of a machine

    @property
    def deadline(self) -> float | None:
        return min((at for at in (self._engine.deadline, self._own_deadline()) if at is not None), default=None)

    def start(self, now: float) -> list[Event]:
        """The line is open: is anybody there?"""
        self._now = now
        self._knock()
        self._drop_work()
        return self._told()

    def receive(self, data: bytes, now: float) -> list[Event]:
        self._now = now
        self._digest(self._engine.receive(data, now))
        self._go_on()
        return self._told()

    def tick(self, now: float) -> list[Event]:
        self._now = now
        self._digest(self._engine.tick(now))
        self._go_on()
        return self._told()

    def send(self, token: int, to: str, body: str | bytes, now: float) -> list[Event]:
        """A message, in as many parts as it needs; ends in `Submitted`, `Refused` or `Doubtful` with the token."""
        self._now = now
        try:
            sending = Sending(token, self._desk.parts(to, body))
        except LocalError as wrong:
            return [Refused(token, wrong.reason, None)]
        if self.phase.name != "ready" or len(self._sends) >= MOST_SENDS:
            self._refuse(sending, "busy" if self.phase.name == "ready" else self.phase.name)
        else:
            self._sends.append(sending)
        self._go_on()
        return self._told()

    @property
    def dropped(self) -> int:
        """Parts of messages that never became whole, and bytes of lines that were too long."""
        return self._desk.dropped + self._engine.dropped

    def _told(self) -> list[Event]:
        out, self._out = self._out, []
        return out

    def _said(self, event: object) -> None:
        """A procedure has something to tell."""
        if isinstance(event, Submitted):
            self._desk.submitted(event)
        elif isinstance(event, Told) and event.unix < self._not_before:
            event = Ignored("clock_unset")
        elif isinstance(event, Refused) and event.reason == "memory_full":
            self._due["sweep"] = self._now
        self._out.append(event)

    def _take(self, pdu: Pdu) -> None:
        event = self._desk.take(pdu, self._now)
        if event is not None:
            self._out.append(event)

    # Procedures and their turns

    def _own_deadline(self) -> float | None:
        if self._resume is not None:
            return self._resume
        if self._work is None and self._answering:
            return min(self._due.values()) if self._fit else self._due["watch"]
        return None

    def _go_on(self) -> None:
        """Begin or continue what can be."""
        if self._resume is not None and self._now >= self._resume:
            self._resume = None
            self._advance(_NOTHING)
        while self._work is None and self._answering and (work := self._choose()) is not None:
            self._work = work
            self._advance(None)
        self._look()

    def _choose(self) -> Procedure | None:
        hopeless = self.procedures.denied or self.phase.name == "sim"
        if (rung := self._ladder.climb(self._now, denied=hopeless)) is not None:
            return self._climbed(rung)
        if not self._fit:
            return self._fitting() if self._now >= self._due["watch"] else None
        if self._announced and not (self._sends and self._read_last):
            self._read_last = True
            return self.procedures.read(*self._announced.popleft())
        if self._sends:
            self._read_last = False
            return self._submit(self._sends.popleft())
        return self._due_work()

    def _submit(self, sending: Sending) -> Procedure:
        self.launched = True
        try:
            yield from self.procedures.submit(sending)
        finally:
            self.launched = False

    def _due_work(self) -> Procedure | None:
        searching = not self.procedures.registered
        for name, period, make in (
            ("watch", WATCH_SEARCHING if searching else WATCH, self.procedures.watch),
            ("sweep", SWEEP, self.procedures.sweep),
            ("clock", CLOCK, self.procedures.clock),
        ):
            if self._now >= self._due[name]:
                self._due[name] = self._now + period
                return make()
        return None

    def _fitting(self) -> Procedure:
        """The start, as a whole; until it is through the modem is of no use."""
        self._due["watch"] = self._now + AGAIN
        yield from self.procedures.initialise()
        self._fit = True
        self._engine.banners = self.dialect.banners
        self._due = {"watch": self._now + WATCH_SEARCHING, "sweep": self._now + SWEEP, "clock": self._now}

    def _climbed(self, rung: Rung) -> Procedure:
        if rung is Rung.POWER and not self._power:
            rung = Rung.RESTART
        self._out.append(Climbed(rung, self._why()))
        if rung is Rung.RADIO:
            yield from self.procedures.cycle_radio()
            self._due["watch"] = self._now + WATCH_SEARCHING
        else:
            if rung is Rung.RESTART:
                yield from self.procedures.restart()
            self._knock()

    def _knock(self) -> None:
        """From the beginning: whoever answers may have forgotten everything. What waits to be sent waits elsewhere."""
        self._answering = self._fit = False
        self._digest(self._engine.start(self._now))
        self._look()

    def _advance(self, answer: Result | None) -> None:
        """Give the procedure under way its answer, and do what it wants next."""
        self._command = None
        if self._work is None:
            return
        try:
            if answer is not None and answer.final.word in BROKEN:
                self._answering = False  # until the engine has found it again
                wanted = self._work.throw(Interrupted(answer))
            else:
                wanted = next(self._work) if answer is None else self._work.send(answer)
        except (StopIteration, Interrupted):
            self._work = None
            return
        if isinstance(wanted, Pause):
            self._resume = self._now + wanted.seconds
        else:
            self._command = wanted
            self._digest(self._engine.ask(wanted, self._now))

    def _drop_work(self) -> None:
        work, self._work = self._work, None
        self._command = self._resume = None
        if work is not None:
            work.close()

    # What the engine says

    def _digest(self, events: Sequence[Event]) -> None:
        for event in events:
            match event:
                case Send():
                    self._out.append(event)
                case Done(command, result):
                    if command is self._command:
                        self._advance(result)
                case Unsolicited(line, body):
                    self._unasked(line, body)
                case Stray():
                    self._out.append(Ignored("stray"))
                case Ready():
                    self._begin()
                case Lost():
                    self._lost()

    def _begin(self) -> None:
        """It answers, perhaps after a restart that nobody saw: everything is said anew."""
        self._ladder.heard()
        self._drop_work()
        self._answering, self._fit = True, False
        self._engine.banners = ()  # being set up, some modems say what they say after a restart
        self._due["watch"] = self._now

    def _lost(self) -> None:
        self._drop_work()
        self._answering = self._fit = False
        self.procedures.greeted = False
        self._ladder.deaf(self._now)
        if self._power and self._ladder.climb(self._now) is Rung.POWER:
            self._out.append(Climbed(Rung.POWER, "silent"))
        self._enter(Phase("silent"))
        self._out.append(Silent())

    def _unasked(self, line: str, body: str) -> None:
        name, _, value = line.partition(":")
        if line.startswith(self.dialect.banners):
            self._restarted()
        if self.dialect.greeting and line.startswith(self.dialect.greeting):
            self._greet()
        if name == "+CMTI":
            self._announce(value)
        elif name in ("+CMT", "+CDS"):
            self.procedures.hear(body)
        elif name in ("+CTZE", "*PSUTTZ"):
            told = (reported if name == "+CTZE" else spelled)(value)
            if told is not None and told.unix >= self._not_before:
                self._out.append(Told(told.unix, told.zone, name))
        elif line.startswith(self.dialect.full):
            self._due["sweep"] = self._now
        else:
            self.procedures.register(line)

    def _restarted(self) -> None:
        """A banner: whatever was set is forgotten."""
        if self._fit:
            self._out.append(Ignored("reboot"))
            self._drop_work()
            self._knock()

    def _greet(self) -> None:
        self.procedures.greeted = True
        if self._resume is not None and not self._fit:
            self._resume = self._now

    def _announce(self, value: str) -> None:
        store, _, index = value.strip().partition(",")
        index = index.strip()
        if index.isascii() and index.isdecimal() and len(index) < 6:
            if len(self._announced) == MOST_ANNOUNCED:
                self._due["sweep"] = self._now
            self._announced.append((store.strip('" '), int(index)))

    # How it is

    def _look(self) -> None:
        """Tell the phase where it changed, and the ladder how things are."""
        sim = self.procedures.sim
        if not self._answering:
            if self.phase.name != "silent":
                self._enter(Phase("starting"))
            return
        if self._fit and self.procedures.registered:
            self._ladder.found()
            self._enter(Phase("ready"))
            return
        self._ladder.lost(self._now)
        if self._fit:
            self._enter(Phase("searching", "denied" if self.procedures.denied else ""))
        else:
            self._enter(Phase("starting") if sim in (None, Sim.READY) else Phase("sim", sim.value))

    def _enter(self, phase: Phase) -> None:
        if phase == self.phase:
            return
        self.phase = phase
        self._out.append(phase)
        while self._sends and phase.name != "ready":
            self._refuse(self._sends.popleft(), phase.name)

    def _refuse(self, sending: Sending, why: str) -> None:
        self._out.append(Refused(sending.token, "busy" if why == "busy" else self._why(), WAITS[why]))

    def _why(self) -> str:
        """What is the matter, in one word."""
        return self.phase.reason or {"searching": "no_network"}.get(self.phase.name, self.phase.name)
