"""What is asked of an AT engine (`protocols.at`), and what it gives. Pure data."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from protocols.at_lines import Final

TIMEOUT, LOST, REBOOT, CANCELLED = "timeout", "lost", "reboot", "cancelled"
"""Final words that no modem said: it was silent, is dead, began anew; or the line was opened anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """What to say and how long its answer may take. `payload` follows the prompt, without its Ctrl-Z.

    `reply` tells lines of the answer from unasked ones where the name alone does not. `secret`: never shown.
    """

    text: str
    timeout: float = 5.0  # seconds from the last byte sent to the final result
    payload: bytes | None = None
    reply: re.Pattern[str] | None = None
    secret: bool = False


class Result(NamedTuple):
    """How it ended. `submitted`: the payload went out, so that the end of a silence is not known."""

    final: Final
    lines: list[str]
    submitted: bool = False

    @property
    def ok(self) -> bool:
        return self.final.ok

    def value(self, name: str) -> str | None:
        """What follows `name:` in the first such line."""
        return next((line[len(name) + 1 :].strip() for line in self.lines if line.startswith(f"{name}:")), None)


class Done(NamedTuple):
    command: Command
    result: Result


class Unsolicited(NamedTuple):
    """Something unasked; `body` is its second line where it has one (+CMT, +CDS)."""

    line: str
    body: str = ""


class Stray(NamedTuple):
    """A line that nobody asked for and that says nothing by itself: noise, or an answer that came too late."""

    line: str


class Ready(NamedTuple):
    """The modem answers."""


class Lost(NamedTuple):
    """It does not, after `SYNC_TRIES`; nothing more is said to it until `start`."""
