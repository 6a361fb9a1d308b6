"""What passes between the agent and the display page's process: one JSON object a line, the whole state each time. Pure.

Sent whole, and again every second, so that neither side can miss a change: whoever starts later knows everything within a
second. Times are seconds of CLOCK_MONOTONIC, which both processes of one machine read alike.
"""

from typing import TypeVar

import msgspec

from protocols.alert import displayable
from protocols.errors import RemoteError

LONGEST_LINE = 16 << 10  # bytes: 500 characters, escaped, and their frame
BEAT = 1.0  # seconds between repetitions of the state
SILENT = 5.0  # seconds without one: there is no agent any more

T = TypeVar("T")


class Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A warning as the page shows it. `place` is where this page stands, `area` for whom the warning is."""

    text: str
    level: str
    until: float
    exercise: bool = False
    place: str = ""
    area: str = ""


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From the agent. `number` counts its changes, so that it can be said which of them a page has drawn."""

    number: int
    shown: Shown | None = None
    place: str = ""


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From the display: the state it holds, how many pages are open, and the newest state that one of them has drawn."""

    number: int
    pages: int
    drawn: int


def encode(message: State | Seen) -> bytes:
    return msgspec.json.encode(message) + b"\n"


def decode_state(line: bytes) -> State:
    """Texts come out displayable, whatever went in."""
    state = _decode(line, State)
    if state.shown is None:
        return msgspec.structs.replace(state, place=displayable(state.place, 80))
    words = {name: displayable(getattr(state.shown, name)) for name in ("text", "level", "place", "area")}
    return msgspec.structs.replace(
        state, shown=msgspec.structs.replace(state.shown, **words), place=displayable(state.place, 80)
    )


def decode_seen(line: bytes) -> Seen:
    return _decode(line, Seen)


def _decode(line: bytes, kind: type[T]) -> T:
    if len(line) > LONGEST_LINE:
        raise RemoteError("too_long", f"{len(line)} bytes")
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise RemoteError("message", str(wrong)) from None
