"""An Iridium SBD modem (9602, 9603) as a machine: sessions out and in, kept fit. No I/O, no clock, no chance of its own.

One `send` is one session at most, and ends with exactly one of Taken, Doubtful and Refused. The modem's buffer for
outgoing messages is full only from the writing of a message to the end of its session, so that a session for incoming
messages never sends an old one again. What is in there when we begin is thrown away and counted: whoever had it sent
will send it again, or has its acknowledgement.
"""

from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

from protocols.framing import Event
from protocols.sbd_dialogue import Ask, Dialogue, Indicator, Noise, Reply, Ring
from protocols.sbd_pace import Chance, Pace
from protocols.sbd_status import FAULTS, Fate, Status, meaning
from protocols.sbd_words import MO_MOST, Session, bars, buffers, imei, registration, session, ticks, written

SESSION_MOST = 60  # seconds until the modem itself gives a session up (+SBDST); 5 to 30 are usual
SESSION_PATIENCE = SESSION_MOST + 30.0  # seconds until it is not going to answer any more
WRITE_PATIENCE = 65.0  # seconds: the modem itself waits 60 for a message it was promised (+SBDWB)
SIGNAL_PATIENCE = 10.0  # seconds: +CSQF answers from memory, +CSQ would take up to 50
WAIT_MOST = 30.0  # seconds that a send waits for service, charge or a back-off before it is given back
LOOK_EVERY = 600.0  # seconds between two looks at an idle modem: alive? what time is it?
UNTIMED_WAIT = 10.0  # seconds until the modem is asked again whether it has heard the network: asking costs nothing
QUIET = 2.0  # seconds of silence after which an answer that is overdue does not come any more
HELLOS = 3  # times AT is said before the modem is taken to wait for the rest of a message
BEGIN_AGAIN = (5.0, 15.0, 60.0)  # seconds between attempts at a modem that does not answer; the last one stands
NO_ANSWER = Status(Fate.UNKNOWN, "no-answer")
NOT_BEGUN = Status(Fate.NOT_SENT, "error")
READS = 3  # times a message is asked for whose sum was wrong

Script = Generator[Ask, Reply, None]
Asking = Generator[Ask, Reply, Reply]


class Ready(NamedTuple):
    """The modem answers and has its settings."""

    imei: str


class Fault(NamedTuple):
    """It does not answer (`silent`), or cannot work (`sbd_status.FAULTS`)."""

    reason: str


class Received(NamedTuple):
    """A message came in."""

    data: bytes
    mtmsn: int


class Taken(NamedTuple):
    """The gateway has the message."""

    momsn: int


class Doubtful(NamedTuple):
    """The session broke off: the gateway may have it."""

    reason: str


class Refused(NamedTuple):
    """It did not go out. `retry_after` in seconds; None: it never will."""

    reason: str
    retry_after: float | None


class Clock(NamedTuple):
    """The network's count of 90 ms (`protocols.iridium_time`)."""

    ticks: int


class SbdMachine:
    """See `protocols.framing.Machine`; begins with `start`, which is also what follows a lost line."""

    def __init__(self, chance: Chance, recharge: float = 0.0) -> None:
        self.pace = Pace(chance, recharge)
        self.signal: int | None = None  # bars, 0 to 5
        self.service: bool | None = None  # None: the modem does not say
        self.launched = False  # the message in hand may be on its way
        self._dialogue = Dialogue()
        self._script: Script | None = None
        self._said: list[Event] = []
        self._now = 0.0
        self._begun = False
        self._attempts = 0  # to begin
        self._idle_until = 0.0
        self._message = b""
        self._give_up = 0.0
        self._ring = False
        self._more = False  # messages wait at the gateway behind the one that came
        self._timed = False  # the modem has had the network's time since it was begun with
        self._registered = False
        self._momsn: int | None = None  # of the next session

    @property
    def deadline(self) -> float | None:
        return self._dialogue.deadline if self._script is not None else self._wake()

    def start(self, now: float) -> Sequence[Event]:
        self._now, self._dialogue, self._script = now, Dialogue(), None
        self._message, self.launched, self._begun, self._idle_until = b"", False, False, now
        return self._go_on()

    def send(self, data: bytes, now: float) -> Sequence[Event]:
        """One message, while none is under way."""
        self._now = now
        if not 1 <= len(data) <= MO_MOST:
            self._said.append(Refused("length", None))
            return self._go_on()
        self._message, self._give_up = data, now + WAIT_MOST
        return self._go_on()

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        self._now = now
        for heard in self._dialogue.receive(data):
            if isinstance(heard, Reply):
                self._answer(heard)
            elif isinstance(heard, Ring):
                self._ring = True
                self.pace.relieved(self._now)  # a satellite was heard just now
                self._said.append(Noise("ring"))
            elif isinstance(heard, Indicator):
                self._indicate(heard)
            else:
                self._said.append(heard)
        return self._go_on()

    def tick(self, now: float) -> Sequence[Event]:
        self._now = now
        for heard in self._dialogue.tick(now):
            if isinstance(heard, Reply):
                self._answer(heard)
        return self._go_on()

    def ready_in(self, now: float) -> float:
        return max(self.pace.ready() - now, 0.0)

    # What to do next

    def _go_on(self) -> Sequence[Event]:
        if self._script is None:
            self._expire()
            script = self._next()
            if script is not None:
                self._script = script
                self._step(lambda: next(script))
        said, self._said = self._said, []
        return said

    def _next(self) -> Script | None:
        if not self._begun:
            return self._begin() if self._now >= self._idle_until else None
        if self._wanted() and self._may():
            return self._session()
        if self._must_register() and self._now >= self.pace.register_next:
            return self._register()
        return self._look() if self._now >= self._idle_until else None

    def _wanted(self) -> bool:
        return bool(self._message) or self._ring or self._more

    def _may(self) -> bool:
        return self.service is not False and self._now >= self.pace.ready()

    def _must_register(self) -> bool:
        """Ring alerts come to the registered only; a session registers, too."""
        return not self._registered and self.service is True

    def _wake(self) -> float:
        """When something becomes due while nothing is said: `_go_on` looks what it is."""
        times = [self._idle_until]
        if self._message:
            times.append(self._give_up)
        if self._begun and self._wanted() and self.service is not False:
            times.append(self.pace.ready())
        if self._begun and self._must_register():
            times.append(self.pace.register_next)
        return min(times)

    def _expire(self) -> None:
        """A message that cannot go soon is given back: the scheduler has other bearers, and fresher messages."""
        if not self._message:
            return
        wait = self.pace.ready() - self._now
        if wait > WAIT_MOST:
            self._give_back("early", wait)
        elif self._now >= self._give_up and not (self._begun and self._may()):
            self._give_back("no-service" if self._begun else "not-ready", WAIT_MOST)

    def _give_back(self, reason: str, retry_after: float) -> None:
        self._message = b""
        self._said.append(Refused(reason, retry_after))

    # The dialogue

    def _answer(self, reply: Reply) -> None:
        script = self._script
        if script is not None:
            self._step(lambda: script.send(reply))

    def _step(self, forward: Callable[[], Ask]) -> None:
        try:
            self._said += self._dialogue.ask(forward(), self._now)
        except StopIteration:
            self._script = None
            if self._dialogue.echoed:  # the modem was off and on again
                self._dialogue.echoed, self._begun, self._idle_until = False, False, self._now
                self._said.append(Noise("restarted"))

    def _indicate(self, indicator: Indicator) -> None:
        if indicator.which == 0:
            self.signal = min(max(indicator.value, 0), 5)
        elif indicator.which == 1:
            service = indicator.value == 1
            if service and self.service is False:
                self.pace.relieved(self._now)
            self.service = service

    def _find(self) -> Asking:
        """After an answer that never came: hear out what comes late, and find the modem again, or begin anew."""
        late = yield Ask(b"", QUIET, listen=True)
        hello = yield from self._hello()
        if hello.final != "OK":
            self._begun, self._idle_until = False, self._now
            self._said.append(Fault("silent"))
        return Reply(hello.final, late.lines + hello.lines)

    # The scripts

    def _begin(self) -> Script:
        hello = yield from self._hello()
        if hello.final != "OK":
            wait = BEGIN_AGAIN[min(self._attempts, len(BEGIN_AGAIN) - 1)]
            self._attempts, self._idle_until = self._attempts + 1, self._now + wait
            self._said.append(Fault("silent"))
            return
        self._dialogue.echoed = False
        yield Ask(b"ATE0\r")
        self._dialogue.echoed = False  # that one was still repeated
        self.service, self._timed, self._registered = None, False, False
        for setting in (b"AT&K0\r", b"AT&D0\r", b"AT+SBDMTA=1\r", b"AT+SBDST=%d\r" % SESSION_MOST):
            yield Ask(setting)
        for indicators in (b"AT+CIER=1,1,1,1\r", b"AT+CIER=1,1,1,0\r"):
            if (yield Ask(indicators)).final == "OK":
                break
        named = yield Ask(b"AT+CGSN\r")
        yield from self._recover()
        state = registration((yield Ask(b"AT+SBDREG?\r")).lines)
        self._registered = state is not None and state.status == 2
        self._begun, self._attempts, self._idle_until = True, 0, self._now
        self._said.append(Ready(imei(named.lines)))

    def _hello(self) -> Asking:
        """A modem promised a message by somebody who is gone takes all that comes for it: so give it its fill."""
        for _ in range(HELLOS):
            reply = yield Ask(b"AT\r", QUIET)
            if reply.final == "OK":
                return reply
        yield Ask(b"\r" * (MO_MOST + 2), QUIET, listen=True)
        return (yield Ask(b"AT\r"))

    def _recover(self) -> Script:
        """What the modem still holds from before."""
        held = buffers((yield Ask(b"AT+SBDSX\r")).lines)
        if held is None:
            return
        self._momsn = held.momsn
        if held.mo:
            self._said.append(Noise("left"))
            yield Ask(b"AT+SBDD0\r")
        if held.mt:
            yield from self._fetch(held.mtmsn)
        self._ring |= bool(held.ring)
        self._more |= held.waiting > 0

    def _look(self) -> Script:
        """Is it there, how well does it hear, what time is it?"""
        self._idle_until = self._now + LOOK_EVERY
        heard = yield Ask(b"AT+CSQF\r", SIGNAL_PATIENCE)
        if heard.final == "":
            yield from self._find()
            return
        self.signal = bars(heard.lines) if bars(heard.lines) is not None else self.signal
        yield from self._read_time()

    def _read_time(self) -> Script:
        count = ticks((yield Ask(b"AT-MSSTM\r")).lines)
        self._timed = count is not None
        if count is not None:
            self._said.append(Clock(count))

    def _register(self) -> Script:
        self.pace.registered(self._now)
        found = registration((yield Ask(b"AT+SBDREG\r", SESSION_PATIENCE)).lines)
        self._registered = found is not None and found.status == 2
        self._said.append(Noise("registered" if self._registered else "not-registered"))

    def _session(self) -> Script:
        if not self._timed:
            # Firmware before TA13001 can hang for good in a session that begins without the network's time.
            yield from self._read_time()
            if not self._timed:
                self._fail(Status(Fate.NOT_SENT, "no-service", UNTIMED_WAIT))
                return
        if self._message and not (yield from self._write()):
            return
        ring, self._ring, self._more = self._ring, False, False
        self.launched = bool(self._message)
        reply = yield Ask(b"AT+SBDIXA\r" if ring else b"AT+SBDIX\r", SESSION_PATIENCE)
        done = session(reply.lines) or (yield from self._reconstruct(reply))
        if done is None:
            self._ring |= ring
            self._fail(NO_ANSWER if reply.final != "ERROR" else NOT_BEGUN)
        else:
            self._judge(done, ring=ring)
        yield from self._clear()
        if done is not None and meaning(done.mo).reason == "radio-off":
            yield Ask(b"AT*R1\r")
        if done is not None and done.mt == 1:
            yield from self._fetch(done.mtmsn)

    def _write(self) -> Generator[Ask, Reply, bool]:
        """The message into the modem; False where it is not in."""
        for _ in range(READS):
            reply = yield Ask(b"AT+SBDWB=%d\r" % len(self._message))
            if reply.final == "READY":
                reply = yield Ask(written(self._message), WRITE_PATIENCE)
            code = _code(reply)
            if code == 0:
                return True
            self._said.append(Noise(f"write-{code}" if code is not None else "write"))
            if code == 3:
                self._outcome(Refused("length", None))
                return False
            if reply.final == "" and (yield from self._find()).final != "OK":
                break
        self._outcome(Refused("write", WAIT_MOST))
        return False

    def _reconstruct(self, reply: Reply) -> Generator[Ask, Reply, Session | None]:
        """The result of a session was lost on the line: the number of the next one tells whether it was completed."""
        if reply.final == "":
            late = yield from self._find()
            if found := session(late.lines):
                return found
        held = buffers((yield Ask(b"AT+SBDSX\r")).lines) if self._begun else None
        if held is None or self._momsn is None or held.momsn != (self._momsn + 1) & 0xFFFF:
            return None
        self._said.append(Noise("reconstructed"))
        return Session(0, self._momsn, held.mt, held.mtmsn, 0, held.waiting)

    def _clear(self) -> Script:
        """Nothing may be left that another session would send."""
        if self.launched:
            yield Ask(b"AT+SBDD0\r")
            self.launched = False

    def _judge(self, done: Session, *, ring: bool) -> None:
        status = meaning(done.mo)
        self._momsn = (done.momsn + (status.fate is Fate.SENT)) & 0xFFFF
        if status.fate is not Fate.SENT:
            self._ring |= ring
            self._fail(status)
            return
        self._registered = True
        self._more = done.mt == 1 and done.queued > 0  # what cannot be had is not asked for again: a try is paid
        if done.mt == 2:
            self._ring = True
            self.pace.failed(self._now)
        else:
            self.pace.succeeded(self._now)
        if self._dialogue.echoed:  # it was off and on again: the session that succeeded may have had nothing to send
            self._outcome(Doubtful("restarted"))
        else:
            self._outcome(Taken(done.momsn))

    def _fail(self, status: Status) -> None:
        self.pace.failed(self._now, status.wait)
        if status.reason == "registration":
            self.pace.registered(self._now)
        if status.reason in FAULTS:
            self._said.append(Fault(status.reason))
        self._said.append(Noise(status.reason))
        if status.fate is Fate.UNKNOWN:
            self._outcome(Doubtful(status.reason))
        else:
            self._outcome(Refused(status.reason, None if status.fate is Fate.FATAL else self.ready_in(self._now)))

    def _outcome(self, outcome: Taken | Doubtful | Refused) -> None:
        if self._message:
            self._message = b""
            self._said.append(outcome)

    def _fetch(self, mtmsn: int) -> Script:
        """The message in the modem; it is cleared once we have it, or a crash would bring it again."""
        for _ in range(READS):
            reply = yield Ask(b"AT+SBDRB\r", counted=True)
            if reply.data is not None:
                if reply.data:
                    self._said.append(Received(reply.data, mtmsn))
                yield Ask(b"AT+SBDD1\r")
                return
            self._said.append(Noise("unread"))
            if reply.final == "":
                yield from self._find()


def _code(reply: Reply) -> int | None:
    """The digit that +SBDWB answers with."""
    digits = [line for line in reply.lines if len(line) == 1 and line.isdigit()]
    return int(digits[-1]) if digits and reply.final == "OK" else None
