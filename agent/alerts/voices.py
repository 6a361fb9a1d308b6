"""Whose sentence a voice says: the most important that it has not said as often as its plan wants. Knows no device.

What was said to its end makes room for what matters less; what matters more interrupts, and afterwards the rest of the
other follows. One sentence is one, whoever asks for it: two importers of one alert are not heard twice.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from agent.alerts.orders import Order
from agent.alerts.performer import Part, Performer
from drivers.api import Action


class Wanted(NamedTuple):
    """An order and its sentence, to be said as often as the plan wants."""

    order: Order
    action: Action


class _Told(NamedTuple):
    voice: str
    key: str
    text: str


class Voices:
    def __init__(self) -> None:
        self._told: set[_Told] = set()  # said to the end in this life; the journal counts over all of them
        self._ended: dict[str, Part] = {}  # by voice, the part whose end was noticed last

    def part(self, performer: Performer, wanted: Sequence[Wanted], now: float) -> Part | None:
        name, part, in_force = performer.actuator.name, performer.part, {one.action.key for one in wanted}
        same = [one.action for one in wanted if part is not None and one.action.text == part.action.text]
        if part is not None and not same:
            part = None
        if part is not None and performer.over and self._ended.get(name) is not part:
            self._ended[name] = part  # seen for the first time: it counts for all who ask for these words by now
            self._told |= {_Told(name, action.key, action.text) for action in same}
        self._told = {told for told in self._told if told.voice != name or told.key in in_force}
        over = {told.text for told in self._told if told.voice == name}
        for order, action in wanted:
            if part is not None and not performer.over and part.action.text == action.text:
                return Part(part.action, now + order.seconds)
            left = action.repeat - _said(name, action.text, wanted)
            if left > 0 and action.text not in over:
                return Part(replace(action, repeat=left), now + order.seconds)
        return part


def _said(name: str, text: str, wanted: Sequence[Wanted]) -> int:
    """How often this voice has begun to say it, over all its lives."""
    return max(one.order.said.get(name, 0) for one in wanted if one.action.text == text)
