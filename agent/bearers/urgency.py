"""Which alarms leave by two bearers at once: those of the top level, as the configuration has it."""

from collections.abc import Callable, Mapping
from typing import Any

from agent.spot.rules import LevelName
from protocols.alert import Level

BY_HAND = "alarm.by_hand"  # a person on the spot: no level, and no doubt


def top_level(least: LevelName) -> Callable[[Mapping[str, Any]], bool]:
    """Of the fields of an event: is it an alarm of this level or above?"""
    most = Level[least.upper()]

    def top(facts: Mapping[str, Any]) -> bool:
        if facts.get("type") == BY_HAND:
            return True
        name = str(facts.get("level", "")).upper()
        return name in Level.__members__ and Level[name] <= most

    return top
