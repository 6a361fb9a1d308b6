"""What is said to an SBD modem, one after the other: to begin with it, in a session, now and then. No I/O, no clock.

A script is a generator: it yields what to ask and is sent the reply. The modem's buffer for outgoing messages is full
only from the writing of a message to the end of its session, so that a session for incoming messages never sends an
old one again. What is in there when we begin is thrown away and counted: whoever had it sent will send it again, or has
its acknowledgement.
"""

from collections.abc import Generator

from protocols.framing import Event
from protocols.sbd_dialogue import Ask, Note, Reply
from protocols.sbd_events import Clock, Doubtful, Fault, Ready, Received, Refused, Taken
from protocols.sbd_pace import Chance, Pace
from protocols.sbd_status import FAULTS, Fate, Status, meaning
from protocols.sbd_words import MO_MOST, Session, bars, buffers, imei, registration, session, ticks, write_code, written

SESSION_MOST = 60  # seconds until the modem itself gives a session up (+SBDST); 5 to 30 are usual
SESSION_PATIENCE = SESSION_MOST + 30.0  # seconds until it is not going to answer any more
WRITE_PATIENCE = 65.0  # seconds: the modem itself waits 60 for a message it was promised (+SBDWB)
SIGNAL_PATIENCE = 10.0  # seconds: +CSQF answers from memory, +CSQ would take up to 50
UNTIMED_WAIT = 10.0  # seconds until the modem is asked again whether it has heard the network: asking costs nothing
QUIET = 2.0  # seconds of silence after which an answer that is overdue does not come any more
HELLOS = 3  # times AT is said before the modem is taken to wait for the rest of a message
TRIES = 3  # times a message is written, or read, whose sum was wrong

SETTINGS = (
    b"AT&K0\r",  # three wires: no flow control, or it would wait for a line that nobody drives
    b"AT&D0\r",  # DTR means nothing: closing the port is no hanging up
    b"AT+SBDMTA=1\r",  # SBDRING when a message waits
    b"AT+SBDST=%d\r" % SESSION_MOST,
)
INDICATORS = (b"AT+CIER=1,1,1,1\r", b"AT+CIER=1,1,1,0\r")  # signal, service, antenna; not all firmware has the last
NO_ANSWER = Status(Fate.UNKNOWN, "no-answer")
NOT_BEGUN = Status(Fate.NOT_SENT, "error")
NO_TIME = Status(Fate.NOT_SENT, "no-service", UNTIMED_WAIT)

Script = Generator[Ask, Reply, None]
Asking = Generator[Ask, Reply, Reply]


class Scripts:
    """The scripts, and what they know. Whoever runs them keeps `now`, and takes what was `said`."""

    def __init__(self, chance: Chance, recharge: float) -> None:
        self.pace = Pace(chance, recharge)
        self.signal: int | None = None  # bars, 0 to 5
        self.service: bool | None = None  # None: the modem does not say
        self.message = b""  # to be sent
        self.launched = False  # and may be on its way
        self.ring = False  # a message waits at the gateway
        self.more = False  # and others behind the one that came
        self.begun = False
        self.registered = False
        self.now = 0.0
        self.said = list[Event]()
        self._carrying = False  # this session is for the message, which was there when it began
        self._timed = False  # the modem has had the network's time since it was begun with
        self._momsn: int | None = None  # of the next session

    def begin(self) -> Script:
        if (yield from self._hello()).final != "OK":
            self.said.append(Fault("silent"))
            return
        yield Ask(b"ATE0\r")
        self.service, self._timed, self.registered = None, False, False
        for setting in SETTINGS:
            yield Ask(setting)
        for indicators in INDICATORS:
            if (yield Ask(indicators)).final == "OK":
                break
        named = yield Ask(b"AT+CGSN\r")
        yield from self._recover()
        state = registration((yield Ask(b"AT+SBDREG?\r")).lines)
        self.registered = state is not None and state.status == 2
        self.begun = True
        self.said.append(Ready(imei(named.lines)))

    def _hello(self) -> Asking:
        """A modem that was promised a message by somebody who is gone takes all that comes for it: it gets its fill."""
        for _ in range(HELLOS):
            reply = yield Ask(b"AT\r", QUIET)
            if reply.final == "OK":
                return reply
        yield Ask(b"\r" * (MO_MOST + 2), QUIET, listen=True)
        return (yield Ask(b"AT\r"))

    def _find(self) -> Asking:
        """After an answer that never came: hear out what comes late, and find the modem again, or begin anew."""
        late = yield Ask(b"", QUIET, listen=True)
        hello = yield from self._hello()
        if hello.final != "OK":
            self.begun = False
            self.said.append(Fault("silent"))
        return hello._replace(lines=late.lines + hello.lines)

    def _recover(self) -> Script:
        """What the modem still holds from before."""
        held = buffers((yield Ask(b"AT+SBDSX\r")).lines)
        if held is None:
            return
        self._momsn = held.momsn
        if held.mo:
            self.said.append(Note("left"))
            yield Ask(b"AT+SBDD0\r")
        if held.mt:
            yield from self._fetch(held.mtmsn)
        self.ring |= bool(held.ring)
        self.more |= held.waiting > 0

    def look(self) -> Script:
        """Is it there, how well does it hear, what time is it?"""
        heard = yield Ask(b"AT+CSQF\r", SIGNAL_PATIENCE)
        if heard.final == "":
            yield from self._find()
            return
        found = bars(heard.lines)
        self.signal = self.signal if found is None else found
        yield from self._read_time()

    def _read_time(self) -> Script:
        count = ticks((yield Ask(b"AT-MSSTM\r")).lines)
        self._timed = count is not None
        if count is not None:
            self.said.append(Clock(count))

    def register(self) -> Script:
        self.pace.registered(self.now)
        found = registration((yield Ask(b"AT+SBDREG\r", SESSION_PATIENCE)).lines)
        self.registered = found is not None and found.status == 2
        self.said.append(Note("registered" if self.registered else "not-registered"))

    def session(self) -> Script:
        self._carrying = bool(self.message)
        if not self._timed:
            # Firmware before TA13001 can hang for good in a session that begins without the network's time.
            yield from self._read_time()
            if not self._timed:
                self._fail(NO_TIME)
                return
        if self._carrying and not (yield from self._write()):
            return
        ring, self.ring, self.more = self.ring, False, False
        self.launched = self._carrying
        reply = yield Ask(b"AT+SBDIXA\r" if ring else b"AT+SBDIX\r", SESSION_PATIENCE)
        done = session(reply.lines) or (yield from self._reconstruct(reply))
        if done is None:
            self.ring |= ring
            self._fail(NOT_BEGUN if reply.final == "ERROR" else NO_ANSWER)
        else:
            self._judge(done, ring=ring, restarted=reply.echoed)
        if self.launched:
            yield Ask(b"AT+SBDD0\r")
            self.launched = False
        if done is not None and meaning(done.mo).reason == "radio-off":
            yield Ask(b"AT*R1\r")
        if done is not None and done.mt == 1:
            yield from self._fetch(done.mtmsn)

    def _write(self) -> Generator[Ask, Reply, bool]:
        """The message into the modem; False where it is not in."""
        for _ in range(TRIES):
            reply = yield Ask(b"AT+SBDWB=%d\r" % len(self.message))
            if reply.final == "READY":
                reply = yield Ask(written(self.message), WRITE_PATIENCE)
            code = write_code(reply.lines) if reply.final == "OK" else None
            if code == 0:
                return True
            self.said.append(Note("write" if code is None else f"write-{code}"))
            if code == 3:
                self._outcome(Refused("length", None))
                return False
            if reply.final == "" and (yield from self._find()).final != "OK":
                break
        self._fail(Status(Fate.NOT_SENT, "write"))
        return False

    def _reconstruct(self, reply: Reply) -> Generator[Ask, Reply, Session | None]:
        """The result of a session was lost on the line: the number of the next one tells whether it was completed."""
        if reply.final == "":
            late = yield from self._find()
            if found := session(late.lines):
                return found
        if not self.begun or self._momsn is None:
            return None
        held = buffers((yield Ask(b"AT+SBDSX\r")).lines)
        if held is None or held.momsn != (self._momsn + 1) & 0xFFFF:
            return None
        self.said.append(Note("reconstructed"))
        return Session(0, self._momsn, held.mt, held.mtmsn, 0, held.waiting)

    def _judge(self, done: Session, *, ring: bool, restarted: bool) -> None:
        status = meaning(done.mo)
        self._momsn = (done.momsn + (status.fate is Fate.SENT)) & 0xFFFF
        if status.fate is not Fate.SENT:
            self.ring |= ring
            self._fail(status)
            return
        self.registered = True
        # Every session is paid for: one more only while each brings something, or a ring would call for the next for ever.
        self.more = done.mt == 1 and done.queued > 0
        self.ring = self.ring and done.mt != 0
        if done.mt == 2:
            self.ring = True
            self.pace.failed(self.now)
        else:
            self.pace.succeeded(self.now)
        # Without power in between, the session that succeeded may have had nothing to send.
        self._outcome(Doubtful("restarted") if restarted else Taken(done.momsn))

    def _fail(self, status: Status) -> None:
        self.pace.failed(self.now, status.wait)
        if status.reason == "registration":
            self.pace.registered(self.now)
        if status.reason in FAULTS:
            self.said.append(Fault(status.reason))
        self.said.append(Note(status.reason))
        if status.fate is Fate.UNKNOWN:
            self._outcome(Doubtful(status.reason))
        else:
            wait = max(self.pace.ready() - self.now, 0.0)
            self._outcome(Refused(status.reason, None if status.fate is Fate.FATAL else wait))

    def _outcome(self, outcome: Taken | Doubtful | Refused) -> None:
        if self._carrying:
            self.message, self._carrying = b"", False
            self.said.append(outcome)

    def _fetch(self, mtmsn: int) -> Script:
        """The message in the modem; it is cleared once we have it, or a crash would bring it again."""
        for _ in range(TRIES):
            reply = yield Ask(b"AT+SBDRB\r", counted=True)
            if reply.data is not None:
                if reply.data:
                    self.said.append(Received(reply.data, mtmsn))
                yield Ask(b"AT+SBDD1\r")
                return
            self.said.append(Note("unread"))
            if reply.final == "" and (yield from self._find()).final != "OK":
                return
