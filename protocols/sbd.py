"""An Iridium SBD modem (9602, 9603) as a machine: which script it is time for, and the line that scripts speak over.

No I/O, no clock, no chance of its own. One `send` is one session at most; between sends the modem is kept fit, rings
are answered and messages that wait are fetched.
"""

from collections.abc import Callable, Sequence

from protocols.framing import Event
from protocols.sbd_dialogue import Ask, Dialogue, Heard, Indicator, Note, Reply, Ring
from protocols.sbd_events import Refused
from protocols.sbd_pace import Chance
from protocols.sbd_scripts import Script, Scripts
from protocols.sbd_words import MO_MOST

WAIT_MOST = 30.0  # seconds that a send waits for service, charge or a back-off before it is given back
LOOK_EVERY = 300.0  # seconds between two looks at an idle modem
BEGIN_AGAIN = (5.0, 15.0, 60.0)  # seconds between attempts at a modem that does not answer; the last one stands


class SbdMachine:
    """See `protocols.framing.Machine`; begins with `start`, which is also what follows a lost line."""

    def __init__(self, chance: Chance, recharge: float = 0.0) -> None:
        self._scripts = Scripts(chance, recharge)
        self._dialogue = Dialogue()
        self._running: Script | None = None
        self._attempts = 0  # to begin
        self._idle_until = 0.0
        self._give_up = 0.0

    @property
    def signal(self) -> int | None:
        """Bars, 0 to 5."""
        return self._scripts.signal

    @property
    def service(self) -> bool | None:
        """None: the modem does not say."""
        return self._scripts.service

    @property
    def launched(self) -> bool:
        """The message in hand may be on its way."""
        return self._scripts.launched

    def ready_in(self, now: float) -> float:
        return max(self._scripts.pace.ready() - now, 0.0)

    @property
    def deadline(self) -> float | None:
        return self._wake() if self._running is None else self._dialogue.deadline

    def start(self, now: float) -> Sequence[Event]:
        self._dialogue, self._running, self._idle_until = Dialogue(), None, now
        self._scripts.begun, self._scripts.launched, self._scripts.message = False, False, b""
        return self._go_on(now)

    def send(self, data: bytes, now: float) -> Sequence[Event]:
        """One message, while none is under way."""
        if not 1 <= len(data) <= MO_MOST:
            return [Refused("length", None)]
        self._scripts.message, self._give_up = data, now + WAIT_MOST
        return self._go_on(now)

    def receive(self, data: bytes, now: float) -> Sequence[Event]:
        return self._take(self._dialogue.receive(data), now)

    def tick(self, now: float) -> Sequence[Event]:
        return self._take(self._dialogue.tick(now), now)

    def _take(self, heard: Sequence[Heard], now: float) -> Sequence[Event]:
        self._scripts.now = now
        for one in heard:
            if isinstance(one, Reply):
                self._answer(one)
            elif isinstance(one, Ring):
                self._scripts.ring = True
                self._scripts.pace.relieved(now)  # a satellite was heard just now
                self._say(Note("ring"))
            elif isinstance(one, Indicator):
                self._indicate(one)
            else:
                self._say(one)
        return self._go_on(now)

    def _say(self, event: Event) -> None:
        self._scripts.said.append(event)

    def _indicate(self, indicator: Indicator) -> None:
        scripts = self._scripts
        if indicator.which == 0:
            scripts.signal = min(max(indicator.value, 0), 5)
        elif indicator.which == 1:
            service = indicator.value == 1
            if service and scripts.service is False:
                scripts.pace.relieved(scripts.now)
            scripts.service = service

    # What it is time for

    def _go_on(self, now: float) -> Sequence[Event]:
        self._scripts.now = now
        if self._running is None:
            self._expire(now)
            script = self._running = self._next(now)
            if script is not None:
                self._step(lambda: next(script))
        said, self._scripts.said = self._scripts.said, []
        return said

    def _next(self, now: float) -> Script | None:
        scripts = self._scripts
        if not scripts.begun:
            return self._begin(now) if now >= self._idle_until else None
        if self._wanted() and now >= scripts.pace.ready():
            return scripts.session()
        if self._unregistered() and now >= scripts.pace.register_next:
            return scripts.register()
        if now < self._idle_until:
            return None
        self._idle_until = now + LOOK_EVERY
        return scripts.look()

    def _begin(self, now: float) -> Script:
        self._idle_until = now + BEGIN_AGAIN[min(self._attempts, len(BEGIN_AGAIN) - 1)]
        self._attempts += 1
        return self._scripts.begin()

    def _wanted(self) -> bool:
        scripts = self._scripts
        return scripts.service is not False and bool(scripts.message or scripts.ring or scripts.more)

    def _unregistered(self) -> bool:
        """Ring alerts come to the registered only; a session registers, too."""
        return self._scripts.service is True and not self._scripts.registered

    def _wake(self) -> float:
        """When something becomes due while nothing is said: `_go_on` looks what it is."""
        times = [self._idle_until]
        if self._scripts.begun and self._wanted():
            times.append(self._scripts.pace.ready())
        elif self._scripts.message:
            times.append(self._give_up)
        if self._scripts.begun and self._unregistered():
            times.append(self._scripts.pace.register_next)
        return min(times)

    def _expire(self, now: float) -> None:
        """A message that cannot go soon is given back: the scheduler has other bearers, and fresher messages."""
        wait = self.ready_in(now)
        if not self._scripts.message or (wait <= WAIT_MOST and now < self._give_up):
            return
        if wait > WAIT_MOST:
            self._give_back("early", wait)
        elif not self._scripts.begun:
            self._give_back("not-ready", WAIT_MOST)
        elif self._scripts.service is False:
            self._give_back("no-service", WAIT_MOST)

    def _give_back(self, reason: str, retry_after: float) -> None:
        self._scripts.message = b""
        self._say(Refused(reason, retry_after))

    # The script that runs

    def _answer(self, reply: Reply) -> None:
        script = self._running
        if script is None:
            return
        restarted = reply.echoed and self._scripts.begun
        self._step(lambda: script.send(reply))
        if restarted:
            self._say(Note("restarted"))
            self._scripts.begun, self._idle_until = False, self._scripts.now

    def _step(self, forward: Callable[[], Ask]) -> None:
        try:
            self._scripts.said += self._dialogue.ask(forward(), self._scripts.now)
        except StopIteration:
            self._running = None
            if self._scripts.begun and self._attempts:
                self._attempts, self._idle_until = 0, self._scripts.now
