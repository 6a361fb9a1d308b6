"""A session machine and simulated modems, joined in simulated time: a day of messages in a moment."""

from drivers.simulated.modem import ModemFaults, SimModem
from drivers.simulated.sms_network import SmsNetwork
from protocols.framing import Send
from protocols.modem import Modem
from protocols.modem_dialect import Clock, Dialect, Step
from protocols.modem_events import Ignored, Silent

DIALECT = Dialect(
    "test",
    setup=(Step("ATE0"), Step("AT+CMEE=1"), Step("AT+CFUN=1", 15.0)),
    messages=(
        Step("AT+CREG=1"),
        Step("AT+CGREG=1"),
        Step("AT+CEREG=1"),
        Step("AT+CSMS=0"),
        Step("AT+CMGF=0", required=True),
        Step("AT+CNMI=2,1,0,1,0"),
    ),
    clock=(Clock("AT+QLTS=1", utc=True), Clock("AT+QLTS=2", utc=False)),
    pin_tries='AT+QPINC="SC"',
)
OURS, THEIRS = "+8613800000001", "+8613800000002"

REOPEN = 5.0  # seconds

__all__ = ["DIALECT", "OURS", "THEIRS", "ModemFaults", "Session", "SimModem", "SmsNetwork"]


class Session:
    """`events` holds what the machine said, without what it counted (`ignored`)."""

    def __init__(self, device, dialect=DIALECT, *, pieces=0, **options):
        self.device, self.machine = device, Modem(dialect, **options)
        self.now = 0.0
        self.events, self.ignored, self.said = [], [], []
        self._pieces = pieces
        self._tokens = 0
        self._reopen = None  # when the driver would open a silent line anew

    def begin(self):
        self._take(self.machine.start(self.now))
        return self

    def ready(self, most=120.0):
        self.begin()
        self.until(lambda: self.machine.phase.name == "ready", most)
        return self

    def send(self, to, body):
        self._tokens += 1
        self._take(self.machine.send(self._tokens, to, body, self.now))
        return self._tokens

    def outcome(self, to, body, most=300.0):
        token = self.send(to, body)
        self.until(lambda: self.find(token), most)
        return self.find(token)

    def find(self, token):
        return next(
            (e for e in self.events if getattr(e, "token", None) == token and type(e).__name__ != "Reported"), None
        )

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    def until(self, condition, most=300.0):
        end = self.now + most
        while not condition():
            assert self.now < end, (self.machine.phase, self.events[-5:], self.ignored[-5:], self.said[-5:])
            self.step(end)

    def run(self, seconds):
        end = self.now + seconds
        while self.now < end:
            self.step(end)

    def step(self, end):
        deadlines = [at for at in (self.machine.deadline, self.device.deadline, self._reopen, end) if at is not None]
        self.now = max(min(deadlines), self.now + 1e-6)
        self._hear(self.device.tick(self.now))
        self._take(self.machine.tick(self.now))
        if self._reopen is not None and self.now >= self._reopen:
            self._reopen = None
            self.begin()

    def _take(self, events):
        for event in events:
            if isinstance(event, Send):
                self.said.append(event.data)
                self._hear(self.device.receive(event.data, self.now))
            elif isinstance(event, Ignored):
                self.ignored.append(event.reason)
            else:
                self.events.append(event)
                if isinstance(event, Silent):
                    self._reopen = self.now + REOPEN

    def _hear(self, events):
        for event in events:
            size = self._pieces or len(event.data)
            for at in range(0, len(event.data), size):
                self._take(self.machine.receive(event.data[at : at + size], self.now))
