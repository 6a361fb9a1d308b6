"""What is said to a cellular modem, one procedure after the other: generators that yield a `Command` and get its `Result`.

They know what commands mean and nothing of lines, timers or turns: `protocols.modem` runs them. A command that gets no
answer ends its procedure (`Interrupted`).
"""

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from protocols import cellular, network_time, sms_pdu
from protocols.at_events import CANCELLED, LOST, REBOOT, TIMEOUT, Command, Result
from protocols.cellular import Registration, Sim
from protocols.errors import RemoteError
from protocols.modem_dialect import Dialect, Step
from protocols.modem_events import Doubtful, Ignored, Refused, Submitted, Told
from protocols.sms_pdu import Pdu, Submit

LISTING_TIMEOUT = 20.0  # seconds for AT+CMGL and a large store
STORE_TIMEOUT = 10.0  # seconds for reading and deleting: a SIM is slow
SIM_PAUSES: Mapping[Sim, float] = {Sim.BUSY: 3.0}  # seconds until it is asked again
SIM_PAUSE = 60.0
SIM_ROUNDS = 10
STEP_TRIES, STEP_PAUSE = 10, 3.0  # after power-up a SIM answers "busy" for some seconds
PIN_TRIES_LEFT = 3  # only a SIM that nobody has refused yet is given our PIN: the third mistake locks it
AGREE = 5  # seconds within which a modem's clocks must agree
BROKEN = frozenset({TIMEOUT, LOST, REBOOT, CANCELLED})
_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{2})+")


class Pause(NamedTuple):
    seconds: float


class Interrupted(Exception):
    """A command had no answer from the modem; `result` says in which way."""

    def __init__(self, result: Result) -> None:
        super().__init__(result.final.word)
        self.result = result


class Sending(NamedTuple):
    """A message in its parts, under the caller's token."""

    token: int
    parts: tuple[Submit, ...]


Procedure = Generator[Command | Pause, Result, None]


class Procedures:
    """`say` takes events, `take` a PDU that came in. What was learned of the modem stands in the attributes."""

    def __init__(
        self, dialect: Dialect, say: Callable[[object], None], take: Callable[[Pdu], None], pin: str = ""
    ) -> None:
        self.signal: int | None = None
        self.dbm: int | None = None
        self.registrations: dict[str, Registration] = {}
        self.sim: Sim | None = None
        self.greeted = False
        self._dialect, self._say, self._take, self._pin = dialect, say, take, pin
        self._pin_given = False
        self._skip: set[str] = set()  # optional steps that silence the modem
        self._store = ""

    @property
    def registered(self) -> bool:
        return any(one.registered for one in self.registrations.values())

    @property
    def denied(self) -> bool:
        return not self.registered and Registration.DENIED in self.registrations.values()

    # Starting

    def initialise(self) -> Procedure:
        """Everything from a modem that answers to one that takes messages; ends early where it is of no use."""
        if self._dialect.greeting and not self.greeted:
            yield Pause(self._dialect.greeting_timeout)  # cut short by the greeting
        self._store, self.registrations = "", {}
        yield from self._steps(self._dialect.setup)
        yield from self._unlock()
        yield from self._steps(self._dialect.messages)
        yield from self.sweep()
        yield from self.watch()

    def _steps(self, steps: Sequence[Step]) -> Procedure:
        for step in steps:
            if step.command not in self._skip:
                yield from self._step(step)

    def _step(self, step: Step) -> Procedure:
        for _ in range(STEP_TRIES):
            try:
                result = yield Command(step.command, step.timeout)
            except Interrupted as broken:
                if broken.result.final.word == TIMEOUT and not step.required:
                    self._skip.add(step.command)
                raise
            if result.ok:
                return
            if not step.required and cellular.cause(result.final) != "sim_busy":
                self._say(Ignored("step_refused"))
                return
            yield Pause(STEP_PAUSE)
        if step.required:
            raise Interrupted(result)

    def _unlock(self) -> Procedure:
        for _ in range(SIM_ROUNDS):
            result = yield Command("AT+CPIN?")
            self.sim = cellular.sim(result.value("+CPIN"), result.final)
            if self.sim is Sim.READY:
                return
            if self.sim is Sim.PIN and self._pin and not self._pin_given and (yield from self._tries_left()):
                self._pin_given = True
                yield Command(f'AT+CPIN="{self._pin}"', STORE_TIMEOUT, secret=True)
                yield Pause(STEP_PAUSE)
            else:
                yield Pause(SIM_PAUSES.get(self.sim, SIM_PAUSE))
        raise Interrupted(result)

    def _tries_left(self) -> Generator[Command, Result, bool]:
        """False where the SIM counts a mistake already; true where nobody can tell."""
        if not self._dialect.pin_tries:
            return True
        result = yield Command(self._dialect.pin_tries)
        numbers = [int(number) for line in result.lines for number in re.findall(r"\b\d{1,2}\b", line)]
        return not numbers or numbers[0] >= PIN_TRIES_LEFT

    # Watching

    def watch(self) -> Procedure:
        """Signal and registration."""
        result = yield Command("AT+CSQ")
        value = result.value("+CSQ") or ""
        self.signal, self.dbm = cellular.signal(value), cellular.decibels(value)
        for name in self._dialect.registrations:
            if f"AT+{name}?" in self._skip:
                continue
            result = yield Command(f"AT+{name}?")
            if not result.ok:
                self._skip.add(f"AT+{name}?")  # a network this modem does not have
            for line in result.lines:
                self.register(line)

    def register(self, line: str) -> None:
        found = cellular.registration(line)
        if found is not None:
            self.registrations[found[0]] = found[1]

    def clock(self) -> Procedure:
        """Network time, where all commands that tell it agree."""
        told = []
        for one in self._dialect.clock:
            result = yield Command(one.command)
            found = network_time.stamp(" ".join(result.lines), utc=one.utc) if result.ok else None
            if found is not None:
                told.append(Told(found.unix, found.zone, one.command.removeprefix("AT").rstrip("?")))
        if not told:
            return
        if max(one.unix for one in told) - min(one.unix for one in told) > AGREE:
            self._say(Ignored("clock_disagrees"))
        else:
            self._say(told[-1])

    def cycle_radio(self) -> Procedure:
        self.registrations = {}
        yield Command(self._dialect.radio_off, self._dialect.radio_timeout)
        yield Pause(STEP_PAUSE)
        yield Command(self._dialect.radio_on, self._dialect.radio_timeout)

    def restart(self) -> Procedure:
        self.registrations, self.greeted = {}, False
        with suppress(Interrupted):  # it went down as it was told
            yield Command(self._dialect.restart, self._dialect.radio_timeout)
        yield Pause(self._dialect.boot)

    # Messages

    def submit(self, sending: Sending) -> Procedure:
        references: list[int] = []
        for part in sending.parts:
            octets = sms_pdu.encode(Pdu(part))
            text = f"AT+CMGS={len(octets) - 1}"
            try:
                result = yield Command(text, self._dialect.send_timeout, octets.hex().upper().encode())
            except Interrupted as broken:
                self._say(_failed(sending.token, broken.result, begun=bool(references)))
                raise
            reference = result.value("+CMGS")
            if not result.ok or reference is None:
                self._say(_failed(sending.token, result, begun=bool(references)))
                return
            references.append(_number(reference))
        self._say(Submitted(sending.token, tuple(references)))

    def read(self, store: str, index: int) -> Procedure:
        """One message that the modem announced; deleted when it has been handed on, readable or not."""
        if store and store != self._store:
            yield from self._enter(store)
        result = yield Command(f"AT+CMGR={index}", STORE_TIMEOUT)
        self._hand_on(result.lines)
        yield Command(f"AT+CMGD={index}", STORE_TIMEOUT)

    def sweep(self) -> Procedure:
        """Everything in every store, so that none ever fills; what arrives afterwards goes into the last."""
        for store in self._dialect.stores:
            used, total = yield from self._enter(store)
            if used:
                yield from self._empty(full=used >= total)

    def _enter(self, store: str) -> Generator[Command, Result, tuple[int, int]]:
        """The store to read and delete in; only the last one also takes what arrives (27.005 §3.2.2)."""
        places = 3 if store == self._dialect.stores[-1] else 1
        result = yield Command("AT+CPMS=" + ",".join([f'"{store}"'] * places), STORE_TIMEOUT)
        self._store = store if result.ok else ""
        counts = [_number(field) for field in (result.value("+CPMS") or "").split(",")]
        return (counts[0], counts[1]) if result.ok and len(counts) > 1 else (0, 0)

    def _empty(self, *, full: bool) -> Procedure:
        result = yield Command("AT+CMGL=4", LISTING_TIMEOUT)
        indexes = []
        for header, body in _stored(result.lines):
            indexes.append(_number(header.removeprefix("+CMGL:").split(",")[0]))
            self._hand_on([body])
        for index in indexes:
            yield Command(f"AT+CMGD={index}", STORE_TIMEOUT)
        if full and not indexes:  # it cannot be listed and must not stay full: a full store silently stops delivery
            self._say(Ignored("store_wiped"))
            yield Command("AT+CMGD=1,4", LISTING_TIMEOUT)

    def _hand_on(self, lines: Sequence[str]) -> None:
        octets = next((line for line in reversed(lines) if _HEXADECIMAL.fullmatch(line)), None)
        if octets is not None:
            self.hear(octets)

    def hear(self, octets: str) -> None:
        """A PDU in hexadecimal, read from a store or announced with its body."""
        try:
            self._take(sms_pdu.decode(bytes.fromhex(octets)))
        except (RemoteError, ValueError):
            self._say(Ignored("bad_pdu"))


def _failed(token: int, result: Result, *, begun: bool) -> Refused | Doubtful:
    cause = cellular.sending(result.final)
    reason = "no_reference" if result.ok else cause.reason
    if begun:
        return Doubtful(token, reason)
    if result.submitted and (result.ok or cause.doubt or result.final.word in BROKEN):
        return Doubtful(token, reason)
    return Refused(token, "no_prompt" if result.ok else reason, cause.wait)


def _stored(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Headers of +CMGL with what follows them; a header whose PDU was lost has none, and is deleted all the same."""
    found: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith("+CMGL:"):
            found.append((line, ""))
        elif found and not found[-1][1]:
            found[-1] = (found[-1][0], line)
    return found


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0
