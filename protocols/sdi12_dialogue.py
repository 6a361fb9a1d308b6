"""How an SDI-12 measurement goes, whoever carries it out: begin it, wait, fetch the pages, begin again if it was aborted.

Each dialogue is a generator: it yields what is to be done next, is sent the reply to each `Ask`, and returns the values.
"""

from collections.abc import Generator
from typing import NamedTuple, TypeVar

from protocols.errors import LocalError, RemoteError
from protocols.sdi12 import Identity, Parameter, Reply, Scheduled, Values
from protocols.sdi12_command import MOST_PAGES, Command

MEASUREMENTS = 2  # an aborted measurement is begun once more (v1.3 §4.4.8)
GRACE = 1.0  # seconds after ttt: sensors round it, and a slow adapter delays the service request


class Ask(NamedTuple):
    """`crc`: whether an answer with values has a checksum; None: it may."""

    command: Command
    crc: bool | None = None


class Rest(NamedTuple):
    """Let `seconds` pass. With an `address`, its service request ends the wait, and the line is not to be used meanwhile:
    a break would abort the measurement. Without one, the line is free for other sensors.
    """

    seconds: float
    address: str = ""


R = TypeVar("R")
Steps = Generator[Ask | Rest, Reply | None, tuple[float, ...]]


def measure(command: Command) -> Steps:
    """All values of one measurement. RemoteError `unsupported`, `aborted`, `short` or `count`."""
    if command.verb == "R":
        return (yield from _continuous(command))
    wrong = RemoteError("aborted", command.text)
    for _ in range(MEASUREMENTS):
        try:
            return (yield from _once(command))
        except RemoteError as reason:
            if reason.reason not in ("aborted", "short"):
                raise
            wrong = reason
    raise wrong


def _continuous(command: Command) -> Steps:
    reply = _a(Values, (yield Ask(command, command.crc)))
    if not reply.values:
        raise RemoteError("unsupported", command.text)
    return reply.values


def _once(command: Command) -> Steps:
    scheduled = _a(Scheduled, (yield Ask(command)))
    if not scheduled.expected:
        raise RemoteError("unsupported", command.text)
    if scheduled.seconds:
        alone = command.verb != "C"
        yield Rest(scheduled.seconds + GRACE * alone, scheduled.address if alone else "")
    return (yield from _pages(command, scheduled.expected))


def _pages(command: Command, count: int) -> Steps:
    """Data requests until all values are there; an answer without any ends it."""
    verb = "DB" if command.verb == "HB" else "D"
    crc = None if command.verb == "HA" else command.crc
    pages = MOST_PAGES["D"] if command.verb in ("HA", "HB") else MOST_PAGES["R"]
    values: tuple[float, ...] = ()
    for page in range(pages):
        reply = _a(Values, (yield Ask(Command(command.address, verb, page), crc)))
        values += reply.values
        if len(values) > count:
            raise RemoteError("count", f"{command.text}: {len(values)} values of {count}")
        if len(values) == count:
            return values
        if not reply.values:
            break
    raise RemoteError("short" if values else "aborted", f"{command.text}: {len(values)} values of {count}")


def identify(address: str) -> Generator[Ask | Rest, Reply | None, Identity]:
    return _a(Identity, (yield Ask(Command(address, "I"))))


def describe(command: Command) -> Generator[Ask | Rest, Reply | None, tuple[tuple[str, ...], ...]]:
    """What each value of a measurement is, from sensors of v1.4: SHEF code, unit and more, in order of the values."""
    scheduled = _a(Scheduled, (yield Ask(_about(command))))
    found = []
    for place in range(1, scheduled.expected + 1):
        parameter = _a(Parameter, (yield Ask(_about(command, place))))
        found.append(parameter.fields)
    return tuple(found)


def _about(command: Command, parameter: int | None = None) -> Command:
    return Command(command.address, command.verb, command.index, command.crc, identify=True, parameter=parameter)


def _a(kind: type[R], reply: Reply | None) -> R:
    """Commands and forms of answer belong together; who sends another one in carries the dialogue out wrongly."""
    if not isinstance(reply, kind):
        raise LocalError("dialogue", f"{reply} for {kind.__name__}")
    return reply
