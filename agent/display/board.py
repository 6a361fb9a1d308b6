"""What the page shows now, from what the agent last said and when. Time is an argument; no sockets, no HTML.

A warning ends by itself at its end, also when there is no agent any more to say so.
"""

import math
from typing import Any, NamedTuple

import msgspec

from protocols.page import SILENT, Seen, Shown, State

MOST_PAGES = 8  # browsers at once: a kiosk or two, and a technician


class Drawn(NamedTuple):
    """A page's word that it has drawn this: of which connection of the agent, which state."""

    life: int
    number: int


class Board:
    def __init__(self) -> None:
        self.state = State(-1)
        self.life = 0  # connections of the agent so far: its numbers start anew with each
        self.connected = False
        self.pages = 0
        self.drawn = -1
        self._heard = -math.inf

    def connect(self) -> None:
        """What was shown stays until the agent says what is to be shown now."""
        self.life += 1
        self.state = msgspec.structs.replace(self.state, number=-1)
        self.connected, self.drawn = True, -1

    def disconnect(self, life: int) -> None:
        """Only the newest connection counts: an old one that ends late says nothing."""
        if life == self.life:
            self.connected = False

    def hear(self, state: State, now: float) -> None:
        self.state, self._heard = state, now

    def draw(self, drawn: Drawn) -> None:
        if drawn.life == self.life:
            self.drawn = max(self.drawn, drawn.number)

    def seen(self) -> Seen:
        return Seen(self.state.number, self.pages, self.drawn)

    def agent_lives(self, now: float) -> bool:
        return self.connected and now - self._heard < SILENT

    def view(self, now: float) -> dict[str, Any]:
        """What a page needs to draw; JSON-ready."""
        shown = self.state.shown
        view: dict[str, Any] = {
            "life": self.life,
            "number": self.state.number,
            "agent": self.agent_lives(now),
            "place": self.state.place,
            "warning": None,
        }
        if shown is not None and now < shown.until:
            view["warning"] = _warning(shown, now)
        return view


def _warning(shown: Shown, now: float) -> dict[str, Any]:
    left = math.ceil(shown.until - now)
    return {
        "text": shown.text,
        "level": shown.level if shown.level in ("red", "orange", "yellow", "blue") else "none",
        "exercise": shown.exercise,
        "area": shown.area,
        "left": left,
    }
