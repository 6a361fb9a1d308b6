"""SDI-12 probes on one line, behind a transparent adapter or on the bare wire: a machine, with every fault that probes have.

On the bare wire (`strict`) they sleep as v1.3 §7.1 says and hear nothing without a break; an adapter wakes them itself.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from protocols.errors import RemoteError
from protocols.framing import Send
from protocols.sdi12 import pack, seal
from protocols.sdi12_command import Command, parse

SLEEPS_AFTER = 0.100  # seconds of marking
ANSWERS_AFTER = 0.010  # seconds; at most 15 ms
CHARACTER = 10 / 1200  # seconds on the wire
PER_PAGE = 35  # characters of values after M, the least that a recorder must expect
FLOAT32 = 9
FAULTS = (
    "dead",  # never answers
    "deaf",  # misses every second command
    "noisy",  # every third answer is damaged
    "foreign",  # answers with another address
    "unsigned",  # values without their sign
    "long",  # a value of eight digits
    "torn",  # pauses in the middle of an answer
    "abort",  # has no values once
    "aborting",  # never has values
    "short",  # has fewer values than it said
    "more",  # has more
    "mute",  # never requests service
    "late",  # requests service after its time
    "eager",  # requests service that nobody waits for
    "babble",  # says what nobody asked
)


@dataclass
class Probe:
    """`values(seconds)` are what it measures at a time; `seconds` how long that takes it. `faults` of `FAULTS`."""

    address: str = "0"
    values: Callable[[float], Sequence[str]] = lambda _now: ("+3.14",)
    seconds: int = 0
    identity: str = "13FENGSUI SIM   001"
    faults: frozenset[str] = frozenset()
    about: Sequence[str] = ("XX,1,value",)
    measured: Sequence[str] = ()
    crc: bool = False
    ready_at: float | None = None  # of an M that is under way
    done_at: float = 0.0
    heard: int = 0
    said: int = 0
    aborted: bool = False


class Sdi12Line:
    """A `Machine`: commands in, answers out, each at its time. `wake` is a break on the bare wire."""

    def __init__(self, probes: Sequence[Probe], *, strict: bool = False, seed: int = 1, echo: bool = False) -> None:
        self.probes = list(probes)
        self.commands: list[tuple[float, str]] = []
        self._strict, self._echo = strict, echo
        self._chance = random.Random(seed)  # noqa: S311 - a reproducible fault, no secret
        self._due: list[tuple[float, bytes]] = []
        self._heard = b""
        self._awake_until = float("-inf")

    @property
    def deadline(self) -> float | None:
        return min((at for at, _ in self._due), default=None)

    def wake(self, now: float) -> None:
        """A break: sensors listen, and those that measured for M give up (v1.3 §4.4.3)."""
        self._awake_until = now + SLEEPS_AFTER
        for probe in self.probes:
            if probe.ready_at is not None and now < probe.ready_at:
                probe.ready_at, probe.measured = None, ()
                self._due = [one for one in self._due if one[1] != f"{probe.address}\r\n".encode()]

    def receive(self, data: bytes, now: float) -> Sequence[Send]:
        if self._echo:
            self._due.append((now, data))
        self._heard += data
        while b"!" in self._heard:
            text, _, self._heard = self._heard.partition(b"!")
            self._command(text.decode("ascii", "replace").strip() + "!", now)
        return self.tick(now)

    def tick(self, now: float) -> Sequence[Send]:
        ready = sorted((one for one in self._due if one[0] <= now), key=lambda one: one[0])
        self._due = [one for one in self._due if one[0] > now]
        if ready:
            self._awake_until = now + SLEEPS_AFTER
        return [Send(data) for _, data in ready]

    def _command(self, text: str, now: float) -> None:
        self.commands.append((now, text))
        if self._strict and now > self._awake_until:
            return
        end = now + len(text) * CHARACTER * self._strict
        self._awake_until = end + SLEEPS_AFTER
        try:
            command = parse(text)
        except RemoteError:
            return
        for probe in self.probes:
            if command.address in (probe.address, "?"):
                self._ask(probe, command, end)

    def _ask(self, probe: Probe, command: Command, now: float) -> None:
        probe.heard += 1
        if "dead" in probe.faults or ("deaf" in probe.faults and probe.heard % 2):
            return
        answer = self._answer(probe, command, now)
        if answer is not None:
            self._say(probe, answer, now, binary=command.verb == "DB")

    def _say(self, probe: Probe, answer: bytes, now: float, *, binary: bool) -> None:
        probe.said += 1
        at = now + ANSWERS_AFTER
        line = answer if binary else answer + b"\r\n"
        if "foreign" in probe.faults:
            line = b"z" + line[1:]
        if "noisy" in probe.faults and probe.said % 3 == 1:
            place = self._chance.randrange(len(line) - 2)
            line = line[:place] + bytes((line[place] ^ 0x80,)) + line[place + 1 :]
        if "babble" in probe.faults:
            line = b"\x00\xff\x00" + line
        if "torn" in probe.faults and probe.said % 2 and len(line) > 3:
            self._due += [(at, line[:2]), (at + 1.0, line[2:])]
        else:
            self._due.append((at, line))

    def _answer(self, probe: Probe, command: Command, now: float) -> bytes | None:  # noqa: PLR0911 - one for each command
        here = probe.address.encode()
        if command.verb == "A":
            probe.address = command.extra
            return command.extra.encode()
        if command.parameter is not None:
            return self._parameter(probe, command)
        if command.starts:
            return self._start(probe, command, now)
        if command.verb == "R":
            values = "".join(probe.values(now)) if command.index == 0 else ""
            return _sealed(here + values.encode(), crc=command.crc)
        if command.verb == "D":
            return self._page(probe, command.index)
        if command.verb == "DB":
            values_ = [float(one) for one in probe.measured] if command.index == 0 else []
            return pack(probe.address, FLOAT32, values_)
        if command.verb == "I":
            return here + probe.identity.encode()
        if command.verb == "X":
            return here + command.extra.encode()
        return here

    def _parameter(self, probe: Probe, command: Command) -> bytes | None:
        place = (command.parameter or 0) - 1
        if not 0 <= place < len(probe.about):
            return None
        return _sealed(f"{probe.address},{probe.about[place]};".encode(), crc=command.crc)

    def _start(self, probe: Probe, command: Command, now: float) -> bytes:
        values = list(probe.values(now)) if command.index == 0 else []
        digits = {"C": 2, "HA": 3, "HB": 3}.get(command.verb, 1)
        said = f"{probe.address}{probe.seconds if values else 0:03d}{len(values):0{digits}d}".encode()
        if command.identify:
            return said
        probe.crc = command.crc or command.verb == "HA"
        probe.done_at = now + probe.seconds
        probe.measured = self._spoiled(probe, values)
        alone = command.verb != "C" and probe.seconds
        probe.ready_at = probe.done_at - 0.2 if alone else None
        if "eager" in probe.faults or (alone and not {"mute", "late"} & probe.faults):
            self._due.append((probe.done_at - 0.2, f"{probe.address}\r\n".encode()))
        elif alone and "late" in probe.faults:
            self._due.append((probe.done_at + 1.03, f"{probe.address}\r\n".encode()))
        return said

    def _spoiled(self, probe: Probe, values: list[str]) -> list[str]:
        aborts = "aborting" in probe.faults or ("abort" in probe.faults and not probe.aborted)
        probe.aborted = True
        if aborts:
            return []
        if "short" in probe.faults:
            return values[:-1]
        if "more" in probe.faults:
            return [*values, "+1"]
        if "unsigned" in probe.faults:
            return [one.lstrip("+-") for one in values]
        return ["+12345678" for _ in values] if "long" in probe.faults else values

    def _page(self, probe: Probe, number: int) -> bytes:
        page = next((text for at, text in enumerate(_pages(probe.measured)) if at == number), "")
        return _sealed(probe.address.encode() + page.encode(), crc=probe.crc)


def _pages(values: Sequence[str]) -> Iterator[str]:
    page = ""
    for value in values:
        if len(page) + len(value) > PER_PAGE:
            yield page
            page = ""
        page += value
    yield page


def _sealed(line: bytes, *, crc: bool) -> bytes:
    return seal(line) if crc else line


def alone() -> Sdi12Line:
    """`sim:sdi12`: three probes on one line, a slow one among them."""

    def level(now: float) -> Sequence[str]:
        return (f"{1.2 + 0.001 * (now % 60):+.3f}", "+18.4")

    return Sdi12Line(
        [
            Probe("0", level, identity="13FENGSUILEVEL 001"),
            Probe("1", lambda _now: ("+2345", "+18.2", "+412"), seconds=2, identity="14FENGSUISOIL  001"),
            Probe("2", lambda _now: ("-0.02", "+11.5"), seconds=5, identity="13FENGSUITILT  001"),
        ]
    )
